"""Tokens by kind and latency beside alignment: the split, the table, the plot, and what is not known."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rlpa_bench_plugins.metrics.outputs import split_tokens
from rlpa_bench_plugins.models._text import reasoning_share
from toyruns import play
from toys import ToyModel, reply

from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.report.efficiency import Row, draw, rows
from rlpa_bench.types import Call, Output, Turn, Utterance


def turn(raw: str, *calls: Call) -> Turn:
    return Turn(1, 0, Utterance("Hello"), Output(raw, calls=calls), (), "")


def call(completion: int | None = 100, reasoning: int | None = None) -> Call:
    return Call("candidate", "m", "stop", 50, completion, reasoning)


def test_reported_reasoning_is_taken_as_reported() -> None:
    split = split_tokens(turn(reply("Good."), call(100, 60)))
    assert split["reasoning"] == 60
    assert split["profile"] + split["response"] == pytest.approx(40)  # type: ignore[operator]


@pytest.mark.parametrize(
    "raw", [f"<think>{'x' * 200}</think>\n{reply('Good.')}", f"{'They are x. ' * 20}\n\n{reply('Good.')}"]
)
def test_thinking_in_the_text_is_reasoning(raw: str) -> None:
    split = split_tokens(turn(raw, call(100)))
    assert split["reasoning"] == pytest.approx(100 * 200 / len(raw), rel=0.3)
    assert split["response"] < 30  # type: ignore[operator]


def test_reasoning_that_is_not_reported_and_not_seen_is_unknown_and_not_zero() -> None:
    assert split_tokens(turn(reply("Good."), call(100)))["reasoning"] is None
    assert split_tokens(turn(reply("Good."), call(None)))["response"] is None


@given(st.text(max_size=200), st.text(max_size=80), st.integers(0, 500), st.integers(0, 500))
def test_the_kinds_add_up_to_what_was_written(before: str, words: str, visible: int, thought: int) -> None:
    split = split_tokens(turn(before + reply(words or "x"), call(visible + thought, thought)))
    parts = [split[kind] for kind in ("reasoning", "profile", "response")]
    assert sum(parts) == pytest.approx(visible + thought)  # type: ignore[arg-type]
    assert all(part is not None and part >= -1e-9 for part in parts)


def test_the_share_of_stripped_thinking() -> None:
    assert reasoning_share("no thought at all") == 0
    assert reasoning_share(f"<think>{'a' * 75}</think>{'b' * 25}") == pytest.approx(0.75, abs=0.05)
    assert reasoning_share(f"{'a' * 75}</think>{'b' * 25}") == pytest.approx(0.75, abs=0.05)


class Thinker(ToyModel):
    """Reports its reasoning."""

    name = "thinker"

    async def generate(self, messages: Any, sampling: Sampling, guide: Guide | None) -> Generation:
        return Generation(reply("Why is that?"), "stop", 10, 90, 60)


def test_a_run_writes_the_table_and_the_plot(out: Path) -> None:
    run = play(out, Thinker, model="toy,thinker", baseline="plain,counter")
    table = {row.candidate: row for row in rows(run)}
    assert set(table) == {"toy/plain", "thinker/plain"}, "a control writes no tokens"
    assert table["thinker/plain"].tokens["reasoning"] == 60
    assert table["thinker/plain"].whole and not table["toy/plain"].whole
    with (out / "efficiency.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["candidate"] for line in lines] == list(table)
    assert lines[0]["reasoning tokens"] == "" and float(lines[1]["median s"]) >= 0
    picture = (out / "efficiency.svg").read_text()
    ElementTree.fromstring(picture)
    assert picture.count("<circle") == 2 and picture.count('<circle class="open"') == 1
    page = (out / "report.html").read_text()
    section = page.partition('id="efficiency"')[2].partition("</section>")[0]
    assert "thinker/plain" in section and "<svg" in section and "60.0" in section


def test_without_a_model_there_is_no_plot(out: Path) -> None:
    play(out, model="", baseline="counter")
    assert not (out / "efficiency.svg").exists()
    assert 'id="efficiency"' not in (out / "report.html").read_text()


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(-5, 100)), min_size=1, max_size=6))
def test_every_point_lies_inside_the_picture(points: list[tuple[float, float]]) -> None:
    table = [
        Row(f"m{i}", "AVG[j]", {"mean": v, "low": None, "high": None}, {"reasoning": 0.0, "profile": t}, None, None)
        for i, (t, v) in enumerate(points)
    ]
    circles = [node for node in ElementTree.fromstring(draw(table)).iter() if node.tag == "circle"]
    assert len(circles) == len(points)
    assert all(0 <= float(c.get("cx", "-1")) <= 680 and 0 <= float(c.get("cy", "-1")) <= 340 for c in circles)
