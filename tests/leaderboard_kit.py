"""Small systems for leaderboards, and a way to change a submission and seal it again."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

from rlpa_bench_plugins.judges.rlpa_gate import CRITERIA
from toys import Plugin

import rlpa_bench
from rlpa_bench import Run
from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Baseline, Generation, Guide, Judge, Model, Part, Sampling
from rlpa_bench.leaderboard.package import seal
from rlpa_bench.leaderboard.prepare import prepare
from rlpa_bench.leaderboard.schema import Training
from rlpa_bench.options import ModelOptions, Options
from rlpa_bench.types import JSON, Message, Output, TurnSubject, Verdict, View

SMALL: dict[str, Any] = {"suite": "aloe", "limit": 5, "seeds": 2, "turns": 6, "controls": False, "cache": False}
SYSTEMS = {
    "model": "chatty", "baseline": "plain,taught,null,echo,scribe,lookup,injector",
}  # fmt: skip


class Chatty(Model):
    """Takes up the user's last words and asks on; what it says depends on the sampling seed."""

    name = "chatty"
    Options = ModelOptions
    cacheable = False

    def describe(self) -> Mapping[str, JSON]:
        return {"weights": "c0ffee"}

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        words = messages[-1].content.split() or ["that"]
        word = words[(sampling.seed or 0) % len(words)].strip(".,?!'")
        known = [message.content for message in messages if message.role == "user"]
        text = f"You spoke of {word}, turn {len(known)}. How did that come about, and what do you do besides?"
        tail = f"- Others: said {word} in turn {len(known)}"
        if self.options.max_tokens < 40:
            return Generation(f"<profile>\n{tail}", "length", 50, self.options.max_tokens)
        return Generation(f"<profile>\n{tail}\n</profile>\n\n<response>\n{text}\n</response>", "stop", 50, 60)


class PlainTalk(Baseline):
    """The model as it is."""

    name = "plain"
    Options = Options

    async def respond(self, view: View) -> Output:
        text, call = await self.model.generate(view.messages, key=view.key)
        return Output(text, finish=call.finish, calls=(call,))


class Taught(Baseline):
    """States what users of this kind often are, and asks by a fixed list; keeps a memory."""

    name = "taught"
    Options = Options
    questions = ("your job", "your family", "your studies", "your town", "your hobbies", "your evenings")

    async def respond(self, view: View) -> Output:
        text, call = await self.model.generate(view.messages, key=view.key)
        count = (view.memory or 0) + 1
        about = self.questions[count % len(self.questions)]
        profile = "\n".join(f"- Interests: {name}" for name in ("reading", "hiking")[: count % 3])
        heard = text.partition("spoke of ")[2].partition(",")[0]
        body = f"<profile>\n{profile}\n</profile>\n\n<response>\n{heard} it is. Tell me of {about}?\n</response>"
        return Output(body, memory=count, finish=call.finish, calls=(call,))


class Leaky(Baseline):
    """Reads the gold by a grant that it declares."""

    name = "leaky"
    Options = Options
    grants = frozenset({"gold"})

    async def respond(self, view: View) -> Output:
        _, call = await self.model.generate(view.messages, key=view.key)
        assert view.gold is not None
        profile = "\n".join(f"- {item.slot}: {item.value}" for item in view.gold.facts)
        return Output(f"<profile>\n{profile}\n</profile>\n\n<response>\nHm?\n</response>", finish="stop", calls=(call,))


class Rude(Baseline):
    """Breaks the contract in the second turn and dies on some users in the third."""

    name = "rude"
    Options = Options

    async def respond(self, view: View) -> Output:
        text, call = await self.model.generate(view.messages, key=view.key)
        if view.turn == 2:
            return Output("no blocks at all, 你好 🙂", finish=call.finish, calls=(call,))
        if view.turn == 3 and "e" not in view.user.split()[-1]:
            raise ProviderError("no answer", reason="503")
        return Output(text, finish=call.finish, calls=(call,))


class Fickle(Judge):
    """A judge whose verdicts cannot be made again, and whose words nobody can read."""

    name = "fickle"
    Options = Options
    parts = {"likes": Part(1, 5)}
    alignment = "likes"

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        grade = 1 + len(subject.reply) % 5
        if grade == 5:
            return {"likes": Verdict(None, "error", "refused: no")}
        return {"likes": Verdict(float(grade), raw=f"grade {grade}")}


class Critic(Model):
    """Judges by the length of what it reads; the first answer of some is no JSON."""

    name = "critic"
    Options = ModelOptions
    cacheable = False

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        text = messages[1].content
        nonce = re.findall(r'"nonce": "(\w+)"', text)[-1]
        if len(messages) == 2 and len(text) % 7 == 0:
            return Generation("Well.", "stop", 100, 2)
        verdicts = {name: int(len(text) % (3 + i) > 0) for i, name in enumerate(CRITERIA)}
        return Generation(json.dumps({"nonce": nonce, **verdicts}), "stop", 100, 30)


PLUGIN = Plugin(Chatty, PlainTalk, Taught, Leaky, Rude, Fickle, Critic)
OPEN = Training(simulator=False, judge=False, profiles=False)


def play_systems(out: Path, more: Sequence[object] = (), **terms: Any) -> Run:
    """A run of the kit's systems, and those of more plugins, under real instruments."""
    return rlpa_bench.run(**{**SMALL, **SYSTEMS, **terms}, plugins=[PLUGIN, *more], out=out)


def submit(run: Run, out: Path, **more: Any) -> dict[str, Path]:
    """All systems of a run as submissions, by name."""
    folders = prepare([run.path], out, **{"submitter": "A. Person", "training": OPEN, **more})
    return dict(zip(run.info["plan"]["candidates"], folders, strict=True))


def forge(source: Path, out: Path, change: Callable[[Forgery], None], *, sealed: bool = True) -> Path:
    """A copy of a submission with a change in it, sealed again unless the seal itself is the point."""
    forgery = Forgery(copytree(source, out))
    change(forgery)
    if sealed:
        seal(out)
    return out


class Forgery:
    """The files of a submission, opened for changing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def json(self, name: str, change: Callable[[Any], Any]) -> None:
        value = json.loads((self.path / name).read_text())
        new = change(value)
        (self.path / name).write_text(json.dumps(value if new is None else new))

    def lines(self, name: str, change: Callable[[list[Any]], Any]) -> None:
        packed = self.path / f"{name}.jsonl.xz"
        values = [json.loads(line) for line in lzma.decompress(packed.read_bytes()).splitlines()]
        new = change(values)
        lines = [json.dumps(value) for value in (values if new is None else new)]
        self.raw(name, "".join(f"{line}\n" for line in lines).encode())

    def raw(self, name: str, content: bytes) -> None:
        (self.path / f"{name}.jsonl.xz").write_bytes(lzma.compress(content))
