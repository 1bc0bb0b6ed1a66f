"""OpenTelemetry: a trace per run, in it a span per dialogue, in that a span per turn.

``pip install 'rlpa-bench[otel]'`` and ``RLPA_BENCH_LOGGERS=otel``. Spans go to the tracer provider of the process, if
it has one (``opentelemetry-instrument rlpa-bench run …``), or else over OTLP/HTTP to the address that
``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` names; without either it does not start.
``OTEL_SERVICE_NAME``, ``OTEL_EXPORTER_OTLP_HEADERS`` and the other variables of the SDK hold.

Attributes are ``rlpa_bench.*`` and, for the tokens of a turn's calls, those of the semantic conventions for generative
AI. Texts are sent only if ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true``. A turn's span is as long as its
own calls took together and ends when the turn was logged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from time import time_ns
from typing import Any

from rlpa_bench.types import Call, Dialogue, Turn
from rlpa_bench_plugins.observers.loggers import calls, flat, results, title

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_EVERY = 1000
"""Turns after which spans are sent off, since the SDK silently drops those that do not fit its queue of 2,048."""
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class OtelLogger:
    """Writes spans through a tracer.

    Args:
        provider: an ``opentelemetry.sdk.trace.TracerProvider``; by default as the module says.
    """

    def __init__(self, provider: Any = None) -> None:
        self._exporter: Any = None
        self._provider = provider or _present()
        if self._provider is None:
            self._provider, self._exporter = _own()
        self._tracer = self._provider.get_tracer("rlpa_bench", version("rlpa-bench"))
        self._content = os.environ.get(CONTENT, "").casefold() == "true"
        self._run: Any = None
        self._ended = 0
        self._dialogues: dict[tuple[str, str, int], Any] = {}

    def start(self, run: Mapping[str, Any]) -> None:
        self._run = self._tracer.start_span(f"rlpa-bench {title(run)}")
        known = {key: value for key, value in flat(run["identity"]["config"]) if value is not None}
        for key, value in {"version": run["version"], "protocol": run["identity"]["protocol"], **known}.items():
            self._run.set_attribute(f"rlpa_bench.{key}", _plain(value))

    def turn(self, candidate: str, case: str, seed: int, turn: Turn) -> None:
        end = time_ns()
        start = end - int(sum(call.seconds or 0 for call in calls(turn)) * 1e9)
        key = (candidate, case, seed)
        if key not in self._dialogues:
            names = dict(zip(("candidate", "case", "seed"), key, strict=True))
            self._dialogues[key] = self._span("dialogue", self._run, start, names)
        facts = {
            "turn": turn.index,
            "session": turn.session,
            "malformed": turn.malformed,
            "truncated": turn.truncated,
            "inferred": len(turn.inferred),
            "disclosed": -1 if turn.user.disclosed is None else len(turn.user.disclosed),
        }
        span = self._span("turn", self._dialogues[key], start, facts)
        span.set_attributes(_usage(turn.output.calls))
        if self._content:
            span.set_attributes({"rlpa_bench.user": turn.user.text, "rlpa_bench.output": turn.output.raw})
        span.end(end)
        self._ended += 1
        if self._ended % FLUSH_EVERY == 0:
            self._provider.force_flush()

    def dialogue(self, dialogue: Dialogue) -> None:
        from opentelemetry.trace import Status, StatusCode

        key = (dialogue.candidate, dialogue.case, dialogue.seed)
        names = dict(zip(("candidate", "case", "seed"), key, strict=True))
        span = self._dialogues.pop(key, None) or self._span("dialogue", self._run, time_ns(), names)
        span.set_attributes({"rlpa_bench.turns": len(dialogue.turns), "rlpa_bench.planned": dialogue.planned})
        span.set_attribute("rlpa_bench.ended", dialogue.ended)
        if dialogue.ended.startswith("error"):
            span.set_status(Status(StatusCode.ERROR, dialogue.ended))
        span.end()

    def end(self, summary: Mapping[str, Any] | None) -> None:
        from opentelemetry.trace import Status, StatusCode

        for candidate, column, cell in results(summary) if summary else ():
            known = {f"rlpa_bench.{field}": cell[field] for field in ("mean", "low", "high") if cell[field] is not None}
            self._run.add_event("result", {"rlpa_bench.candidate": candidate, "rlpa_bench.column": column, **known})
        if summary is None:
            for span in self._dialogues.values():
                span.end()
            self._run.set_status(Status(StatusCode.ERROR, "interrupted"))
        self._run.end()
        self._provider.force_flush()
        if self._exporter is not None:
            self._provider.shutdown()
            if self._exporter.failed:
                raise ConnectionError(f"the collector did not take {self._exporter.failed} spans")

    def _span(self, name: str, parent: Any, start: int, facts: Mapping[str, Any]) -> Any:
        from opentelemetry.trace import set_span_in_context

        attributes = {f"rlpa_bench.{key}": value for key, value in facts.items()}
        return self._tracer.start_span(name, set_span_in_context(parent), start_time=start, attributes=attributes)


def _present() -> Any:
    """The tracer provider of the process, if somebody has set one up."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = trace.get_tracer_provider()
    return provider if isinstance(provider, TracerProvider) else None


def _own() -> tuple[Any, Any]:
    """A provider, and its exporter to the endpoint that the environment names."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        raise LookupError(f"set {ENDPOINTS[0]} to the address of a collector, or run under opentelemetry-instrument")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class Counted(OTLPSpanExporter):
        """Counts what the collector did not take; the SDK only logs it."""

        failed = 0

        def export(self, spans: Any) -> SpanExportResult:
            result = super().export(spans)
            self.failed += len(spans) if result is not SpanExportResult.SUCCESS else 0
            return result

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "rlpa-bench")}
    provider = TracerProvider(resource=Resource.create(named), span_limits=SpanLimits(max_events=10_000))
    exporter = Counted()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider, exporter


def _usage(made: tuple[Call, ...]) -> dict[str, Any]:
    """The candidate's calls of a turn, by the semantic conventions for generative AI."""
    if not made:
        return {}
    usage: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": made[-1].model}
    usage["gen_ai.response.finish_reasons"] = [call.finish for call in made]
    for name, tokens in (
        ("input", [call.prompt_tokens for call in made]),
        ("output", [call.completion_tokens for call in made]),
    ):
        if None not in tokens:
            usage[f"gen_ai.usage.{name}_tokens"] = sum(filter(None, tokens))
    return usage


def _plain(value: Any) -> Any:
    """A value as an attribute may be."""
    if isinstance(value, str | bool | int | float):
        return value
    return [str(inner) for inner in value] if isinstance(value, list | tuple) else str(value)
