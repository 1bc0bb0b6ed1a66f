"""Numbers that papers print (tier T0), quoted apart from every board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Quoted:
    """A table as printed."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def source() -> str:
    """The paper that is quoted."""
    return str(_data()["source"])


def quoted() -> Iterator[Quoted]:
    """The RLPA paper's tables, cells as printed; ``!`` follows what the paper's own curve denies."""
    for table in _data()["tables"].values():
        turns = max((len(row.get("al", ())) for row in table["rows"].values()), default=0)
        head = ("System", *(f"AL({k})" for k in range(1, turns + 1)), "AVG", "N-IR", "N-R2")
        yield Quoted(table["caption"], head, tuple(_row(name, row, turns) for name, row in table["rows"].items()))


def as_markdown(tier: str) -> str:
    """All of them in one page; ``tier`` says in words what T0 is."""
    lines = [
        "# Numbers printed in papers (T0)",
        "",
        f"Self-reported, other protocol, not comparable with any board here. {tier}",
        "",
        f"Source: {source()}. Values as printed, AL and AVG x100. `!` follows a printed summary that the paper's own",
        "printed curve does not give.",
    ]
    for table in quoted():
        lines += ["", f"## {table.caption}", "", f"| {' | '.join(table.head)} |", "|" + "---|" * len(table.head)]
        lines += [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join([*lines, ""])


def _row(name: str, row: dict[str, Any], turns: int) -> tuple[str, ...]:
    curve = [f"{value:.2f}" for value in row.get("al", ())]
    follows = row.get("follows", {})
    summary = [
        "–" if row.get(key) is None else f"{row[key]:.{digits}f}{'' if follows.get(key, True) else ' !'}"
        for key, digits in (("avg", 2), ("n_ir", 3), ("n_r2", 3))
    ]
    return (name, *curve, *["–"] * (turns - len(curve)), *summary)


def _data() -> Any:
    import orjson

    return orjson.loads(files("rlpa_bench").joinpath("published", "rlpa_tables.json").read_bytes())
