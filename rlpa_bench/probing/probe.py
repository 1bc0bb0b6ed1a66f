"""lm-eval's tasks on the models of a run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rlpa_bench.aio import blocking
from rlpa_bench.build import Harness, OptionTree, parse_options
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.errors import PluginError, RlpaBenchError, UsageError
from rlpa_bench.probing import results
from rlpa_bench.runs import Run, locked

TASKS = Path(__file__).parent / "tasks"
OURS = "rlpa_offline"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked, and how."""

    tasks: tuple[str, ...]
    limit: int | None = None
    shots: int | None = None
    include: Path | None = None
    """A folder with further task files."""
    engine: str = ""
    """One of lm-eval's own models, asked instead of ours; the way to tasks that need log-likelihoods."""
    engine_args: str = ""


def probe(
    path: Path,
    terms: Terms,
    *,
    models: Sequence[str] = (),
    stands_for: Mapping[str, str] | None = None,
    reference: str = "",
    options: Sequence[str] = (),
    cache: bool = True,
) -> dict[str, Any]:
    """Measures every model of a run on the tasks, records it in the run's folder, and returns all that is recorded.

    Args:
        models: of which models; by default all of the run, those that stand for one, and the reference.
        stands_for: candidate -> the model that answers for it, where its baseline resolves to a checkpoint.
        reference: the model that retention is relative to.
        options: ``model.option=value`` texts that differ from the run's own.

    Raises:
        RlpaBenchError: in one sentence; what was measured before stays recorded.
    """
    if find_spec("lm_eval") is None:
        raise PluginError("probe needs lm_eval: pip install 'rlpa-bench[lm-eval]'")
    run = Run(path)
    with locked(path):
        kept = results.read(path)
        kept["stands_for"] |= _known(run, stands_for or {})
        kept["reference"] = reference or kept["reference"]
        specs = list(dict.fromkeys(models or _models(run, kept)))
        if not specs:
            raise UsageError(f"{path} has no candidate with a model; name one with --model")
        if terms.engine and len(specs) > 1:
            raise UsageError(f"--engine asks one model, but there are {', '.join(specs)}; name one with --model")
        for spec in specs:
            measured = blocking(partial(_measure, run, spec, terms, options, cache))
            kept["models"].setdefault(spec, {}).update(measured)
            results.write(path, kept)
    return kept


def _known(run: Run, stands_for: Mapping[str, str]) -> Mapping[str, str]:
    if unknown := next((name for name in stands_for if name not in run.info["candidates"]), None):
        names = ", ".join(run.info["candidates"])
        raise UsageError(f"the run has no candidate {unknown!r}; it has {names}")
    return stands_for


def _models(run: Run, kept: Mapping[str, Any]) -> Iterator[str]:
    candidates = run.info["candidates"]
    for name in candidates:
        for of in (results.model_of, results.reference_of):
            if spec := of(kept, candidates, name):
                yield spec


async def _measure(run: Run, spec: str, terms: Terms, options: Sequence[str], cache: bool) -> dict[str, Any]:
    """Task -> result for one model."""
    if terms.engine:
        return await asyncio.to_thread(_evaluate, terms, terms.engine, {})
    from rlpa_bench.probing.lm import HarnessLM

    harness = Harness(
        "",
        protocol=str(run.info["identity"]["protocol"]),
        options=_model_options(run, options),
        cache=CallCache(cache_dir() / "calls.sqlite") if cache else None,
    )
    try:
        lm = HarnessLM(harness.context.model(spec, role="probe"), asyncio.get_running_loop())
        harness.check_options(parse_options(options))
        return await asyncio.to_thread(_evaluate, terms, lm, lm.ends)
    finally:
        await harness.aclose()


def _model_options(run: Run, texts: Sequence[str]) -> OptionTree:
    """The run's own options for its models, under the ones given now."""
    recorded = run.info["identity"]["config"]["options"].get("models", {})
    merged = {name: dict(values) for name, values in recorded.items()}
    for name, values in parse_options(texts).get("models", {}).items():
        merged.setdefault(name, {}).update(values)
    return {"models": merged}


def _evaluate(terms: Terms, model: Any, ends: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Runs lm-eval in this thread."""
    with _quiet():
        from importlib.metadata import version

        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager

        include = [TASKS, *([terms.include] if terms.include else [])]
        manager = TaskManager(include_path=include, include_defaults=False)
        if not set(terms.tasks) <= set(manager.all_tasks):  # its own are thousands of files
            manager = TaskManager(include_path=include)
        _check(manager, terms)
        try:
            found = simple_evaluate(
                model,
                terms.engine_args or None,
                tasks=list(terms.tasks),
                num_fewshot=terms.shots,
                limit=terms.limit,
                apply_chat_template=not terms.engine or "chat" in terms.engine,
                task_manager=manager,
                log_samples=False,
                bootstrap_iters=1000,
            )
        except RlpaBenchError:
            raise
        except Exception as error:  # an engine of lm-eval's, a task's own code
            raise PluginError(f"lm-eval failed ({_said(error)}); nothing was recorded of these tasks") from error
    shared = {"limit": terms.limit, "engine": terms.engine or "rlpa-bench", "lm_eval": version("lm-eval")}
    return {name: _result(name, found, ends) | shared for name in _named(terms, found)}


def _named(terms: Terms, found: Mapping[str, Any]) -> list[str]:
    """What was asked for: tasks, and groups as a whole; the single tasks of a group or tag that has no score."""
    named = [name for name in terms.tasks if _figures(found, name)]
    return named if len(named) == len(terms.tasks) else [name for name in found["results"] if _figures(found, name)]


def _figures(found: Mapping[str, Any], name: str) -> dict[str, float]:
    entry = found["results"].get(name) or found.get("groups", {}).get(name, {})
    return {key: float(value) for key, value in entry.items() if "," in key and isinstance(value, int | float)}


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _check(manager: Any, terms: Terms) -> None:
    """Raises UsageError for tasks that are not there or that the engine cannot do."""
    try:
        tasks = manager.load(list(terms.tasks))["tasks"]
    except RlpaBenchError:
        raise
    except Exception as error:  # whatever a task file or its data set raises
        raise UsageError(
            f"lm-eval cannot load {', '.join(terms.tasks)} ({_said(error)}); `lm-eval ls tasks` lists its tasks, most "
            f"need the network, {OURS} does not"
        ) from None
    other = [name for name, task in tasks.items() if task.get_config("output_type") != "generate_until"]
    if other and not terms.engine:
        raise UsageError(
            f"{', '.join(other)} need log-likelihoods, which a chat model does not give; choose generation tasks, "
            "or ask through lm-eval's own model: --engine hf --engine-args pretrained=PATH"
        )


def _result(name: str, found: Mapping[str, Any], ends: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The figures of a task or group: ``metric`` is the first that it names, all of them stand in ``all``."""
    figures = _figures(found, name)
    metric = next(key for key in figures if "_stderr" not in key)
    kind, _, how = metric.partition(",")
    leaves = found.get("group_subtasks", {}).get(name) or [name]
    finished = [ends.get(leaf, {}) for leaf in leaves]
    return {
        "metric": metric,
        "value": figures[metric],
        "stderr": figures.get(f"{kind}_stderr,{how}"),
        "n": sum(found["n-samples"].get(leaf, {}).get("effective", 0) for leaf in leaves),
        "all": figures,
        "version": found["versions"].get(name),
        "shots": found["n-shot"].get(name),
        "higher_is_better": bool(found["higher_is_better"].get(name, {}).get(kind, True)),
        "truncated": sum(of.get("length", 0) for of in finished),
        "refused": sum(of.get("filter", 0) for of in finished),
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """lm-eval talks a great deal; what matters comes back as a result or an error."""
    loud = logging.getLogger("lm_eval")
    before = loud.level
    loud.setLevel(logging.ERROR)
    try:
        yield
    finally:
        loud.setLevel(before)
