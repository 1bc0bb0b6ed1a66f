"""What a system wrote: quotations that may not be published, copies with small edits, trained checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forgeries import MODEL, in_both, in_run, reply
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_kit import PLUGIN, Forgery, forge, play_systems, submit
from rlpa_bench_plugins.suites.aloe import AloeSuite
from toys import Plugin

from rlpa_bench.interfaces import Baseline
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.copies import NEAR, copies, similarity_hash
from rlpa_bench.leaderboard.store import Store
from rlpa_bench.leaderboard.validate import validate
from rlpa_bench.options import Options
from rlpa_bench.runs import write_json
from rlpa_bench.types import Case, Output, View

TEXT = "Mara paints small boats on old driftwood and sells them at the harbour on Sundays."


class Texted(AloeSuite):
    """Personas with a text that nobody may publish."""

    name = "texted"
    protocol = "texted/1"
    unpublishable = "the texts carry no licence"

    def _case(self, profile: Any, personality: Any) -> Case:
        return replace(super()._case(profile, personality), text=TEXT)


class Free(Texted):
    """The same text, free."""

    name = "free"
    protocol = "free/1"
    unpublishable = ""


class Says(Baseline):
    """Quotes the text, or says it in other words."""

    name = "says"
    Options = Options
    needs_model = False
    takes_argument = "what"

    async def respond(self, view: View) -> Output:
        words = {"text": f"I know:\n{TEXT.upper()}", "else": "You paint boats and sell them on Sundays, do you not?"}
        said = words[self.argument]
        return Output(f"<profile>\n- Others: x\n</profile>\n\n<response>\n{said}\n</response>", finish="stop")


@pytest.mark.parametrize(
    ("suite", "says", "fine"), [("texted", "text", False), ("texted", "else", True), ("free", "text", True)]
)
def test_texts_that_may_not_be_published_are_kept_out(suite: str, says: str, fine: bool, tmp_path: Path) -> None:
    more = Plugin(Texted, Free, Says)
    terms = {"suite": suite, "limit": 2, "turns": 2, "seeds": 1, "baseline": f"says:{says}", "model": ""}
    run = play_systems(tmp_path / "run", more=[more], **terms)
    write_json(run.path / "run.json", {**run.info, "unpublishable": ""})  # else `prepare` would refuse it already
    submit(run, tmp_path / "out")
    checked = validate(tmp_path / "out", plugins=[PLUGIN, more])
    texts = [finding.text for finding in checked.findings.found if finding.check == "content"]
    assert any("quotes 8 or more words" in text for text in texts) is not fine
    assert checked.accepted is fine, checked.record()["findings"]


def test_a_copy_with_small_edits_is_flagged(store: Store, submissions: dict[str, Path], tmp_path: Path) -> None:
    """A few words behind every reply, to which the user answers as before."""

    def edit(dialogues: list[Any]) -> None:
        for dialogue in dialogues:
            for turn in dialogue["turns"]:
                reply(turn, turn["response"] + " Right.", turn["output"]["raw"].split("\n")[1])

    def change(forgery: Forgery) -> None:
        in_both(lambda said, run: said.update(id="mine", submitter="B. Other", claims={}))(forgery)
        forgery.lines("dialogues", edit)

    mine = forge(submissions[MODEL], tmp_path / "mine", change)
    checked = validate(mine, plugins=[PLUGIN], board=store.current())
    assert checked.accepted and "near-copy" in checked.findings.flags, checked.record()["findings"]
    assert store.add(mine, plugins=[PLUGIN]).accepted and "near-copy" in store.standing()[-1].flags
    assert store.verify(plugins=[PLUGIN]) == []


@pytest.mark.parametrize(
    ("about", "said", "refused"),
    [
        ({}, {"baseline": "other"}, False),
        ({}, {}, True),
        ({"submitter": "B. Other"}, {"baseline": "other"}, True),
        ({}, {"baseline": "other", "model": "other"}, True),
        ({}, {"baseline": "other", "weights": {"sha256": "other"}}, True),
    ],
)
def test_only_ones_own_baselines_on_one_model_may_be_answered_alike(
    about: dict[str, Any], said: dict[str, Any], refused: bool, store: Store
) -> None:
    known = next(result for result in store.current().values() if result.submission.system.name == MODEL)
    system = known.submission.system.model_copy(update=said)
    submission = known.submission.model_copy(update={"system": system, **about})
    findings = Findings()
    copies(known.model_copy(update={"id": "mine", "submission": submission}), [known], "", findings)
    assert (findings.verdict("content") == "fail") is refused
    assert ("near-copy" in findings.flags) is not refused


words = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=30)


@given(words, st.integers(0, 29))
def test_small_edits_change_few_bits(text: list[str], place: int) -> None:
    """One word of many in another case, or another punctuation, changes nothing; the hash is 64 bits."""
    plain = " ".join(text)
    styled = " ".join([*text[:place], text[place].upper() + ",", *text[place + 1 :]])
    assert similarity_hash(plain) == similarity_hash(styled) < 1 << 64


def test_unrelated_texts_are_far_apart_and_near_ones_near() -> None:
    base = " ".join(f"word{i}" for i in range(60))
    near = base.replace("word30", "other")
    far = " ".join(f"term{i}" for i in range(60))
    assert (similarity_hash(base) ^ similarity_hash(near)).bit_count() <= NEAR
    assert (similarity_hash(base) ^ similarity_hash(far)).bit_count() >= 20


def test_what_a_checkpoint_was_trained_on_cannot_be_denied(submissions: dict[str, Path], tmp_path: Path) -> None:
    def trained(told: Any) -> Any:
        return in_run(lambda run: run["candidates"][MODEL].update(trained_on=told))

    told = {"method": "rlpa", "simulator": "agenda", "rewards": ["rules.gate"], "suite": "training"}
    checked = validate(forge(submissions[MODEL], tmp_path / "a", trained(told)), plugins=[PLUGIN])
    texts = [finding.text for finding in checked.findings.found]
    found = [n for n in ("simulator", "judge", "profiles") if any(f"training.{n} is not" in text for text in texts)]
    assert found == ["simulator", "judge"]
    odd = validate(forge(submissions[MODEL], tmp_path / "b", trained({"simulator": 5})), plugins=[PLUGIN])
    assert not odd.accepted and "no list of names" in odd.findings.found[0].text
