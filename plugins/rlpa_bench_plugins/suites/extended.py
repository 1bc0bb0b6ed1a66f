"""RLPA's Extended set (arXiv 2505.15456, appendix C.2): personas of another format, with free slot keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from rlpa_bench.contract import Contract
from rlpa_bench.free_matching import synonyms
from rlpa_bench.interfaces import Suite
from rlpa_bench.options import Options
from rlpa_bench.randomness import Draws
from rlpa_bench.types import JSON, Case, Gold, Session
from rlpa_bench_plugins.suites.persona_chat import read_persona_chat
from rlpa_bench_plugins.suites.persona_files import BUNDLED, Entry, digest, read_free_profiles

_SLOTS = "any that fit, in your own words, such as Job, Pets or Favourite Food"
_KEY = "[A-Za-z ']{1,32}"
_MOST_LINES = 12


@dataclass(frozen=True)
class FreeContract(Contract):
    """The contract without fixed slots."""

    slots: tuple[str, ...] = (_SLOTS,)

    def gbnf(self) -> str:
        """The contract as a llama.cpp grammar: up to 12 lines, each with a key of its own."""
        return (
            f'root ::= "<profile>\\n" ("- " key ": " value){{0,{_MOST_LINES}}} "</profile>\\n\\n<response>\\n" '
            'reply "\\n</response>"\n'
            f"key ::= {_KEY}\n"
            f'value ::= [^\\n<>]{{1,{self.max_value}}} "\\n"\n'
            f"reply ::= [^\\n<>]{{1,{self.max_response}}}\n"
        )

    def regex(self) -> str:
        """The same constraint as a regular expression."""
        line = f"(- {_KEY}: [^\\n<>]{{1,{self.max_value}}}\\n)"
        reply = f"[^\\n<>]{{1,{self.max_response}}}"
        return f"<profile>\\n{line}{{0,{_MOST_LINES}}}</profile>\\n\\n<response>\\n{reply}\\n</response>"


class ExtendedOptions(Options):
    """Length of the dialogues and whose personas."""

    turns: int = Field(10, ge=1, description="Turns per dialogue.")
    opening: str = Field("Hello", min_length=1, description="The user's first words in every dialogue.")
    profiles: Path | None = Field(None, description="A profiles.jsonl with free keys instead of the bundled one.")
    personachat: Path | None = Field(None, description="A PersonaChat file (ParlAI's text, or JSON) instead.")
    personas: int | None = Field(None, ge=1, description="Draw this many of them, seeded; RLPA drew 74. All if unset.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.profiles and self.personachat:
            raise ValueError("profiles and personachat both name personas; give one of them")
        return self


class AloeExtendedSuite(Suite):
    """Personas with free slot keys, our own 42 or PersonaChat's; keys and values are matched by text, flagged."""

    name = "aloe-extended"
    protocol = "aloe-extended/1"
    Options: ClassVar[type[Any]] = ExtendedOptions

    def contract(self) -> Contract:
        return FreeContract()

    def cases(self) -> Sequence[Case]:
        """One case a persona, in file order. Raises DataError for malformed files."""
        entries = self._entries()
        if self.options.personas is None:
            return [self._case(entry) for entry in entries]
        chosen = {entry.id for entry in self._drawn(entries, self.options.personas)}
        return [self._case(entry) for entry in entries if entry.id in chosen]

    def sample(self, limit: int) -> Sequence[Case]:
        """``limit`` seeded cases; a smaller sample is part of every larger one."""
        cases = self.cases()
        ordered = sorted(cases, key=lambda case: Draws("sample", self.protocol, case.id).integer())
        chosen = {case.id for case in ordered[:limit]}
        return [case for case in cases if case.id in chosen]

    def describe(self) -> Mapping[str, JSON]:
        """sha256 of the persona file and of the table of synonyms."""
        return {"profiles": digest(self._path), "synonyms": synonyms().digest}

    @property
    def _path(self) -> Path:
        return self.options.personachat or self.options.profiles or BUNDLED / "aloe-extended" / "profiles.jsonl"

    def _entries(self) -> Sequence[Entry]:
        if self.options.personachat:
            return read_persona_chat(self.options.personachat)
        return read_free_profiles(self._path)

    def _drawn(self, entries: Sequence[Entry], number: int) -> Sequence[Entry]:
        return sorted(entries, key=lambda entry: Draws("draw", self.protocol, entry.id).integer())[:number]

    def _case(self, entry: Entry) -> Case:
        return Case(
            id=entry.id,
            gold=Gold(entry.items),
            cluster=entry.id,
            sessions=(Session(self.options.turns, self.options.opening),),
            text=" ".join(item.say[0] for item in entry.items if item.say),
        )
