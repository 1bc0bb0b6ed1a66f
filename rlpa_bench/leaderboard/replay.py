"""Plays recorded dialogues again: complete, the user's words and the parser's reading the same."""

from __future__ import annotations

from rlpa_bench.errors import RlpaBenchError
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.package import DIALOGUES, SCORES
from rlpa_bench.leaderboard.terms import Instruments
from rlpa_bench.leaderboard.verdicts import Verdicts
from rlpa_bench.plan import Unit
from rlpa_bench.runner.play import restore
from rlpa_bench.runs import Run
from rlpa_bench.summary import joined
from rlpa_bench.transcripts import dumps, read_dialogues, read_scores, replacing
from rlpa_bench.types import Case, Dialogue, State, Turn


class Replay:
    """One pass over a submission's dialogues: complete, replayed, judged again."""

    def __init__(self, run: Run, instruments: Instruments, findings: Findings) -> None:
        self.run = run
        self.instruments = instruments
        self.findings = findings
        self.exact = True
        """Whether the candidate itself, where it needs no model, wrote every output again."""
        self.asks = instruments.env.simulator.deterministic
        self.verdicts = Verdicts(run.judges, instruments, findings)

    async def carry_out(self) -> None:
        """Makes the checks ``complete``, ``replay``, ``scores`` and ``judges``; replaces scores.jsonl."""
        if not self.asks:
            name = self.instruments.env.simulator.name
            self.findings.flag(
                "replay", "user-not-replayed", f"simulator {name!r} is no fixed function of the dialogue"
            )
        plan, path, played = self.instruments.plan, self.run.path / SCORES, 0
        units = plan.all_units()
        with replacing(path) as file:
            for dialogue, group in joined(read_dialogues(self.run.path / DIALOGUES), read_scores(path)):
                if (unit := next(units, None)) is None:
                    self._fail_extra(dialogue)
                    return
                if not self._expected(unit, dialogue) or not self._whole(dialogue, unit.case):
                    return
                played += 1
                await self._again(dialogue, unit.case)
                file.writelines(map(dumps, await self.verdicts.counting(dialogue, unit.case, group)))
        if (unit := next(units, None)) is not None:
            first = f"case {unit.case.id!r}, seed {unit.seed}"
            missing = plan.size - played
            self.findings.fail("complete", f"{missing} planned dialogues are missing, first {first}; play them all")
        self.findings.done |= {"complete", "replay", "judges"}

    def _fail_extra(self, dialogue: Dialogue) -> None:
        here = f"case {dialogue.case!r}, seed {dialogue.seed} of {dialogue.candidate!r}"
        self.findings.fail("complete", f"{here} is one dialogue more than planned; submit the run as it was")

    def _expected(self, unit: Unit, dialogue: Dialogue) -> bool:
        """Whether this is the dialogue that the plan has at this place."""
        if (unit.candidate, unit.case.id, unit.seed) == (dialogue.candidate, dialogue.case, dialogue.seed):
            return True
        here = f"case {dialogue.case!r}, seed {dialogue.seed} of {dialogue.candidate!r}"
        wanted = f"case {unit.case.id!r}, seed {unit.seed} of {unit.candidate!r}"
        self.findings.fail("complete", f"{here} stands where {wanted} is planned; every dialogue once, in order")
        return False

    def _whole(self, dialogue: Dialogue, case: Case) -> bool:
        """Whether the turns have no gaps and end as they should."""
        turns, where = dialogue.turns, f"case {dialogue.case!r}, seed {dialogue.seed}"
        problem = ""
        if dialogue.planned != case.turns:
            problem = f"plans {dialogue.planned} turns, its case {case.turns}"
        elif [turn.index for turn in turns] != list(range(1, len(turns) + 1)) or len(turns) > case.turns:
            problem = "has turns missing, doubled or out of order"
        elif dialogue.ended == "schedule" and len(turns) != case.turns:
            problem = f"ends by schedule after {len(turns)} of {case.turns} turns"
        elif not dialogue.ended.startswith(("schedule", "user: ", "error: ")):
            problem = f"ended for {dialogue.ended!r}, which is no way to end"
        if problem:
            self.findings.fail("complete", f"{where} {problem}; submit the dialogue as it was played")
        return not problem

    async def _again(self, dialogue: Dialogue, case: Case) -> None:
        env, where = self.instruments.env, f"case {dialogue.case!r}, seed {dialogue.seed}"
        state = await env.start(case, dialogue.seed) if self.asks else None
        try:
            for i, turn in enumerate(dialogue.turns):
                if state is None:
                    state = restore(case, dialogue.seed, dialogue.turns[:i], turn.user)
                problem = await self._differs(state, turn)
                if problem:
                    self.findings.fail("replay", f"{where}, turn {turn.index}: {problem}; submit it as it was played")
                    return
                state = await env.advance(state, turn.output) if self.asks else None
        except RlpaBenchError as error:
            self.findings.fail("replay", f"{where} cannot be replayed: {error}")
            return
        self._end(dialogue, state, where)

    async def _differs(self, state: State, turn: Turn) -> str:
        """What a turn has that its replay has not, in words."""
        if dumps(state.user) != dumps(turn.user):
            part = "ledger" if state.user.text == turn.user.text else "words"
            return f"the user's {part} are not what the simulator says to these replies"
        again = self.instruments.env.turn(state, turn.output)
        if dumps(again) != dumps(turn):
            return "reply, inferred profile or session are not what the parser reads in the raw output"
        control = self.instruments.control
        if control is not None:
            view = self.instruments.env.view(state, control.baseline.grants)
            output = await control.baseline.respond(view)
            if dumps([output.raw, output.memory, output.finish]) != dumps(
                [turn.output.raw, turn.output.memory, turn.output.finish]
            ):
                return f"control {control.name!r} does not write this output"
        return ""

    def _end(self, dialogue: Dialogue, state: State | None, where: str) -> None:
        if dialogue.ended.startswith("error: "):
            self.exact = False
            if state is not None and state.ended:
                self.findings.fail("replay", f"{where} failed after it had ended ({state.ended}); submit it as it was")
            return
        if state is not None:
            ended = state.ended
        else:
            last = dialogue.turns[-1] if dialogue.turns else None
            ended = f"user: {last.user.ends}" if last and last.user.ends else "schedule"
        if ended != dialogue.ended:
            what = f"ended with {dialogue.ended!r}, its replay {'with ' + repr(ended) if ended else 'goes on'}"
            self.findings.fail("replay", f"{where} {what}; submit it as it was played")
