"""Controls that know nothing: a constant reply, and the user's own words."""

from __future__ import annotations

import re

from rlpa_bench.types import Item, Output, View
from rlpa_bench_plugins.baselines.common import Control

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_ANGLES = str.maketrans("", "", "<>")


class Null(Control):
    """One harmless reply, always the same, and an empty profile."""

    name = "null"

    async def respond(self, view: View) -> Output:
        return self.write((), "Thank you for your message. I hope that you are having a pleasant day.")


class Echo(Control):
    """The user's own words, as the reply and line by line as the profile."""

    name = "echo"

    async def respond(self, view: View) -> Output:
        heard = [*(turn.user for turn in view.history), view.user]
        spoken = [words.translate(_ANGLES).strip() for words in heard]
        sentences = (sentence for words in spoken for sentence in _SENTENCE.split(words))
        items = [Item("", sentence) for sentence in dict.fromkeys(sentences) if sentence]
        return self.write(items, spoken[-1] or "...")
