"""List prices of commercial endpoints, as of the date in prices.json; options override them."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


@cache
def table() -> dict[str, Any]:
    """``as_of``, ``source`` and ``prices``: host -> model -> (prompt, completion), US dollars per million tokens."""
    return dict(json.loads(files(__package__).joinpath("prices.json").read_text(encoding="utf-8")))


def list_price(host: str, model: str) -> tuple[float | None, float | None]:
    """Prices of a model at a host; a dated name has the price of the undated one. (None, None) where unknown."""
    known = table()["prices"].get(host, {})
    found = known.get(model) or known.get(_DATED.sub("", model))
    return (found[0], found[1]) if found else (None, None)
