"""The terms on which a candidate was asked, and whether two candidates were asked on equal ones.

A row's terms are what has to be the same before two rows may be compared: the contract (its text with the worked
examples), whether its format was enforced, left to the model or put together by code, every sampling field, the context
limit, the stop rules, the retries, the simulator and the judges. What makes the candidate itself is no term: its model,
its baseline and their prompts. The chat template belongs to the model; it is a difference only between rows of one
model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from rlpa_bench.interfaces import Sampling
from rlpa_bench.runs import differing
from rlpa_bench.transcripts import dumps

SHOWN = 8
"""Hex digits of a digest in tables."""
_SAMPLING = tuple(name for name in Sampling.__dataclass_fields__ if name not in ("seed", "stop"))


def shared_terms(info: Mapping[str, Any]) -> dict[str, Any]:
    """The terms that all rows of a run have in common, from the content of its run.json."""
    identity = info["identity"]
    judged = {name: found for name, found in identity["components"].items() if name.startswith("judges/")}
    judged |= {name: found for again in info.get("rescored", ()) for name, found in again["components"].items()}
    judges = {judge["name"]: judged.get(f"judges/{judge['name']}") for judge in info["judges"]}
    options = {k: v for k, v in identity["options"].items() if k.startswith(("simulators/", "judges/"))}
    return {
        "protocol": identity["protocol"],
        "contract": identity["contract"],
        "simulator": {info["simulator"]: identity["components"].get(f"simulators/{info['simulator']}")},
        "judges": judges,
        "instruments": options,
        "retries": info.get("retries"),
    }


def model_terms(info: Mapping[str, Any], candidate: str) -> dict[str, Any]:
    """How the model of a candidate was asked; empty for a control. ``None`` is not known, or left to the model."""
    spec = info["candidates"][candidate]["model"]
    if not spec:
        return {}
    options, component = _model(info["identity"], spec)
    return {
        "format": options.get("format") if info["candidates"][candidate].get("asks_format", True) else "by code",
        "sampling": {name: options.get(name) for name in _SAMPLING},
        "not sent": component.get("omit", []),
        "extra fields": options.get("extra", {}),
        "stop": options.get("stop"),
        "context": options.get("context"),
    }


def chat_template(info: Mapping[str, Any], candidate: str) -> str:
    """sha256 of the chat template a candidate's model was asked with; empty if the endpoint keeps it to itself."""
    spec = info["candidates"][candidate]["model"]
    return str(_model(info["identity"], spec)[1].get("chat_template_sha256", "")) if spec else ""


def terms(info: Mapping[str, Any], candidate: str) -> dict[str, Any]:
    """All terms of a row."""
    return {**shared_terms(info), **model_terms(info, candidate)}


def digest(info: Mapping[str, Any], candidate: str) -> str:
    """sha256 of a row's terms."""
    return sha256(dumps(terms(info, candidate))).hexdigest()


def unlike(info: Mapping[str, Any], one: str, other: Mapping[str, Any], two: str) -> Iterator[str]:
    """The terms in which two rows differ, in words. Controls are asked nothing, so only shared terms count for them."""
    yield from differing(shared_terms(info), shared_terms(other))
    yield from unlike_models(info, one, other, two)


def unlike_models(info: Mapping[str, Any], one: str, other: Mapping[str, Any], two: str) -> Iterator[str]:
    """The differences in how the models of two rows were asked; none where a row is a control."""
    mine, theirs = model_terms(info, one), model_terms(other, two)
    if mine and theirs:
        yield from differing(mine, theirs)
        same = info["candidates"][one]["model"] == other["candidates"][two]["model"]
        templates = chat_template(info, one), chat_template(other, two)
        if same and all(templates) and templates[0] != templates[1]:
            yield f"chat template was {templates[0][:12]}, now {templates[1][:12]}"


def unequal_rows(info: Mapping[str, Any]) -> list[str]:
    """Rows of one run that were asked on other terms than its first model, each with the differences, in words."""
    rows = [name for name in info["plan"]["candidates"] if info["candidates"][name]["model"]]
    differences = {name: list(unlike(info, rows[0], info, name)) for name in rows[1:]}
    return [f"{name} ({'; '.join(found)})" for name, found in differences.items() if found]


def _model(identity: Mapping[str, Any], spec: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Options and description of a model."""
    options = identity["options"]
    own = options.get(f"models/{spec}") or options.get(f"models/{spec.partition(':')[0]}") or {}
    return own, identity["components"].get(f"models/{spec}") or {}
