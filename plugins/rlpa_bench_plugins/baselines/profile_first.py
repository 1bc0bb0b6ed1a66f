"""A profile is written first and the reply is given it: for models that cannot keep a format, and for long memories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from rlpa_bench.contract import Contract
from rlpa_bench.types import JSON, SLOTS, Call, Message, Output, View
from rlpa_bench_plugins.baselines.common import Prompted, said, text

LINES = 30
"""Lines of a profile that are kept."""
LENGTH = 160
"""Characters of one of them."""
_ENTRY = re.compile(r"^\s*(?:[-*•]\s*|\d+[.)]\s*)?([A-Za-z][A-Za-z' ]{1,40}?)\s*:\s*(\S.*)$")
_UNKNOWN = re.compile(
    r"\W*(?:unknown|none|n/?a|not (?:mentioned|known|given|specified|stated|provided)|value)?\W*", re.IGNORECASE
)
_DROPPED = str.maketrans("", "", "<>*")
_TAG = re.compile(r"</?(?:profile|response)>")


def entries(written: str, contract: Contract) -> str:
    """The ``Slot: value`` lines of a text as a profile.

    Lines of no slot of the contract, those without a value and repeated ones are left out; where the contract leaves
    slots free, any key counts.
    """
    free = not set(contract.slots) <= set(SLOTS)
    lines: dict[str, None] = {}
    for line in written.splitlines():
        found = _ENTRY.match(line.translate(_DROPPED))
        if not found or _UNKNOWN.fullmatch(found[2]):
            continue
        slot, value = found[1].strip(), found[2].strip()[:LENGTH]
        if free or contract.items(f"- {slot}: {value}")[0].slot:
            lines.setdefault(f"- {slot}: {value}")
    return "\n".join(list(lines)[:LINES])


class _ProfileFirst(Prompted):
    """Base: two calls in plain text, put into the contract's form by code."""

    calls_per_turn = 2
    asks_format = False
    profile_text: ClassVar[str]
    texts: ClassVar[tuple[str, ...]] = ("profile_first_reply",)

    async def _reply(self, view: View, profile: str, before: Call) -> Output:
        """The reply given a profile, and both in the contract's form."""
        system = text("profile_first_reply").replace("{profile}", profile or "- nothing yet")
        messages = [Message("system", system)]
        for exchange in view.history:
            messages += [Message("user", exchange.user), said(exchange.response)]
        messages.append(Message("user", view.user))
        written, call = await self.model.generate(messages, key=view.key)
        reply = _TAG.sub("", written).strip()
        return Output(self.context.contract.write(profile, reply), finish=call.finish, calls=(before, call))

    async def _ask_profile(self, view: View, **places: str) -> tuple[str, Call]:
        asked = text(self.profile_text).replace("{slots}", ", ".join(self.context.contract.slots))
        for name, value in places.items():
            asked = asked.replace(f"{{{name}}}", value)
        return await self.model.generate([Message("user", asked)], key=f"{view.key}/profile")


class TwoStep(_ProfileFirst):
    """First the profile out of the conversation, then the reply given that profile; no format is asked of the model.

    Lines of the first text that name a slot and a value are the profile, the second text is the reply as it is.
    """

    name = "two-step"
    profile_text = "two_step_profile"
    texts = ("two_step_profile", "profile_first_reply")

    async def respond(self, view: View) -> Output:
        lines = [f"They: {exchange.user}\nYou: {exchange.response}" for exchange in view.history]
        talk = "\n".join([*lines, f"They: {view.user}"])
        written, call = await self._ask_profile(view, conversation=talk)
        return await self._reply(view, entries(written, self.context.contract), call)


class ProfileMemory(_ProfileFirst):
    """Keeps a written profile, updates it with every message and replies by it; it outlives the session.

    The update sees the notes so far, the last reply and the new message, never the whole conversation. An update
    without any usable line leaves the notes as they were.
    """

    name = "profile-memory"
    profile_text = "profile_memory_update"
    texts = ("profile_memory_update", "profile_first_reply")

    async def respond(self, view: View) -> Output:
        kept: Mapping[str, JSON] = view.memory or {"profile": "", "reply": ""}
        notes, reply = str(kept["profile"]), str(kept["reply"])
        written, call = await self._ask_profile(
            view, profile=notes or "- nothing yet", reply=reply or "(nothing yet)", message=view.user
        )
        profile = entries(written, self.context.contract) or notes
        output = await self._reply(view, profile, call)
        answer = self.context.contract.parse(output.raw).response
        return replace(output, memory={"profile": profile, "reply": answer})
