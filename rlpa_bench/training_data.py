"""SFT and DPO data out of our own dialogues: ALOE's procedure (arXiv 2410.03642) with the released code's bugs mended.

Two replies are written to each state, one with a hint (what the user has told so far) and one without; a judge picks
the better one; a seeded coin picks which of them continues the dialogue, so that neither policy's states are favoured.

What the released code does otherwise: its judge's answer counts as "the other reply" unless it reads exactly "first"
(here ties, contradictions and failures make no pair); its SFT rows repeat the first user message in every turn (here
each row has its own history); its DPO rows draw a character where a reply is a text (here whole messages); a dialogue
is thrown away when one call fails (here its turns up to there stay).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rlpa_bench.build import Candidate, Harness, OptionTree
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import RunDirectoryError, UsageError
from rlpa_bench.guard import guarded
from rlpa_bench.interfaces import Component
from rlpa_bench.manifest import described_as, digest, without_secrets
from rlpa_bench.plan import with_turns
from rlpa_bench.plugins import Plugins
from rlpa_bench.runner.play import DialogueFailedError
from rlpa_bench.runs import differing, locked, read_json, write_json
from rlpa_bench.transcripts import dumps, plain, read_lines, replacing
from rlpa_bench.types import Case, Output, State

PLAIN, HINTED = "base", "hinted"
"""Baselines that write the two replies."""
TREE, SFT, DPO, CARD, DATA, TRAINED_ON = (
    "tree.jsonl", "sft.jsonl", "dpo.jsonl", "README.md", "data.json", "trained_on.json",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What the data are made of."""

    suite: str = "training-full"
    model: str = "smollm2"
    simulator: str = "agenda"
    judge: str = "pairwise"
    turns: int | None = None
    limit: int | None = None
    seeds: int = 1
    options: OptionTree = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which reply is preferred; none where ``preferred`` is empty."""

    preferred: str
    """``base`` or ``hinted``; empty for no pair."""
    why: str
    """What decided, or why nothing did."""
    raw: str = ""
    """The judge's own words."""


def build(recipe: Recipe, out: Path, *, plugins: Sequence[object] = (), at_once: int = 16, cache: bool = True) -> Path:
    """Plays the dialogues and writes the data; the same call into the same folder goes on where it was stopped.

    Args:
        at_once: dialogues at once.

    Raises:
        UsageError: for a suite whose users are for evaluation.
        RunDirectoryError: for a folder that holds data of another recipe.
        RlpaBenchError: whatever a run would raise; finished dialogues stay on disk.
    """
    from rlpa_bench.aio import blocking

    with locked(out):
        return blocking(lambda: _Builder(recipe, out, plugins, cache).run(at_once))


class _Builder:
    def __init__(self, recipe: Recipe, out: Path, plugins: Sequence[object], cache: bool) -> None:
        self.recipe, self.out = recipe, out
        store = CallCache(cache_dir() / "calls.sqlite") if cache else None
        self.harness = Harness(recipe.suite, plugins=Plugins(plugins), options=recipe.options, cache=store)
        self.env = self.harness.environment(recipe.simulator, [recipe.judge])
        self.judge = self.env.judges[0]
        self.writers = {name: self.harness.candidate(f"{recipe.model}/{name}") for name in (PLAIN, HINTED)}
        self.harness.check_options()
        self.cases = with_turns(self.harness.cases(recipe.limit), recipe.turns)
        if unfit := next((case for case in self.cases if case.templates != "training"), None):
            raise UsageError(
                f"suite {recipe.suite!r} is for evaluation (case {unfit.id!r}); train on training or training-full"
            )
        if self.judge.target == "dialogue":
            raise UsageError(f"judge {recipe.judge!r} judges whole dialogues; name one of pairs or of turns")

    async def run(self, at_once: int) -> Path:
        try:
            info = self._info()
            done = self._begun(info)
            units = [(case, seed) for case in self.cases for seed in range(self.recipe.seeds)]
            await self._play([unit for unit in units if f"{unit[0].id}/{unit[1]}" not in done], at_once)
        finally:
            await self.harness.aclose()
        _finish(self.out, info, [f"{case.id}/{seed}" for case, seed in units])
        return self.out

    def _info(self) -> dict[str, Any]:
        parts: dict[str, Component] = {f"suites/{self.recipe.suite}": self.harness.suite}
        parts |= {f"simulators/{self.recipe.simulator}": self.env.simulator, f"judges/{self.judge.name}": self.judge}
        parts |= {f"baselines/{name}": writer.baseline for name, writer in self.writers.items()}
        parts |= {f"models/{spec}": e.model for spec, e in self.harness.context.endpoints.items()}
        from importlib.metadata import version

        made = {
            "recipe": without_secrets(asdict(self.recipe)),
            "protocol": self.harness.context.protocol,
            "contract": digest(self.env.contract.system.encode()),
            "cases": digest(b"".join(dumps(case) for case in self.cases)),
            "components": {name: described_as(name, part) for name, part in parts.items()},
            "options": self.harness.used_options(),
            "version": version("rlpa-bench"),
        }
        seen = {
            "suite": self.recipe.suite,
            "protocol": self.harness.context.protocol,
            "profiles": sorted({case.cluster for case in self.cases}),
            "templates": sorted({case.templates for case in self.cases}),
            "simulator": self.recipe.simulator,
            "judges": [self.judge.name],
            "models": list(self.harness.context.endpoints),
        }
        return dict(plain({"made": made, "trained_on": seen}))

    def _begun(self, info: Mapping[str, Any]) -> set[str]:
        """Names of the dialogues that are there already. Raises RunDirectoryError for those of another recipe."""
        if not (self.out / DATA).exists():
            if any(self.out.glob("[!.]*")):
                raise RunDirectoryError(f"{self.out} is not empty and holds no data of ours; choose another --out")
            write_json(self.out / DATA, info)
        if differences := list(differing(read_json(self.out / DATA)["made"], info["made"])):
            raise RunDirectoryError(
                f"{self.out} was begun with another recipe: {'; '.join(differences[:3])}; choose another --out"
            )
        tree = self.out / TREE
        if tree.exists():  # a kill in the middle of a line leaves it torn; that dialogue is played again
            whole = tree.read_bytes()
            tree.write_bytes(whole[: whole.rfind(b"\n") + 1])
        return {line["id"] for line in read_lines(tree)} if tree.exists() else set()

    async def _play(self, units: Sequence[tuple[Case, int]], at_once: int) -> None:
        gate = asyncio.Semaphore(at_once)
        with (self.out / TREE).open("ab", buffering=0) as tree:

            async def one(case: Case, seed: int) -> None:
                async with gate:
                    tree.write(dumps(await self._dialogue(case, seed)))

            async with asyncio.TaskGroup() as group:
                for unit in units:
                    group.create_task(one(*unit))

    async def _dialogue(self, case: Case, seed: int) -> dict[str, Any]:
        """One dialogue as a record: its turns with both replies, and how it ended."""
        turns: list[dict[str, Any]] = []
        ended = ""
        try:
            state = await self.env.start(case, seed)
            while not state.ended:
                outputs = {name: await self._reply(writer, state) for name, writer in self.writers.items()}
                choice = await choose(self.env, state, outputs)
                names = list(outputs)
                goes_on = names[self.harness.context.random("coin", state.key).below(2)]
                turns.append(self._turn(state, outputs, choice, goes_on))
                state = await self.env.advance(state, outputs[goes_on])
            ended = state.ended
        except Exception as error:  # anybody's code: what was played before stays
            failed = error if isinstance(error, DialogueFailedError) else DialogueFailedError("dialogue", error)
            ended = f"error: {failed.reason}"
        return {"id": f"{case.id}/{seed}", "profile": case.cluster, "turns": turns, "ended": ended}

    async def _reply(self, writer: Candidate, state: State) -> Output:
        """One writer's reply; each has draws of its own, so that two equal prompts give two replies."""
        baseline = writer.baseline
        view = self.env.view(state, baseline.grants)
        mine = replace(view, key=f"{view.key}/{baseline.name}", memory=None)
        output = await guarded(f"baseline {baseline.name!r}", baseline.respond, mine)
        return replace(output, memory=None)

    def _turn(self, state: State, outputs: Mapping[str, Output], choice: Choice, goes_on: str) -> dict[str, Any]:
        return {
            "turn": state.turn,
            "user": state.user.text,
            "disclosed": state.disclosed,
            "prompt": [asdict(message) for message in self.env.view(state).messages],
            "replies": {name: output.raw for name, output in outputs.items()},
            "choice": asdict(choice),
            "continued": goes_on,
        }


async def choose(env: DialogueEnv, state: State, outputs: Mapping[str, Output]) -> Choice:
    """The preferred one of two outputs to a state, by the environment's one judge, of pairs or of turns.

    An output that breaks the contract loses against one that keeps it, whatever the judge would say.
    """
    one, two = outputs
    read = {name: env.contract.parse(output.raw) for name, output in outputs.items()}
    kept = [name for name in outputs if not read[name].malformed]
    if len(kept) < 2:
        return Choice(kept[0], "contract") if kept else Choice("", "both break the contract")
    if read[one].response == read[two].response:
        return Choice("", "equal replies")
    judge = env.judges[0]
    if judge.target == "pair":
        verdict = next(iter((await env.compare(judge, state, outputs[one], outputs[two])).values()))
        if verdict.value is None:
            return Choice("", f"{verdict.status}: {verdict.reason.partition(':')[0]}", verdict.raw)
        low, high = (getattr(next(iter(judge.parts.values())), end) for end in ("low", "high"))
        worth = verdict.value - (low + high) / 2
        return Choice((one if worth > 0 else two) if worth else "", judge.name if worth else "tie", verdict.raw)
    first, second = (scored.total for scored in await env.score(state, [outputs[one], outputs[two]]))
    if first is None or second is None:
        return Choice("", "not scored")
    return Choice("", "tie") if first == second else Choice(one if first > second else two, judge.name)


def _finish(out: Path, info: Mapping[str, Any], order: Sequence[str]) -> None:
    """Writes the rows in the order of the plan, the counts, what they were made of, and the card."""
    from rlpa_bench.data_card import card, counted

    dialogues = {line["id"]: line for line in read_lines(out / TREE)}
    played = [dialogues[name] for name in order]
    with replacing(out / TREE) as tree, replacing(out / SFT) as sft, replacing(out / DPO) as dpo:
        for dialogue in played:
            tree.write(dumps(dialogue))
            for row, pair in rows(dialogue):
                sft.write(dumps(row))
                dpo.write(dumps(pair))
    files = {name: digest((out / name).read_bytes()) for name in (TREE, SFT, DPO)}
    data = {**info, "counts": counted(played), "files": files}
    write_json(out / DATA, data)
    write_json(out / TRAINED_ON, info["trained_on"])
    (out / CARD).write_text(card(data), encoding="utf-8")


def rows(dialogue: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The chat row and the preference row of each turn of a dialogue that has a preferred reply.

    The prompt is the contract's, without the hint: what is learned has to do without it. Replies stand in the
    contract's own form; one that breaks the contract, which can only be rejected, as it was written.
    """
    from rlpa_bench.contract import Contract

    for turn in dialogue["turns"]:
        better = turn["choice"]["preferred"]
        if not better:
            continue
        worse = PLAIN if better == HINTED else HINTED
        texts = {}
        for name, raw in turn["replies"].items():
            parsed = Contract.parse(raw)
            texts[name] = raw if parsed.malformed else Contract.write(parsed.profile, parsed.response)
        chosen, rejected = ([{"role": "assistant", "content": texts[name]}] for name in (better, worse))
        name = {"id": f"{dialogue['id']}/{turn['turn']}"}
        yield {**name, "messages": turn["prompt"] + chosen}, {
            **name, "prompt": turn["prompt"], "chosen": chosen, "rejected": rejected
        }  # fmt: skip
