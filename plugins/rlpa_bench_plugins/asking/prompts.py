"""Prompts as versioned text files beside the component that uses them, one per language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from string import Template

LANGUAGES = ("en", "zh")


def language_of(chosen: str, case: str) -> str:
    """The prompt language: the one that an option names, or for ``auto`` Chinese for Chinese cases, else English."""
    if chosen != "auto":
        return chosen
    return "zh" if case.casefold().startswith("zh") else "en"


class Prompt:
    """One prompt: the files ``STEM.LANGUAGE.txt`` of a package, with ``$name`` places to fill."""

    def __init__(self, package: str, stem: str, languages: Sequence[str] = LANGUAGES) -> None:
        self._package = package
        self.stem = stem
        self._languages = languages

    @cached_property
    def _texts(self) -> dict[str, str]:
        folder = files(self._package)
        return {
            name: folder.joinpath(f"{self.stem}.{name}.txt").read_text(encoding="utf-8") for name in self._languages
        }

    def fill(self, language: str, **values: str) -> str:
        """The text with its places filled; every place needs a value."""
        return Template(self._texts[language]).substitute(values).strip()

    @property
    def digests(self) -> dict[str, str]:
        """File name -> sha256."""
        return {
            f"{self.stem}.{name}.txt": sha256(text.encode()).hexdigest() for name, text in sorted(self._texts.items())
        }


def digests(prompts: Iterable[Prompt]) -> Mapping[str, str]:
    """The digests of several prompts together, for ``describe()``."""
    found: dict[str, str] = {}
    for prompt in prompts:
        found |= prompt.digests
    return found
