"""One person at a terminal, with the same consent, ratings and corrections as on the page."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.people.study import Study
from rlpa_bench.people.visit import ANSWERS, FACT_SLOTS, GRADE_WORDS, Visit, seat

Read = Callable[[str], Awaitable[str]]
"""Shows a prompt and gives the line that was typed. Raises EOFError at the end of input."""

HELP = "/bye ends this conversation, /mine shows what is kept of you, /delete deletes it, /stop stops for now."


class GoneError(Exception):
    """The person has stopped, or deleted their data."""


async def read_line(prompt: str) -> str:
    """A line of standard input."""
    print(prompt, end="", flush=True)
    line: str = await asyncio.to_thread(sys.stdin.readline)
    if not line:
        raise EOFError
    return line.strip().encode("utf-8", "replace").decode()


@dataclass
class Session:
    """A person's way through all partners, by questions and answers."""

    study: Study
    read: Read = read_line
    show: Callable[[str], None] = print
    _code: str = ""
    _shown: tuple[int, int] = field(default=(0, 0))
    """Partner and number of messages that were shown."""

    async def run(self) -> None:
        """Returns when the person is through or has stopped."""
        try:
            await self._enter()
            while (state := self._visit.state())["phase"] != "done":
                self._show_new(state)
                if state["phase"] == "wait":
                    await self._visit.place.changed(state["version"], 60)
                else:
                    await self._attempt(self._chat if state["phase"] == "chat" else self._look, state)
            self.show("You have talked to everybody. Thank you.")
        except (EOFError, GoneError) as end:
            self.show(str(end) or "Stopped. The same command and your code go on.")

    @property
    def _visit(self) -> Visit:
        return Visit(self.study, self.study.find(self._code))

    async def _enter(self) -> None:
        self.show(self.study.consent)
        while not self._code:
            code = await self.read("\nYour code if you have been here before, else Enter: ")
            try:
                self._code = code or await self._join()
                self._visit  # noqa: B018  raises for a wrong code
            except UsageError as error:
                self._code = ""
                self.show(str(error))
        self.show(f"\nYou are {self._visit.place.person}. Your code: {self._code}\nKeep it. {HELP}\n")
        title = "What you told of yourself" if self.study.own else "The person you play"
        lines = [f"  {'not ' if item['polarity'] < 0 else ''}{item['slot']}: {item['value']}"
                 for item in self._visit.state()["card"]]  # fmt: skip
        self.show("\n".join([f"{title}:", *lines]))

    async def _join(self) -> str:
        if (await self.read("I have read this and agree to take part (yes/no): ")).casefold() != "yes":
            raise GoneError("Nothing was kept.")
        publish = (await self.read("My words may also be published (yes/no): ")).casefold() == "yes"
        facts = []
        if self.study.own:
            self.show("What may partners find out about you? Enter leaves out what you do not want to be known by.")
            facts = [{"slot": slot, "value": await self.read(f"  {slot}: ")} for slot in FACT_SLOTS]
        return seat(self.study, agreed=True, publish=publish, facts=facts)

    def _show_new(self, state: dict[str, Any]) -> None:
        number, told = self._shown
        if number != state["number"]:
            number, told = state["number"], 0
            self.show(f"\n--- {state['partner']} ({number} of {state['of']}), {state['turns']} answers ---")
        for message in state["messages"][told:]:
            who = "you" if message["who"] == "you" else state["partner"]
            self.show(f"{who}: {_printable(message['text'])}")
        self._shown = (number, len(state["messages"]))

    async def _attempt(self, act: Callable[[dict[str, Any]], Awaitable[None]], state: dict[str, Any]) -> None:
        try:
            await act(state)
        except UsageError as error:
            self.show(str(error))

    async def _ask(self, prompt: str) -> str:
        """A line that is no order."""
        while (line := await self.read(prompt)).startswith("/") and line != "/bye":
            if line == "/stop":
                raise EOFError
            if line == "/mine":
                self.show(json.dumps(self._visit.export(), indent=2, ensure_ascii=False))
            elif line == "/delete":
                if (await self.read("Delete everything of yours for ever (yes/no): ")).casefold() == "yes":
                    self._visit.delete()
                    raise GoneError("Everything of yours is deleted.")
            else:
                self.show(HELP)
        return line

    async def _rate(self, state: dict[str, Any]) -> bool:
        """Asks for a grade if there is none yet; whether the conversation goes on."""
        if state["rated"]:
            return True
        scale = ", ".join(f"{i} {word}" for i, word in enumerate(GRADE_WORDS, 1))
        given = await self._ask(f"How well does the answer suit the person you play ({scale})? ")
        if given == "/bye":
            return False
        if not given.isdecimal():
            raise UsageError("Give a number from 1 to 5.")
        self._visit.rate(state["turn"], int(given))
        return True

    async def _chat(self, state: dict[str, Any]) -> None:
        text = "/bye"
        if await self._rate(state):
            text = await self._ask("> ")
        told = self._shown[1] + 1
        if text == "/bye":
            self._visit.leave()
        else:
            self._visit.say(text)
        self._shown = (state["number"], told)

    async def _look(self, state: dict[str, Any]) -> None:
        await self._rate(state)
        self.show(f"\nWhat {state['partner']} noted; say of each line: {', '.join(ANSWERS)}.")
        answers = []
        for item in state["profile"]:
            answer = await self._ask(f"  {_printable(item['slot'] + ': ' + item['value'])} ? ")
            correction = await self._ask("    What is true? ") if answer == "wrong" else ""
            answers.append({"answer": answer, "correction": correction})
        self._visit.confirm(answers, await self._ask("What is missing (Enter: nothing)? "))


def _printable(text: str) -> str:
    """Without control characters, which could command a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


@asynccontextmanager
async def typing(study: Study) -> AsyncIterator[asyncio.Event]:
    """A person at this terminal; the event is set when they are through."""
    over = asyncio.Event()
    session = asyncio.create_task(Session(study).run())
    session.add_done_callback(lambda _: over.set())
    try:
        yield over
        await session
    finally:
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)
