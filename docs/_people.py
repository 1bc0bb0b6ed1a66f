"""Figures of docs/how-to/people.md: ``python docs/_people.py`` plays, measures, draws and fills the page.

No person takes part: twenty scripted visitors come over HTTP, who state a line of their card in every message. This
shows what the card shows and how long the harness takes, and nothing about people.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path
from textwrap import fill
from time import perf_counter
from typing import Any

import rlpa_bench
from rlpa_bench.cards.people import people_card
from rlpa_bench.cards.people_files import picture, tables

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
PAGE = HERE / "how-to" / "people.md"
TERMS: dict[str, Any] = {
    "suite": "aloe", "model": "scripted", "baseline": "base,asker,echo", "limit": 20, "turns": 10,
}  # fmt: skip
SHOWN = (
    "Users",
    "People minus a simulator, same candidates and cases",
    "Judges beside people's grades",
    "Inferred lines",
)


async def visited(out: Path) -> float:
    """Twenty visits at once; seconds until the last person is through."""
    from people_kit import all_visit, held

    async with held(out, **TERMS) as study:
        began = perf_counter()
        await all_visit(study.address, [f"visitor {number}" for number in range(20)])
        seconds = perf_counter() - began
        await study.complete()
    return seconds


def main() -> None:
    out = Path("runs") / "people-scripted"
    shutil.rmtree(out, ignore_errors=True)
    seconds = asyncio.run(visited(out))
    beside = [
        rlpa_bench.run(**TERMS, simulator=name, controls=False, cache=False, out=f"runs/people-{name}")
        for name in ("agenda", "reciprocal")
    ]
    card = people_card(rlpa_bench.load_run(out), beside)
    PAGE.with_name("people-disclosure.svg").write_text(picture(card), encoding="utf-8")
    parts = [
        fill(
            f"20 scripted visitors at once, 3 partners and 10 turns each, were through after {seconds:.1f} s: 600 "
            "turns, for each of which three lines are brought to the disk. **No person took part**: the visitors state "
            "a line of their card in every message and grade by a fixed rule, so that the figures show what the card "
            "shows, and nothing about people (`python docs/_people.py`).",
            120,
        ),
        "![D(k) of scripted visitors and two simulators](people-disclosure.svg)",
    ]
    for title, head, rows in tables(card):
        if title in SHOWN:
            lines = [head, ["---"] * len(head), *rows]
            parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    text = "\n\n".join(parts).replace("people (people-scripted)", "scripted visitors").replace("people-", "")
    text = text.replace("](disclosure.svg)", "](people-disclosure.svg)")
    page = PAGE.read_text(encoding="utf-8")
    filled = re.sub(
        r"(<!-- measured -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page, flags=re.DOTALL
    )
    PAGE.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
