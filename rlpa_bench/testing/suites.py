"""Conformance of suites."""

from __future__ import annotations

import re
from typing import Any

from rlpa_bench.contract import Contract
from rlpa_bench.testing.common import COMMON, deterministic
from rlpa_bench.testing.probe import Bench, Probe, first
from rlpa_bench.testing.report import Fault
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Case

_PROTOCOL = re.compile(r"[a-z0-9][a-z0-9_.-]*/[0-9][0-9a-z.]*")
SAMPLE = 3


async def perform(bench: Bench, backward: bool) -> None:
    """All cases, a sample and the contract."""
    suite: Any = bench.component

    async def cases() -> list[Case]:
        return list(suite.cases())

    async def sample() -> list[Case]:
        return list(suite.sample(SAMPLE))

    async def contract() -> Any:
        return suite.contract()

    methods = {"cases()": cases, f"sample({SAMPLE})": sample, "contract()": contract}
    for what in sorted(methods, reverse=backward):
        await bench.ask(what, methods[what])


def _given(probe: Probe, what: str) -> Any:
    answer = next(a for a in probe.performance().answers if a.what.startswith(what))
    if answer.error:
        raise Fault(f"{what} failed: {answer.error}")
    return answer.raw


def well_formed(probe: Probe) -> None:
    """There are cases, with ids of their own, sessions of at least a turn, and a form that JSON can hold."""
    cases = _given(probe, "cases")
    if not cases:
        raise Fault("yields no cases")
    if wrong := next((case for case in cases if not isinstance(case, Case)), None):
        raise Fault(f"yields a {type(wrong).__name__} among its cases")
    ids = [case.id for case in cases]
    first([f"case id {id_!r} occurs twice" for id_ in dict.fromkeys(ids) if ids.count(id_) > 1])
    first([f"case {case.id!r} plans a session without turns" for case in cases
           if not case.sessions or any(session.turns < 1 for session in case.sessions)])  # fmt: skip
    first([f"case {case.id!r} has no cluster; name its profile" for case in cases if not case.cluster])
    again = adapter(list[Case])
    if again.validate_json(again.dump_json(list(cases))) != list(cases):
        raise Fault("cases do not survive JSON; use tuples, texts and numbers only")


def samples(probe: Probe) -> None:
    """A sample is made of its cases, in their order and as many as asked for."""
    cases, sample = _given(probe, "cases"), _given(probe, "sample")
    order = [case.id for case in cases]
    ids = [case.id for case in sample]
    if len(ids) != min(SAMPLE, len(order)):
        raise Fault(f"sample({SAMPLE}) gives {len(ids)} cases")
    if not set(ids) <= set(order) or ids != sorted(ids, key=order.index):
        raise Fault("a sample holds other cases than the suite, or in another order")


def protocol(probe: Probe) -> None:
    """It names a protocol with a version of its own, and a contract whose own words its parser reads."""
    name = getattr(probe.component, "protocol", None)
    if not isinstance(name, str) or not _PROTOCOL.fullmatch(name):
        raise Fault(f"protocol is {name!r}; write NAME/VERSION, such as 'mine/1'")
    contract: Contract = _given(probe, "contract")
    parsed = contract.parse(contract.write("- Age: 34", "Good to know."))
    if parsed.malformed or parsed.response != "Good to know.":
        raise Fault("the contract's parser does not read what the contract writes")


CHECKS = {
    **COMMON,
    "deterministic": deterministic,
    "well formed": well_formed,
    "samples": samples,
    "protocol": protocol,
}
