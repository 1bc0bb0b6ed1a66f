"""How like each other two texts are: by a small embedding model out of a wheel, or by their words."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import file_digest
from math import log, sqrt
from pathlib import Path
from typing import Any, Protocol

from rlpa_bench.errors import UsageError
from rlpa_bench.types import JSON

_WORD = re.compile(r"\w+")


class Embedder(Protocol):
    """Compares a text with others."""

    name: str

    def similarities(self, query: str, texts: Sequence[str]) -> list[float]:
        """The likeness of each text to the query, higher is more alike."""
        ...

    def describe(self) -> Mapping[str, JSON]:
        """What decides its answers."""
        ...


def nearest(embedder: Embedder, query: str, texts: Sequence[str], most: int) -> list[int]:
    """Places of the texts most like the query, in the order of the texts; of equal ones the later."""
    worth = embedder.similarities(query, texts)
    best = sorted(range(len(texts)), key=lambda i: (-worth[i], -i))[:most]
    return sorted(best)


class WordLlama:
    """WordLlama's 256 dimensions (MIT), 16 MB of weights inside its wheel: averaged token embeddings."""

    name = "wordllama"

    def __init__(self) -> None:
        """Raises UsageError if the package is not installed, naming the other embedder."""
        try:
            self._model, self._sum = _wordllama()
        except ImportError:
            raise UsageError(
                "baseline 'rag' embeds with the package wordllama, which is not installed: "
                "pip install 'rlpa-bench[rag]', or compare words instead with -o baseline.rag.embedder=lexical"
            ) from None
        self._vector = lru_cache(4096)(self._embed)

    def similarities(self, query: str, texts: Sequence[str]) -> list[float]:
        mine = self._vector(query)
        return [float(mine @ self._vector(text)) for text in texts]

    def describe(self) -> Mapping[str, JSON]:
        from importlib.metadata import version

        return {"embedder": f"wordllama {version('wordllama')}", "weights_sha256": self._sum}

    def _embed(self, text: str) -> Any:
        return self._model.embed([text or " "], norm=True)[0]


@lru_cache(1)
def _wordllama() -> tuple[Any, str]:
    """The model and the sha256 of its weights, both out of the wheel; nothing is downloaded."""
    state = random.getstate()
    try:
        import wordllama
    finally:
        random.setstate(state)  # what it imports draws from the generator that everybody shares

    home = Path(wordllama.__file__).parent
    # The loader looks for its own tokenizer in a folder that the wheel does not have; as a cache it finds it.
    model = wordllama.WordLlama.load(cache_dir=home, disable_download=True)
    with (home / "weights" / "l2_supercat_256.safetensors").open("rb") as file:
        return model, file_digest(file, "sha256").hexdigest()


class Lexical:
    """Cosine of word counts, rare words weighing more (tf-idf over the texts at hand)."""

    name = "lexical"

    def similarities(self, query: str, texts: Sequence[str]) -> list[float]:
        counts = [Counter(_WORD.findall(text.casefold())) for text in (query, *texts)]
        held = Counter(word for count in counts for word in count)
        weight = {word: log((1 + len(counts)) / n) for word, n in held.items()}
        vectors = [{word: n * weight[word] for word, n in count.items()} for count in counts]
        return [_cosine(vectors[0], vector) for vector in vectors[1:]]

    def describe(self) -> Mapping[str, JSON]:
        return {"embedder": "lexical"}


def _cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    norm = sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
    return sum(x * b[word] for word, x in a.items() if word in b) / norm if norm else 0.0
