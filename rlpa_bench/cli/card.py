"""``rlpa-bench card simulator|judge|agreement|people``"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlpa_bench.cli.options import flag, plugin_flags

if TYPE_CHECKING:
    from rlpa_bench.build import Harness

_OPTION = click.option("-o", "options", multiple=True, metavar="KIND.OPTION=VALUE", help="Option of a plugin.")


@click.group("card", help="Measure an instrument: a simulator or a judge.")
def command() -> None:
    pass


@command.command("simulator", help="Determinism, disclosure, faults, understanding and calibration of simulator NAME.")
@click.argument("name")
@flag("--suite", default="aloe", show_default=True, help="Suite whose cases it plays.")
@flag(
    "--paraphrases",
    type=click.Path(path_type=Path),
    default=None,
    help="Labelled texts that test its understanding.  [default: its own]",
)
@flag(
    "--labels",
    type=click.Path(path_type=Path),
    default=None,
    help="CSV or JSONL: history, reply, persona, label (slots that a person told next, or 0 and 1).",
)
@flag("--limit", type=int, default=None, help="Cases to play.")
@_OPTION
@plugin_flags
def simulator(
    name: str,
    suite: str,
    paraphrases: Path | None,
    labels: Path | None,
    limit: int | None,
    options: tuple[str, ...],
) -> int:
    async def card(harness: Harness) -> dict[str, Any]:
        from rlpa_bench.cards.simulator import simulator_card
        from rlpa_bench.transcripts import read_lines

        cases = harness.suite.cases() if limit is None else harness.suite.sample(limit)
        played = harness.simulator(name)
        harness.check_options()
        texts = paraphrases or getattr(played, "paraphrases", None)
        rows = list(read_lines(texts)) if texts else None
        return await simulator_card(played, cases, paraphrases=rows, labels=labels)

    return _measure(suite, options, card)


@command.command("judge", help="Robustness, template search, self-agreement and calibration of judge NAME.")
@click.argument("name")
@flag("--suite", default="aloe", show_default=True, help="Suite whose personas the states are made from.")
@flag(
    "--labels",
    type=click.Path(path_type=Path),
    default=None,
    help="CSV or JSONL: history, reply, persona, label (for pairs also other).",
)
@flag("--limit", type=int, default=None, help="Cases to use; five states each.")
@flag("--attacks", default="", help="Attack families or names, comma-separated.  [default: all]")
@flag("--templates/--no-templates", default=True, help="Whether to search 64 templates.")
@flag("--repeats", type=int, default=5, show_default=True, help="Askings of the same question; below 2 is none.")
@flag("--cache/--no-cache", default=True, help="Whether answers are kept, so that a stopped card goes on.")
@_OPTION
@plugin_flags
def judge(
    name: str,
    suite: str,
    labels: Path | None,
    limit: int | None,
    attacks: str,
    templates: bool,
    repeats: int,
    cache: bool,
    options: tuple[str, ...],
) -> int:
    async def card(harness: Harness) -> dict[str, Any]:
        from rlpa_bench.cards.attacks import scripted_subjects
        from rlpa_bench.cards.judge import judge_card
        from rlpa_bench.request import names

        cases = harness.suite.cases() if limit is None else harness.suite.sample(limit)
        (measured,) = harness.judges([name])
        harness.check_options()
        return await judge_card(
            measured,
            scripted_subjects(cases),
            ontology=harness.context.ontology,
            labels=labels,
            families=names(attacks),
            templates=templates,
            repeats=repeats,
        )

    return _measure(suite, options, card, cached=cache)


@command.command("agreement", help="How far the judges of a RUN agree with themselves and with each other.")
@click.argument("run", type=click.Path(path_type=Path))
def agreement(run: Path) -> int:
    from rlpa_bench.cards.agreement import agreement_card

    _print(agreement_card(run))
    return 0


@command.command("people", help="How the people of RUN talk and judge, beside runs of simulated users.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("beside", type=click.Path(path_type=Path), nargs=-1)
@flag("--out", type=click.Path(path_type=Path), default=None, help="Folder for tables and picture.")
def people(run: Path, beside: tuple[Path, ...], out: Path | None) -> int:
    from rlpa_bench.cards.people import people_card
    from rlpa_bench.cards.people_files import write_card
    from rlpa_bench.runs import load_run

    card = people_card(load_run(run), [load_run(path) for path in beside])
    _print(card)
    if out is not None:
        write_card(card, out)
    return 0


def _measure(
    suite: str,
    options: tuple[str, ...],
    card: Callable[[Harness], Awaitable[dict[str, Any]]],
    *,
    cached: bool = False,
) -> int:
    """Prints the card that is measured with the components of a suite, and closes what they held.

    Simulators play without the cache, which would make any of them look deterministic.
    """
    from rlpa_bench.aio import blocking
    from rlpa_bench.build import Harness, parse_options
    from rlpa_bench.cache import CallCache, cache_dir

    async def closed() -> dict[str, Any]:
        cache = CallCache(cache_dir() / "calls.sqlite") if cached else None
        harness = Harness(suite, options=parse_options(options), cache=cache)
        try:
            return await card(harness)
        finally:
            await harness.context.aclose()

    _print(blocking(closed))
    return 0


def _print(card: dict[str, Any]) -> None:
    print(json.dumps(card, indent=2, ensure_ascii=False))
