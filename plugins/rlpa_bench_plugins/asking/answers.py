"""Reading answers: the last object in a text that fits the form and repeats the nonce, or why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlpa_bench.types import Call

AnswerStatus = Literal["ok", "repaired", "unparseable", "refused", "out_of_range", "injected"]
"""What became of an answer. A seventh outcome, ``timeout``, comes as the model's ProviderError."""

LONGEST = 50_000
"""Characters of an answer that are read, from its end."""

_RANGE = frozenset(
    {"greater_than_equal", "less_than_equal", "greater_than", "less_than", "literal_error", "enum", "out_of_range"}
)
_REFUSAL = re.compile(
    r"\W*(?:i(?:'|’)?m (?:very |so )?sorry|i am sorry|sorry,|i (?:can(?:no|')t|can’t|cannot|am unable|won't|will not)|"
    r"as an ai\b|抱歉|对不起|很抱歉|我(?:无法|不能))",
    re.IGNORECASE,
)


class Form(BaseModel):
    """Base of all answers: what stands in them besides the fields of the form is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"additionalProperties": False})

    nonce: str = Field(json_schema_extra={"maxLength": 16})


A = TypeVar("A", bound=Form)


@dataclass(frozen=True, slots=True)
class Answer(Generic[A]):
    """What a model answered. ``form`` is None exactly where the status is neither ok nor repaired."""

    status: AnswerStatus
    form: A | None = None
    detail: str = ""
    """Why there is no form, in a few words."""
    raw: str = ""
    calls: tuple[Call, ...] = ()


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Every outermost JSON object in a text, whatever stands around it."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    while place >= 0:
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            if isinstance(found, dict):
                yield found
        place = text.find("{", end)


def read(form: type[A], text: str, nonce: str, *, finish: str = "stop", untrusted: str = "") -> Answer[A]:
    """The answer in a text.

    Args:
        nonce: only an object that repeats it counts.
        finish: how the text ended; ``filter`` is a refusal.
        untrusted: what the contestant wrote; an object without the nonce that stands in it was copied from there.
    """
    text = text[-LONGEST:]
    if finish == "filter":
        return Answer("refused", detail="the provider refused", raw=text)
    found = list(objects(text))
    mine = [each for each in found if each.get("nonce") == nonce]
    problem: tuple[AnswerStatus, str] | None = None
    for each in reversed(mine):
        try:
            return Answer("ok", form.model_validate(each), raw=text)
        except ValidationError as error:
            problem = problem or _problem(error)
    if problem is None:
        problem = _without(found, text, finish, untrusted)
    return Answer(problem[0], detail=problem[1], raw=text)


def _problem(error: ValidationError) -> tuple[AnswerStatus, str]:
    errors = error.errors(include_url=False, include_input=False)
    first = errors[0]
    status: AnswerStatus = "out_of_range" if all(each["type"] in _RANGE for each in errors) else "unparseable"
    return status, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _without(found: list[dict[str, Any]], text: str, finish: str, untrusted: str) -> tuple[AnswerStatus, str]:
    """Why no object carries the nonce."""
    theirs = list(objects(untrusted)) if found else []
    if any(each in theirs for each in found):
        return "injected", "the answer repeats an object of the text that was judged"
    if found:
        return "unparseable", "no object repeats the nonce of this call"
    if _REFUSAL.match(text):
        return "refused", "the model refused"
    if finish == "length":
        return "unparseable", "cut off at max_tokens"
    return "unparseable", "no JSON object" if text.strip() else "an empty answer"


def schema(form: type[Form]) -> dict[str, Any]:
    """The form as a JSON Schema for engines that enforce one: the same for all calls, nonce included as a string."""
    plain: dict[str, Any] = _untitled(form.model_json_schema())
    return plain


def _untitled(value: Any) -> Any:
    """Without titles and descriptions, which say nothing here; a property that bears such a name is a schema itself."""
    if isinstance(value, dict):
        return {
            key: _untitled(inner)
            for key, inner in value.items()
            if not (key in ("title", "description") and isinstance(inner, str))
        }
    return [_untitled(inner) for inner in value] if isinstance(value, list) else value
