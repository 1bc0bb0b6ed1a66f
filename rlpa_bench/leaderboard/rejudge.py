"""Asks the judges of a row again on a sample of its dialogues: tier T2 where the recorded verdicts hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rlpa_bench.aio import blocking
from rlpa_bench.build import Harness, parse_options
from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Judge
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.package import broken_seals, manifest_digest
from rlpa_bench.leaderboard.schema import Entry
from rlpa_bench.leaderboard.store import Standing, Store
from rlpa_bench.leaderboard.terms import rebuild
from rlpa_bench.leaderboard.validate import unpacked
from rlpa_bench.manifest import described_as
from rlpa_bench.plugins import Plugins
from rlpa_bench.randomness import Draws
from rlpa_bench.runs import Run, differing
from rlpa_bench.scoring import OTHER, other_case, score_dialogue
from rlpa_bench.statistics import Difference, holm, paired_difference
from rlpa_bench.transcripts import plain
from rlpa_bench.types import Score

SHARE = 0.2
"""Share of the dialogues that is judged again at least."""
ALPHA = 0.05
WIDEST = 0.1
"""Share of a part's scale that the 95 % interval of its difference may take at most."""

Differences = dict[str, dict[str, list[float]]]
"""``judge.part`` -> profile -> recorded minus new verdict, turn by turn."""


def rejudge(
    store: Store,
    name: str,
    *,
    share: float = SHARE,
    options: Sequence[str] = (),
    plugins: Iterable[object] = (),
) -> Entry:
    """Asks anew, and books T2 if no part of a judge differs from the recorded verdicts, else a flag.

    The sample depends on the history, so that no submitter knows it beforehand. "Differs" is a mean difference over the
    profiles whose p-value, corrected by Holm over all parts, is at most 5 %. Intervals of it wider than ``WIDEST`` of a
    part's scale confirm nothing.

    Raises:
        UsageError: for a row that is T2 already, a share beyond 0 to 1, other judges, or too few verdicts.
    """
    if not 0 < share <= 1:
        raise UsageError(f"a share of {share} is not possible; it is above 0 and at most 1")
    plugins = tuple(plugins)
    with store.changing():
        folder = store.submission(name)
        one = next((s for s in store.standing() if s.result.id == name and s.tier == "T1"), None)
        if one is None or one.withdrawn or "rescored" in one.flags:
            raise UsageError(f"{name!r} has no row of tier T1 as it was submitted; there is nothing to confirm")
        if manifest_digest(folder) != one.result.manifest or any(broken_seals(folder)):
            raise UsageError(f"the files of {name!r} are not the ones that were added; restore them")
        with TemporaryDirectory(prefix="rlpa-rejudge-") as scratch:
            _, run, _ = unpacked(folder, Path(scratch))
            suite = [option for option in options if option.startswith("suite.")]
            if rebuild(run, findings := Findings(), suite, plugins) is None or findings.failed:
                raise UsageError(f"{name!r}: {findings.found[0].text}")
            chosen = _sample(run, share, store.history()[-1].previous)
            found = blocking(lambda: _differences(run, chosen, options, plugins))
            return _book(store, one, run, found, len(chosen))


def _sample(run: Run, share: float, salt: str) -> frozenset[tuple[str, int]]:
    names = [(dialogue.case, dialogue.seed) for dialogue in run.dialogues()]
    return frozenset(Draws("rejudge", salt).shuffled(names)[: ceil(share * len(names))])


async def _differences(
    run: Run, chosen: frozenset[tuple[str, int]], options: Sequence[str], plugins: tuple[object, ...]
) -> Differences:
    given = parse_options(option for option in options if not option.startswith("suite."))
    harness = Harness("", protocol=run.info["identity"]["protocol"], options=given, plugins=Plugins(plugins))
    cases, found = tuple(run.cases.values()), Differences()
    try:
        judges = [judge for judge in harness.judges(tuple(run.judges)) if not judge.deterministic]
        _same_judges(run, harness, judges)
        for record in run.records():
            dialogue = record.dialogue
            if (dialogue.case, dialogue.seed) in chosen:
                made = score_dialogue(dialogue, record.case, judges, other=other_case(record.case, cases))
                new = [score async for score in made]
                old = [s for by in record.scores.values() for scores in by.values() for s in scores]
                for part, value in _compared(old, new):
                    found.setdefault(part, {}).setdefault(record.case.cluster, []).append(value)
    finally:
        await harness.aclose()
    return found


def _same_judges(run: Run, harness: Harness, judges: Sequence[Judge]) -> None:
    """Only the options given now reach a judge or its model; they have to be the row's."""
    recorded = run.info["identity"]
    for judge in judges:
        name = f"judges/{judge.name}"
        here = {"component": described_as(judge.name, judge), "options": plain(harness.used_options()[name])}
        row = {"component": recorded["components"].get(name), "options": recorded["options"].get(name)}
        if unlike := list(differing(row, here)):
            raise UsageError(f"judge {judge.name!r} is not the row's: {unlike[0]}; give its options with -o")


def _compared(old: Sequence[Score], new: Sequence[Score]) -> Iterator[tuple[str, float]]:
    """Recorded minus new verdicts where both are scored, means over repeats."""
    before, after = _means(old), _means(new)
    for (judge, part, turn), value in after.items():
        if (judge, part, turn) in before:
            yield f"{judge}.{part}", before[judge, part, turn] - value


def _means(scores: Sequence[Score]) -> Mapping[tuple[str, str, Any], float]:
    values: dict[tuple[str, str, Any], list[float]] = {}
    for score in scores:
        if score.value is not None:
            values.setdefault((score.judge, score.part, score.turn), []).append(score.value)
    return {key: sum(each) / len(each) for key, each in values.items()}


def _book(store: Store, one: Standing, run: Run, found: Differences, dialogues: int) -> Entry:
    tests = {part: _test(by_profile) for part, by_profile in sorted(found.items()) if len(by_profile) > 1}
    if not tests:
        raise UsageError("verdicts on at least two profiles have to be made again; raise --share, or look at the judge")
    adjusted = holm([test.p_value for test in tests.values()])
    p, part = min(zip(adjusted, tests, strict=True))
    widest = max((test.high - test.low) / _span(run, name) for name, test in tests.items())
    told = f"{dialogues} dialogues judged again; {part} recorded - new {tests[part].mean:.3g}, p {p:.2g} (Holm)"
    name, board = one.result.id, one.result.board
    if p <= ALPHA:
        return store.append("flag", name, board=board, flags=("flagged",), reason=f"verdicts do not hold: {told}")
    if widest > WIDEST:
        raise UsageError(f"{told}; an interval takes {widest:.0%} of its scale, too much to tell: raise --share")
    return store.append("tier", name, board=board, tier="T2", reason=told)


def _test(by_profile: Mapping[str, Sequence[float]]) -> Difference:
    means = {profile: sum(values) / len(values) for profile, values in by_profile.items()}
    return paired_difference(means, dict.fromkeys(means, 0.0))


def _span(run: Run, name: str) -> float:
    judge, _, part = name.partition(".")
    scale = run.judges[judge.removesuffix(OTHER)].parts[part]
    return scale.high - scale.low
