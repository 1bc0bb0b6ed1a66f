"""The dialogue store: what is handed out, in which order, what continues, what a snapshot holds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import case

from reference_trainer.store import Candidate, DialogueStore, Job
from rlpa_bench.errors import SimulatorError, UsageError
from rlpa_bench.types import Output, Session, State, Turn, Utterance


def turn(state: State, output: Output) -> State:
    """A user who repeats what continued, and a dialogue as long as its schedule."""
    done = Turn(state.turn, 0, state.user, output, (), output.raw)
    turns = (*state.turns, done)
    ended = "schedule" if len(turns) == state.case.turns else ""
    return State(state.case, state.seed, Utterance(output.raw), 0, turns, ended)


async def start(case: object, seed: int) -> State:
    return State(case, seed, Utterance("Hello"))  # type: ignore[arg-type]


async def advance(state: State, output: Output) -> State:
    return turn(state, output)


def store(users: int = 3, turns: int = 4, open_at_once: int = 2, **more: object) -> DialogueStore:
    cases = [case(i, (Session(turns, "Hello"),)) for i in range(users)]
    given = {"start": start, "advance": advance, "samples": 4, "open_at_once": open_at_once, **more}
    return DialogueStore(cases, **given)  # type: ignore[arg-type]


async def play(dialogues: DialogueStore, ticket: int, rewards: Sequence[float] = (0.0, 1.0, 0.5, 1.0)) -> list[Job]:
    jobs = await asyncio.gather(*(dialogues.take(ticket) for _ in range(dialogues.samples)))
    for job in jobs:
        output = Output(f"{job.dialogue}.{job.state.turn}.{job.sample}")
        await dialogues.push(job, Candidate(output, rewards[job.sample]))
    return list(jobs)


async def batches(dialogues: DialogueStore, tickets: Sequence[int], size: int) -> list[list[Job]]:
    """Batches as a trainer asks for them: all tickets of one at once."""
    played = []
    for i in range(0, len(tickets), size):
        played.append([jobs[0] for jobs in await asyncio.gather(*(play(dialogues, t) for t in tickets[i : i + size]))])
        await dialogues.settle()
    return played


def test_all_samples_of_a_ticket_answer_one_state_and_the_best_continues() -> None:
    async def run() -> None:
        dialogues = store(users=1, open_at_once=1)
        jobs = await play(dialogues, 0, [0.0, 0.9, 0.5, 0.9])
        assert {job.sample for job in jobs} == {0, 1, 2, 3}
        assert len({id(job.state) for job in jobs}) == 1
        after = await dialogues.take(1)
        assert after.state.turns[0].output.raw == "0.1.1", "of equal rewards the lowest sample number continues"
        assert after.state.turn == 2

    asyncio.run(run())


def test_the_choice_does_not_depend_on_who_is_judged_first() -> None:
    async def chosen(order: Sequence[int]) -> str:
        dialogues = store(users=1, open_at_once=1)
        jobs = {job.sample: job for job in await asyncio.gather(*(dialogues.take(0) for _ in range(4)))}
        for sample in order:
            await dialogues.push(jobs[sample], Candidate(Output(str(sample)), 1.0))
        return (await dialogues.take(1)).state.turns[0].output.raw

    assert {asyncio.run(chosen(order)) for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])} == {"0"}


def test_random_continuation_is_a_draw_of_the_dialogue() -> None:
    def chosen() -> list[str]:
        seen: list[str] = []

        async def recording(state: State, output: Output) -> State:
            seen.append(output.raw.rpartition(".")[2])
            return turn(state, output)

        dialogues = store(users=12, turns=1, open_at_once=12, continuation="random", advance=recording)
        asyncio.run(batches(dialogues, range(12), 12))
        return seen

    first = chosen()
    assert chosen() == first
    assert len(set(first)) > 1, "not always the same one"


def test_users_go_from_first_turn_to_last_before_the_next_come() -> None:
    """The released order: so many users as a batch holds, turn 1 to the last, then the next."""
    played = asyncio.run(batches(store(users=4, turns=3, open_at_once=2), range(12), 2))
    assert [[job.state.turn for job in batch] for batch in played] == [[1, 1], [2, 2], [3, 3], [1, 1], [2, 2], [3, 3]]
    assert [sorted(job.dialogue for job in batch) for batch in played] == [[0, 1]] * 3 + [[2, 3]] * 3


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5), st.integers(1, 2), st.randoms(use_true_random=False))
def test_every_planned_turn_is_played_once(users: int, turns: int, size: int, episodes: int, random: object) -> None:
    """Tail batches included: 5 users in batches of 2, one user in batches of 5, shuffled tickets."""
    tickets = list(range(users * turns * episodes))
    random.shuffle(tickets)  # type: ignore[attr-defined]
    dialogues = store(users, turns, size, episodes=episodes)
    played = asyncio.run(batches(dialogues, tickets, size))
    times = Counter((job.dialogue, job.state.turn) for batch in played for job in batch)
    assert times == {(d, t): 1 for d in range(users * episodes) for t in range(1, turns + 1)}
    assert sorted(dialogues.finished) == list(range(users * episodes))
    assert dialogues.done == set(tickets)


def test_who_leaves_early_is_replaced_and_no_ticket_waits_for_ever() -> None:
    async def leaving(state: State, output: Output) -> State:
        after = turn(state, output)
        return State(after.case, after.seed, after.user, 0, after.turns, "user: bored")

    dialogues = store(users=2, turns=5, open_at_once=2, advance=leaving)
    played = asyncio.run(asyncio.wait_for(batches(dialogues, range(10), 2), 10))
    assert [job.dialogue for batch in played for job in batch] == list(range(10))
    assert [batch[0].state.seed for batch in played] == [0, 1, 2, 3, 4], "the same users again, as other dialogues"


def test_a_ticket_is_played_once_and_a_job_pushed_once() -> None:
    async def run() -> None:
        dialogues = store()
        jobs = await play(dialogues, 7)
        with pytest.raises(UsageError, match="ticket 7 was played already"):
            await dialogues.take(7)
        job = await dialogues.take(8)
        await dialogues.push(job, Candidate(Output(""), 0.0))
        for twice in (job, jobs[0]):
            with pytest.raises(UsageError, match="not open; push every job once"):
                await dialogues.push(twice, Candidate(Output(""), 0.0))
        for _ in range(3):
            await dialogues.take(8)
        with pytest.raises(UsageError, match="taken 5 times, but a turn has 4 samples"):
            await dialogues.take(8)

    asyncio.run(run())


def test_a_failing_user_ends_the_store_for_everybody() -> None:
    async def failing(state: State, output: Output) -> State:
        raise SimulatorError("the endpoint is gone")

    async def run() -> None:
        dialogues = store(users=1, open_at_once=1, advance=failing)
        await play(dialogues, 0)
        for ticket in (1, 2):
            with pytest.raises(SimulatorError, match="the endpoint is gone"):
                await dialogues.take(ticket)
        with pytest.raises(SimulatorError):
            await dialogues.settle()

    asyncio.run(run())


def test_no_more_users_are_asked_at_once_than_allowed() -> None:
    asked, most = 0, 0

    async def counting(state: State, output: Output) -> State:
        nonlocal asked, most
        asked += 1
        most = max(most, asked)
        await asyncio.sleep(0)
        asked -= 1
        return turn(state, output)

    asyncio.run(batches(store(users=12, open_at_once=12, advance=counting, users_at_once=3), range(48), 12))
    assert most == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.data())
def test_a_resumed_store_plays_what_is_left_and_nothing_twice(
    users: int, turns: int, size: int, data: st.DataObject
) -> None:
    """Killed at any moment after a snapshot: tickets that were being played then are played again."""
    tickets = list(range(users * turns))
    half = data.draw(st.integers(0, len(tickets)))
    held = data.draw(st.integers(0, min(size - 1, len(tickets) - half)))

    async def run() -> tuple[dict[str, object], list[list[Job]]]:
        dialogues = store(users, turns, size)
        before = await batches(dialogues, tickets[:half], size)
        waiting = [asyncio.ensure_future(dialogues.take(t)) for t in tickets[half : half + held]]
        await asyncio.sleep(0)
        saved = json.loads(json.dumps(dialogues.snapshot()))
        for task in waiting:
            task.cancel()
        return saved, before

    async def rest(saved: dict[str, object]) -> tuple[DialogueStore, list[list[Job]]]:
        dialogues = store(users, turns, size, saved=saved)
        return dialogues, await batches(dialogues, tickets[half:], size)

    saved, before = asyncio.run(run())
    dialogues, after = asyncio.run(rest(saved))
    times = Counter((job.dialogue, job.state.turn) for batch in [*before, *after] for job in batch)
    assert times == {(d, t): 1 for d in range(users) for t in range(1, turns + 1)}
    assert sorted(dialogues.finished) == list(range(users))


def test_a_snapshot_taken_while_the_user_is_asked_asks_again() -> None:
    saved: dict[str, object] = {}

    async def never(state: State, output: Output) -> State:
        await asyncio.Event().wait()
        raise AssertionError

    async def killed() -> None:
        dialogues = store(users=1, turns=2, open_at_once=1, advance=never)
        await play(dialogues, 0)
        await asyncio.sleep(0)
        saved.update(json.loads(json.dumps(dialogues.snapshot())))

    async def resumed() -> Job:
        return await store(users=1, turns=2, open_at_once=1, saved=saved).take(1)

    asyncio.run(killed())
    job = asyncio.run(resumed())
    assert (job.dialogue, job.state.turn, job.state.user.text) == (0, 2, "0.1.1")


def test_settled_is_told_once_per_ticket_before_the_user_answers() -> None:
    told: list[int] = []
    asyncio.run(batches(store(settled=told.append), range(12), 2))
    assert told == list(range(1, 13))


def test_a_store_without_work_is_refused() -> None:
    with pytest.raises(UsageError, match="needs cases"):
        store(users=0)
    with pytest.raises(UsageError, match="needs cases"):
        store(samples=0)
