"""The protocol of ALOE's own evaluation (arXiv 2410.03642, COLING 2025): persona texts, and the user opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Case, Gold, Item, Session
from rlpa_bench_plugins.suites.persona_files import digest, read_personalities, read_profiles
from rlpa_bench_plugins.suites.personas import PersonaSuite
from rlpa_bench_plugins.suites.text_files import Texts, read_texts

_USED = 5
"""Personalities of ALOE's evaluation file that its script uses, the first ones."""

_FILES = {
    "evaluation": ("profile_eval.jsonl", "personality_eval.jsonl"),
    "training": ("profile.jsonl", "personality.jsonl"),
}


class AloeOriginalOptions(Options):
    """Length of the dialogues and which of ALOE's persona files."""

    turns: int = Field(10, ge=1, description="Turns per dialogue.")
    split: Literal["evaluation", "training"] = Field(
        "evaluation", description="ALOE's 100 evaluation cases, or its training profiles, each once."
    )


class AloeOriginalSuite(PersonaSuite):
    """ALOE's 100 cases by its own protocol: persona texts as released (data fetch aloe), the simulator opens.

    A case's ``text`` has two lines, the profile and the personality as released. Its gold are the facts and traits
    of the suite ``aloe`` that these texts state, and none that were made up to fill a slot. Training personas have
    no gold.
    """

    name = "aloe-original"
    protocol = "aloe-original/1"
    folders = ("aloe",)
    unpublishable = "ALOE's persona texts carry no licence, and cases.jsonl and the transcripts hold them"
    Options: ClassVar[type[Any]] = AloeOriginalOptions

    def cases(self) -> Sequence[Case]:
        """100 cases by profile and then by personality. Raises DataError if the texts are not fetched or broken."""
        profiles, personalities = (texts.entries for texts in self._texts())
        if self.options.split == "training":
            return [
                self._text_case(
                    (f"aloe-train-{i + 1:03}", text),
                    (f"aloe-train-p{i % len(personalities) + 1:02}", personalities[i % len(personalities)]),
                    None,
                )
                for i, text in enumerate(profiles)
            ]
        known = self.context.ontology.values
        facts = read_profiles(self._files("profiles")[0], known)
        traits = read_personalities(self._files("personalities")[0], known)
        pairs = product(zip(facts, profiles, strict=True), zip(traits, personalities[:_USED], strict=True))
        return [
            self._text_case((p.id, text), (q.id, style), Gold(_stated((*p.items, *q.items))))
            for (p, text), (q, style) in pairs
        ]

    def describe(self) -> Mapping[str, JSON]:
        """sha256 of ALOE's files in use and of the bundled gold, and what was odd about the files."""
        described: dict[str, JSON] = {path.name: digest(path) for path in self._paths()}
        described["notes"] = [note for texts in self._texts() for note in texts.notes]
        if self.options.split == "evaluation":
            described |= super().describe()
        return described

    def _paths(self) -> list[Path]:
        folder = self.context.data("aloe")
        return [folder / name for name in _FILES[self.options.split]]

    def _texts(self) -> list[Texts]:
        return [read_texts(path) for path in self._paths()]

    def _text_case(self, profile: tuple[str, str], personality: tuple[str, str], gold: Gold | None) -> Case:
        return Case(
            id=f"{profile[0]}.{personality[0]}",
            gold=gold,
            cluster=profile[0],
            factors={"personality": personality[0]},
            sessions=(Session(self.options.turns),),
            text=f"{profile[1]}\n{personality[1]}",
            templates="evaluation" if gold else "training",
        )


def _stated(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items that ALOE's text states; the others were completed by us and no text would let a user say them."""
    return tuple(item for item in items if item.origin == "aloe")
