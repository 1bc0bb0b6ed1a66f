"""Adaptivity: states of a recorded run are taken up again with one answer of the user changed.

Of each dialogue one turn is drawn in which the user states a fact for the first time, in a sentence of their own. From
the saved state before the candidate's reply three replies are asked for: to the recorded answer (``same``), to the
same fact in other words of the user's (``reworded``), and to the answer with another value in its place (``other``),
in words of a user of the run who has it. A candidate that adapts, and rightly so, follows the changed answer and is
not moved by the changed words. No simulator is asked and the dialogue does not go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rlpa_bench.build import Candidate, Harness
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import BoundaryError, UsageError
from rlpa_bench.free_matching import matcher
from rlpa_bench.guard import guarded
from rlpa_bench.plugins import Plugins
from rlpa_bench.randomness import Draws
from rlpa_bench.runner.play import restore
from rlpa_bench.runs import Run, locked
from rlpa_bench.statistics import Estimate, clustered_mean
from rlpa_bench.transcripts import dumps, replacing
from rlpa_bench.types import Case, Dialogue, Item, State, Turn

FILE = "replay.jsonl"
COLUMNS = {
    "follows": "replays with another value in which the profile states it and not the recorded one",
    "heeds": "replays of the recorded answer in which the profile states its fact and not the other value",
    "adapts": "states for which both hold: what the user says decides what the profile states",
    "unmoved by words": "rewordings after which the profile states what it stated before",
    "reply changes": "replays with another value in which the reply is another one",
    "repeats itself": "replays of the recorded answer that give the recorded output again",
}
"""Column -> what it counts, in percent of the states."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One saved state and the two answers that take the place of the recorded one."""

    candidate: str
    turn: int
    fact: Item
    other: Item
    same: State
    reworded: State
    changed: State
    recorded: Turn


def probes(run: Run, per_candidate: int | None = None) -> Iterator[Probe]:
    """One state per dialogue in which there is any, in the order of the dialogues."""
    cases = run.cases
    count: dict[str, int] = {}
    for dialogue in run.dialogues():
        if per_candidate is not None and count.get(dialogue.candidate, 0) >= per_candidate:
            continue
        probe = _drawn(dialogue, cases[dialogue.case], cases)
        if probe:
            count[dialogue.candidate] = count.get(dialogue.candidate, 0) + 1
            yield probe


def _drawn(dialogue: Dialogue, case: Case, cases: Mapping[str, Case]) -> Probe | None:
    """One state of a dialogue, drawn among those that can be changed; None if there is none."""
    for turn, fact, sentence in Draws("replay", case.id, dialogue.seed).shuffled(list(_told(dialogue, case))):
        other = next((said for said in fact.say if said != sentence), "")
        rival = _rival(fact, case, cases) if other else None
        if rival:
            return _probe(dialogue, case, turn, (fact, sentence), other, rival)
    return None


def _told(dialogue: Dialogue, case: Case) -> Iterator[tuple[Turn, Item, str]]:
    """Facts that never change, the turn in which the user first states them, and the sentence that does."""
    gold = case.gold
    if gold is None:
        return
    moved = {key for change in gold.changes for key in (change.old, change.new.key if change.new else "")}
    known: set[str] = set()
    for turn in dialogue.turns:
        told = [key for key in turn.user.disclosed or () if key not in known]
        known.update(told)
        for fact in gold.at(turn.session, turn.index).select(told):
            sentence = next((said for said in fact.say if said.rstrip(".") in turn.user.text), "")
            if sentence and fact.key not in moved and not turn.malformed:
                yield turn, fact, sentence


def _rival(fact: Item, case: Case, cases: Mapping[str, Case]) -> Item | None:
    """What another user of the run has in the same slot and this one has not."""
    assert case.gold is not None
    mine = {item.key for item in case.gold.items}
    found = {
        item.key: item
        for other in cases.values()
        if other.gold and other.cluster != case.cluster
        for item in other.gold.items
        if item.slot == fact.slot and item.say and item.key not in mine and item.polarity > 0
    }
    return Draws("rival", case.id, fact.key).choice(list(found.values())) if found else None


def _probe(dialogue: Dialogue, case: Case, turn: Turn, told: tuple[Item, str], reworded: str, rival: Item) -> Probe:
    fact, sentence = told
    state = restore(case, dialogue.seed, dialogue.turns[: turn.index - 1], turn.user)

    def saying(words: str) -> State:
        text = turn.user.text.replace(sentence.rstrip("."), words.rstrip("."))
        return replace(state, user=replace(turn.user, text=text))

    changed = saying(rival.say[0])
    keys = tuple(rival.key if key == fact.key else key for key in turn.user.disclosed or ())
    assert case.gold is not None
    items = tuple(rival if item.key == fact.key else item for item in case.gold.items)
    changed = replace(
        changed,
        user=replace(changed.user, disclosed=keys),
        case=replace(case, gold=replace(case.gold, items=items)),
    )
    return Probe(dialogue.candidate, turn.index, fact, rival, state, saying(reworded), changed, turn)


async def replay(
    run: Run, *, candidates: Sequence[str] = (), limit: int | None = None, plugins: Iterable[object] = ()
) -> list[dict[str, Any]]:
    """Asks the run's candidates again and writes ``replay.jsonl`` into it, one line a state.

    Args:
        candidates: names as in the run; all of them by default.
        limit: states per candidate at most.

    Raises:
        UsageError: for a candidate that did not play in the run.
        RlpaBenchError: as a run does.
    """
    config = run.info["identity"]["config"]
    if unknown := [name for name in candidates if name not in run.info["candidates"]]:
        raise UsageError(f"{run.path} has no candidate {unknown[0]!r}; it has {', '.join(run.info['candidates'])}")
    harness = Harness(config["suite"], options=config["options"], plugins=Plugins(plugins))
    env = harness.environment(config["simulator"])
    built: dict[str, Candidate] = {}
    lines = []
    try:
        for probe in probes(run, limit):
            if candidates and probe.candidate not in candidates:
                continue
            if probe.candidate not in built:
                built[probe.candidate] = harness.candidate(probe.candidate)
            lines.append(await _line(env, built[probe.candidate], probe, harness))
    finally:
        await harness.aclose()
    with locked(run.path), replacing(run.path / FILE) as file:
        file.writelines(map(dumps, lines))
    return lines


async def _line(env: DialogueEnv, candidate: Candidate, probe: Probe, harness: Harness) -> dict[str, Any]:
    """What is written of one state; with ``failed``, and without a verdict, if the candidate did not answer."""
    state = probe.same
    told = {
        "candidate": probe.candidate,
        "case": state.case.id,
        "cluster": state.case.cluster,
        "seed": state.seed,
        "turn": probe.turn,
        "fact": probe.fact.key,
        "other": probe.other.key,
        "user": {"same": state.user.text, "reworded": probe.reworded.user.text, "other": probe.changed.user.text},
    }
    try:
        return told | await _ask(env, candidate, probe, harness)
    except BoundaryError as error:
        return told | {"failed": f"{error.reason}: {error}"}


async def _ask(env: DialogueEnv, candidate: Candidate, probe: Probe, harness: Harness) -> dict[str, Any]:
    async def reply(state: State) -> Turn:
        view = env.view(state, candidate.baseline.grants)
        return env.turn(state, await guarded(f"baseline {candidate.baseline.name!r}", candidate.baseline.respond, view))

    same, reworded, changed = [await reply(state) for state in (probe.same, probe.reworded, probe.changed)]
    by = matcher((probe.fact, probe.other), harness.context.ontology)

    def states(turn: Turn, item: Item) -> bool:
        golden = by.resolve([item])
        return any(by.weight(mine, theirs) == 1 for mine in by.resolve(turn.inferred) for theirs in golden)

    heeds = states(same, probe.fact) and not states(same, probe.other)
    follows = states(changed, probe.other) and not states(changed, probe.fact)
    return {
        "output": {"same": same.output.raw, "reworded": reworded.output.raw, "other": changed.output.raw},
        "follows": follows,
        "heeds": heeds,
        "adapts": follows and heeds,
        "unmoved by words": states(reworded, probe.fact) == states(same, probe.fact),
        "reply changes": changed.response != same.response,
        "repeats itself": same.output.raw == probe.recorded.output.raw,
    }


def summary(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Estimate]]:
    """Candidate -> column -> percent of the states that were answered, with its interval clustered by profile."""
    out: dict[str, dict[str, Estimate]] = {}
    answered = [line for line in lines if "failed" not in line]
    for candidate in dict.fromkeys(line["candidate"] for line in answered):
        mine = [line for line in answered if line["candidate"] == candidate]
        clusters = [line["cluster"] for line in mine]
        out[candidate] = {name: clustered_mean([100.0 * line[name] for line in mine], clusters) for name in COLUMNS}
    return out
