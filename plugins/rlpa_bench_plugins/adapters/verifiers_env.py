"""Our environment for verifiers, and so for prime-rl: the benchmark's users, rendering and rewards.

    vf-eval rlpa_bench_plugins -n 4 -r 2 --model MODEL --client.base-url URL
    vf-eval rlpa_bench_plugins --env.taskset.suite training --env.taskset.turns 5 …

The taskset's id is ``rlpa_bench_plugins``; its options are the fields of :class:`RlpaTasksetConfig`. One rollout is one
dialogue, played in this process through verifiers' endpoint. What the model sees is what a candidate of the benchmark
sees, so every turn's prompt differs from the one before by more than an appended message (only the latest assistant
turn keeps its profile), and a trace has a branch per turn. The rewards are the reward parts of the judges (RLPA, arXiv
2505.15456, section 3.3), summed over the turns: a trace's reward is the return with gamma = 1. A turn that a judge
could not score fails the trace; it is never a 0.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import verifiers.v1 as vf
from aiohttp import ClientSession, ClientTimeout

from rlpa_bench.errors import JudgeError
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Case, Dialogue, Output, State
from rlpa_bench_plugins.adapters.terms import Terms, terms_from

INFO = "rlpa_bench"
"""Where the transcript is kept in a trace's ``info``."""

GIVEN = ("simulator", "judge", "turns", "sample", "options")


class RlpaTasksetConfig(vf.TasksetConfig):
    """What is played and judged; as :class:`rlpa_bench_plugins.adapters.terms.Terms`."""

    suite: str = "training"
    simulator: str = "agenda"
    judge: str = "rules,profile"
    turns: int | None = None
    sample: int | None = None
    options: str = ""
    seed: int = 0
    """Seed of the user's randomness; the same for all rollouts of a task."""


class Talk(vf.TaskData):
    """One dialogue to play."""

    case: dict[str, Any]
    seed: int
    terms: dict[str, Any]

    def built(self) -> tuple[Terms, Case]:
        """The live terms, shared by all tasks that have the same, and the case."""
        return _terms(**self.terms), adapter(Case).validate_python(self.case)


class RlpaTask(vf.Task[Talk]):
    """Scores what was played."""

    @vf.reward
    async def rewards(self, trace: vf.Trace) -> dict[str, float]:
        """Each reward part of each judge, summed over the turns."""
        terms, case = self.data.built()
        total: dict[str, float] = {}
        turns = _played(trace).turns
        for i, turn in enumerate(turns):
            state = State(case, self.data.seed, turn.user, turn.session, turns[:i])
            (scored,) = await terms.env.score(state, [turn.output])
            for part, value in scored.reward.items():
                if value is None:
                    raise JudgeError(f"turn {turn.index} of {case.id} has no {part}: {scored.verdicts}")
                total[part] = total.get(part, 0.0) + value
        return total

    @vf.metric
    async def shape(self, trace: vf.Trace) -> dict[str, float]:
        turns = _played(trace).turns
        known = [turn.user.disclosed or () for turn in turns]
        return {
            "turns": len(turns),
            "malformed": sum(bool(turn.malformed) for turn in turns),
            "disclosed": len({key for keys in known for key in keys}),
        }


class RlpaTaskset(vf.Taskset[RlpaTask, RlpaTasksetConfig]):
    """The cases of a suite."""

    def load(self) -> list[RlpaTask]:
        c = self.config
        given = {"name": c.suite, **{field: getattr(c, field) for field in GIVEN}}
        terms = _terms(**given)
        system = terms.env.contract.system
        terms.harness.check_options()
        return [
            RlpaTask(
                Talk(
                    name=case.id,
                    prompt=case.sessions[0].opening or "(the user opens)",
                    system_prompt=system,
                    case=adapter(Case).dump_python(case, mode="json"),
                    seed=c.seed,
                    terms=given,
                ),
                c.task,
            )
            for case in terms.cases.values()
        ]


class RlpaHarness(vf.Harness[vf.HarnessConfig]):
    """Plays the simulated user against the policy, in this process."""

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: Talk,
    ) -> vf.ProgramResult:
        terms, case = data.built()
        talk = await terms.env.start(case, data.seed)
        headers = {"Authorization": f"Bearer {secret}"}
        async with ClientSession(headers=headers, timeout=ClientTimeout(total=None)) as client:
            while not talk.ended:
                messages = [{"role": m.role, "content": m.content} for m in terms.env.view(talk).messages]
                body = {"model": ctx.model, "messages": messages}
                async with client.post(f"{endpoint}/chat/completions", json=body) as answer:
                    if answer.status != 200:  # the model failed, or a limit of the rollout stopped it
                        _keep(trace, talk, f"stopped: {trace.stop_condition or answer.status}")
                        return vf.ProgramResult(1, "", await answer.text())
                    (choice,) = (await answer.json())["choices"]
                text = choice["message"]["content"] or ""
                talk = await terms.env.advance(talk, Output(text, finish=choice["finish_reason"] or "stop"))
                _keep(trace, talk, talk.ended)
        return vf.ProgramResult(0, "", "")


class RlpaEnvConfig(vf.EnvConfig):
    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    """The policy. Nothing of it runs outside this process, so it needs no container."""


class RlpaEnv(vf.Env[RlpaEnvConfig]):
    """One policy, one dialogue."""

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        await agents.agent.run(task)


@cache
def _terms(**given: Any) -> Terms:
    return terms_from(given)


def _keep(trace: vf.Trace, talk: State, ended: str) -> None:
    played = Dialogue("policy", talk.case.id, talk.seed, talk.turns, talk.case.turns, ended)
    trace.info[INFO] = adapter(Dialogue).dump_python(played, mode="json")


def _played(trace: vf.Trace) -> Dialogue:
    played: Dialogue = adapter(Dialogue).validate_python(trace.info[INFO])
    return played
