"""``rlpa-bench leaderboard prepare|validate|add|rescore|rejudge|withdraw|flag|verify|render|split``"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rlpa_bench.leaderboard.validate import Validation

_BOARD = click.option(
    "--board",
    type=click.Path(path_type=Path),
    default=Path("leaderboards"),
    show_default=True,
    help="The leaderboard's folder.",
)
_OPTIONS = click.option("-o", "options", multiple=True, metavar="KIND[.NAME].OPTION=VALUE", help="Option of a plugin.")
_REASON = click.option("--reason", required=True, help="Why; the history keeps it.")
_SAID = {"yes": True, "no": False, "unknown": None}


def _training(name: str, what: str) -> Callable[[Any], Any]:
    choice = click.Choice(list(_SAID))
    return click.option(f"--trained-on-{name}", type=choice, default="unknown", show_default=True, help=what)


@click.group("leaderboard", help="Prepare, validate and publish results that are recomputed from transcripts.")
def command() -> None:
    pass


@command.command("prepare", help="Pack finished RUNS into submissions, one per system.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; new or empty.")
@click.option("--submitter", required=True, help="Who submits.")
@click.option("--candidate", default="", help="Candidates to pack, comma-separated.  [default: all]")
@click.option(
    "--method",
    type=click.Choice(["prompted", "sft", "dpo", "rl", "memory", "other"]),
    default=None,
    help="How the systems with a model came to be.  [default: by their baseline]",
)
@_training("simulator", "Whether the systems were trained against this simulated user.")
@_training("judge", "Whether they were trained against one of these judges.")
@_training("profiles", "Whether they were trained on these profiles.")
@click.option("--training-notes", default="", help="What they were trained on, in a sentence.")
@click.option("--notes", default="", help="Anything else to be shown.")
def prepare(
    runs: tuple[Path, ...], out: Path, submitter: str, candidate: str, method: Any, notes: str, **told: str
) -> int:
    from rlpa_bench.leaderboard.prepare import prepare
    from rlpa_bench.leaderboard.schema import Training
    from rlpa_bench.request import names

    said = {name: _SAID[told[f"trained_on_{name}"]] for name in ("simulator", "judge", "profiles")}
    training = Training(**said, notes=told["training_notes"])
    more: dict[str, Any] = {"training": training, "method": method, "notes": notes}
    for folder in prepare(runs, out, candidates=names(candidate), submitter=submitter, **more):
        print(folder)
    return 0


@command.command(
    "validate", help="Check submissions (folders, archives, or folders of them), offline; exit code 1 if one fails."
)
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--board", type=click.Path(path_type=Path), default=None, help="A leaderboard to look for copies on.")
@click.option("--reproduces", default="", help="Id of the submission that this one plays again.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@_OPTIONS
def validate(
    paths: tuple[Path, ...], board: Path | None, reproduces: str, as_json: bool, options: tuple[str, ...]
) -> int:
    import json

    from rlpa_bench.leaderboard.store import Store
    from rlpa_bench.leaderboard.validate import validate

    known = Store(board).current() if board else {}
    found = [validate(path, options=options, board=known, reproduces=reproduces) for path in _submissions(paths)]
    if as_json:
        print(json.dumps([checked.record() for checked in found], indent=1, ensure_ascii=False))
    else:
        for checked in found:
            _show(checked)
    return 0 if all(checked.accepted for checked in found) else 1


def _submissions(paths: Sequence[Path]) -> list[Path]:
    """The given submissions, and those one level inside a folder that is none."""
    from rlpa_bench.errors import UsageError

    out: list[Path] = []
    for path in paths:
        inside = sorted(entry.parent for entry in path.glob("*/submission.json")) if path.is_dir() else []
        out += inside if inside and not (path / "submission.json").exists() else [path]
        if not path.exists():
            raise UsageError(f"{path} does not exist; name a folder that leaderboard prepare wrote")
    return out


def _show(checked: Validation) -> None:
    from rlpa_bench.leaderboard.checks import CHECKS

    print(f"{checked.path}: {'accepted' if checked.accepted else 'refused'}")
    for name, meaning in CHECKS.items():
        print(f"  {checked.findings.verdict(name):8}{name:10} {meaning}")
        for finding in checked.findings.found:
            if finding.check == name:
                print(f"          {finding.flag or finding.verdict}: {finding.text}")
    if checked.result:
        print(f"  tier {checked.result.tier}, board {checked.result.board}")


@command.command("add", help="Validate submissions and add those that pass to the leaderboard.")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
@_BOARD
@click.option("--reproduces", default="", help="Id of the submission that this one plays again (tier T3).")
@click.option("--reason", default="", help="A word for the history.")
@_OPTIONS
def add(paths: tuple[Path, ...], board: Path, reproduces: str, reason: str, options: tuple[str, ...]) -> int:
    from rlpa_bench.leaderboard.store import Store

    store, refused = Store(board), 0
    for path in _submissions(paths):
        checked = store.add(path, options=options, reproduces=reproduces, reason=reason)
        _show(checked)
        refused += not checked.accepted
    return 1 if refused else 0


@command.command("rescore", help="Judge submissions again under another panel; their rows stand on its board too.")
@_BOARD
@click.option("--scorer", required=True, help="The judges of the new panel, comma-separated.")
@click.option("--id", "ids", multiple=True, help="Submission to judge.  [default: all that stand]")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Verdicts of judges that vary.")
@_REASON
@_OPTIONS
def rescore(board: Path, scorer: str, ids: tuple[str, ...], repeats: int, reason: str, options: tuple[str, ...]) -> int:
    from rlpa_bench.leaderboard.rescore import rescore
    from rlpa_bench.leaderboard.store import Store
    from rlpa_bench.request import names

    out = rescore(Store(board), names(scorer), reason=reason, ids=ids, repeats=repeats, options=options)
    print(f"{len(out.done)} judged again, {len(out.kept)} had been judged so already")
    for name, why in out.refused.items():
        print(f"rlpa-bench: {name}: {why}", file=sys.stderr)
    return 1 if out.refused else 0


@command.command("rejudge", help="Ask the judges of row ID anew on a sample: tier T2 where its verdicts hold.")
@click.argument("identity", metavar="ID")
@_BOARD
@click.option("--share", type=float, default=0.2, show_default=True, help="Share of the dialogues to judge.")
@_OPTIONS
def rejudge(identity: str, board: Path, share: float, options: tuple[str, ...]) -> int:
    from rlpa_bench.leaderboard.rejudge import rejudge
    from rlpa_bench.leaderboard.store import Store

    entry = rejudge(Store(board), identity, share=share, options=options)
    print(f"{entry.event} {entry.tier or ', '.join(entry.flags)}: {entry.reason}")
    return 0 if entry.event == "tier" else 1


@command.command("withdraw", help="Take submission ID out of all ranks; its rows stay, marked.")
@click.argument("identity", metavar="ID")
@_BOARD
@_REASON
def withdraw(identity: str, board: Path, reason: str) -> int:
    from rlpa_bench.leaderboard.store import Store

    Store(board).withdraw(identity, reason)
    return 0


@command.command("flag", help="Hang a flag on the rows of submission ID.")
@click.argument("identity", metavar="ID")
@_BOARD
@click.option("--flag", "name", default="flagged", show_default=True, help="Which flag.")
@_REASON
def flag(identity: str, board: Path, name: str, reason: str) -> int:
    from rlpa_bench.leaderboard.store import Store

    Store(board).flag(identity, reason, name)
    return 0


@command.command("verify", help="Recompute every submission of the leaderboard and compare.")
@_BOARD
@click.option("--write", is_flag=True, help="Replace the kept results that differ.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Processes.  [default: as many as cores]")
@_OPTIONS
def verify(board: Path, write: bool, jobs: int | None, options: tuple[str, ...]) -> int:
    from rlpa_bench.leaderboard.store import Store

    jobs = jobs or os.cpu_count() or 1
    problems = Store(board).verify(options=options, write=write, jobs=jobs, tell=click.echo)
    for problem in problems:
        print(f"rlpa-bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


@command.command("render", help="Write tables, pages, plots, schemas and exports.")
@_BOARD
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder.  [default: site in --board]")
@click.option("--hub-dataset", default="", help="Id of the benchmark data set on the Hugging Face Hub.")
@click.option("--page", default="", help="Address at which the site will be served, for the exports.")
def render(board: Path, out: Path | None, hub_dataset: str, page: str) -> int:
    from rlpa_bench.leaderboard.render import render
    from rlpa_bench.leaderboard.store import Store

    print(render(Store(board), out, dataset=hub_dataset, page=page) / "index.html")
    return 0


@command.command("split", help="Write fresh personas from a seed, stamped with a date: a private split.")
@click.option("--seed", required=True, help="Any text; keep it to yourself until the split is published.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The split's date.")
@click.option("--profiles", type=int, default=60, show_default=True, help="How many profiles.")
@click.option("--personalities", type=int, default=5, show_default=True, help="How many personalities.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; new or empty.")
def split(seed: str, day: datetime, profiles: int, personalities: int, out: Path) -> int:
    from rlpa_bench.leaderboard.split import split

    about = split(out, seed=seed, day=day.date(), profiles=profiles, personalities=personalities)
    print(f"{about['split']}: {profiles} profiles x {personalities} personalities in {out}")
    print(
        f"play it: rlpa-bench run --suite aloe -o suite.profiles={out}/profiles.jsonl "
        f"-o suite.personalities={out}/personalities.jsonl …"
    )
    return 0
