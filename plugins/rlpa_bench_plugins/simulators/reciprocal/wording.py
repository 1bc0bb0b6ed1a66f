"""Plans into words: one line of the act's templates, drawn by tone, that was not said before."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from rlpa_bench.errors import DataError, SimulatorError
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Item

TONES = ("any", "guarded", "open", "brief", "wry", "formal")
_PLAIN = ("greet", "reopen", "chat", "resonate", "uptake", "all_told", "yes_known", "parrot", "praise", "monologue",
          "garble", "lopsided", "leave")  # fmt: skip
_SAYING = ("remember", "tell", "match", "answer", "more", "again_say", "yes", "wrong_but", "clash", "changed")
_VALUE = ("short", "short_not", "over", "over_not", "state", "state_not")
ACTS: Mapping[str, str] = {
    **dict.fromkeys(_PLAIN, ""),
    **dict.fromkeys(_SAYING, "say"),
    **dict.fromkeys(_VALUE, "value"),
    **dict.fromkeys(("again", "later", "none", "wrong"), "topic"),
}
"""Act -> the placeholder that each of its templates holds; empty for none."""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")
_TRIES = 16


def available() -> tuple[str, ...]:
    """Names of the bundled sets of templates."""
    folder = files(__package__).joinpath("templates")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


@lru_cache
def load(name: str) -> Templates:
    """A bundled set. Raises SimulatorError if there is none of that name, DataError if it is broken."""
    if name not in available():
        raise SimulatorError(
            f"the reciprocal simulator has no templates named {name!r}: let the case's `templates` be one of "
            f"{', '.join(available())}"
        )
    return Templates(files(__package__).joinpath("templates", f"{name}.toml").read_text(encoding="utf-8"))


class Templates:
    """One set of templates."""

    def __init__(self, content: str) -> None:
        """Raises DataError where acts, tones or placeholders are not those of the schema."""
        self.digest = sha256(content.encode()).hexdigest()
        read = tomllib.loads(content)
        self.topics: Mapping[str, list[str]] = read["topics"]
        self.acts: Mapping[str, Mapping[str, list[str]]] = read["acts"]
        if set(self.acts) != set(ACTS):
            wrong = sorted(set(self.acts) ^ set(ACTS))
            raise DataError(f"templates {read['name']!r}: acts missing or unknown: {', '.join(wrong)}")
        for act, tones in self.acts.items():
            if "any" not in tones or not set(tones) <= set(TONES):
                raise DataError(f"templates {read['name']!r}, act {act!r}: needs `any`, tones are {', '.join(TONES)}")
            for text in (text for texts in tones.values() for text in texts):
                if set(_PLACE.findall(text)) != ({ACTS[act]} if ACTS[act] else set()):
                    raise DataError(f"templates {read['name']!r}, act {act!r}: wrong placeholders in {text!r}")


class Speaker:
    """Words one utterance; ``past`` is all that the user said before."""

    def __init__(self, templates: Templates, tones: frozenset[str], draws: Draws, past: str) -> None:
        self._templates = templates
        self._tones = tones
        self._draws = draws
        self._past = past

    def say(self, act: str, item: Item | None = None, slot: str = "") -> str:
        """A sentence or two for an act about an item or a slot; one not said before, if there is one."""
        values = {"value": item.value if item else ""}
        if ACTS[act] == "say" and item is not None:
            values["say"] = self._fact(item)
        if ACTS[act] == "topic":
            values["topic"] = self._draws.choice(self._templates.topics.get(slot) or ["that"])
        text = ""
        for _ in range(_TRIES):
            line = self._line(act)
            text = _PLACE.sub(lambda found: values[found[1]], line).strip()
            text = text[:1].upper() + text[1:]
            if text not in self._past:
                break
        self._past += f"\n{text}"
        return text

    def _line(self, act: str) -> str:
        tones = self._templates.acts[act]
        own = [line for tone in TONES if tone in self._tones for line in tones.get(tone, ())]
        pool = own if own and self._draws.random() < 0.5 else tones["any"]
        return _CHOICE.sub(lambda found: self._draws.choice(found[1].split("|")), self._draws.choice(pool))

    def _fact(self, item: Item) -> str:
        """One of the item's own sentences, a new one if possible, or its value in a frame."""
        if not item.say:
            return self.say("state" if item.polarity > 0 else "state_not", item)
        fresh = [sentence for sentence in item.say if sentence not in self._past]
        sentence = self._draws.choice(fresh or item.say)
        return sentence if sentence[-1:] in ".!?" else f"{sentence}."


def tones(style: Mapping[str, float], stage: int) -> frozenset[str]:
    """How the user sounds: guarded at first and open once close, and as the personality asks."""
    shown = {
        "guarded": stage == 0,
        "open": stage >= 2 and style["warmth"] > -0.5,
        "brief": style["length"] <= -0.5,
        "wry": style["humour"] >= 0.5 and stage >= 1,
        "formal": style["formality"] >= 0.5,
    }
    return frozenset(tone for tone, on in shown.items() if on)
