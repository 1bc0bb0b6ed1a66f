"""Retrieval, profile first, profile memory, elicitation by information, and trained checkpoints."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rlpa_bench_plugins.baselines import rlpa_bench_baselines
from rlpa_bench_plugins.baselines.belief import Population
from rlpa_bench_plugins.baselines.profile_first import entries
from rlpa_bench_plugins.baselines.retrieval import Lexical, WordLlama, nearest
from rlpa_bench_plugins.suites.extended import FreeContract

import rlpa_bench
from rlpa_bench.build import Harness
from rlpa_bench.checkpoints import method_of, trained_on_words
from rlpa_bench.contract import Contract
from rlpa_bench.datasets import SMOLLM2_GGUF, dataset
from rlpa_bench.errors import DataError, SimulatorError, UsageError
from rlpa_bench.interfaces import Baseline
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Call, Exchange, Item, Message, Output, View

CLASSES = {cls.name: cls for cls in rlpa_bench_baselines()}
ONTOLOGY = Ontology.load()
EXCHANGES = [
    ["I play chess on Sundays.", "Do you play openings by heart?"],
    ["My dog has been ill.", "Poor thing, get well soon!"],
    ["Work was dull.", "What do you do?"],
    ["I repair clocks for a living.", "Do you hear them tick at night?"],
    ["It rains.", "Here too."],
    ["My brother visits tomorrow.", "Will you cook for him?"],
    ["I slept badly.", "I am sorry to hear that."],
]


class Context:
    contract = Contract()
    ontology = ONTOLOGY

    def random(self, purpose: str, *key: object) -> Draws:
        return Draws("test/1", purpose, *key)


class Model:
    """Writes the given texts in turn and keeps what it was asked."""

    name = "fake"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[tuple[list[Message], str, Any]] = []

    async def generate(self, messages: Any, *, key: str, guide: Any = None, **sampling: Any) -> tuple[str, Call]:
        self.asked.append((list(messages), key, guide))
        text = self.texts[(len(self.asked) - 1) % len(self.texts)]
        return text, Call("candidate", "fake", "stop", 10, 5)


def make(name: str, model: Model | None = None, **options: Any) -> Baseline:
    cls = CLASSES[name]
    return cls(cls.Options(**options), Context(), model=model)  # type: ignore[call-arg, arg-type, unused-ignore]


def view(user: str, turn: int = 1, history: tuple[Exchange, ...] = (), **fields: Any) -> View:
    return View(user, history, fields.pop("session", 0), turn, f"k{turn}", Contract().render(history, user), **fields)


def respond(baseline: Baseline, seen: View) -> Output:
    return asyncio.run(baseline.respond(seen))


def parsed(output: Output) -> Any:
    read = Contract.parse(output.raw)
    assert not read.malformed
    return read


@pytest.mark.parametrize("embedder", ["wordllama", "lexical"])
def test_rag_shows_the_five_exchanges_nearest_to_the_message_in_their_order(embedder: str) -> None:
    model = Model(Contract.write("", "Fine."))
    output = respond(make("rag", model, embedder=embedder), view("Is my dog still ill?", 8, memory=EXCHANGES))
    (messages, key, guide) = model.asked[0]
    shown = [user for user, _ in EXCHANGES if f"They: {user}" in messages[-1].content]
    assert len(shown) == 5
    assert "My dog has been ill." in shown
    assert shown == [user for user, _ in EXCHANGES if user in shown]
    assert messages[-1].content.startswith("Is my dog still ill?\n\n")
    assert (key, guide.kind) == ("k8", "contract")
    assert output.memory == [*EXCHANGES, ["Is my dog still ill?", "Fine."]]


def test_rag_begins_as_base_and_remembers_over_sessions() -> None:
    model = Model(Contract.write("", "Fine."))
    baseline = make("rag", model, embedder="lexical")
    first = respond(baseline, view("Hello"))
    assert model.asked[0][0] == list(view("Hello").messages)
    respond(baseline, view("Back again.", 2, session=1, memory=json.loads(json.dumps(first.memory))))
    assert "They: Hello\nYou: Fine." in model.asked[1][0][-1].content


def test_embedding_finds_what_no_shared_word_does() -> None:
    texts = ["My dog has been ill.", "I repair clocks for a living.", "The weather was dull all week."]
    assert nearest(WordLlama(), "Is the puppy feeling sick?", texts, 1) == [0]
    assert max(Lexical().similarities("puppy sickness", texts)) == 0


def test_the_embedder_is_named_in_the_run_and_its_weights_are_pinned_by_digest() -> None:
    said = make("rag", Model("")).describe()
    assert str(said["embedder"]).startswith("wordllama ")
    assert len(str(said["weights_sha256"])) == 64
    assert make("rag", Model(""), embedder="lexical").describe()["embedder"] == "lexical"


def test_a_missing_embedder_is_an_error_that_names_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise ImportError("no wordllama")

    monkeypatch.setattr("rlpa_bench_plugins.baselines.retrieval._wordllama", missing)
    with pytest.raises(UsageError, match=r"baseline.rag.embedder=lexical"):
        make("rag", Model(""))


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=8), st.integers(1, 5))
def test_nearest_gives_so_many_places_in_order(query: str, texts: list[str], most: int) -> None:
    found = nearest(Lexical(), query, texts, most)
    assert len(found) == min(most, len(texts)) == len(set(found))
    assert found == sorted(found)


def test_two_step_writes_the_profile_first_and_gives_it_to_the_reply() -> None:
    model = Model(
        "Sure!\n- Occupation: nurse\n* Age: 30\nMood: dull\n- Location: unknown", " Nice <response>to meet you. "
    )
    history = (Exchange("Hello", "Hi!"),)
    output = respond(make("two-step", model), view("I am a nurse.", 2, history))
    profile, reply = model.asked
    assert "They: Hello\nYou: Hi!\nThey: I am a nurse." in profile[0][-1].content
    assert (profile[1], profile[2], reply[1], reply[2]) == ("k2/profile", None, "k2", None)
    assert "- Occupation: nurse\n- Age: 30" in reply[0][0].content
    assert [message.role for message in reply[0]] == ["system", "user", "assistant", "user"]
    assert parsed(output).profile == "- Occupation: nurse\n- Age: 30"
    assert parsed(output).response == "Nice to meet you."
    assert len(output.calls) == 2


def test_two_step_without_a_reply_is_malformed_and_not_mended() -> None:
    output = respond(make("two-step", Model("- Age: 30", "")), view("Hello"))
    assert Contract.parse(output.raw).malformed == "empty response"


@given(st.text(max_size=300))
def test_whatever_is_written_gives_a_profile_the_contract_can_read(text: str) -> None:
    profile = entries(text, Contract())
    output = Contract.parse(Contract.write(profile, "Well."))
    assert not output.malformed
    assert all(item.slot and item.value for item in Contract.items(output.profile))


def test_entries_take_only_slots_of_the_contract_unless_they_are_free() -> None:
    text = "- Pets: two cats\n- They: hello\n1. Hobbies: chess\n- Age: N/A\n- Age: not mentioned."
    assert entries(text, Contract()) == "- Hobbies: chess"
    assert entries(text, FreeContract()).splitlines()[0] == "- Pets: two cats"


def test_profile_memory_updates_its_notes_and_keeps_them_over_sessions() -> None:
    model = Model("- Occupation: nurse", "Nice.", "- Occupation: nurse\n- Age: 30", "Good.", "no idea", "Hm.")
    baseline = make("profile-memory", model)
    first = respond(baseline, view("I am a nurse."))
    second = respond(baseline, view("I am 30.", 2, session=1, memory=json.loads(json.dumps(first.memory))))
    third = respond(baseline, view("Bye.", 3, session=1, memory=second.memory))
    update = model.asked[2][0][-1].content
    assert "- Occupation: nurse" in update and "You said last: Nice." in update and "They now say: I am 30." in update
    assert parsed(second).profile == "- Occupation: nurse\n- Age: 30"
    assert parsed(third).profile == parsed(second).profile, "an update without a usable line forgets nothing"


def test_hinted_reads_the_ledger_and_nothing_more() -> None:
    model = Model(Contract.write("", "Fine."))
    baseline = make("hinted", model)
    respond(baseline, view("Hello", disclosed=()))
    respond(baseline, view("I am 41.", 2, disclosed=(Item("Age", "41"),)))
    assert model.asked[0][0] == list(view("Hello").messages)
    assert model.asked[1][0][0].content.count("- Age: 41") == 1
    with pytest.raises(SimulatorError, match="leave it out"):
        respond(baseline, view("Hello"))


def population() -> Population:
    def person(*keys: str) -> list[Item]:
        values = [ONTOLOGY.values[key] for key in keys]
        return [Item(value.slot, value.label, id=value.id) for value in values]

    return Population(
        [
            person("occupation/nurse", "interests/chess", "location/london"),
            person("occupation/nurse", "interests/chess", "location/paris"),
            person("occupation/teacher", "interests/baking", "location/london"),
        ],
        ONTOLOGY,
    )


def test_hearing_a_value_moves_the_belief_towards_those_who_hold_it() -> None:
    people = population()
    assert people.weights({}) == pytest.approx([1 / 3] * 3)
    weights = people.weights({"occupation/nurse": 1})
    assert sum(weights) == pytest.approx(1)
    assert weights[0] == weights[1] > 4 * weights[2]
    assert people.predicted({"occupation/nurse": 1})["interests/chess"] > people.predicted({})["interests/chess"]


def test_what_was_heard_and_what_it_rules_out_is_not_asked_for_again() -> None:
    people = population()
    left = people.predicted({"occupation/nurse": 1})
    assert not any(key.startswith("occupation/") for key in left)
    assert people.information({"occupation/nurse": 1})["Occupation"] == 0
    assert people.information({})["Occupation"] > 0


def test_the_most_informative_slot_is_the_one_that_is_least_foreseen() -> None:
    bits = population().information({"occupation/nurse": 1, "interests/chess": 1})
    assert max(bits, key=lambda slot: bits[slot]) == "Location"


def test_the_elicitor_asks_elsewhere_after_questions_without_an_answer() -> None:
    baseline, memory, asked = make("bayes-elicitor"), None, []
    for turn in range(1, 10):
        output = respond(baseline, view("Hm.", turn, memory=memory))
        memory = json.loads(json.dumps(output.memory))
        asked.append(memory["last"])
    assert len(set(asked)) >= 5
    assert parsed(output).response.count("?") == 1


def test_the_elicitor_states_what_it_heard_and_takes_a_correction() -> None:
    baseline = make("bayes-elicitor", guess=1)
    first = respond(baseline, view("I am 41 years old. I don't like jogging."))
    assert set(parsed(first).profile.splitlines()) == {"- Age: 41", "- Interests: dislikes running"}
    second = respond(baseline, view("Sorry, I am 42 years old.", 2, memory=first.memory))
    assert "- Age: 42" in parsed(second).profile and "41" not in parsed(second).profile


def checkpoint(folder: Path, **said: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "trained_on.json").write_text(json.dumps(said))
    return folder


SAID = {"base_model": "org/base", "suite": "training-full", "simulator": {"name": "agenda"}, "judges": {"rules": {}}}


def test_a_trained_baseline_is_answered_by_the_checkpoint_of_that_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLPA_BENCH_CHECKPOINTS", str(tmp_path))
    final = checkpoint(tmp_path / "sft-aloe" / "final", recipe="sft-aloe", **SAID)
    checkpoint(tmp_path / "sft-aloe" / "checkpoints" / "global_step10_hf", recipe="sft-aloe", **SAID)
    checkpoint(tmp_path / "dpo" / "final", recipe="dpo", **(SAID | {"base_model": "org/other"}))
    found, served = CLASSES["sft"].resolve(CLASSES["sft"].Options(), "hf:org/base")
    assert (found.checkpoint, served) == (final, f"hf:{final}")
    with pytest.raises(UsageError, match=r"rlpa-bench train dpo --data dpo.jsonl --set model=org/base"):
        CLASSES["dpo"].resolve(CLASSES["dpo"].Options(), "hf:org/base")


def test_several_checkpoints_of_one_kind_have_to_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLPA_BENCH_CHECKPOINTS", str(tmp_path))
    for name in ("one", "two"):
        checkpoint(tmp_path / name / "final", recipe="qwen-rlpa", **SAID)
    with pytest.raises(UsageError, match=r"2 rlpa checkpoints.*baseline.rlpa.checkpoint"):
        CLASSES["rlpa"].resolve(CLASSES["rlpa"].Options(), "org/base")


def test_a_candidate_carries_what_it_was_trained_on(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "c", recipe="sft", **SAID)
    (folder / "model.gguf").write_bytes(b"GGUF")
    options = {"baselines": {"sft": {"checkpoint": str(folder)}}}
    candidate = Harness("aloe", options=options).candidate("smollm2/sft")
    assert (candidate.name, candidate.model) == ("smollm2/sft", f"llamacpp:{folder / 'model.gguf'}")
    assert candidate.baseline.trained_on == {"recipe": "sft", **SAID}


def test_a_folder_that_does_not_say_what_it_was_trained_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"trained_on\.json"):
        make("sft", Model(""), checkpoint=tmp_path)


def test_what_was_seen_in_words() -> None:
    assert trained_on_words(SAID) == "suite training-full; simulator agenda; judge rules"
    assert trained_on_words({"simulators": ["a", "b"]}) == "simulator a, b"
    assert [method_of({"recipe": name}) for name in ("sft-aloe", "dpo", "one-gpu")] == ["sft", "dpo", "rlpa"]


@pytest.mark.slow
def test_a_checkpoint_answers_in_a_run(tmp_path: Path) -> None:
    """The embedded model in the place of a checkpoint trained from it."""
    folder = tmp_path / "c"
    folder.mkdir()
    weights = dataset("smollm2").fetch() / SMOLLM2_GGUF
    (folder / "model.gguf").symlink_to(weights)
    (folder / "trained_on.json").write_text(json.dumps({"recipe": "sft", **SAID}))
    run = rlpa_bench.run(
        "aloe", model="smollm2", baseline="sft", controls=False, limit=1, turns=1, cache=False,
        options=[f"baseline.sft.checkpoint={folder}", "model.format=guided"], out=tmp_path / "run",
    )  # fmt: skip
    (dialogue,) = run.dialogues()
    assert dialogue.candidate == "smollm2/sft" and not dialogue.turns[0].malformed
    assert "smollm2/sft was trained on suite training-full" in (run.path / "table.md").read_text()
