"""Pages of the reference that are made from the code when the site is built (a hook of mkdocs)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from inspect import cleandoc
from typing import Any, get_args

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rlpa_bench.build import Harness
from rlpa_bench.cli.main import cli
from rlpa_bench.interfaces import KINDS, JudgeInfo
from rlpa_bench.plugins import Offer, Plugins
from rlpa_bench.sources import OWN
from rlpa_bench.testing.checks import KINDS as CHECKS
from rlpa_bench.transcripts import SCHEMA, adapter
from rlpa_bench.types import Case, Dialogue, Score

TYPES: dict[str, Any] = {"case": Case, "dialogue": Dialogue, "score": Score}
LINES = {
    "case": "cases.jsonl",
    "dialogue": "dialogues.jsonl",
    "score": "scores.jsonl",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages, and the JSON Schemas as files of the site."""
    pages: dict[str, Callable[[], str]] = {
        "cli.md": command_line,
        "plugins.md": components,
        "columns.md": columns,
        "conformance.md": conformance,
        "files.md": run_files,
    }
    for name, make in pages.items():
        files.append(File.generated(config, f"reference/{name}", content=make()))
    for name, kind in TYPES.items():
        text = json.dumps(schema(name, kind), indent=2)
        files.append(File.generated(config, f"reference/schemas/{name}.schema.json", content=text))
    return files


def command_line() -> str:
    """Every command with its help, as the program prints it."""
    parts = [
        "# Command line",
        "",
        "Every flag is also an environment variable: `--max-cost` is `RLPA_BENCH_MAX_COST`.",
        "",
    ]
    for context in _commands(cli, "rlpa-bench", None):
        parts += [f"## `{context.command_path}`", "", "```text", context.get_help(), "```", ""]
    return "\n".join(parts)


def _commands(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    yield context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from _commands(found, child, context)


def components() -> str:
    """Every bundled component and its options."""
    plugins = Plugins()
    parts = ["# Components", "", "What comes with rlpa-bench; `rlpa-bench plugins list` also shows what you added."]
    for kind in KINDS:
        parts += ["", f"## {kind.capitalize()}"]
        for offer in plugins.offers(kind):
            if offer.distribution == OWN:
                parts += ["", *_component(offer)]
    return "\n".join(parts) + "\n"


def _component(offer: Offer) -> Iterator[str]:
    component, kind = offer.component, offer.kind[:-1]
    yield f"### `{offer.name}` {{: #{kind}-{offer.name} }}"
    yield ""
    yield cleandoc(component.__doc__ or "No description.")
    if component.takes_argument:
        yield f"\nWritten `{offer.name}:ARGUMENT`: {component.takes_argument}."
    if component.extra:
        yield f"\nNeeds `pip install 'rlpa-bench[{component.extra}]'`."
    fields = component.Options.model_fields
    if not fields:
        return
    yield "\n| option | default | meaning |\n|---|---|---|"
    for name, field in fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
        listed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        default = json.dumps(field.get_default(call_default_factory=True), default=str).replace("|", "\\|")
        yield f"| `-o {kind}.{offer.name}.{name}=…` | `{default}` | {meaning}{listed} |"


def columns() -> str:
    """Every column that a run with the default judges fills."""
    harness = Harness("aloe")
    judges = {judge.name: JudgeInfo.of(judge) for judge in harness.judges(["rules", "profile"])}
    parts = [
        "# Columns",
        "",
        "Of a run with the judges `rules` and `profile`. Those in bold are in the short table. Some belong to the",
        "[stress suites](../explanation/stress.md); a run shows what it fills.",
        "",
    ]
    parts += ["| column | meaning | scale | better |", "|---|---|---|---|"]
    for metric in harness.metrics():
        for column in metric.columns(judges):
            name = f"**{column.name}**" if column.headline else column.name
            scale = f"{_end(column.low)} to {_end(column.high)}"
            source = f" (of the curve of {column.curve_of})" if column.curve_of else ""
            parts.append(f"| {name} | {column.help}{source} | {scale} | {column.better or '–'} |")
    parts += ["", "## Parts of the judges", "", "| judge | part | scale | meaning |", "|---|---|---|---|"]
    for info in judges.values():
        for name, part in info.parts.items():
            parts.append(f"| {info.name} | {name} | {_end(part.low)} to {_end(part.high)} | {part.help} |")
    return "\n".join(parts) + "\n"


def _end(value: float | None) -> str:
    return "…" if value is None else f"{value:g}"


def conformance() -> str:
    """What the checks of each kind look for."""
    parts = [
        "# Conformance",
        "",
        "What `rlpa-bench plugins check NAME`, `pytest --rlpa-bench-plugin NAME` and the functions of"
        " [`rlpa_bench.testing`](public-api.md#rlpa_benchtesting) check, by kind. Every component is asked the same"
        " things in two orders, with a model that works, one that fails and one that talks nonsense.",
    ]
    for kind, (_, checks) in CHECKS.items():
        parts += ["", f"## {kind.capitalize()}", "", "| check | what holds |", "|---|---|"]
        parts += [f"| {name} | {' '.join((check.__doc__ or '').split())} |" for name, check in checks.items()]
    return "\n".join(parts).replace("``", "`") + "\n"


def run_files() -> str:
    """The files of a run and the JSON Schemas of their lines."""
    return cleandoc(
        f"""
        # Files of a run

        Format `{SCHEMA}`. Everything below `dialogues.jsonl` can be made again from it: `rlpa-bench score RUN` and
        `rlpa-bench report RUN`.

        | file | what it holds | schema of a line |
        |---|---|---|
        | `run.json` | what was asked for, versions, options in force, digests of data and prompts, counts | |
        | `cases.jsonl` | the personas and their schedules | [case](schemas/case.schema.json) |
        | `log/*.jsonl` | turn by turn while the run goes on; what a resume reads | |
        | `dialogues.jsonl` | the transcripts, in the order of the plan | [dialogue](schemas/dialogue.schema.json) |
        | `scores.jsonl` | every verdict of every judge | [score](schemas/score.schema.json) |
        | `timings.jsonl` | seconds and cache hits; apart, so that equal work gives equal bytes elsewhere | |
        | `summary.json` | every column of every candidate: mean, interval, planned, scored, reasons of the missing | |
        | `table.csv`, `table.md` | the same as a table | |
        | `report.html` | the page: tables, curves, dialogues; one file, works offline | |
        """
    ) + "".join(_schema_note(name, kind) for name, kind in TYPES.items())


def _schema_note(name: str, kind: Any) -> str:
    lines = ["```json", *json.dumps(schema(name, kind), indent=2).splitlines(), "```"]
    shown = "\n".join(f"    {line}" for line in lines)
    return f'\n\n## A line of `{LINES[name]}`\n\n??? note "JSON Schema"\n\n{shown}'


def schema(name: str, kind: Any) -> dict[str, Any]:
    """The JSON Schema of one of our types."""
    made: dict[str, Any] = adapter(kind).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"{SCHEMA} {name}", **made}
