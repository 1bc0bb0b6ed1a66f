"""Conformance of baselines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from rlpa_bench.environment import DialogueEnv
from rlpa_bench.interfaces import Baseline
from rlpa_bench.testing.common import ASKING, COMMON, deterministic
from rlpa_bench.testing.probe import Bench, Probe, first
from rlpa_bench.testing.report import Fault
from rlpa_bench.testing.scenes import Teller, cases, untold_in
from rlpa_bench.transcripts import adapter, is_json
from rlpa_bench.types import Output, State

GRANTS = frozenset({"gold", "disclosed"})


async def perform(bench: Bench, backward: bool) -> None:
    """Dialogues with a user who tells a fact a turn; backward: interleaved, states read back from JSON."""
    env = DialogueEnv(Teller(), contract=bench.context.contract)  # type: ignore[arg-type]
    baseline = cast(Baseline, bench.component)
    shown = GRANTS if bench.mode == "granted" else baseline.grants
    states = [await env.start(case) for case in cases()]
    form = adapter(State)
    while going := [i for i, state in enumerate(states) if not state.ended]:
        for i in reversed(going) if backward else going[:1]:
            state = form.validate_json(form.dump_json(states[i])) if backward else states[i]
            view = env.view(state, shown)
            answer = await bench.ask(f"turn {state.turn} of {state.case.id}", baseline.respond, view)
            if answer.error or not isinstance(answer.raw, Output) or not is_json(answer.raw):
                states[i] = replace(state, ended="error")
            else:
                states[i] = await env.advance(state, answer.raw)


def outputs(probe: Probe) -> None:
    """Every answer is an Output with a text, and a memory that JSON can hold."""
    for answer in probe.performance().answers:
        if answer.error:
            continue
        if not isinstance(answer.raw, Output) or not isinstance(answer.raw.raw, str):
            raise Fault(f"{answer.what} is a {type(answer.raw).__name__}, not an Output with a text")
        if not is_json(answer.raw.memory):
            raise Fault(f"{answer.what}: its memory is no JSON; keep texts, numbers, lists and dicts")


def grants(probe: Probe) -> None:
    """It knows of the gold and of the ledger only what it declares in ``grants``."""
    declared = cast("type[Baseline]", probe.component).grants
    if unknown := declared - GRANTS:
        raise Fault(f"grants names {sorted(unknown)[0]!r}; there are gold and disclosed")
    done = probe.performance()
    if "gold" not in declared:
        first([f"{a.what} writes {word!r}, which only the gold holds; declare grants = {{'gold'}}"
               for a in done.answers for word in untold_in(a.raw)])  # fmt: skip
    first([f"walks the interpreter's memory ({event}); what it may know is in the view" for event in
           dict.fromkeys(done.seen.memory_walks)])  # fmt: skip
    granted = probe.performance("granted").answers
    if [a.form for a in granted] != [a.form for a in done.answers]:
        wanted = " and ".join(sorted(GRANTS - declared))
        raise Fault(f"answers otherwise when it is shown {wanted}; declare grants, or leave them in the view alone")


def model_use(probe: Probe) -> None:
    """A control asks no model, any other baseline does, and every call is booked in the output."""
    component: Any = probe.component
    done = [answer for answer in probe.performance().answers if not answer.error]
    if component.needs_model and done and not any(answer.calls for answer in done):
        raise Fault("never asks its model; set needs_model = False")
    first([f"{a.what} asks its model {a.calls} times and books {len(a.raw.calls)} calls; put them in Output(calls=…)"
           for a in done if isinstance(a.raw, Output) and len(a.raw.calls) != a.calls])  # fmt: skip


CHECKS = {
    **COMMON,
    "deterministic": deterministic,
    "outputs": outputs,
    "grants": grants,
    "model use": model_use,
    **ASKING,
}
