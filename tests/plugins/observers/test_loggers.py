"""The three loggers against the real packages: W&B offline, MLflow on SQLite, OpenTelemetry in memory and over HTTP."""

from __future__ import annotations

import json
import re
import struct
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins import observers
from toyruns import play
from toys import ToyJudge

from rlpa_bench import Run

CANDIDATES = ("toy/plain", "counter")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``logged(name, out)`` plays a toy run with that logger on; ``lost=`` is what it says it lost, if anything."""

    def run(name: str, out: Path, lost: str = "") -> Run:
        monkeypatch.setenv(observers.VARIABLE, name)
        played = play(out, limit=2)
        assert played.info["counts"] == {"planned": 8, "played": 8, "failed": 0, "retried": 0}
        problems = "; ".join(played.info["problems"])
        assert lost in problems if lost else problems == ""
        return played

    return run


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    bodies: list[bytes] = []
    status = 200

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Collector]]:
    handler = type("Here", (Collector,), {"bodies": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def received(collector: type[Collector]) -> tuple[list[Any], dict[str, Any]]:
    """The spans that came over the wire, and the resource's attributes."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans, resource = [], {}
    for body in collector.bodies:
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {pair.key: pair.value.string_value for pair in part.resource.attributes}
            spans += [span for scope in part.scope_spans for span in scope.spans]
    return spans, resource


def test_otel_sends_a_span_per_turn_dialogue_and_run_over_http(logged: Any, out: Path, collector: Any) -> None:
    run = logged("otel", out)
    spans, resource = received(collector)
    by_kind = {
        kind: [span for span in spans if span.name.startswith(kind)] for kind in ("rlpa-bench", "dialogue", "turn")
    }
    assert {kind: len(found) for kind, found in by_kind.items()} == {"rlpa-bench": 1, "dialogue": 8, "turn": 40}
    assert resource["service.name"] == "rlpa-bench"
    (root,) = by_kind["rlpa-bench"]
    assert {span.parent_span_id for span in by_kind["dialogue"]} == {root.span_id}
    assert {span.parent_span_id for span in by_kind["turn"]} == {span.span_id for span in by_kind["dialogue"]}
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    attributes = {pair.key: pair.value for pair in by_kind["turn"][0].attributes}
    assert attributes["gen_ai.usage.input_tokens"].int_value == 10
    assert not any("Why" in str(span) for span in by_kind["turn"]), "no text is sent unless asked for"
    told = {
        (pairs["rlpa_bench.candidate"].string_value, pairs["rlpa_bench.column"].string_value): pairs
        for pairs in ({pair.key: pair.value for pair in event.attributes} for event in root.events)
    }
    for candidate in CANDIDATES:
        for column, cell in run.summary["rows"][candidate].items():
            got = told[candidate, column].get("rlpa_bench.mean")
            assert (got.double_value if got is not None else None) == cell["mean"]


def test_otel_sends_texts_when_asked_to(
    logged: Any, out: Path, collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    run = logged("otel", out)
    sent = {pair.value.string_value for span in received(collector)[0] for pair in span.attributes}
    assert {turn.output.raw for dialogue in run.dialogues() for turn in dialogue.turns} <= sent


def test_otel_uses_the_provider_of_the_process(logged: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    logged("otel", out)
    finished = exporter.get_finished_spans()
    assert len(finished) == 49
    turns = [span for span in finished if span.name == "turn"]
    shown = {span.attributes["rlpa_bench.disclosed"] for span in turns if span.attributes}
    assert shown == {0, 1}, "the toy user says one fact a turn, after its opening"


def test_otel_without_an_address_says_so(logged: Any, out: Path) -> None:
    logged("otel", out, lost="(run_start raised LookupError: set OTEL_EXPORTER_OTLP_ENDPOINT to the address")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_otel_says_what_the_collector_did_not_take(logged: Any, out: Path, collector: Any) -> None:
    collector.status = 400
    logged("otel", out, lost="(run_end raised ConnectionError: the collector did not take 49 spans)")


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_the_configuration_the_results_and_the_curves(
    logged: Any, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.chdir(store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/mlflow.db")
    run = logged("mlflow", out)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{store}/mlflow.db")
    experiment = client.get_experiment_by_name("rlpa-bench")
    found = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
    (parent,) = [each for name, each in found.items() if name.startswith("toy 20")]
    assert parent.data.params["config.suite"] == "toy" and parent.data.params["protocol"] == "toy/1"
    assert {artifact.path for artifact in client.list_artifacts(parent.info.run_id)} == {"run.json", "summary.json"}
    local = client.download_artifacts(parent.info.run_id, "summary.json", str(tmp_path))
    assert json.loads(Path(local).read_text()) == run.summary
    for candidate in CANDIDATES:
        child = found[candidate]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id and child.info.status == "FINISHED"
        assert child.data.metrics["progress/turns"] == 20 and child.data.metrics["progress/dialogues"] == 4
        for column, cell in run.summary["rows"][candidate].items():
            name = re.sub(r"[\[(]", ".", re.sub(r"[\])]", "", column)).replace("+", "_")
            assert child.data.metrics.get(name) == cell["mean"]
        curve = client.get_metric_history(child.info.run_id, "AVG.asks by turn")
        told = {str(point.step): point.value for point in curve}
        by_turn = run.summary["rows"][candidate]["AVG[asks]"]["by_turn"]
        assert told == {turn: point["mean"] for turn, point in by_turn.items()}


@pytest.mark.filterwarnings("ignore")
def test_wandb_offline_has_the_configuration_the_counts_and_the_results(
    logged: Any, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    for name, value in {"MODE": "offline", "DIR": str(tmp_path), "PROJECT": "people", "SILENT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    run = logged("wandb", out)
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    records = wandb_records(file)
    (about,) = [record.run for record in records if record.WhichOneof("record_type") == "run"][-1:]
    assert about.project == "people" and about.display_name.startswith("toy 20")
    config = {item.key: json.loads(item.value_json) for record in records for item in config_of(record)}
    assert config["identity"] == run.info["identity"]
    history = [record.history for record in records if record.WhichOneof("record_type") == "history"]
    rows = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item} for row in history
    ]
    last = [row for row in rows if "counter/turns" in row][-1]
    assert last["counter/turns"] == 20 and last["toy/plain/dialogues"] == 4
    (table,) = tmp_path.glob("wandb/offline-run-*/files/media/table/results_*.table.json")
    told = {tuple(row[:2]): row[2:] for row in json.loads(table.read_text())["data"]}
    cell = run.summary["rows"]["counter"]["length[asks]"]
    assert told["counter", "length[asks]"] == [cell[field] for field in ("mean", "low", "high", "scored", "planned")]
    summary = {}
    for record in records:
        if record.WhichOneof("record_type") == "summary":
            summary |= {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.summary.update}
    for candidate in CANDIDATES:
        for column, cell in run.summary["rows"][candidate].items():
            if cell["mean"] is not None:
                assert summary[f"{candidate}/{column}"] == pytest.approx(cell["mean"])
    assert [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"] == [0]


def wandb_records(path: Path) -> list[Any]:
    """What an offline run wrote, record by record: LevelDB's log format behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, records, whole = path.read_bytes(), 7, [], b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a full record, or the last part of one
            records.append(Record.FromString(whole))
            whole = b""
    return records


def config_of(record: Any) -> list[Any]:
    kind = record.WhichOneof("record_type")
    config = record.run.config if kind == "run" else record.config if kind == "config" else None
    return list(config.update) if config else []


@pytest.mark.filterwarnings("ignore")
def test_wandb_without_a_key_asks_nobody_and_says_so(
    logged: Any, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    logged("wandb", out, lost="(run_start raised LookupError: set WANDB_API_KEY, or WANDB_MODE=offline)")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wandbb", "unknown logger 'wandbb' in RLPA_BENCH_LOGGERS; there are wandb, mlflow, otel"),
        ("wandb", "logger 'wandb' needs rlpa_no_such_package: pip install 'rlpa-bench[wandb]'"),
    ],
)
def test_a_logger_that_cannot_be_had_is_said_at_once_and_recorded(
    logged: Any, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    monkeypatch.setitem(observers.PACKAGES, "wandb", "rlpa_no_such_package")
    logged(name, out, lost=said)
    assert f"rlpa-bench: {said}" in capsys.readouterr().err


def test_the_log_of_a_run_that_stops_is_closed_and_the_next_run_has_its_own(
    out: Path, tmp_path: Path, collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(ToyJudge):
        async def judge(self, subject: Any) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setenv(observers.VARIABLE, "otel")
    with pytest.raises(KeyboardInterrupt):
        play(out, Broken)
    roots = [span for span in received(collector)[0] if span.name.startswith("rlpa-bench")]
    assert [span.status.message for span in roots] == ["interrupted"]
    assert play(tmp_path / "next", limit=2).info["problems"] == []
    roots = [span for span in received(collector)[0] if span.name.startswith("rlpa-bench")]
    assert [span.status.message for span in roots] == ["interrupted", ""]


def test_no_loggers_package_is_imported_while_none_is_asked_for(out: Path) -> None:
    import subprocess

    line = (
        "import sys; from pathlib import Path; from toyruns import play; play(Path('run'), limit=1); "
        "print([n for n in ('wandb', 'mlflow', 'opentelemetry', 'rlpa_bench_plugins.observers.loggers')"
        " if n in sys.modules])"
    )
    out.mkdir()
    tests = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", line], cwd=out, env={"PYTHONPATH": tests, "PATH": ""}, text=True,
                          capture_output=True)  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr
