"""Our suites as Inspect AI tasks: Inspect's model is the candidate's, its log and viewer hold dialogues and scores.

    inspect eval rlpa_bench_plugins/aloe --model openai/gpt-4o-mini --limit 10
    inspect eval rlpa_bench_plugins/suite -T name=training -T baseline=cot -T turns=5 --model …

Epochs are seeds. The summary is computed as that of ``rlpa-bench run`` and equals it for equal transcripts: intervals
by profile, functions of the curve, turns that never came counted as missing.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from rlpa_bench.build import Candidate
from rlpa_bench.errors import BoundaryError
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Case, Dialogue, State
from rlpa_bench_plugins.adapters.inspect_scores import DIALOGUE, rlpa_bench
from rlpa_bench_plugins.adapters.terms import Terms, Words, terms_from


@task
def aloe(
    baseline: str = "base",
    simulator: str = "agenda",
    judge: Words = ("rules", "profile"),
    turns: int | None = None,
    sample: int | None = None,
    options: Words = (),
) -> Task:
    """The evaluation suite of RLPA on ALOE's personas.

    Args:
        baseline: how the model is prompted, or a control.
        simulator, judge, turns, sample, options: as :class:`rlpa_bench_plugins.adapters.terms.Terms` says; Inspect's
            own ``--limit`` takes the first cases, ``sample`` a stratified sample.
    """
    return _task("aloe", baseline, simulator=simulator, judge=judge, turns=turns, sample=sample, options=options)


@task
def suite(
    name: str,
    baseline: str = "base",
    simulator: str = "agenda",
    judge: Words = ("rules", "profile"),
    turns: int | None = None,
    sample: int | None = None,
    options: Words = (),
) -> Task:
    """Any suite, by name; the other arguments as for :func:`aloe`."""
    return _task(name, baseline, simulator=simulator, judge=judge, turns=turns, sample=sample, options=options)


def _task(name: str, baseline: str, **more: Any) -> Task:
    arguments = {"name": name, **more}
    terms = terms_from(arguments)
    _ = terms.env, _candidate(terms, baseline)  # whatever is wrong with the names is said now
    terms.harness.check_options()
    return Task(
        dataset=MemoryDataset([_sample(case) for case in terms.cases.values()], name=terms.name),
        solver=dialogue(baseline=baseline, **arguments),
        scorer=rlpa_bench(**arguments),
        score_on_error=True,
        version=terms.harness.context.protocol,
    )


def _candidate(terms: Terms, baseline: str) -> Candidate:
    """The baseline over the model under evaluation, or a control."""
    return terms.harness.candidate(baseline if baseline in terms.harness.controls() else f"inspect/{baseline}")


def _sample(case: Case) -> Sample:
    items = case.gold.items if case.gold else ()
    facts = [f"{item.slot}: {'' if item.polarity > 0 else 'not '}{item.value}" for item in items]
    opening = case.sessions[0].opening or "(the user opens)"
    return Sample(opening, target=facts, id=case.id, metadata={"profile": case.cluster, **case.factors})


@solver
def dialogue(baseline: str, **arguments: Any) -> Solver:
    """Plays the simulated user of these terms against the model."""
    terms = terms_from(arguments)
    candidate = _candidate(terms, baseline)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = terms.cases[str(state.sample_id)]
        state.messages = [ChatMessageSystem(content=terms.env.contract.system)]
        talk = None
        try:
            talk = await terms.env.start(case, state.epoch - 1)
            while not talk.ended:
                output = await candidate.baseline.respond(terms.env.view(talk, candidate.baseline.grants))
                talk = await terms.env.advance(talk, output)
                _show(state, talk)
        except Exception as error:
            reason = error.reason if isinstance(error, BoundaryError) else type(error).__name__
            _keep(state, candidate.name, talk, case, f"error: {reason}: {error}")
            raise
        _keep(state, candidate.name, talk, case, talk.ended)
        return state

    return solve


def _show(state: TaskState, talk: State) -> None:
    turn = talk.turns[-1]
    known = None if turn.user.disclosed is None else list(turn.user.disclosed)
    inferred = [f"{item.slot}: {item.value}" for item in turn.inferred]
    state.messages.append(ChatMessageUser(content=turn.user.text, metadata={"disclosed": known}))
    notes = {"inferred": inferred, "malformed": turn.malformed}
    state.messages.append(ChatMessageAssistant(content=turn.output.raw, metadata=notes))
    state.output = ModelOutput.from_content(str(state.model), turn.output.raw)


def _keep(state: TaskState, candidate: str, talk: State | None, case: Case, ended: str) -> None:
    turns = talk.turns if talk else ()
    played = Dialogue(candidate, case.id, state.epoch - 1, turns, case.turns, ended)
    state.store.set(DIALOGUE, adapter(Dialogue).dump_python(played, mode="json"))
