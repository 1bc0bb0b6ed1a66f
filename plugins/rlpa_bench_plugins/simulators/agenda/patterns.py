"""The regular expressions of ``patterns.txt``, compiled once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from rlpa_bench.types import SLOTS

_HEAD = re.compile(r"^\[(.+)\]$", re.MULTILINE)
_MACRO = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True)
class Patterns:
    """What people ask about, assume, offer and praise, in lower-case English."""

    slots: dict[str, re.Pattern[str]]
    """Slot -> what a question about it says."""
    roles: dict[str, re.Pattern[str]]
    """Value id -> what somebody says who assumes it by naming a role."""
    other: dict[str, re.Pattern[str]]
    digest: str

    @staticmethod
    @lru_cache(1)
    def load() -> Patterns:
        """Reads the file; alternatives stand on lines and are tried at word starts only, which keeps them fast."""
        content = files(__package__).joinpath("patterns.txt").read_text(encoding="utf-8")
        parts = _HEAD.split("\n".join(line for line in content.splitlines() if not line.startswith("#")))
        sources: dict[str, str] = {}
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            alternatives = "|".join(line for line in body.splitlines() if line)
            sources[name] = "(?:" + _MACRO.sub(lambda found: sources[found[1]], alternatives) + ")"
        compiled = {name: re.compile(rf"\b{source}") for name, source in sources.items()}
        return Patterns(
            slots={name: compiled[name] for name in SLOTS},
            roles={name: pattern for name, pattern in compiled.items() if "/" in name},
            other={name: pattern for name, pattern in compiled.items() if name.islower() and "/" not in name},
            digest=sha256(content.encode()).hexdigest(),
        )
