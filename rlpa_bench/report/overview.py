"""What a run was, in words: who played, who judged, what failed, what is missing, the command and the terms."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rlpa_bench.terms import chat_template, digest, model_terms
from rlpa_bench.transcripts import read_lines

if TYPE_CHECKING:
    from rlpa_bench.runs import Run


@dataclass
class Outcome:
    """How the dialogues of one candidate ended."""

    planned: int
    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """By stage and reason."""
    early: Counter[str] = field(default_factory=Counter)
    """Ended by the user before the schedule did, by reason."""
    turns: int = 0
    written: int = 0
    """Characters of raw output, of each turn at most so many as are shown."""


def outcomes(run: Run, longest: int) -> dict[str, Outcome]:
    """Counts from the transcripts themselves, candidates in the order of the plan.

    Args:
        longest: characters of one text that are shown.
    """
    order = run.info["plan"]["candidates"]
    found = {name: Outcome(run.info["candidates"][name]["planned"]) for name in order}
    for line in read_lines(run.path / "dialogues.jsonl"):
        outcome = found[line["candidate"]]
        outcome.done += 1
        outcome.turns += len(line["turns"])
        outcome.written += sum(min(longest, len(turn["output"]["raw"])) for turn in line["turns"])
        if line["ended"].startswith("error"):
            outcome.failed[": ".join(line["ended"].split(": ")[1:3])] += 1
        elif len(line["turns"]) < line["planned"]:
            outcome.early[line["ended"]] += 1
    return found


def groups(run: Run) -> dict[str, list[str]]:
    """Candidates as models and controls, each in the order of the plan; a group without any is left out."""
    order, info = run.info["plan"]["candidates"], run.info["candidates"]
    split = {
        "Models": [name for name in order if not info[name]["control"]],
        "Controls (no model behind them)": [name for name in order if info[name]["control"]],
    }
    return {title: names for title, names in split.items() if names}


def sentences(run: Run, found: Mapping[str, Outcome]) -> Iterator[str]:
    """The run in one paragraph."""
    info, cases = run.info, run.cases.values()
    controls = sum(entry["control"] for entry in info["candidates"].values())
    models = len(info["candidates"]) - controls
    who = [_many(models, "model")] * (models > 0) + [_many(controls, "control")] * (controls > 0)
    turns = sorted({case.turns for case in cases})
    length = f"{turns[0]} to {turns[-1]} turns" if len(turns) > 1 else _many(turns[0], "turn")
    sittings = max(len(case.sessions) for case in cases)
    yield (
        f"How well did {' and '.join(who)} get to know simulated users? Suite {info['suite']} "
        f"(protocol {info['identity']['protocol']}): {_many(len({c.cluster for c in cases}), 'profile')} in "
        f"{_many(len(cases), 'case')}, {length} each{f', in up to {sittings} sessions' if sittings > 1 else ''}."
    )
    yield from _roles(info)
    few = {n: [name for name, o in found.items() if o.planned == n] for n in {o.planned for o in found.values()}}
    if len(few) > 1:
        fewer = "; ".join(f"{', '.join(few[n])} on {n} of {max(few)}" for n in sorted(few)[:-1])
        yield f"Not all play the same dialogues: {fewer}. Such a sample is not for ranking."
    yield _progress(run, found)


def _progress(run: Run, found: Mapping[str, Outcome]) -> str:
    planned = sum(outcome.planned for outcome in found.values())
    done = sum(outcome.done for outcome in found.values())
    failed = sum(outcome.failed.total() for outcome in found.values())
    if "counts" not in run.info:
        return f"The run is under way: {done:,} of {_many(planned, 'dialogue')} so far, {failed:,} of them failed."
    ended = f"{done - failed:,} of {_many(planned, 'dialogue')} {'was' if planned == 1 else 'were'} played"
    return f"{ended}, {failed or 'none'} failed."


def _roles(info: Mapping[str, Any]) -> Iterator[str]:
    """Which roles are rule-based and which are language models, as far as options and calls tell."""
    roles = [("user", "simulator", info["simulator"]), *(("judge", "judge", j["name"]) for j in info["judges"])]
    called = info.get("calls", {}).get("calls", {})
    by_rules, by_model = [], []
    for role, kind, name in roles:
        model = info["identity"]["options"].get(f"{kind}s/{name}", {}).get("model")
        if model or any(booked.startswith(kind) for booked in called):
            by_model.append(f"{role} {name}{f' ({model})' if model else ''}")
        else:
            by_rules.append(f"{role} {name}")
    if by_rules:
        yield f"Rule-based, without a language model: {', '.join(by_rules)}."
    if by_model:
        yield f"Played by a language model: {', '.join(by_model)}."


def _many(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


@dataclass(frozen=True)
class Missing:
    """Columns of a candidate that lack the same units for the same reasons."""

    candidate: str
    columns: list[str]
    scored: int
    planned: int
    reasons: Mapping[str, int]


def missing(summary: Mapping[str, Any]) -> list[Missing]:
    """Where units are missing, from the cells of the summary."""
    out: dict[tuple[Any, ...], Missing] = {}
    for candidate in summary["order"]:
        for name, cell in summary["rows"][candidate].items():
            if reasons := cell["missing"]:
                key = (candidate, cell["scored"], cell["planned"], tuple(reasons.items()))
                entry = Missing(candidate, [], cell["scored"], cell["planned"], reasons)
                out.setdefault(key, entry).columns.append(name)
    return list(out.values())


def command(config: Mapping[str, Any]) -> str:
    """The command line that asks for the same run."""
    words = ["rlpa-bench", "run", "--suite", config["suite"]]
    for key, flag in (("models", "--model"), ("baselines", "--baseline"), ("judges", "--judge")):
        words += [flag, ",".join(config[key])] if config[key] else []
    words += ["--simulator", config["simulator"]] + ([] if config["controls"] else ["--no-controls"])
    for key, usual in (("turns", None), ("limit", None), ("seeds", 1), ("repeats", 1)):
        words += [f"--{key}", str(config[key])] if config[key] != usual else []
    for kind, names in sorted(config["options"].items()):
        for name, options in sorted(names.items()):
            start = kind.removesuffix("s") + ("" if name == "*" else f".{name}")
            words += [word for o, v in sorted(options.items()) for word in ("-o", f"{start}.{o}={_text(v)}")]
    return shlex.join(words)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def terms(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What decides the results, as (what, value)."""
    identity = info["identity"]
    contract = identity["contract"]
    rows = [
        ("Protocol", identity["protocol"]),
        ("Contract", f"system text {contract['system']}, {contract['examples']} worked examples"),
        ("Cases", f"sha256 {identity['cases']}"),
    ]
    rows += [(f"Options of {name}", _pairs(value)) for name, value in sorted(identity["options"].items()) if value]
    digests = sorted((name, _pairs(value)) for name, value in identity["components"].items())
    rows += [(f"Identity of {name}", text) for name, text in digests if text]
    rows += [(f"Plugin {name}", version) for name, version in sorted(identity["plugins"].items())]
    for again in info.get("rescored", []):
        rows.append(("Judged again", f"{', '.join(again['judges'])}: {_pairs(again['components'])}"))
    return rows


def row_terms(info: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Per candidate that asks a model: name, digest of its terms, how it was asked, its chat template."""
    rows = []
    for name, entry in info["candidates"].items():
        if not entry["control"]:
            how = model_terms(info, name)
            words = [f"format {how['format']}", *(f"{k} {v}" for k, v in how["sampling"].items())]
            words += [f"stop {_text(list(how['stop'] or ()))}", f"context {how['context'] or 'left to the model'}"]
            words += [f"not sent: {', '.join(how['not sent'])}"] if how["not sent"] else []
            words += [f"extra fields {_text(how['extra fields'])}"] if how["extra fields"] else []
            words.append(f"retries {'unknown' if info.get('retries') is None else info['retries']}")
            rows.append(
                (name, digest(info, name), ", ".join(words), chat_template(info, name) or "kept by the endpoint")
            )
    return rows


def _pairs(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {_text(item)}" for key, item in sorted(value.items()) if item != {})


def calls(info: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """(role, calls, how many of them the cache answered)."""
    counted = info.get("calls", {"calls": {}, "cache_hits": {}})
    return [(role, n, counted["cache_hits"].get(role, 0)) for role, n in sorted(counted["calls"].items())]


def cost(info: Mapping[str, Any]) -> str:
    """What the calls cost, in words; unpriced is not zero."""
    counted = info.get("calls")
    if not counted:
        return "Calls are counted when the run is complete."
    if not sum(counted["calls"].values()):
        return "No model was called."
    unpriced, made = sum(counted["unpriced"].values()), sum(counted["calls"].values())
    by_role = [f"{dollars:.4f} US dollars for the {role}" for role, dollars in counted["costs"].items()]
    parts = by_role if made > unpriced else []
    if unpriced:
        parts.append(f"{unpriced:,} calls have no price (unknown, not zero)")
    retries = [f"{n} x {why}" for why, n in sorted(counted["retries"].items())]
    return "Cost: " + ", ".join(parts) + (f". Retries: {', '.join(retries)}." if retries else ".")


def revision(info: Mapping[str, Any]) -> str:
    """The git commit the run was started in, in words."""
    git: Mapping[str, Any] | None = info["git"]
    if not git:
        return "not in a git repository"
    return f"git commit {git['commit'][:12]}{' with uncommitted changes' if git['dirty'] else ''}"


def anchors(names: Sequence[str]) -> dict[str, str]:
    """Distinct names that may stand in an address, for any names."""
    out: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "._") else "-" for c in name).strip("-") or "x"
        anchor, n = plain, 2
        while anchor in taken:
            anchor, n = f"{plain}-{n}", n + 1
        taken.add(anchor)
        out[name] = anchor
    return out
