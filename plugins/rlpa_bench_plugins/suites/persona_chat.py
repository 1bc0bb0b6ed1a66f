"""Reading PersonaChat (Zhang et al. 2018, arXiv 1801.07243): ParlAI's text files and the JSON files made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rlpa_bench.errors import DataError
from rlpa_bench.types import Item
from rlpa_bench_plugins.suites.persona_files import Entry

_TURN = re.compile(r"(\d+) (.*)")
_OWN = "your persona: "
_PARTNER = "partner's persona: "

_LIKES = r"(?:really |also |absolutely |just )?(?:like|love|enjoy|adore)"
_RULES = tuple(
    (re.compile(pattern), key, polarity)
    for pattern, key, polarity in (
        (r"my favou?rite (?P<key>[a-z ]+?) (?:is|are|was) (?P<value>.+)", "favourite {key}", 1),
        (r"i (?:do not|don ?'?t|never) (?:really )?(?:like|enjoy|eat|drink) (?P<value>.+)", "likes", -1),
        (r"i (?:hate|dislike|can ?not stand|can ?'?t stand|despise) (?P<value>.+)", "likes", -1),
        (rf"i {_LIKES} (?:to )?(?P<value>.+)", "likes", 1),
        (r"i (?:work|am working) (?:as|at|for|in) (?P<value>.+)", "job", 1),
        (r"i live (?:in|on|near|at|with) (?P<value>.+)", "home", 1),
        (r"i (?:grew up|was born|was raised|come) (?:in|on|from) (?P<value>.+)", "birthplace", 1),
        (r"i want to (?P<value>.+)", "dream", 1),
        (r"i (?:am|'m|m) (?:afraid|scared|terrified) of (?P<value>.+)", "fear", 1),
        (r"i (?:am|'m|m) allergic to (?P<value>.+)", "allergy", 1),
        (r"my name is (?P<value>.+)", "name", 1),
        (r"i (?:drive|own) (?P<value>.+)", "possession", 1),
        (r"i have (?P<value>.*\b(?:dogs?|cats?|pets?|parrots?|birds?|horses?|rabbits?|fish)\b.*)", "pet", 1),
        (
            r"i have (?P<value>.*\b(?:kids?|child|children|sons?|daughters?|brothers?|sisters?|siblings?)\b.*)",
            "family",
            1,
        ),
        (
            r"my (?P<key>mother|mom|father|dad|parents|wife|husband|brother|sister|son|daughter) (?P<value>.+)",
            "{key}",
            1,
        ),
        (r"i (?:can|could) (?P<value>.+)", "skill", 1),
        (r"i (?:am|'m|m) (?P<value>.+)", "about", 1),
    )
)
"""Opening of a sentence -> key and polarity, first that fits; anything else has the key ``fact``."""


def read_persona_chat(path: Path) -> tuple[Entry, ...]:
    """The different personas of a PersonaChat file, in order of first appearance, with facts under free keys.

    Reads ParlAI's text (``1 your persona: …`` lines at the head of each dialogue; the partner's persona counts as one
    of its own), and JSON: a list of dialogues, or an object of such lists by split, where a dialogue has its persona
    under ``personality`` or ``persona`` as a list of sentences.

    Raises:
        DataError: if the file cannot be read or holds no persona in either form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a PersonaChat file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    sentences = _from_json(path, text) if text.lstrip()[:1] in ("{", "[") else _from_text(text)
    personas = dict.fromkeys(tuple(dict.fromkeys(clean)) for clean in map(_cleaned, sentences) if clean)
    if not personas:
        raise DataError(
            f'{path}: no persona found; a text file has lines such as "1 your persona: i like tea.", '
            'a JSON file lists of sentences under "personality"'
        )
    return tuple(
        Entry(f"personachat-{number:04}", tuple(_items(persona))) for number, persona in enumerate(personas, 1)
    )


def _from_text(text: str) -> Iterator[list[str]]:
    """The personas at the head of each dialogue; line numbers start again at 1 with the next one."""
    own: list[str] = []
    partner: list[str] = []
    for line in text.splitlines():
        match = _TURN.match(line)
        if match is None:
            continue
        if match[1] == "1":
            yield from (own, partner)
            own, partner = [], []
        for mark, persona in ((_OWN, own), (_PARTNER, partner)):
            if match[2].startswith(mark):
                persona.append(match[2].removeprefix(mark))
    yield from (own, partner)


def _from_json(path: Path, text: str) -> Iterator[list[str]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON ({error.msg} in line {error.lineno}); fetch or save it again") from error
    for dialogue in _dialogues(content):
        for name in ("personality", "persona", "your_persona", "user_persona"):
            persona = dialogue.get(name)
            if isinstance(persona, list) and all(isinstance(sentence, str) for sentence in persona):
                yield persona


def _dialogues(content: Any) -> Iterator[dict[str, Any]]:
    lists = content.values() if isinstance(content, dict) else (content,)
    return (row for rows in lists if isinstance(rows, list) for row in rows if isinstance(row, dict))


def _cleaned(sentences: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in (" ".join(sentence.split()).strip(" .") for sentence in sentences) if text)


def _items(persona: Iterable[str]) -> Iterator[Item]:
    seen: set[str] = set()
    for sentence in persona:
        item = fact(sentence)
        if item.key not in seen:
            seen.add(item.key)
            yield item


def fact(sentence: str) -> Item:
    """A persona sentence as key and value; what the rules do not know is a whole sentence under ``fact``."""
    spoken = sentence[:1].upper() + re.sub(r"\bi\b", "I", sentence)[1:]
    say = (spoken if spoken[-1] in ".!?" else f"{spoken}.",)
    for pattern, key, polarity in _RULES:
        if match := pattern.fullmatch(sentence.lower().rstrip(".!? ")):
            named = match.groupdict()
            return Item(key.format(key=named.get("key")), named["value"].strip(), polarity, "", "personachat", say)
    return Item("fact", sentence.lower().rstrip(".!? "), 1, "", "personachat", say)
