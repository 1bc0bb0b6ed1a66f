"""From a configuration, or a run begun before, to a study that is held."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlpa_bench.aio import blocking
from rlpa_bench.errors import UsageError
from rlpa_bench.people.flow import CONSENT, SIMULATOR, Front, PeopleFlow, Terms, write_cases
from rlpa_bench.people.forgetting import withdraw_from_files, withdraw_from_log
from rlpa_bench.people.journal import FILE, Journal
from rlpa_bench.people.study import Place, Study
from rlpa_bench.plan import Plan
from rlpa_bench.plugins import Plugins
from rlpa_bench.request import Limits, Request, check
from rlpa_bench.runs import Run, locked
from rlpa_bench.transcripts import adapter

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

OWN_SUITE = "people"
LIMITS = ("max_connections", "max_retries", "max_cost", "preflight", "stop_after")


@dataclass(frozen=True)
class Begun:
    """All that a study needs to be held."""

    request: Request
    limits: Limits
    path: Path
    terms: Terms
    plugins: tuple[object, ...] = ()


def from_config(
    config: Mapping[str, Any], *, persona: str | None = None, consent: Path | None = None, out: Path | None = None,
    plugins: Iterable[object] = (),
) -> Begun:  # fmt: skip
    """A new study, or the one in ``out`` if it has the same configuration.

    Args:
        config: arguments of :func:`rlpa_bench.run`; ``controls`` is False if not given.
        persona: ``own`` if people play themselves, else a persona of the suite.
        consent: a file with the text to agree to.

    Raises:
        UsageError: for settings that do not fit, or a file that cannot be read.
    """
    from rlpa_bench.pipeline import request_of

    settings = {"controls": False, "simulator": SIMULATOR, **config}
    own = persona == "own"
    if own and settings.get("suite", OWN_SUITE) != OWN_SUITE:
        raise UsageError(f"suite {settings['suite']!r} hands out personas; leave it out with --persona own")
    if settings["simulator"] != SIMULATOR:
        raise UsageError(f"people are the users here, not simulator {settings['simulator']!r}; leave it out")
    if own:
        settings["suite"] = OWN_SUITE
    if not settings.get("suite"):
        raise UsageError('the configuration names no suite whose personas people play: suite = "aloe"')
    limits = {name: settings.pop(name) for name in LIMITS if name in settings}
    try:
        request = request_of(**settings)
    except TypeError as error:
        raise UsageError(f"the configuration does not fit people as users: {error}") from None
    path = out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{request.suite.partition(':')[0]}-people"
    return Begun(request, Limits(**limits), path, _terms(request, path, consent), tuple(plugins))


def from_run(path: Path, *, consent: Path | None = None, plugins: Iterable[object] = ()) -> Begun:
    """The study of a run that was begun before. Raises UsageError if people have no part in it."""
    recorded = Run(path).info["identity"]["config"]
    if recorded["simulator"] != SIMULATOR:
        raise UsageError(f"the users of {path} are played by {recorded['simulator']!r}; `rlpa-bench run --resume` it")
    request: Request = adapter(Request).validate_python(recorded)
    return Begun(request, Limits(), path, _terms(request, path, consent), tuple(plugins))


def _terms(request: Request, path: Path, consent: Path | None) -> Terms:
    own = request.suite.partition(":")[0] == OWN_SUITE
    if own and request.seeds > 1:
        raise UsageError(f"seeds = {request.seeds} is not possible with --persona own; every person is a case there")
    bundled = files("rlpa_bench").joinpath("people", CONSENT).read_text(encoding="utf-8")
    agreed = path / CONSENT
    try:
        given = consent.read_text(encoding="utf-8").strip() if consent else ""
        before = agreed.read_text(encoding="utf-8").strip() if agreed.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the text to agree to: {error}; check --consent") from None
    if consent and not given:
        raise UsageError(f"{consent} is empty; people need a text to agree to")
    if given and before and given != before:
        raise UsageError(f"people agreed to another text in {path}; leave out --consent, or choose another --out")
    return Terms(given or before or bundled.strip(), own)


def carry_out(begun: Begun, front: Front, *, closed: bool = False, retry_errors: bool = False) -> Run:
    """Holds the study until it is complete and its front is over.

    Raises:
        RlpaBenchError: as a run does; StudyPausedError when the front is over before.
        KeyboardInterrupt: when it is stopped; everything is on disk and the same call goes on.
    """
    limits = replace(begun.limits, retry_errors=retry_errors)
    check(begun.request, limits)
    terms = replace(begun.terms, closed=closed)
    with locked(begun.path):
        return blocking(PeopleFlow(begun.request, limits, begun.path, Plugins(begun.plugins), terms, front).run)


def forget(begun: Begun, person: str) -> None:
    """Deletes what there is of a person while nobody is served.

    Raises:
        UsageError: for a pseudonym that nobody has.
        RunDirectoryError: while the run is held.
    """
    with locked(begun.path):
        run = Run(begun.path)
        places = (replace(case, gold=None) if begun.terms.own else case for case in run.cases.values())
        plan = Plan.restore(run.info["plan"], tuple(places))
        journal = Journal(begun.path / FILE)
        try:
            study = Study(plan, journal, consent=begun.terms.consent, own=begun.terms.own)
            study.on_forget = partial(_forget, begun, study)
            study.forget(study.find_person(person))
        finally:
            journal.close()


def _forget(begun: Begun, study: Study, place: Place) -> None:
    units = [talk.unit for talk in place.talks]
    withdraw_from_log(begun.path / "log" / "0000.jsonl", [unit.number for unit in units])
    if begun.terms.own:
        write_cases(begun.path, study)
    withdraw_from_files(begun.path, units)


@asynccontextmanager
async def nobody(study: Study) -> AsyncIterator[asyncio.Event]:
    """The front of a study that is only to be completed."""
    import asyncio

    over = asyncio.Event()
    if study.closed:
        over.set()
    yield over
