"""Two halves of the ontology's cue words: one to demonstrate and to reward with, one to evaluate with."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rlpa_bench.ontology import Ontology, Value
from rlpa_bench.randomness import Draws

Half = Literal["training", "held-out"]


def halved(ontology: Ontology, half: Half) -> Ontology:
    """The ontology with one half of each value's cues, drawn by value and word; names and parents stay.

    A judge built on one half knows no cue of the other, except where two values share a word.
    """
    values = [value for value in ontology.values.values() if not value.id.startswith("age/")]
    return Ontology([_halved(value, half) for value in values], f"{ontology.digest}, {half} cues")


def _halved(value: Value, half: Half) -> Value:
    kept = [cue for cue in value.cues if Draws("cue-half", value.id, cue).below(2) == (half == "held-out")]
    return replace(value, cues=tuple(kept))
