"""The shapes that later needs rest on, one short test each, through public names only."""

from __future__ import annotations

import asyncio
import filecmp
import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from toys import NURSE, TEACHER, Counter, Plain, Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite, case, reply

import rlpa_bench
from rlpa_bench.build import Harness
from rlpa_bench.interfaces import Generation, Guide, Judge, Part
from rlpa_bench.options import Options
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import (
    Change,
    Dialogue,
    DialogueSubject,
    Output,
    PairSubject,
    Session,
    State,
    TurnSubject,
    Utterance,
    Verdict,
    View,
)

STATE = TypeAdapter(State)


def harness(*components: type, **options: Mapping[str, Mapping[str, object]]) -> Harness:
    return Harness("toy", plugins=Plugins([Plugin(*components)], entry_point_group=None), options=options)


def toy_env(*components: type) -> rlpa_bench.DialogueEnv:
    return harness(*components).environment("toy", ["asks"])


ALL = (ToySuite, ToySimulator, ToyJudge, ToyModel, Plain, Counter)


def test_four_alternatives_are_scored_without_a_user_call_and_the_best_goes_on() -> None:
    async def scenario() -> None:
        env = toy_env()
        state = await env.start(case())
        before = ToySimulator.calls
        outputs = [reply("No."), reply("Fine."), reply("And you?"), "malformed"]
        scored = await env.score(state, outputs)
        assert ToySimulator.calls == before
        assert [s.reward["asks.asks"] for s in scored] == [0, 0, 1, 0]
        best = max(range(4), key=lambda i: scored[i].total or 0)
        after = await env.advance(state, outputs[best])
        assert ToySimulator.calls == before + 1
        assert (after.turn, after.turns[0].response) == (2, "And you?")
        assert state.turns == () and state.turn == 1

    asyncio.run(scenario())


def test_two_branches_of_one_state_are_independent() -> None:
    async def scenario() -> None:
        env = toy_env()
        root = await env.start(case())
        left, right = await env.advance(root, reply("left?")), await env.advance(root, reply("right?"))
        left = await env.advance(left, reply("more?"))
        again = await env.advance(root, reply("right?"))
        assert right == again
        assert len(left.turns) == 2 and len(right.turns) == 1

    asyncio.run(scenario())


CHILD = """
import asyncio, sys
from pydantic import TypeAdapter
from rlpa_bench.types import State
from test_shapes import toy_env
from toys import reply
state = TypeAdapter(State).validate_json(sys.stdin.buffer.read())
print(TypeAdapter(State).dump_json(asyncio.run(toy_env().advance(state, reply("on?")))).decode(), end="")
"""


def test_a_state_saved_as_json_goes_on_in_another_process_with_the_same_bytes() -> None:
    async def scenario() -> tuple[State, State]:
        env = toy_env()
        state = await env.advance(await env.start(case(), seed=3), reply("so?"))
        return state, await env.advance(state, reply("on?"))

    state, here = asyncio.run(scenario())
    assert STATE.validate_json(STATE.dump_json(state)) == state
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    code = f"import sys; sys.path[:0] = {paths!r}\n{CHILD}"
    there = subprocess.run([sys.executable, "-c", code], input=STATE.dump_json(state), capture_output=True, check=True)
    assert there.stdout == STATE.dump_json(here)


def test_in_a_second_session_only_the_baselines_memory_goes_on() -> None:
    async def scenario() -> None:
        toys = harness()
        env = toys.environment("toy")
        candidate = toys.candidate("counter").baseline
        state = await env.start(case(sessions=(Session(2, "Hello"), Session(2, "Back again"))))
        for _ in range(2):
            state = await env.advance(state, await candidate.respond(env.view(state)))
        view = env.view(state)
        assert (state.session, state.user.text) == (1, "Back again")
        assert view.history == () and view.memory == 2
        assert [m.role for m in view.messages] == ["system", "user"]
        state = await env.advance(state, await candidate.respond(view))
        assert len(env.view(state).history) == 1 and state.turn == 4

    asyncio.run(scenario())


def test_a_planned_change_moves_the_gold_and_keeps_what_it_superseded() -> None:
    gold = case(changes=[Change(turn=3, old=NURSE.key, new=TEACHER)]).gold
    assert gold is not None
    assert NURSE in gold.at(0, 2).facts and not gold.superseded(0, 2)
    assert TEACHER in gold.at(0, 3).facts and NURSE not in gold.at(0, 3).facts
    assert gold.superseded(0, 3) == (NURSE,)


def test_sixty_turns() -> None:
    async def scenario() -> None:
        env = toy_env()
        state = await env.start(case(sessions=(Session(60, "Hello"),)))
        while not state.ended:
            state, scored = await env.step(state, reply(f"Turn {state.turn}?"))
            assert scored.total == 1
        assert len(state.turns) == 60 and state.ended == "schedule"

    asyncio.run(scenario())


class Leaver(ToySimulator):
    """Leaves after as many turns as the case is years past 30."""

    name = "leaver"

    async def reply(self, state: State) -> Utterance:
        bored = len(state.turns) > int(state.case.id[-1])
        return Utterance("Bye." if bored else "Go on.", (), ends="bored" if bored else "")


def test_dialogues_of_unequal_length_say_who_ended_them(out: Path) -> None:
    plugin = Plugin(*ALL, Leaver)
    run = rlpa_bench.run("toy", model="toy", baseline="plain", simulator="leaver", judge="asks", controls=False,
                         plugins=[plugin], out=out)  # fmt: skip
    dialogues = list(run.dialogues())
    assert [len(d.turns) for d in dialogues] == [2, 3, 4, 5, 5, 5]
    assert [d.ended for d in dialogues] == ["user: bored"] * 4 + ["schedule"] * 2 or dialogues[3].ended == "schedule"
    cell = run.summary["rows"]["toy/plain"]["AVG[asks]"]
    assert (cell["planned"], cell["scored"]) == (30, sum(len(d.turns) for d in dialogues))
    assert cell["missing"] == {"user": 30 - cell["scored"]}
    assert cell["by_turn"]["5"]["n"] == 3


class Length(Judge):
    """Judges whole dialogues."""

    name = "length"
    Options = Options
    target = "dialogue"
    parts = {"turns": Part(0, 100)}

    async def judge(self, subject: DialogueSubject) -> Mapping[str, Verdict]:
        return {"turns": Verdict(float(len(subject.turns)))}


def test_a_judge_of_whole_dialogues(out: Path) -> None:
    run = rlpa_bench.run("toy", model="toy", baseline="plain", simulator="toy", judge="length", controls=False,
                         plugins=[Plugin(*ALL, Length)], out=out)  # fmt: skip
    scores = list(run.scores())
    assert [(s.turn, s.value) for s in scores] == [(None, 5.0)] * 6


class Longer(Judge):
    """Judges pairs: which reply is longer."""

    name = "longer"
    Options = Options
    target = "pair"
    parts = {"first": Part()}

    async def judge(self, subject: PairSubject) -> Mapping[str, Verdict]:
        assert subject.first.history == subject.second.history
        return {"first": Verdict(float(len(subject.first.reply) > len(subject.second.reply)))}


def test_a_judge_of_pairs_in_both_orders() -> None:
    async def scenario() -> None:
        toys = harness(*ALL, Longer)
        env = toys.environment("toy")
        state = await env.start(case())
        judge = toys.judges(["longer"])[0]
        forth = await env.compare(judge, state, reply("Short."), reply("Rather long."))
        back = await env.compare(judge, state, reply("Rather long."), reply("Short."))
        assert (forth["first"].value, back["first"].value) == (0, 1)

    asyncio.run(scenario())


class WithModel(Options):
    model: str = "toy"


class Dreamer(ToySimulator):
    """A user worded by a model of its own."""

    name = "dreamer"
    Options = WithModel

    async def reply(self, state: State) -> Utterance:
        model = self.context.model(self.options.model, role="simulator")
        text, call = (
            await model.generate([], key=state.key)
            if False
            else await model.generate(list(_messages(state)), key=state.key)
        )
        return Utterance(text, None, calls=(call,))


def _messages(state: State):  # type: ignore[no-untyped-def]
    from rlpa_bench.types import Message

    yield Message("user", state.turns[-1].response)


class Asker(ToyJudge):
    """A judge with a model of its own."""

    name = "model-judge"
    Options = WithModel
    deterministic = False

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        from rlpa_bench.types import Message

        model = self.context.model(self.options.model, role="judge")
        text, _ = await model.generate([Message("user", subject.reply)], key=subject.key)
        return {"asks": Verdict(float("?" in text), raw=text), "length": Verdict(None, "unscored", "not asked")}


class Second(ToyModel):
    """Another model."""

    name = "second"

    async def generate(self, messages, sampling, guide: Guide | None) -> Generation:  # type: ignore[no-untyped-def]
        return Generation("Is it so?", "stop", 3, 3)


def test_a_simulator_and_a_judge_take_models_of_their_own(out: Path) -> None:
    run = rlpa_bench.run(
        "toy", model="toy", baseline="plain", simulator="dreamer", judge="model-judge", controls=False, repeats=2,
        options=["simulator.model=second", "judge.model-judge.model=second"],
        plugins=[Plugin(*ALL, Dreamer, Asker, Second)], out=out,
    )  # fmt: skip
    turn = next(run.dialogues()).turns[1]
    assert turn.user.calls[0].model == "second" and turn.user.calls[0].role == "simulator"
    assert turn.user.disclosed is None
    assert run.info["calls"]["calls"] == {"candidate": 30, "simulator": 24, "judge": 60 + 60}
    assert {s.repeat for s in run.scores()} == {0, 1}


def test_a_person_typing_is_a_simulator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("I am a nurse.\n/bye\n"))

    async def scenario() -> State:
        plugins = Plugins([Plugin()])
        env = Harness("toy", plugins=plugins).environment("human")
        state = await env.start(case())
        state = await env.advance(state, reply("What do you do?"))
        assert state.user.text == "I am a nurse."
        assert state.user.disclosed == ("occupation/nurse",) and state.user.extracted
        state = await env.advance(state, reply("I see."))
        return await env.advance(state, reply("Bye!"))

    assert asyncio.run(scenario()).ended == "user: left"
    assert "What do you do?" in capsys.readouterr().out


class Thief(Plain):
    """Looks for answers it was not granted."""

    name = "thief"
    seen: list[View] = []

    async def respond(self, view: View) -> Output:
        self.seen.append(view)
        return await super().respond(view)


def test_a_baseline_without_grants_reaches_neither_gold_nor_ledger(out: Path) -> None:
    Thief.seen.clear()
    rlpa_bench.run("toy", model="toy", baseline="thief", simulator="toy", judge="asks", controls=False,
                   plugins=[Plugin(*ALL, Thief)], out=out)  # fmt: skip
    for view in Thief.seen:
        assert view.gold is None and view.disclosed is None
        text = repr(view)
        assert "case-" not in text and "profile-0" not in text and "occupation/nurse" not in text


def test_two_workers_logs_merge_to_the_bytes_of_one(tmp_path: Path) -> None:
    def play(name: str, **more: object) -> rlpa_bench.Run:
        return rlpa_bench.run("toy", model="toy", baseline="plain,counter", simulator="toy", judge="asks", seeds=2,
                              controls=False, plugins=[Plugin()], out=tmp_path / name, **more)  # type: ignore[arg-type]  # fmt: skip

    whole = play("whole", max_connections=5)
    shards = [play(f"part{i}", shard=(i, 2), max_connections=i + 1) for i in range(2)]
    merged = rlpa_bench.merge_runs([run.path for run in shards], tmp_path / "merged")
    for name in ("dialogues.jsonl", "scores.jsonl", "summary.json"):
        assert filecmp.cmp(whole.path / name, merged.path / name, shallow=False), name
    assert sum(1 for _ in merged.dialogues()) == 24
    assert isinstance(next(merged.dialogues()), Dialogue)
