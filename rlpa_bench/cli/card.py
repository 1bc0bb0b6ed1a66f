"""``rlpa-bench card simulator|judge``"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.group("card", help="Measure an instrument: a simulator or a judge.")
def command() -> None:
    pass


@command.command("simulator", help="Determinism, disclosure, faults and understanding of simulator NAME.")
@click.argument("name")
@flag("--suite", default="aloe", show_default=True, help="Suite whose cases it plays.")
@flag(
    "--paraphrases",
    type=click.Path(path_type=Path),
    default=None,
    help="Labelled texts that test its understanding.  [default: its own]",
)
@flag("--limit", type=int, default=None, help="Cases to play.")
@click.option("-o", "options", multiple=True, metavar="KIND.OPTION=VALUE", help="Option of a plugin.")
@plugin_flags
def simulator(name: str, suite: str, paraphrases: Path | None, limit: int | None, options: tuple[str, ...]) -> int:
    from rlpa_bench.build import Harness, parse_options
    from rlpa_bench.cards.simulator import simulator_card
    from rlpa_bench.transcripts import read_lines

    harness = Harness(suite, options=parse_options(options))
    cases = harness.suite.cases() if limit is None else harness.suite.sample(limit)
    played = harness.simulator(name)
    texts = paraphrases or getattr(played, "paraphrases", None)
    rows = list(read_lines(texts)) if texts else None
    _print(asyncio.run(simulator_card(played, cases, paraphrases=rows)))
    return 0


@command.command("judge", help="Robustness, template search and calibration of turn judge NAME.")
@click.argument("name")
@flag("--suite", default="aloe", show_default=True, help="Suite whose personas the states are made from.")
@flag(
    "--labels",
    type=click.Path(path_type=Path),
    default=None,
    help="CSV or JSONL: history, reply, persona, label.",
)
@flag("--limit", type=int, default=None, help="Cases to use.")
@click.option("-o", "options", multiple=True, metavar="KIND.OPTION=VALUE", help="Option of a plugin.")
@plugin_flags
def judge(name: str, suite: str, labels: Path | None, limit: int | None, options: tuple[str, ...]) -> int:
    from rlpa_bench.build import Harness, parse_options
    from rlpa_bench.cards.attacks import scripted_subjects
    from rlpa_bench.cards.judge import judge_card

    harness = Harness(suite, options=parse_options(options))
    cases = harness.suite.cases() if limit is None else harness.suite.sample(limit)
    states = scripted_subjects(cases)
    _print(asyncio.run(judge_card(harness.judges([name])[0], states, ontology=harness.context.ontology, labels=labels)))
    return 0


def _print(card: dict[str, Any]) -> None:
    print(json.dumps(card, indent=2, ensure_ascii=False))
