"""Turns a plan into words: templates chosen by style, mood and what was said before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from itertools import product

from rlpa_bench.errors import DataError, SimulatorError
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Item

_BARE = {"greet", "again", "ack", "react", "agree", "no_more", "back", "leave", "puzzled"}
_BARE |= {"no", "repeat", "echo", "flattery", "interrogation", "too_long"}
_SAYING = {"lead", "answer", "more", "confirm", "correct", "negate", "object", "retell", "remention"}
_ON_TOPIC = {"told", "exhausted", "decline", "deny"}

PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_BARE, frozenset()),
    **dict.fromkeys(_SAYING, frozenset({"say"})),
    **dict.fromkeys(_ON_TOPIC, frozenset({"topic"})),
    "news": frozenset({"say", "topic"}),
    "gone": frozenset({"value"}),
    "gone_dislike": frozenset({"value"}),
    "state": frozenset({"topic", "value"}),
    "state_not": frozenset({"value"}),
}
"""Act -> the placeholders its templates may use; ``say`` and ``value`` must be used where allowed."""

TAGS = ("any", "short", "long", "warm", "cool", "joking", "direct", "formal", "asking")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")
_TRIES = 6


def available() -> tuple[str, ...]:
    """Names of the bundled template sets."""
    folder = files(__package__).joinpath("templates")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".json")))


@lru_cache
def load(name: str) -> Templates:
    """A bundled template set. Raises SimulatorError if there is none of that name, DataError if it is broken."""
    if name not in available():
        raise SimulatorError(
            f"the agenda simulator has no templates named {name!r}: let the case's `templates` be one of "
            f"{', '.join(available())}"
        )
    return Templates(files(__package__).joinpath("templates", f"{name}.json").read_text(encoding="utf-8"))


def expand(template: str) -> Iterator[str]:
    """All texts that a template with ``[one|other]`` choices stands for."""
    parts = _CHOICE.split(template)
    options = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    return ("".join(choice) for choice in product(*options))


class Templates:
    """One set of templates; see ``templates/README.md`` for the format."""

    def __init__(self, content: str) -> None:
        """Raises DataError where acts, tags or placeholders are not those of the schema."""
        self.digest = sha256(content.encode()).hexdigest()
        read = json.loads(content)
        self.topics: Mapping[str, list[str]] = read["topics"]
        self.acts: Mapping[str, Mapping[str, list[str]]] = {
            act: {tag: [text for line in lines for text in expand(line)] for tag, lines in tags.items()}
            for act, tags in read["acts"].items()
        }
        self._check(str(read["name"]))
        self.pool = cache(self._pool)

    def _check(self, name: str) -> None:
        if set(self.acts) != set(PLACEHOLDERS):
            wrong = sorted(set(self.acts) ^ set(PLACEHOLDERS))
            raise DataError(f"templates {name!r}: acts missing or unknown: {', '.join(wrong)}")
        for act, tags in self.acts.items():
            if "any" not in tags or not set(tags) <= set(TAGS):
                raise DataError(f"templates {name!r}, act {act!r}: needs `any`, and only tags of {', '.join(TAGS)}")
            for text in (text for texts in tags.values() for text in texts):
                used = set(_PLACE.findall(text))
                if not (PLACEHOLDERS[act] - {"topic"} <= used <= PLACEHOLDERS[act]):
                    raise DataError(f"templates {name!r}, act {act!r}: wrong placeholders in {text!r}")

    def _pool(self, act: str, tags: frozenset[str]) -> tuple[list[str], list[str]]:
        """The variants that show any of these tags, and those that anybody may use."""
        lists = self.acts[act]
        return [text for tag in TAGS if tag in tags for text in lists.get(tag, ())], lists["any"]


class Wording:
    """Words the parts of one utterance, avoiding what the user said before."""

    def __init__(self, templates: Templates, tags: frozenset[str], draws: Draws, past: str) -> None:
        self._templates = templates
        self._tags = tags
        self._draws = draws
        self._past = past

    def say(self, act: str, item: Item | None = None, slot: str = "") -> str:
        """One or two sentences for an act, about an item or a slot."""
        topics = self._templates.topics.get(item.slot if item else slot)
        template = self._pick(act)
        said = self._fact(item) if item is not None and "{say}" in template else ""
        topic = self._draws.choice(topics) if topics and "{topic}" in template else ""
        text = self._fill(template, say=said, topic=topic, value=item.value if item else "")
        self._past += f"\n{text}"
        return text

    def _fact(self, item: Item) -> str:
        """One of the item's own sentences, a new one if possible."""
        if not item.say:
            return self.say("state" if item.polarity > 0 else "state_not", item)
        fresh = [sentence for sentence in item.say if sentence not in self._past]
        sentence = self._draws.choice(fresh or item.say)
        return sentence if sentence[-1:] in ".!?" else f"{sentence}."

    def _pick(self, act: str) -> str:
        tagged, common = self._templates.pool(act, self._tags)
        pool = tagged if tagged and self._draws.random() < 0.6 else common
        for _ in range(_TRIES):
            template = self._draws.choice(pool)
            if self._new(template):
                return template
        every = [*common, *tagged]
        start = self._draws.below(len(every))
        turned = every[start:] + every[:start]
        return next((template for template in turned if self._new(template)), turned[0])

    def _new(self, template: str) -> bool:
        longest = _longest(template)
        return len(longest) < 4 or longest not in self._past

    @staticmethod
    def _fill(template: str, **values: str) -> str:
        text = _PLACE.sub(lambda found: values[found[1]], template).strip()
        return text[:1].upper() + text[1:]


@lru_cache(16384)
def _longest(template: str) -> str:
    """The longest stretch of a template between its placeholders."""
    return max(_PLACE.split(template)[::2], key=len).strip()


def tags(style: Mapping[str, float], trust: int) -> frozenset[str]:
    """How the user sounds: by personality, cold and short at first, warmer with trust."""
    shown = {
        "short": style["length"] <= -0.5,
        "long": style["length"] >= 0.5,
        "warm": style["warmth"] >= 0.5,
        "cool": style["warmth"] <= -0.5,
        "joking": style["humour"] >= 0.5,
        "direct": style["directness"] >= 0.5,
        "formal": style["formality"] >= 0.5,
        "asking": style["questions"] >= 0.5,
    }
    if trust < 30:
        return frozenset({"short", "cool"} | {tag for tag in ("direct", "formal") if shown[tag]})
    if trust >= 60 and not shown["cool"]:
        shown["warm"] = True
    return frozenset(tag for tag, on in shown.items() if on)
