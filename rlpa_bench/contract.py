"""What a candidate sees of the history and must write; part of the protocol and of every run's terms.

The format is RLPA's (arXiv 2505.15456, released actor prompt): an inferred profile as a bullet list in
``<profile>``, then the reply in ``<response>``. Earlier assistant turns are shown as replies only; the latest
one keeps its profile block, so that the profile is handed on one turn at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

from rlpa_bench.types import SLOTS, Exchange, Item, Message

_BLOCKS = re.compile(r"<profile>(.*?)</profile>\s*<response>(.*?)</response>", re.DOTALL)
_TAG = re.compile(r"</?(?:profile|response)>")
_BULLET = re.compile(r"^[\s\-*•·–]+|^\s*\d+[.)]\s+")
_BY_NAME = {slot.casefold(): slot for slot in SLOTS} | {
    "education": "Educational Background",
    "family": "Family Background",
    "hobbies": "Interests",
    "interest": "Interests",
    "job": "Occupation",
    "other": "Others",
    "other information": "Others",
    "personality": "Personality Traits",
    "personality trait": "Personality Traits",
    "profession": "Occupation",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A candidate's raw output, read once, by this parser only."""

    profile: str
    """Text of the profile block, one line per entry; empty if malformed."""
    response: str
    """The reply; the whole raw text if malformed, as the user would see it."""
    malformed: str = ""
    """Why the contract is broken; empty if it is kept."""


def _prompt(name: str) -> str:
    return files("rlpa_bench").joinpath("prompts", name).read_text(encoding="utf-8")


def _parse(raw: str) -> Parsed:
    tags = _TAG.findall(raw)
    if not tags:
        return Parsed("", raw.strip(), "no blocks" if raw.strip() else "empty output")
    match = _BLOCKS.search(raw)
    if match is None:
        return Parsed("", _TAG.sub("", raw).strip(), "blocks missing, unclosed or out of order")
    if len(tags) != 4:
        return Parsed("", _TAG.sub("", raw).strip(), "blocks repeated")
    if not match[2].strip():
        return Parsed("", "", "empty response")
    lines = (line.strip() for line in match[1].splitlines())
    return Parsed("\n".join(line for line in lines if line), match[2].strip())


_parse_once = lru_cache(4096)(_parse)
"""Every later turn of a dialogue looks at the earlier outputs again."""
_message = lru_cache(8192)(Message)
exchange = lru_cache(8192)(Exchange)
"""Made once for the same words, for the same reason."""
_SHORT = 8192
"""Characters up to which an output is worth keeping."""


@dataclass(frozen=True)
class Contract:
    """The format, its rendering and its one parser."""

    examples: int = 2
    """Worked examples in the system text: 0 or 2."""
    slots: tuple[str, ...] = SLOTS
    max_value: int = 72
    """Characters per profile line that a guided model may write after the slot."""
    max_response: int = 280
    """Characters a guided model may write in its reply."""

    @cached_property
    def system(self) -> str:
        text = _prompt("contract.txt").format(slots=", ".join(self.slots))
        return f"{text}\n{_prompt('contract_examples.txt')}".strip() if self.examples else text.strip()

    def render(self, history: Sequence[Exchange], user: str) -> tuple[Message, ...]:
        """The messages a candidate's model sees for this turn."""
        messages = [_message("system", self.system)]
        for turn in history:
            messages += (_message("user", turn.user), _message("assistant", turn.response))
        if history:
            messages[-1] = Message("assistant", self.write(history[-1].profile, history[-1].response))
        messages.append(Message("user", user))
        return tuple(messages)

    @staticmethod
    def write(profile: str, response: str) -> str:
        """The canonical output for a profile text (lines) and a reply."""
        body = f"{profile.strip()}\n" if profile.strip() else ""
        return f"<profile>\n{body}</profile>\n\n<response>\n{response.strip()}\n</response>"

    @staticmethod
    def parse(raw: str) -> Parsed:
        """Reads an output. Text around the two blocks is ignored, as in RLPA's released reward function.

        Line breaks around the tags are free (the released pattern wants exact ones); both blocks must be there
        once, closed and in order, and the reply must not be empty.
        """
        return _parse(raw) if len(raw) > _SHORT else _parse_once(raw)

    @staticmethod
    def items(profile: str) -> tuple[Item, ...]:
        """The inferred items of a profile text, one per line; without a known slot, ``slot`` is empty."""
        items = []
        for line in profile.splitlines():
            text = _BULLET.sub("", line).strip()
            slot, colon, value = text.partition(":")
            known = _BY_NAME.get(slot.strip(" *_").casefold())
            if colon and known:
                text = value.strip(" *_")
            if text:
                items.append(Item(slot=known or "", value=text))
        return tuple(items)

    @staticmethod
    def lines(items: Sequence[Item]) -> str:
        """A profile text that states these items, one line each."""
        return "\n".join(
            f"- {item.slot}: {'' if item.polarity > 0 else 'dislikes '}{item.value}" if item.slot else f"- {item.value}"
            for item in items
        )

    def gbnf(self) -> str:
        """The contract as a llama.cpp grammar: each slot at most once, in order, lengths bounded."""
        lines = " ".join(f'("- {slot}: " value)?' for slot in self.slots)
        return (
            f'root ::= "<profile>\\n" {lines} "</profile>\\n\\n<response>\\n" reply "\\n</response>"\n'
            f'value ::= [^\\n<>]{{1,{self.max_value}}} "\\n"\n'
            f"reply ::= [^\\n<>]{{1,{self.max_response}}}\n"
        )

    def regex(self) -> str:
        """The same constraint as a regular expression, for engines that take one."""
        lines = "".join(f"(- {slot}: [^\\n<>]{{1,{self.max_value}}}\\n)?" for slot in self.slots)
        return f"<profile>\\n{lines}</profile>\\n\\n<response>\\n[^\\n<>]{{1,{self.max_response}}}\\n</response>"
