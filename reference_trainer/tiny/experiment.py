"""The stages of the experiment, each resumable: imitate, prefer, reinforce, evaluate.

A stage leaves ``done.json`` in its folder and is not run again; one that was interrupted goes on from its last
checkpoint. The results are small files in ``results/``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from reference_trainer.monitor import StoppedError
from reference_trainer.ppo import PPO, play, train
from reference_trainer.rendering import chat_ids, encoded
from reference_trainer.rewards import Rewards
from reference_trainer.store import DialogueStore
from reference_trainer.tiny.demonstrations import SUITE as POOL
from reference_trainer.tiny.demonstrations import Sample, demonstrate, draw, harness, met
from reference_trainer.tiny.evaluate import SUITE as HELD_OUT
from reference_trainer.tiny.evaluate import Referee, evaluate
from reference_trainer.tiny.language import new_model, smollm2, train_tokenizer
from reference_trainer.tiny.plan import ARMS, Plan
from reference_trainer.tiny.supervised import Fit, Pair, fit_dpo, fit_sft
from rlpa_bench.errors import UsageError
from rlpa_bench.manifest import described_as
from rlpa_bench.randomness import Draws


class Experiment:
    """Runs stages into a folder."""

    def __init__(self, folder: Path, plan: Plan, say: Callable[[str], None] = print) -> None:
        self.folder, self.plan, self.say = folder, plan, say
        torch.set_num_threads(1)

    def run(self) -> None:
        """All stages; those that are done are passed over. One seed of every method before the next seed."""
        self._same_plan()
        self.stage("sft", self._sft)
        for seed in range(self.plan.seeds):
            for arm in self.plan.arms:
                self.stage(f"{arm}-{seed}", partial(self._ppo, arm=arm, seed=seed))
                self._evaluate(f"{arm}-{seed}", seed)
                self._evaluate("sft", seed)
            if self.plan.dpo:
                self.stage(f"dpo-{seed}", partial(self._dpo, fit=self.plan.dpo, seed=seed))
                self._evaluate(f"dpo-{seed}", seed)
            if (self.folder / "base").is_dir():
                self._evaluate("base", seed)

    def _same_plan(self) -> None:
        """Raises UsageError if the folder holds a run under another plan."""
        kept, mine = self.folder / "plan.json", json.loads(json.dumps(asdict(self.plan)))
        if kept.is_file() and json.loads(kept.read_text(encoding="utf-8")) != mine:
            raise UsageError(f"{kept} holds another plan than this one; give a folder of its own with --out")
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(kept, mine)

    def stage(self, name: str, work: Callable[[Path], dict[str, Any]]) -> None:
        folder = self.folder / name
        if (folder / "done.json").is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        began, used = time.perf_counter(), time.process_time()
        about = work(folder)
        clocks = {"seconds": round(time.perf_counter() - began), "cpu_seconds": round(time.process_time() - used)}
        _write(folder / "done.json", {**about, **clocks})
        self.say(f"{name}: {about} {clocks}")

    def load(self, name: str) -> tuple[Any, Any]:
        """A stage's model and the tokenizer."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        path = self.folder / name / "model"
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation=self.plan.attention)
        return model, AutoTokenizer.from_pretrained(path)

    def _keep(self, name: str, model: Any, tokenizer: Any, trained_on: dict[str, Any] | None = None) -> None:
        path = self.folder / name / "model"
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        if trained_on:
            _write(path / "trained_on.json", trained_on)

    def _sft(self, folder: Path) -> dict[str, Any]:
        plan = self.plan
        samples = draw(asyncio.run(demonstrate(plan.per_profile, 0, plan.turns)), plan.rows, seed=0)
        model, tokenizer = self._beginning(samples)
        rows = [
            (chat_ids(tokenizer, s.messages), encoded(tokenizer, s.completion + tokenizer.eos_token)) for s in samples
        ]
        losses = self._curve(folder, "loss", fit_sft(model, rows, plan.sft, tokenizer.pad_token_id))
        self._keep("sft", model, tokenizer, self._trained_on("sft", ()))
        return {"samples": len(rows), "parameters": model.num_parameters(), "steps": len(losses)}

    def _beginning(self, samples: Sequence[Sample]) -> tuple[Any, Any]:
        """The model as it is before it imitates, and its tokenizer."""
        if self.plan.base == "smollm2":
            model, tokenizer = smollm2()
            self._keep("base", model, tokenizer)
            return model, tokenizer
        tokenizer = train_tokenizer([text for s in samples for text in (s.completion, s.messages[-1].content)])
        return new_model(tokenizer, self.plan.sft.seed), tokenizer

    def _curve(self, folder: Path, name: str, figures: Iterator[float]) -> list[float]:
        losses = []
        for loss in figures:
            losses.append(round(loss, 4))
            if len(losses) % 50 == 0:
                self.say(f"{folder.name}: step {len(losses)}, {name} {sum(losses[-50:]) / 50:.3f}")
        _write(folder / "curve.json", [{"step": i, name: loss} for i, loss in enumerate(losses)])
        return losses

    def _world(self, arm: str, seed: int, saved: dict[str, Any] | None) -> tuple[DialogueStore, Rewards]:
        """Users of the training pool, in an order drawn from the seed, and what an arm is rewarded with."""
        built = harness(POOL, "training", {"turns": self.plan.turns})
        env = built.environment("agenda", ARMS[arm])
        cases = Draws("users", seed).shuffled(built.cases())
        store = DialogueStore(
            cases, env.start, env.advance, open_at_once=self.plan.tickets, samples=self.plan.samples, saved=saved
        )
        return store, Rewards(env)

    def _ppo(self, folder: Path, arm: str, seed: int) -> dict[str, Any]:
        model, tokenizer = self.load("sft")
        ppo = PPO(model, self.plan.settings(seed), self.plan.steps, self.plan.samples)
        curve = asyncio.run(self._reinforce(folder, ppo, tokenizer, arm, seed))
        self._keep(folder.name, model, tokenizer, self._trained_on("rlpa", ARMS[arm]))
        first, last = (sum(line["reward"] for line in part) / 10 for part in (curve[:10], curve[-10:]))
        return {"steps": len(curve), "first_rewards": round(first, 3), "last_rewards": round(last, 3)}

    async def _reinforce(self, folder: Path, ppo: PPO, tokenizer: Any, arm: str, seed: int) -> list[dict[str, float]]:
        kept = folder / "checkpoint.pt"
        saved = torch.load(kept, weights_only=False) if kept.is_file() else None
        curve: list[dict[str, float]] = saved["curve"] if saved else []
        if saved:
            ppo.restore(saved["ppo"])
        store, rewards = self._world(arm, seed, saved["store"] if saved else None)
        steps = range(len(curve), self.plan.steps)
        async for figures in train(ppo, steps, store, rewards, tokenizer, partial(chat_ids, tokenizer)):
            curve.append({name: round(value, 5) for name, value in figures.items()})
            if len(curve) % self.plan.keep_every == 0:
                part = kept.with_suffix(".part")
                torch.save({"ppo": ppo.state(), "store": store.snapshot(), "curve": curve}, part)
                part.rename(kept)
                recent = [line["reward"] for line in curve[-self.plan.keep_every :]]
                self.say(f"{folder.name}: step {len(curve)}, reward {sum(recent) / len(recent):.3f}")
        kept.unlink(missing_ok=True)
        _write(folder / "curve.json", curve)
        return curve

    def _dpo(self, folder: Path, fit: Fit, seed: int) -> dict[str, Any]:
        """As many samples as PPO gets, all of the SFT model; the best and the worst of each turn are a pair."""
        model, tokenizer = self.load("sft")
        pairs = asyncio.run(self._pairs(model, tokenizer, seed))
        if len(pairs) < fit.batch:
            raise StoppedError(
                f"{folder.name}: only {len(pairs)} turns have samples of unequal reward, fewer than a batch of "
                f"{fit.batch}; DPO has nothing to prefer: imitate for longer first"
            )
        preferred = fit_dpo(model, pairs, replace(fit, seed=seed), tokenizer.pad_token_id)
        losses = self._curve(folder, "loss", preferred)
        self._keep(folder.name, model, tokenizer, self._trained_on("dpo", ARMS["full"]))
        return {"pairs": len(pairs), "steps": len(losses)}

    async def _pairs(self, model: Any, tokenizer: Any, seed: int) -> list[Pair]:
        plan = self.plan
        ppo = PPO(model, plan.settings(seed), plan.steps, plan.samples)
        store, rewards = self._world("full", seed, None)
        pairs = []
        for step in range(plan.steps):
            played = await play(ppo, step, store, rewards, tokenizer, partial(chat_ids, tokenizer))
            for start in range(0, len(played.rows), plan.samples):
                group = range(start, start + plan.samples)
                best = max(group, key=lambda i: (played.totals[i].item(), -i))
                worst = min(group, key=lambda i: (played.totals[i].item(), i))
                if played.totals[best] > played.totals[worst]:
                    prompt, text = played.rows[best]
                    pairs.append((prompt, text, played.rows[worst][1]))
        return pairs

    def _trained_on(self, method: str, judges: tuple[str, ...]) -> dict[str, Any]:
        """The keys of :func:`reference_trainer.provenance.trained_on` that apply, and the method."""
        built = harness(POOL, "training")
        made = built.judges(judges)
        return {
            "method": method,
            "title": f"{'tiny language model' if self.plan.base == 'random weights' else 'SmolLM2-135M'}, {method}",
            "base_model": self.plan.base if method == "sft" else f"{self.folder.name}/sft/model",
            "engine": f"torch {torch.__version__}",
            "version": version("rlpa-bench"),
            **met(built, built.cases()),
            "judges": {judge.name: described_as(f"judges/{judge.name}", judge) for judge in made},
            "rewards": [f"{judge.name}.{part}" for judge in made for part in judge.reward],
            "cues": "one half of each value's",
        }

    def _evaluate(self, name: str, seed: int) -> None:
        label = name if name.endswith(f"-{seed}") else f"{name}-{seed}"
        self.stage(f"evaluation/{label}", partial(self._judged, name=name, seed=seed))

    def _judged(self, folder: Path, name: str, seed: int) -> dict[str, Any]:
        model, tokenizer = self.load(name)
        plan = self.plan
        referee = Referee.of(plan.profiles, plan.turns)
        played = evaluate(
            model,
            tokenizer,
            referee,
            seed,
            temperature=plan.temperature,
            max_tokens=plan.max_tokens,
            bf16=plan.bf16,
        )
        dialogues, curve = asyncio.run(played)
        _write(folder / "dialogues.json", dialogues)
        _write(folder / "turns.json", curve)
        reward = sum(line["reward"] for line in dialogues) / len(dialogues)
        return {"suite": HELD_OUT, "dialogues": len(dialogues), "reward": round(reward, 4)}


def _write(path: Path, value: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.rename(path)
