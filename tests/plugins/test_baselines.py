"""Baselines compose on the contract, controls always keep it, and nobody reads gold without a grant."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rlpa_bench_plugins.baselines import rlpa_bench_baselines
from rlpa_bench_plugins.baselines.common import parts, sections, text
from rlpa_bench_plugins.baselines.pool import frequent
from rlpa_bench_plugins.baselines.scribe import AGAIN, ORDER
from rlpa_bench_plugins.suites import persona_files

from rlpa_bench.contract import Contract
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Baseline, Guide
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import (
    Call,
    Case,
    Exchange,
    Gold,
    Item,
    Message,
    Output,
    Profile,
    Session,
    State,
    Utterance,
    View,
)

ONTOLOGY = Ontology.load()
CLASSES = {cls.name: cls for cls in rlpa_bench_baselines()}
CONTROLS = sorted(name for name, cls in CLASSES.items() if not cls.needs_model)
WRITTEN = ["profile-memory", "two-step"]
"""Their profile is put into the contract's form by code; see test_new_baselines."""
TRAINED = ["dpo", "rlpa", "sft"]
PROMPTED = sorted(name for name, cls in CLASSES.items() if cls.needs_model and name not in (*WRITTEN, *TRAINED))
FACTS = (
    Item("Age", "41", id="age/41"),
    Item("Interests", "climbing", id="interests/climbing"),
    Item("Interests", "cricket", -1, id="interests/cricket"),
    Item("Occupation", "dentist", id="occupation/dentist"),
    Item("Family Background", "only child", id="family/only-child"),
    Item("Location", "the far side of the moon"),
    Item("Gender", "female", id="gender/female"),
    Item("Favourite colour", "teal"),
)
TRAIT = Item("Personality Traits", "witty", id="traits/witty")
SECRET = Profile((*FACTS, TRAIT))


class FakeContext:
    contract = Contract()
    ontology = ONTOLOGY

    def random(self, purpose: str, *key: object) -> Draws:
        return Draws("test/1", purpose, *key)

    def model(self, spec: str, role: str) -> Any:
        raise AssertionError("no baseline needs a second model")

    def data(self, name: str) -> Path:
        raise AssertionError("no baseline needs a data set")


class Recorder:
    """A bound model that keeps what it was asked."""

    name = "fake"

    def __init__(self, *texts: str, finish: str = "stop") -> None:
        self.texts = texts or (Contract.write("- Age: 41", "Fine."),)
        self.finish = finish
        self.asked: list[tuple[tuple[Message, ...], str, Guide | None, dict[str, Any]]] = []

    async def generate(
        self, messages: Any, *, key: str, guide: Guide | None = None, **sampling: Any
    ) -> tuple[str, Call]:
        words = self.texts[len(self.asked) % len(self.texts)]
        self.asked.append((tuple(messages), key, guide, sampling))
        return words, Call("candidate", "fake", self.finish, prompt_tokens=len(self.asked))


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small public pools: two users of suite aloe, three of suite training."""
    write_pool(tmp_path / "aloe", [["interests/kayaking", "occupation/mechanic"], ["occupation/doctor"]])
    training = [["age/30", "interests/baking"], ["age/30", "interests/chess"], ["age/52", "interests/chess"]]
    write_pool(tmp_path / "training", training)
    monkeypatch.setattr(persona_files, "BUNDLED", tmp_path)


def write_pool(folder: Path, profiles: list[list[str]]) -> None:
    folder.mkdir()
    rows = [
        {"id": f"{folder.name}-{n}", "facts": [item(value) for value in values]} for n, values in enumerate(profiles)
    ]
    (folder / "profiles.jsonl").write_text("\n".join(map(json.dumps, rows)))
    traits = {"id": f"{folder.name}-p", "traits": [item("traits/witty")]}
    (folder / "personalities.jsonl").write_text(json.dumps(traits))


def item(key: str) -> dict[str, Any]:
    value = ONTOLOGY.values[key]
    return {"slot": value.slot, "id": key, "value": value.label}


def make(name: str, model: Recorder | None = None, **options: Any) -> Baseline:
    cls = CLASSES[name]
    return cls(cls.Options(**options), FakeContext(), model=model)  # type: ignore[call-arg, unused-ignore]


def respond(baseline: Baseline, view: View) -> Output:
    return asyncio.run(baseline.respond(view))


def view(user: str = "I work as a dentist.", turn: int = 1, **fields: Any) -> View:
    history = fields.pop("history", ())
    messages = FakeContext.contract.render(history, user)
    return View(user, history, 0, turn, f"key{turn}", messages, **fields)


def granted(name: str, full: View) -> View:
    grants = CLASSES[name].grants
    return replace(
        full,
        gold=SECRET if "gold" in grants else None,
        disclosed=full.disclosed if "disclosed" in grants else None,
    )


def play(baseline: Baseline, turns: int, disclose: Any = lambda turn: FACTS[:turn]) -> list[Output]:
    outputs: list[Output] = []
    history: list[Exchange] = []
    for turn in range(1, turns + 1):
        user = f"Turn {turn}. I like kayaking!"
        memory = json.loads(json.dumps(outputs[-1].memory)) if outputs else None
        seen = view(user, turn, history=tuple(history), memory=memory, disclosed=disclose(turn))
        outputs.append(respond(baseline, granted(baseline.name, seen)))
        parsed = Contract.parse(outputs[-1].raw)
        history.append(Exchange(user, parsed.response, parsed.profile))
    return outputs


def test_every_name_once_and_the_controls_need_no_model() -> None:
    assert len(CLASSES) == len(rlpa_bench_baselines()) == 24
    assert PROMPTED == ["base", "cot", "hinted", "oracle", "rag", "reminder", "self-critic", "shuffled"]
    assert {name: set(cls.grants) for name, cls in CLASSES.items() if cls.grants} == {
        "oracle": {"gold"},
        "hinted": {"disclosed"},
        "scribe": {"disclosed"},
        "asker": {"disclosed"},
    }
    assert all(cls.__doc__ for cls in CLASSES.values())


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_keep_the_contract_over_sixty_turns(name: str) -> None:
    for output in play(make(name), 60):
        assert Contract.parse(output.raw).malformed == ""
        assert (output.finish, output.calls) == ("stop", ())
        assert json.loads(json.dumps(output.memory)) == output.memory


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("user", ["", "  \n ", "</profile><response>x</response>", "<profile></profile>", "{v} \\1 %s"])
def test_controls_keep_the_contract_whatever_the_user_writes(name: str, user: str) -> None:
    output = respond(make(name), granted(name, view(user, disclosed=())))
    assert Contract.parse(output.raw).malformed == ""


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_functions_of_the_view(name: str) -> None:
    assert play(make(name), 5) == play(make(name), 5)


@pytest.mark.parametrize("name", PROMPTED)
def test_the_final_call_is_guided_and_everything_is_booked(name: str) -> None:
    model = Recorder(finish="length")
    output = respond(make(name, model), granted(name, view(disclosed=())))
    keys = [key for _, key, _, _ in model.asked]
    guides = [guide for _, _, guide, _ in model.asked]
    assert keys[-1] == "key1"
    assert len(set(keys)) == len(keys)
    assert guides == [None] * (len(keys) - 1) + [Guide("contract")]
    assert len(output.calls) == len(keys)
    assert output.finish == "length"
    assert Contract.parse(output.raw).response == "Fine."


@pytest.mark.parametrize("name", PROMPTED)
def test_roles_alternate(name: str) -> None:
    model = Recorder()
    history = (Exchange("Hello", "Hi!"), Exchange("Well", "Yes?"))
    respond(make(name, model), granted(name, view(history=history, turn=3, disclosed=())))
    for messages, _, _, _ in model.asked:
        roles = [message.role for message in messages]
        assert roles == ["system", *["user", "assistant"] * (len(roles) // 2 - 1), "user"]
        assert all(message.content for message in messages)


def test_base_adds_nothing() -> None:
    model = Recorder()
    seen = view()
    respond(make("base", model), seen)
    assert model.asked[0][0] == seen.messages


def test_reminder_is_one_sentence_after_the_users_message() -> None:
    model = Recorder()
    seen = view()
    respond(make("reminder", model), seen)
    (messages, _, _, _) = model.asked[0]
    assert messages[:-1] == seen.messages[:-1]
    assert messages[-1].content == f"{seen.user}\n\n{text('reminder')}"
    assert text("reminder").count(".") == 1


def test_self_critic_shows_the_draft_to_the_critic_and_both_to_the_reviser() -> None:
    final = Contract.write("- Occupation: dentist", "Better.")
    model = Recorder("the draft", "the critique", final)
    output = respond(make("self-critic", model), view())
    draft, critique, revision = (messages for messages, _, _, _ in model.asked)
    assert [key for _, key, _, _ in model.asked] == ["key1/draft", "key1/critique", "key1"]
    assert critique[: len(draft)] == draft
    assert Message("assistant", "the draft") in critique
    assert Message("assistant", "the critique") in revision
    assert output.raw == final
    assert [call.prompt_tokens for call in output.calls] == [1, 2, 3]


def test_an_empty_draft_is_never_sent_on_as_an_empty_message() -> None:
    model = Recorder("")
    respond(make("self-critic", model), view())
    assert all(message.content for messages, _, _, _ in model.asked for message in messages)


@pytest.mark.parametrize("shots", [0, 3, 5])
def test_cot_thinks_first_with_as_many_examples_as_asked(shots: int) -> None:
    model = Recorder("They are a dentist <profile>", Contract.write("", "Open wide."))
    output = respond(make("cot", model, shots=shots), view())
    (thinking, key, guide, sampling), (answering, _, _, _) = model.asked
    assert (key, guide, sampling) == ("key1/think", None, {"stop": ("<profile>",)})
    assert thinking[0].content.count("of thinking first.") == shots
    assert Message("assistant", "They are a dentist") in answering
    assert output.raw.startswith("They are a dentist\n\n<profile>")
    assert Contract.parse(output.raw).response == "Open wide."


def test_cot_takes_no_other_number_of_shots() -> None:
    with pytest.raises(ValidationError):
        CLASSES["cot"].Options(shots=4)


def test_cot_examples_keep_the_contract() -> None:
    examples = parts("cot_examples", "---")
    assert len(examples) == 5
    for example in examples:
        parsed = Contract.parse(example)
        slots = [entry.slot for entry in Contract.items(parsed.profile)]
        assert not parsed.malformed
        assert slots == sorted(slots, key=Contract().slots.index)


def test_only_oracle_reads_the_gold() -> None:
    """Through the environment, so that the grants themselves are exercised."""
    case = Case("a.b", Gold(SECRET.items), "a", (Session(3, "Hello"),))
    env = DialogueEnv(simulator=None)  # type: ignore[arg-type]
    state = State(case, 0, Utterance("Hello"))
    for name in PROMPTED:
        model = Recorder()
        baseline = make(name, model)
        respond(baseline, env.view(state, baseline.grants))
        sent = "\n".join(message.content for messages, _, _, _ in model.asked for message in messages)
        assert ("the far side of the moon" in sent) == (name == "oracle"), name
        assert ("- Personality Traits: witty" in sent and "dislikes cricket" in sent) == (name == "oracle"), name


def test_oracle_without_gold_is_an_error_not_a_guess() -> None:
    with pytest.raises(SimulatorError, match="no golden profile"):
        respond(make("oracle", Recorder()), view())


def test_shuffled_draws_one_other_user_per_dialogue_and_keeps_them() -> None:
    model = Recorder()
    baseline = make("shuffled", model)
    outputs = play(baseline, 4)
    systems = {messages[0].content for messages, _, _, _ in model.asked}
    assert len(systems) == 1
    assert "- Age: " in systems.pop()
    assert {output.memory for output in outputs} == {outputs[0].memory}
    others = {respond(baseline, replace(view(), key=f"dialogue{n}")).memory for n in range(30)}
    assert len(others) == 3


def test_null_never_changes() -> None:
    assert len({output.raw for output in play(make("null"), 5)}) == 1


def test_echo_says_and_notes_the_users_own_words() -> None:
    history = (Exchange("Hello", "?"),)
    parsed = Contract.parse(respond(make("echo"), view("I am 41. I climb.", turn=2, history=history)).raw)
    assert parsed.response == "I am 41. I climb."
    assert Contract.items(parsed.profile) == (Item("", "Hello"), Item("", "I am 41."), Item("", "I climb."))


@pytest.mark.parametrize(("name", "least"), [("flatter", 10), ("injector", 12), ("longest", 8)])
def test_attacks_rotate(name: str, least: int) -> None:
    replies = [Contract.parse(output.raw).response for output in play(make(name), 60)]
    assert least <= len(set(replies)) == len(parts(name, {"longest": "\n\n", "injector": "---"}.get(name, "\n")))


def test_longest_is_long() -> None:
    assert len(Contract.parse(respond(make("longest"), view()).raw).response.split()) > 700


def test_stuffer_holds_every_cue() -> None:
    cued = ONTOLOGY.cued(Contract.parse(respond(make("stuffer"), view()).raw).response)
    assert set(cued) == {value.id for value in ONTOLOGY.values.values() if value.cues}


def test_prior_states_the_most_frequent_values() -> None:
    for output in play(make("prior"), 2):
        stated = Contract.items(Contract.parse(output.raw).profile)
        assert {entry.value for entry in stated} == {"30", "chess", "witty"}


def test_frequent_takes_as_many_values_as_profiles_hold_on_average() -> None:
    many = Item("Interests", "a"), Item("Interests", "b"), Item("Interests", "c")
    entries = [persona_files.Entry("1", many), persona_files.Entry("2", (many[2],))]
    assert frequent(entries) == (many[2], many[0])


def test_lookup_finds_the_persona_nearest_to_what_was_said() -> None:
    baseline = make("lookup")
    first = respond(baseline, view("Hello"))
    assert Contract.parse(first.raw).profile == ""
    second = respond(baseline, view("I go kayaking a lot.", turn=2, memory=first.memory))
    assert Contract.parse(second.raw).profile == "- Interests: kayaking\n- Occupation: mechanic"
    third = respond(baseline, view("Nothing else.", turn=3, memory=second.memory))
    parsed = Contract.parse(third.raw)
    assert "mechanic" in parsed.profile
    assert ONTOLOGY.cued(parsed.response).get("interests/kayaking")
    assert not ONTOLOGY.mentions(parsed.response) or "occupation/mechanic" not in {
        mention.value.id for mention in ONTOLOGY.mentions(parsed.response)
    }


@pytest.mark.parametrize("name", ["scribe", "asker"])
def test_scribe_and_asker_state_exactly_what_was_disclosed(name: str) -> None:
    for turn, output in enumerate(play(make(name), 9), 1):
        stated = Contract.parse(output.raw).profile.splitlines()
        no = {-1: "dislikes ", 1: ""}
        assert stated == [f"- {f.slot}: {no[f.polarity]}{f.value}" for f in FACTS[:turn]]


def test_scribe_asks_nothing_and_speaks_of_what_is_new() -> None:
    outputs = play(make("scribe"), 12, lambda turn: FACTS[: turn - 1])
    replies = [Contract.parse(output.raw).response for output in outputs]
    assert not any("?" in reply for reply in replies)
    assert len(set(replies)) == 12
    for new, reply in zip(FACTS, replies[1:], strict=False):
        assert new.value in reply.casefold()


def test_scribe_and_asker_use_cues_where_the_ontology_has_them() -> None:
    for output in play(make("scribe"), 12, lambda turn: (FACTS[3],)):
        assert ONTOLOGY.cued(output.raw)["occupation/dentist"] >= 2


def test_asker_asks_for_each_open_slot_once_and_then_again_for_the_open_ended_ones() -> None:
    questions = sections("questions")
    outputs = play(make("asker"), 40, lambda turn: (FACTS[3],))
    asked = []
    for output in outputs:
        reply = Contract.parse(output.raw).response
        (heading,) = [name for name, lines in questions.items() if any(reply.endswith(line) for line in lines)]
        assert reply.count("?") == 1
        asked.append(heading)
    open_slots = [f"{slot}?" for slot in ORDER if slot != "Occupation"]
    assert asked[: len(open_slots)] == open_slots
    assert asked[len(open_slots) :] == [f"{AGAIN[i % 3]} again?" for i in range(40 - len(open_slots))]


def test_asker_words_its_questions_in_several_ways() -> None:
    firsts = {
        Contract.parse(respond(make("asker"), replace(view("Hello", disclosed=()), key=f"d{n}")).raw).response
        for n in range(30)
    }
    assert len(firsts) >= 4


@pytest.mark.parametrize("name", ["scribe", "asker"])
def test_an_unknown_ledger_is_an_error_not_a_guess(name: str) -> None:
    with pytest.raises(SimulatorError, match="leave it out") as caught:
        respond(make(name), view())
    assert caught.value.reason == "no-ledger"


@pytest.mark.parametrize("polarity", [1, -1])
def test_there_is_a_sentence_for_every_value_of_the_ontology(polarity: int) -> None:
    scribe = make("scribe")
    for value in ONTOLOGY.values.values():
        fact = Item(value.slot, value.label, polarity, value.id)
        reply = Contract.parse(respond(scribe, view("", disclosed=(fact,))).raw).response
        assert value.label.casefold() in reply.casefold()
        assert "{" not in reply


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_descriptions_are_json_and_name_the_texts(name: str) -> None:
    described = make(name).describe()
    assert json.loads(json.dumps(described)) == described
    assert set(described.get("texts", {})) == set(CLASSES[name].texts)  # type: ignore[attr-defined]


def test_the_injector_forges_no_tag_of_the_contract() -> None:
    assert not any(tag in text("injector") for tag in ("<profile>", "</profile>", "<response>", "</response>"))
