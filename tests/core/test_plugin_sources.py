"""Which plugins take part: single files, the bundled ones alone, all but some; and which API they were written for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from fake_dist import install

import rlpa_bench
from rlpa_bench import api
from rlpa_bench.api import ApiDeprecationWarning, deprecated, mismatch
from rlpa_bench.build import Harness
from rlpa_bench.errors import PluginError
from rlpa_bench.plugins import Plugins

TESTS = Path(__file__).parents[1]
JUDGE = """
from rlpa_bench import hookimpl
from rlpa_bench.interfaces import Judge, Part
from rlpa_bench.options import Options
from rlpa_bench.types import Verdict

class Asks(Judge):
    "Whether the reply asks something."
    name = "{name}"
    Options = Options
    parts = {{"asks": Part(binary=True)}}
    alignment = "asks"
    deterministic = True

    async def judge(self, subject):
        return {{"asks": Verdict(float("?" in subject.reply))}}

@hookimpl
def rlpa_bench_judges():
    return [Asks]
"""
RUN = ("run", "--suite", "aloe", "--limit", "2", "--turns", "2", "--baseline", "echo,asker", "--no-controls")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "asks_something.py"
    path.write_text(JUDGE.format(name="asks-something"))
    return path


def command(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", "from rlpa_bench.cli.main import main; main()", *words]
    return subprocess.run(line, env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True)


def names(plugins: Plugins, kind: str = "judges") -> list[str]:
    return [offer.name for offer in plugins.offers(kind)]


def test_a_run_with_a_plugin_in_one_file(file: Path, tmp_path: Path) -> None:
    flags = ("--judge", "asks-something,profile", "--plugin-path", file.name)
    ran = command(*RUN, *flags, "--out", "run", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "AVG[asks-something]" in ran.stdout
    rows = json.loads((tmp_path / "run/summary.json").read_text())["rows"]
    assert rows["asker"]["AVG[asks-something]"]["mean"] == 100 and rows["echo"]["AVG[asks-something]"]["mean"] == 0
    versions = json.loads((tmp_path / "run/run.json").read_text())["identity"]["plugins"]
    origin = versions["judges/asks-something"]
    assert origin.startswith("asks_something.py ") and len(origin.split()[1]) == 12

    file.write_text(JUDGE.format(name="asks-something") + "\n# changed\n")
    again = command(*RUN, *flags, "--out", "run", folder=tmp_path)
    assert again.returncode == 2 and f"plugins.judges/asks-something was {origin}, now" in again.stderr
    scored = command("score", "run", "--judge", "asks-something", "--plugin-path", file.name, folder=tmp_path)
    assert scored.returncode == 0 and "AVG[asks-something]" in scored.stdout


def test_the_environment_may_name_files(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(JUDGE.format(name="other"))
    listed = command("plugins", "list", "--json", folder=tmp_path, RLPA_BENCH_PLUGIN_PATH=f"{file}{os.pathsep}{other}")
    rows = {row["name"]: row for row in json.loads(listed.stdout)["plugins"]}
    assert rows["asks-something"]["distribution"] == "asks_something.py" and rows["other"]["usable"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "cannot read plugin file {path}: No such file or directory; check --plugin-path"),
        ("1 / 0", "failed: ZeroDivisionError: division by zero (plug.py:1)"),
        ("import sys; sys.exit(0)", "called sys.exit(0)"),
        ("def rlpa_bench_judges(): return []", "offers nothing: it marks no hook with rlpa_bench.hookimpl"),
        ("from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_juges(): return []", "unknown hook"),
        ("rlpa_bench_api = '9.0'", "was written for plugin API 9.0"),
    ],
)
def test_a_file_that_is_named_and_no_plugin_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, said: str
) -> None:
    path = tmp_path / "plug.py"
    if source is not None:
        path.write_text(source)
    monkeypatch.setenv("RLPA_BENCH_PLUGIN_PATH", str(path))
    with pytest.raises(PluginError) as error:
        Plugins()
    assert said.format(path=path) in str(error.value) and "\n" not in str(error.value)


def test_a_flag_holds_for_its_command_only(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from rlpa_bench.cli.main import cli

    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(cli, ["plugins", "list", "--no-plugins", "--plugin-path", file.name])
    assert "asks-something" in listed.output and listed.exit_code == 0
    assert "RLPA_BENCH_PLUGIN_PATH" not in os.environ and "RLPA_BENCH_NO_PLUGINS" not in os.environ
    assert "asks-something" not in CliRunner().invoke(cli, ["plugins", "list"]).output


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder on the path with a distribution of one judge."""
    folder = install(tmp_path / "site", "theirs", {"their-judge": "plug_theirs"}, plug_theirs=JUDGE.format(name="t"))
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("plug_theirs", None)


@pytest.mark.parametrize("value", ["1", "true"])
def test_the_bundled_plugins_alone(site: Path, file: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "t" in names(Plugins())
    monkeypatch.setenv("RLPA_BENCH_NO_PLUGINS", value)
    plugins = Plugins()
    assert "t" not in names(plugins) and "rules" in names(plugins)
    monkeypatch.setenv("RLPA_BENCH_PLUGIN_PATH", str(file))
    assert "asks-something" in names(Plugins()), "a file that somebody names is wanted"


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_no_plugins_switched_off(site: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("RLPA_BENCH_NO_PLUGINS", value)
    assert "t" in names(Plugins())


@pytest.mark.parametrize("named", ["their-judge", "theirs", "x, theirs"])
def test_disabling_an_entry_point_or_a_distribution(site: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("RLPA_BENCH_DISABLE", named)
    assert "t" not in names(Plugins()) and "rules" in names(Plugins())


def test_a_clash_is_settled_by_disabling_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = JUDGE.format(name="rules")
    monkeypatch.syspath_prepend(str(install(tmp_path, "evil", {"evil": "plug_evil"}, plug_evil=source)))
    with pytest.raises(PluginError, match=r"judge 'rules' is offered by evil 1.0 and rlpa-bench .*; uninstall or"):
        Harness("aloe").judges(["rules"])
    monkeypatch.setenv("RLPA_BENCH_DISABLE", "evil")
    assert Harness("aloe").judges(["rules"])[0].alignment == "gate"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("1.0", ""),
        ("1.1", "needs plugin API 1.1, this is 1.0; upgrade rlpa-bench"),
        ("2.0", "was written for plugin API 2.0, this is 1.0; install a version of it that fits"),
        ("0.9", "was written for plugin API 0.9, this is 1.0; install a version of it that fits"),
        ("one", "rlpa_bench_api is 'one'; write MAJOR.MINOR, such as '1.0'"),
        (1.0, ""),
        (None, "rlpa_bench_api is None; write MAJOR.MINOR, such as '1.0'"),
    ],
)
def test_a_plugin_may_say_which_api_it_was_written_for(
    monkeypatch: pytest.MonkeyPatch, wanted: object, said: str
) -> None:
    monkeypatch.setattr(api, "API_VERSION", "1.0")
    assert mismatch(wanted) == said

    class Dated:
        rlpa_bench_api = wanted

    problems = Plugins([Dated()], entry_point_group=None).problems
    assert [problem.message for problem in problems] == ([said] if said else [])


def test_a_newer_minor_version_takes_older_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "API_VERSION", "1.4")
    assert mismatch("1.0") == mismatch("1.4") == "" and mismatch("1.5")


def old_name() -> str:
    deprecated("old_name", "new_name", since="1.3")
    return "still here"


def test_what_is_deprecated_warns_for_one_minor_version_and_then_fails_the_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "API_VERSION", "1.3")
    with pytest.warns(ApiDeprecationWarning) as caught:
        assert old_name() == "still here"
    assert str(caught[0].message) == ("old_name is deprecated since plugin API 1.3 and gone in 1.4; use new_name")
    assert caught[0].filename == __file__, "the warning has to point at whoever uses the old name"
    for version in ("1.4", "2.0"):
        monkeypatch.setattr(api, "API_VERSION", version)
        with pytest.raises(AssertionError, match=r"old_name was to be gone in plugin API 1\.4: remove it"):
            old_name()


def test_the_api_version_is_public() -> None:
    assert rlpa_bench.api_version == api.API_VERSION
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mismatch(rlpa_bench.api_version) == ""
