"""Text that a contestant wrote reaches a judge as data: JSON between markers which its author could not know."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256

from rlpa_bench.interfaces import Context
from rlpa_bench.types import JSON

_SPECIAL = re.compile(r"<(?=[|/]?[A-Za-z|_])|\|(?=>)")
_INSTRUCT = re.compile(r"\[(?=/?[A-Z_]+\])")


@dataclass(frozen=True, slots=True)
class Fence:
    """The data of one call, as they stand in the prompt, and the nonce that the answer must repeat."""

    block: str
    nonce: str


def encode(data: JSON) -> str:
    """JSON in which nothing can be taken for a tag or for a special token of a chat template.

    ``<``, ``>`` and the bracket of ``[INST]`` and its like are written as escapes, so that an engine that reads special
    tokens inside a message finds none.
    """
    text = json.dumps(data, ensure_ascii=False, indent=1)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e")
    return _INSTRUCT.sub(r"\\u005b", text).encode("utf-8", "replace").decode()


def inert(text: str) -> str:
    """A chat message in which an engine finds no special token: a blank breaks up ``<|``, ``</s>`` and ``[INST]``."""
    text = _INSTRUCT.sub("[ ", text)
    return _SPECIAL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def fence(data: JSON, context: Context, *key: object) -> Fence:
    """The data between random markers.

    The draws come from the key and from the data themselves. So they are the same whenever the same is asked, which
    a cache and a replay need; yet who wanted to write the marker or the nonce into a reply would have to find a text
    that holds its own hash.
    """
    text = encode(data)
    draws = context.random("fence", *key, sha256(text.encode()).hexdigest())
    mark = f"{draws.integer():016x}"
    nonce = f"{draws.integer():016x}"[:8]
    return Fence(f"=== DATA {mark} ===\n{text}\n=== END OF DATA {mark} ===", nonce)
