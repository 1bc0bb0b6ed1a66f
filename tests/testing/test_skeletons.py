"""``plugins new``: for each kind a package that installs, type-checks, passes its own tests and shows in a table."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rlpa_bench.cli.main import cli, main
from rlpa_bench.errors import UsageError
from rlpa_bench.skeletons import HELP, write_skeleton

KINDS = tuple(HELP)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A skeleton of each kind, and beside them the metadata that pip would leave of them."""
    folder = tmp_path_factory.mktemp("made")
    for kind in KINDS:
        project = read(write_skeleton(kind, f"my-{kind}", folder))["project"]
        info = folder / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["rlpa_bench"].items())
        (info / "entry_points.txt").write_text(f"[rlpa_bench]\n{points}")
    return folder


def read(project: Path) -> Any:
    return tomllib.loads((project / "pyproject.toml").read_text())


def environment(made: Path) -> dict[str, str]:
    path = [made / "site", *(made / f"my-{kind}" / "src" for kind in KINDS)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}


def python(made: Path, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder or made, env=environment(made), capture_output=True, text=True)


def command(made: Path, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return python(made, "-c", "from rlpa_bench.cli.main import main; main()", *words, folder=folder)


def test_every_skeleton_passes_its_own_tests(made: Path) -> None:
    tests = [f"my-{kind}/tests" for kind in KINDS]
    done = python(
        made, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error", *tests
    )
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout


def test_every_skeleton_is_listed_as_usable(made: Path) -> None:
    listed = json.loads(command(made, "plugins", "list", "--json").stdout)
    rows = {row["kind"]: row for row in listed["plugins"] if row["name"].startswith("my-")}
    assert set(rows) == set(KINDS) and listed["problems"] == [] and listed["api_version"] == "1.0"
    for kind, row in rows.items():
        assert (row["distribution"], row["version"], row["usable"]) == (f"rlpa-bench-my-{kind}", "0.1.0", True)
        assert row["summary"] and row["reason"] == ""


COMMANDS = """
import json, sys
from rlpa_bench.cli.main import cli
for words in json.loads(sys.argv[1]):
    cli(words, standalone_mode=False)
"""


def test_the_commands_of_the_readmes_run_and_show_it(made: Path, tmp_path: Path) -> None:
    lines = []
    for kind in KINDS:
        readme = (made / f"my-{kind}" / "README.md").read_text()
        (line,) = re.findall(r"^rlpa-bench (run .*)$", readme, re.MULTILINE)
        lines.append([*line.split(), "--limit", "2", "--turns", "2", "--no-controls", "--out", kind])
    ran = python(made, "-c", COMMANDS, json.dumps(lines), folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    for kind in KINDS:
        assert f"my-{kind}" in (tmp_path / kind / "table.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in_and_the_style_is_ours(made: Path, kind: str) -> None:
    files = [path for path in (made / f"my-{kind}").rglob("*") if path.is_file()]
    written = [path for path in files if not any("cache" in part or part.endswith("-info") for part in path.parts)]
    assert len(written) >= 4
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "$" not in text and "PACKAGE" not in text and "TODO" not in text, path
        assert not path.name.endswith(".txt"), path
    project = read(made / f"my-{kind}")["project"]
    assert project["entry-points"]["rlpa_bench"] == {f"my-{kind}": f"rlpa_bench_my_{kind}"}


def test_skeletons_are_clean_to_ruff(made: Path) -> None:
    rules = ["--isolated", "--line-length", "120", "--select", "E,F,B,UP,N,RUF,SIM,ANN", "--ignore", "RUF012,ANN401"]
    ruff = python(made, "-m", "ruff", "check", "--no-cache", *rules, *(f"my-{kind}" for kind in KINDS))
    if "No module named" in ruff.stderr:
        pytest.skip("ruff is not installed")
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


@pytest.mark.slow
def test_skeletons_are_clean_to_mypy(made: Path) -> None:
    sources = [f"my-{kind}/src/rlpa_bench_my_{kind}" for kind in KINDS]
    mypy = python(made, "-m", "mypy", "--strict", "--cache-dir", str(made / "mypy"), *sources)
    if "No module named" in mypy.stderr:
        pytest.skip("mypy is not installed")
    assert mypy.returncode == 0, mypy.stdout


def test_check_prints_a_card(made: Path) -> None:
    done = command(made, "plugins", "check", "rlpa-bench-my-judge")
    assert done.returncode == 0, done.stderr
    assert "judge my-judge\n  ok     declared\n" in done.stdout and "imports: passed, " in done.stdout
    assert re.search(r"rlpa-bench-my-judge conforms: 11 passed, 0 failed, 2 do not apply", done.stdout)
    card = json.loads(command(made, "plugins", "check", "rlpa-bench-my-judge", "--json").stdout)
    assert card["conforms"] is True and card["origin"] == "rlpa-bench-my-judge 0.1.0"
    assert {row["check"]: row["status"] for row in card["plugins"][0]["results"]}["scales"] == "passed"


def test_check_of_a_plugin_with_a_fault_fails(made: Path, tmp_path: Path) -> None:
    source = (made / "my-judge/src/rlpa_bench_my_judge/judge.py").read_text()
    spoilt = source.replace("Verdict(float(short))", "Verdict(float(short) * 100)").replace("my-judge", "spoilt")
    hook = "\n\nfrom rlpa_bench import hookimpl\n\n\n@hookimpl\ndef rlpa_bench_judges():\n    return [MyJudge]\n"
    (tmp_path / "spoilt.py").write_text(spoilt + hook)
    done = command(made, "plugins", "check", "judge/spoilt", "--plugin-path", "spoilt.py", folder=tmp_path)
    assert done.returncode == 1 and "FAILED scales: " in done.stdout and "short is 100.0, outside [0, 1]" in done.stdout
    assert "judge/spoilt does not conform (1 checks failed)" in done.stdout


def test_check_of_what_is_not_there(made: Path) -> None:
    done = command(made, "plugins", "check", "nowhere")
    assert done.returncode == 2
    assert done.stderr == (
        "rlpa-bench: 'nowhere' is no installed distribution, entry point or KIND/NAME with plugins "
        "(rlpa-bench plugins list)\n"
    )


def test_check_says_what_its_modules_import(made: Path, tmp_path: Path) -> None:
    package = made / "my-metric/src/rlpa_bench_my_metric/__init__.py"
    original = package.read_text()
    package.write_text(original.replace("from collections.abc", "import pandas  # noqa\nfrom collections.abc"))
    try:
        done = command(made, "plugins", "check", "rlpa-bench-my-metric")
    finally:
        package.write_text(original)
    assert done.returncode == 1
    assert "imports: failed, imports pandas with its modules; do it inside __init__" in done.stdout


def test_pytest_runs_the_checks_of_a_plugin(made: Path, tmp_path: Path) -> None:
    words = ["-m", "pytest", "-v", "-p", "no:cacheprovider"]
    done = python(made, *words, "--rlpa-bench-plugin", "rlpa-bench-my-judge", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "judge/my-judge: scales PASSED" in done.stdout and "11 passed, 2 skipped" in done.stdout
    few = python(made, *words, "--rlpa-bench-plugin", "my-judge", "--rlpa-bench-plugin", "metric/my-metric", "-k",
                 "scales", folder=tmp_path)  # fmt: skip
    assert "2 passed, 23 deselected" in few.stdout, few.stdout
    none = python(made, *words, "--rlpa-bench-plugin", "nowhere", folder=tmp_path)
    assert none.returncode == 4 and "--rlpa-bench-plugin: 'nowhere' is no installed distribution" in none.stderr


def test_pytest_says_what_failed(made: Path, tmp_path: Path) -> None:
    module = made / "my-baseline/src/rlpa_bench_my_baseline/baseline.py"
    original = module.read_text()
    module.write_text(original.replace(", calls=(call,)", ""))
    try:
        done = python(made, "-m", "pytest", "-p", "no:cacheprovider", "--rlpa-bench-plugin", "my-baseline",
                      folder=tmp_path)  # fmt: skip
    finally:
        module.write_text(original)
    assert done.returncode == 1 and "1 failed, 13 passed" in done.stdout
    assert "asks its model 1 times and books 0 calls; put them in Output(calls=…)" in done.stdout


LOADED = """
import sys, pytest
before = set(sys.modules)
import rlpa_bench.testing.pytest_plugin
print(sorted(set(sys.modules) - before))
"""


def test_the_pytest_plugin_costs_nothing_when_unused(made: Path, tmp_path: Path) -> None:
    done = python(made, "-c", LOADED)
    assert done.stdout.strip() == str(["rlpa_bench", "rlpa_bench.testing", "rlpa_bench.testing.pytest_plugin"])
    (tmp_path / "test_nothing.py").write_text(
        "import sys\ndef test_it():\n    assert not {'rlpa_bench.plugins', 'rlpa_bench.interfaces'} & {*sys.modules}\n"
    )
    unused = python(made, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert unused.returncode == 0 and "1 passed" in unused.stdout, unused.stdout


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("judges", "mine", "unknown kind 'judges'; the kinds are suite, simulator, judge, baseline, model, metric"),
        ("judge", "My Judge", "'My Judge' cannot be a plugin's name; write lower-case letters and digits, joined by -"),
        ("judge", "9lives", "'9lives' cannot be a plugin's name"),
        ("judge", "../mine", "'../mine' cannot be a plugin's name"),
        ("judge", "rules", "there is a judge 'rules' of rlpa-bench"),
    ],
)
def test_what_cannot_be_made_is_said(tmp_path: Path, kind: str, name: str, said: str) -> None:
    with pytest.raises(UsageError, match="^" + re.escape(said)):
        write_skeleton(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("keep me")
    with pytest.raises(UsageError, match="exists and is not empty; choose another name or --dir"):
        write_skeleton("judge", "mine", tmp_path)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note"]


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["plugins", "new", "metric", "questions", "--dir", str(tmp_path / "new")])
    assert done.exit_code == 0
    assert f"pip install -e '{tmp_path}/new/questions[test]'" in done.output
    assert (tmp_path / "new/questions/src/rlpa_bench_questions/metric.py").is_file()
    assert main is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_user_installs_it_with_pip(tmp_path: Path, kind: str) -> None:
    """The whole way: a fresh environment, an editable install, its own tests."""
    project = write_skeleton(kind, f"my-{kind}", tmp_path)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    root = Path(__file__).parents[2]
    pip = [venv / "bin/pip", "install", "--quiet"]
    subprocess.run([*pip, str(root), "-e", f"{project}[test]"], check=True)
    done = subprocess.run([venv / "bin/pytest", "-q"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout
