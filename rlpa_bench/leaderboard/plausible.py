"""Whether what a submission says of itself fits its run and its transcripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import isclose
from typing import Any

from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.prepare import Played, decoding, weights
from rlpa_bench.leaderboard.schema import Submission
from rlpa_bench.leaderboard.training import denied, recorded_training
from rlpa_bench.runs import Run, differing
from rlpa_bench.types import Dialogue

CHARACTERS_PER_TOKEN = (0.2, 40.0)
"""Outside these, characters per completion token are no language; byte models write 1, Chinese about 1.5."""

TOKENS = ("prompt_tokens", "completion_tokens")


def agrees(submission: Submission, run: Run, created: datetime) -> Iterator[str]:
    """Where submission.json says other than run.json, which was made at ``created``."""
    info, identity = run.info, run.info["identity"]
    name = info["plan"]["candidates"][0]
    entry, system = info["candidates"][name], submission.system
    said = {
        "system": system.name, "model": system.model, "baseline": system.baseline, "grants": sorted(system.grants),
        "control": system.method == "control", "weights": system.weights, "decoding": system.decoding,
        "suite": submission.suite, "protocol": submission.protocol, "simulator": submission.simulator,
        "judges": sorted(submission.judges), "created": _second(submission.created),
    }  # fmt: skip
    ran = {
        "system": name, "model": entry["model"], "baseline": entry["baseline"], "grants": sorted(entry["grants"]),
        "control": entry["control"], "weights": weights(identity, entry["model"]),
        "decoding": decoding(identity, entry["model"]), "suite": info["suite"], "protocol": identity["protocol"],
        "simulator": info["simulator"], "judges": sorted(run.judges),
        "created": _second(created),
    }  # fmt: skip
    config = identity["config"]
    ran |= {"config": [config["suite"], config["simulator"]]}
    said |= {"config": [info["suite"], info["simulator"]]}
    yield from differing(ran, said)
    for part in denied(system.training, recorded_training(info, name)):
        yield f"training.{part} is not disclosed, but run.json records it of the checkpoint"


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@dataclass
class Usage:
    """Outcomes, costs and tokens of the transcripts."""

    played: Played = field(default_factory=Played)
    turns: int = 0
    silent: int = 0
    """Turns that record no call."""
    tokens: int = 0
    characters: int = 0
    longest: int = 0
    """Most completion tokens of one call."""
    negative: bool = False
    sums: dict[str, list[int | None]] = field(default_factory=lambda: {name: [] for name in TOKENS})
    """Tokens per turn, all its calls together; None where one does not say."""

    def add(self, dialogue: Dialogue) -> None:
        """One dialogue."""
        self.played.add(asdict(dialogue))
        for turn in dialogue.turns:
            for call in (*turn.user.calls, *turn.output.calls):
                used = (call.prompt_tokens, call.completion_tokens, call.reasoning_tokens, call.cost)
                self.negative |= any(value is not None and value < 0 for value in used)
            for name, each in self.sums.items():
                known = [getattr(call, name) for call in turn.output.calls]
                each.append(None if None in known else sum(known))
            self.turns += 1
            calls = turn.output.calls
            self.silent += not calls
            if calls and calls[-1].completion_tokens is not None:
                self.tokens += calls[-1].completion_tokens - (calls[-1].reasoning_tokens or 0)
                self.characters += len(turn.output.raw)
            self.longest = max([self.longest, *(call.completion_tokens or 0 for call in calls)])

    def check(self, submission: Submission, findings: Findings) -> None:
        """Books calls that do not fit."""
        system = submission.system
        if self.negative:
            findings.fail("plausible", "a call has a negative number of tokens or cost; submit the run as it was")
        if not system.model:
            if self.silent < self.turns:
                findings.fail("plausible", f"control {system.name!r} records model calls; name the model it used")
            return
        if self.silent == self.turns and self.turns:
            findings.flag("plausible", "no-calls", f"no turn of {system.name!r} records a call of its model")
        if not system.weights:
            findings.flag("plausible", "unidentified-weights", f"model {system.model!r} has no digest or revision")
        low, high = CHARACTERS_PER_TOKEN
        if self.tokens and not low <= self.characters / self.tokens <= high:
            rate = self.characters / self.tokens
            findings.flag("plausible", "usage-implausible", f"{rate:.2g} characters per completion token")
        most = system.decoding.get("max_tokens")
        if isinstance(most, int) and self.longest > most:
            findings.fail(
                "plausible",
                f"a call wrote {self.longest} tokens, but max_tokens is {most}: the sampling recorded is not the one "
                "used; submit the run as it was",
            )

    def means(self) -> dict[str, float | None]:
        """Candidate's tokens per turn, and US dollars per dialogue; None where a call does not say."""
        mean: dict[str, float | None] = {}
        for name, each in self.sums.items():
            known = [value for value in each if value is not None]
            mean[f"{name} per turn"] = sum(known) / len(known) if known and len(known) == len(each) else None
        dialogues, cost = len(self.played.ended), self.played.system
        mean["cost per dialogue"] = cost / dialogues if dialogues and cost is not None else None
        return mean


def claims(submission: Submission, row: Mapping[str, Mapping[str, Any]], findings: Findings) -> None:
    """Compares the submitter's means with those that deterministic judges and recorded verdicts give here."""
    for name, claimed in submission.claims.items():
        cell = row.get(name)
        mean = None if cell is None else cell["mean"]
        same = claimed == mean if claimed is None or mean is None else isclose(claimed, mean, rel_tol=0, abs_tol=1e-9)
        if not same:
            findings.fail(
                "scores",
                f"claims {name} {claimed}, its transcripts earn {mean}; judge the run again with `rlpa-bench score` "
                "and prepare it again",
            )


def counts(submission: Submission, played: Played, planned: int, findings: Findings) -> None:
    """Compares the submitter's counts and costs with those of the transcripts."""
    for what, said, found in (
        ("counts", submission.counts, played.counts(planned)),
        ("cost", submission.cost.model_copy(update={"judge": None}), played.cost),
    ):
        for line in differing(found.model_dump(), said.model_dump()):
            findings.fail("plausible", f"{what}: {line}; prepare the submission from the run again")
