"""Equal terms are a digest per row; unlike ones are named, shown and refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from toyruns import play
from toys import Plain, ToyModel

from rlpa_bench.comparison import compare
from rlpa_bench.errors import UsageError
from rlpa_bench.recompute import rebuild
from rlpa_bench.runs import Run, load_run, write_json
from rlpa_bench.terms import digest, model_terms, shared_terms, unequal_rows, unlike

ROW = "toy/plain"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play(tmp_path_factory.mktemp("terms") / "first")


def changed(info: dict[str, Any], *path: str, value: Any) -> dict[str, Any]:
    """A copy in which one thing is different."""
    new = copy.deepcopy(info)
    place = new
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return new


def test_a_row_says_all_its_terms(run: Run) -> None:
    assert set(shared_terms(run.info)) == {"protocol", "contract", "simulator", "judges", "instruments", "retries"}
    assert set(shared_terms(run.info)["contract"]) == {"examples", "system"}
    assert shared_terms(run.info)["retries"] == 5
    said = model_terms(run.info, ROW)
    assert set(said["sampling"]) == {
        "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens"
    }  # fmt: skip
    assert (said["format"], said["stop"]) == ("free", ["</response>"])
    assert model_terms(run.info, "counter") == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("identity", "contract", "system"), "other"),
        (("identity", "contract", "examples"), 0),
        (("identity", "options", "models/toy", "format"), "guided"),
        (("identity", "options", "models/toy", "temperature"), 0.1),
        (("identity", "options", "models/toy", "stop"), []),
        (("identity", "options", "models/toy", "context"), 512),
        (("identity", "components", "judges/asks"), {"version": "asks/2"}),
        (("simulator",), "other"),
        (("retries",), 0),
        (("candidates", ROW, "asks_format"), False),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_every_term_moves_the_digest_and_is_named(run: Run, path: tuple[str, ...], value: Any) -> None:
    other = changed(run.info, *path, value=value)
    assert digest(run.info, ROW) != digest(other, ROW)
    assert list(unlike(run.info, ROW, other, ROW))


@pytest.mark.parametrize("path", [("candidates", ROW, "baseline"), ("created",), ("git",)], ids=lambda path: path[-1])
def test_what_makes_the_candidate_is_no_term(run: Run, path: tuple[str, ...]) -> None:
    other = changed(run.info, *path, value="other")
    assert digest(run.info, ROW) == digest(other, ROW)
    assert not list(unlike(run.info, ROW, other, ROW))


def test_the_chat_template_counts_between_rows_of_one_model(run: Run) -> None:
    one = changed(run.info, "identity", "components", "models/toy", value={"chat_template_sha256": "a" * 64})
    two = changed(run.info, "identity", "components", "models/toy", value={"chat_template_sha256": "b" * 64})
    assert list(unlike(one, ROW, two, ROW)) == [f"chat template was {'a' * 12}, now {'b' * 12}"]
    two = changed(two, "candidates", ROW, "model", value="other")
    assert not any("template" in line for line in unlike(one, ROW, two, ROW))


class Hot(ToyModel):
    """The toy with other defaults."""

    name = "hot"


def two_models(out: Path) -> Run:
    return play(out, Hot, model="toy,hot", baseline="plain", options=["model.hot.temperature=1.5"])


def test_a_row_on_other_terms_says_so_in_every_table(out: Path) -> None:
    run = two_models(out)
    (row,) = unequal_rows(run.info)
    assert row == "hot/plain (sampling.temperature was 0.7, now 1.5)"
    table = (out / "table.md").read_text()
    page = (out / "report.html").read_text()
    for text in (table, page):
        assert f"NOT ON EQUAL TERMS with the first model: {row}." in text
        assert all(digest(run.info, name)[:8] in text for name in ("toy/plain", "hot/plain"))
    assert digest(run.info, "toy/plain") in page
    assert any("hot/plain (sampling.temperature" in note for note in compare([run]).notes)


def test_runs_of_unlike_terms_are_refused_and_with_force_say_so(run: Run, out: Path) -> None:
    other = play(out, options=["model.toy.max_tokens=16"])
    with pytest.raises(UsageError, match=r"differ in sampling.max_tokens was 320, now 16; compare them with --force"):
        compare([run, other])
    assert any("max_tokens was 320, now 16" in note for note in compare([run, other], force=True).notes)


def test_controls_are_compared_whatever_models_were_asked(run: Run, out: Path) -> None:
    other = play(out, model="", baseline="counter")
    assert len(compare([run, other]).pairs) == 3


def test_a_run_from_before_the_terms_were_kept_still_shows_a_table(run: Run) -> None:
    write_json(run.path / "run.json", {k: v for k, v in run.info.items() if k != "retries"})
    assert shared_terms(load_run(run.path).info)["retries"] is None
    rebuild(run.path)
    write_json(run.path / "run.json", run.info)


class Tuned(Plain):
    """A candidate that was trained on the very user and judge of the toy runs."""

    name = "tuned"

    @property
    def trained_on(self) -> dict[str, Any]:
        return {"recipe": "sft", "suite": "pool", "simulator": {"name": "toy"}, "judges": {"asks": {}, "other": {}}}


def test_what_a_row_was_trained_on_is_in_the_run_and_under_the_table(out: Path) -> None:
    run = play(out, Tuned, baseline="plain,tuned")
    assert run.info["candidates"]["toy/tuned"]["trained_on"]["suite"] == "pool"
    assert run.info["candidates"][ROW]["trained_on"] is None
    said = "toy/tuned was trained on suite pool; simulator toy; judge asks, other, with asks and toy of this run"
    for name in ("table.md", "report.html"):
        assert f"{said}: not independent." in (out / name).read_text()
