"""Finding plugins: whatever a third party does wrong is reported and harms nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_dist import install
from toys import Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite

from rlpa_bench import hookimpl
from rlpa_bench.build import Harness
from rlpa_bench.errors import PluginError
from rlpa_bench.interfaces import KINDS, Judge
from rlpa_bench.plugins import Plugins

TESTS = Path(__file__).parents[1]
GOOD = """
from rlpa_bench import hookimpl
from toys import ToyJudge

class {cls}(ToyJudge):
    "A judge of {name}."
    name = "{name}"
    {more}

@hookimpl
def rlpa_bench_judges():
    return [{cls}]
"""


def good(name: str, more: str = "") -> str:
    return GOOD.format(cls=name.title(), name=name, more=more)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, for distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Modules imported by a test are imported anew by the next one."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]


def found() -> Plugins:
    plugins = Plugins()
    for kind in KINDS:
        plugins.offers(kind)
    return plugins


def names(plugins: Plugins, kind: str = "judges") -> list[str]:
    return [offer.name for offer in plugins.offers(kind)]


def test_a_distribution_on_the_path_is_found_with_its_version(site: Path) -> None:
    install(site, "good-plugin", {"fine": "plug_fine"}, "2.5", plug_fine=good("fine"))
    plugins = found()
    offer = plugins.find("judges", "fine")
    assert (offer.distribution, offer.version, offer.summary) == ("good-plugin", "2.5", "A judge of fine.")
    assert plugins.problems == [] and "rules" in names(plugins)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "called sys.exit(3)"),
        ("import os; os.abort if True else 0; 1 / 0", "ZeroDivisionError: division by zero"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        (
            "from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_judgs(): return []",
            "unknown hook 'rlpa_bench_judgs'",
        ),
        (
            "from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_turn_end(trun): return []",
            "hook 'rlpa_bench_turn_end'",
        ),
        ("from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_judges(): return 1 / 0", "ZeroDivisionError"),
        ("from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_judges(): return None", "TypeError"),
        (
            "from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_judges(): return [int]",
            "int is no subclass of Judge",
        ),
    ],
)
def test_a_broken_plugin_is_reported_and_the_others_live(site: Path, source: str, said: str) -> None:
    install(site, "aa-broken", {"aa-bad": "plug_bad"}, "0.1", plug_bad=source)
    install(site, "good-plugin", {"fine": "plug_fine"}, plug_fine=good("fine"))
    plugins = found()
    assert {"fine", "rules"} <= set(names(plugins))
    (problem,) = plugins.problems
    assert str(problem).startswith("plugin 'aa-bad' of aa-broken 0.1 was skipped: ")
    assert said in problem.message and "\n" not in str(problem)
    with pytest.raises(PluginError, match="skipped as broken: aa-bad"):
        plugins.find("judges", "nowhere")


def test_an_interrupt_at_import_is_no_broken_plugin(site: Path) -> None:
    install(site, "bad", {"bad": "plug_bad"}, plug_bad="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins()


def test_a_module_that_is_not_there_is_reported(site: Path) -> None:
    install(site, "bad", {"bad": "plug_gone"})
    assert "No module named 'plug_gone'" in str(found().problems[0])


def test_names_that_two_distributions_offer_are_refused_only_when_asked_for(site: Path) -> None:
    install(site, "one", {"same": "plug_one"}, plug_one=good("twice"))
    install(site, "two", {"same": "plug_two"}, "0.2", plug_two=good("twice"))
    install(site, "three", {"same": "plug_three"}, plug_three=good("once"))
    plugins = found()
    assert plugins.problems == [] and plugins.find("judges", "once").distribution == "three"
    with pytest.raises(PluginError, match=r"judge 'twice' is offered by one 1.0 and two 0.2; uninstall or disable"):
        plugins.find("judges", "twice")


def test_disabling_by_name(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "one", {"first": "plug_one"}, plug_one=good("twice"))
    install(site, "two", {"second": "plug_two"}, plug_two=good("twice"))
    install(site, "bad", {"bad": "plug_bad"}, plug_bad="1 / 0")
    monkeypatch.setenv("RLPA_BENCH_DISABLE", "second, bad")
    plugins = found()
    assert plugins.find("judges", "twice").distribution == "one" and plugins.problems == []
    assert "plug_bad" not in sys.modules


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        ("judges", "rulse", "unknown judge 'rulse'; did you mean rules"),
        ("suites", "aleo", "unknown suite 'aleo'; did you mean aloe"),
        ("simulators", "agneda", "unknown simulator 'agneda'; did you mean agenda"),
        ("models", "smolm2", "unknown model 'smolm2'; did you mean smollm2"),
        ("baselines", "bsae", "unknown baseline 'bsae'; did you mean base"),
        ("metrics", "alignement", "unknown metric 'alignement'; did you mean alignment"),
        ("suites", "zzz", "unknown suite 'zzz'; there are aloe"),
    ],
)
def test_near_names_are_suggested(kind: str, asked: str, said: str) -> None:
    with pytest.raises(PluginError) as error:
        Plugins().find(kind, asked)
    assert str(error.value).startswith(said) and "(rlpa-bench plugins list)" in str(error.value)


@pytest.mark.parametrize("module", ["rlpa_no_such_engine", "rlpa_no_such_engine.part", "json.no_such_part"])
def test_what_is_missing_is_said_with_the_extra_that_brings_it(module: str) -> None:
    class Heavy(ToyModel):
        name = "heavy"
        requires = ("json", module)
        extra = "heavy"

    plugins = Plugins([Plugin(Heavy)], entry_point_group=None)
    said = f"needs {module}: pip install 'rlpa-bench[heavy]'"
    assert [offer.problem for offer in plugins.offers("models")] == [said]
    with pytest.raises(PluginError) as error:
        plugins.find("models", "heavy")
    assert str(error.value) == f"model 'heavy' {said}"


def test_a_required_module_is_looked_for_and_not_imported(site: Path) -> None:
    (site / "plug_engine.py").write_text("raise RuntimeError('imported')")

    class Light(ToyModel):
        name = "light"
        requires = ("plug_engine",)

    assert Plugins([Plugin(Light)], entry_point_group=None).offers("models")[0].problem == ""
    assert "plug_engine" not in sys.modules


def test_metrics_that_cannot_run_are_left_out_of_a_run() -> None:
    from rlpa_bench_plugins.metrics.outputs import FormatMetric

    class Absent(FormatMetric):
        name = "absent"
        requires = ("rlpa_no_such_engine",)

    class Offering(Plugin):
        @hookimpl
        def rlpa_bench_metrics(self) -> list[type[Any]]:
            return [FormatMetric, Absent]

    harness = Harness("toy", plugins=Plugins([Offering()], entry_point_group=None))
    assert [metric.name for metric in harness.metrics()] == ["format"]


def test_an_argument_where_none_is_taken_is_refused() -> None:
    harness = Harness("toy", plugins=Plugins([Plugin(ToySuite, ToySimulator, ToyJudge)], entry_point_group=None))
    with pytest.raises(PluginError.__base__, match="judge 'asks' takes nothing after the colon, but got 'x'"):
        harness.judges(["asks:x"])


def test_an_unknown_kind() -> None:
    with pytest.raises(PluginError, match="unknown kind 'judge'; the kinds are suites, "):
        Plugins().offers("judge")


def test_offers_are_in_the_order_of_their_names_whoever_comes_first() -> None:
    class A(ToyJudge):
        name = "a"

    class Z(ToyJudge):
        name = "z"

    for order in ((A, Z), (Z, A)):
        plugins = Plugins([Plugin(*order), Plugin(ToyJudge)], entry_point_group=None)
        assert names(plugins) == ["a", "asks", "z"]
        assert all(issubclass(offer.component, Judge) for offer in plugins.offers("judges"))


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution of tests/third_party, built and installed by pip into a folder."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    options = ["--no-cache-dir", "--disable-pip-version-check", "--root-user-action=ignore", "--target", str(target)]
    done = subprocess.run([*pip, *options, str(TESTS / "third_party")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def command(*words: str, path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(TESTS)])}
    line = [sys.executable, "-c", "from rlpa_bench.cli.main import main; main()", *words]
    return subprocess.run(line, env=environment, cwd=folder, capture_output=True, text=True)


def test_a_third_partys_distribution_is_listed_and_runs(parrot: Path, site: Path) -> None:
    listed = command("plugins", "list", "--json", path=parrot, folder=site)
    rows = {(row["kind"], row["name"]): row for row in json.loads(listed.stdout)["plugins"]}
    assert listed.returncode == 0
    for kind, name in (("simulator", "parrot"), ("metric", "reply-length")):
        row = rows[kind, name]
        assert (row["distribution"], row["version"], row["usable"]) == ("rlpa-bench-parrot", "1.2.3", True)
    assert rows["simulator", "agenda"]["distribution"] == "rlpa-bench"

    terms = ["--suite", "aloe", "--limit", "2", "--turns", "2", "--baseline", "echo", "--no-controls", "--out", "run"]
    user = ["--simulator", "parrot", "-o", "simulator.cry=Arr!"]
    ran = command("run", *terms, *user, path=parrot, folder=site)
    assert ran.returncode == 0, ran.stderr
    dialogue = json.loads((site / "run" / "dialogues.jsonl").read_text().splitlines()[0])
    assert dialogue["turns"][1]["user"]["text"].startswith("Arr! ")
    assert dialogue["turns"][1]["user"]["disclosed"] != []
    cell = json.loads((site / "run" / "summary.json").read_text())["rows"]["echo"]["characters"]
    assert cell["mean"] > 0 and cell["scored"] == 4 and "characters" in ran.stdout
    info = json.loads((site / "run" / "run.json").read_text())
    assert info["identity"]["plugins"]["simulators/parrot"] == "rlpa-bench-parrot 1.2.3"
