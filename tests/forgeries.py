"""Ways to forge a submission, for the red team."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from leaderboard_kit import Forgery

from rlpa_bench.contract import Contract

Change = Callable[[Forgery], None]
MODEL = "chatty/plain"


def submission(**fields: Any) -> Change:
    return lambda forgery: forgery.json("submission.json", lambda value: value.update(fields) or value)


def in_run(change: Callable[[Any], Any]) -> Change:
    return lambda forgery: forgery.json("run.json", change)


def in_both(change: Callable[[Any, Any], Any]) -> Change:
    """Changes submission.json and run.json alike."""

    def apply(forgery: Forgery) -> None:
        run = json.loads((forgery.path / "run.json").read_text())
        said = json.loads((forgery.path / "submission.json").read_text())
        change(said, run)
        (forgery.path / "run.json").write_text(json.dumps(run))
        (forgery.path / "submission.json").write_text(json.dumps(said))

    return apply


def in_lines(name: str, change: Callable[[list[Any]], Any]) -> Change:
    return lambda forgery: forgery.lines(name, change)


def scored(part: str, value: Any, status: str = "scored") -> Change:
    """Every verdict of a part becomes ``value``."""

    def change(scores: list[Any]) -> None:
        for score in scores:
            if score["part"] == part:
                score.update(value=value, status=status)

    return in_lines("scores", change)


def turns(change: Callable[[Any], Any], only: int | None = None) -> Change:
    """Changes every turn, or those of one number."""

    def apply(dialogues: list[Any]) -> None:
        for dialogue in dialogues:
            for turn in dialogue["turns"]:
                if only is None or turn["index"] == only:
                    change(turn)

    return in_lines("dialogues", apply)


def reply(turn: Any, text: str, profile: str = "- Others: x") -> None:
    """Another output, read as the parser reads it."""
    raw = f"<profile>\n{profile}\n</profile>\n\n<response>\n{text}\n</response>"
    items = Contract.items(Contract.parse(raw).profile)
    inferred = [{"slot": i.slot, "value": i.value, "polarity": 1, "id": "", "origin": "", "say": []} for i in items]
    turn["output"]["raw"], turn["response"], turn["inferred"] = raw, text, inferred


def swap_personas(dialogues: list[Any]) -> None:
    first, second = dialogues[0], dialogues[-1]
    first["turns"], second["turns"] = second["turns"], first["turns"]


def fewer(dialogues: list[Any]) -> list[Any]:
    return dialogues[2:]


def drop_cases(forgery: Forgery) -> None:
    """Hard cases vanish from transcripts and plan alike."""
    kept: set[str] = set()

    def dialogues(values: list[Any]) -> list[Any]:
        kept.update(value["case"] for value in values[4:])
        return values[4:]

    forgery.lines("dialogues", dialogues)
    forgery.json("run.json", lambda run: run["plan"]["subsets"].update({MODEL: sorted(kept)}))
    forgery.json("submission.json", lambda value: value["counts"].update(planned=6, played=6))


def failed(forgery: Forgery) -> None:
    """A bad dialogue becomes a failure, which leaves the denominator; counts and claims go along."""

    def change(dialogues: list[Any]) -> None:
        dialogues[0].update(ended="error: candidate: 503: away", turns=dialogues[0]["turns"][:1])

    forgery.lines("dialogues", change)
    failures = {"candidate: 503": 1}
    forgery.json("submission.json", lambda s: s.update(claims={}) or s["counts"].update(played=9, failed=failures))


def negative(turn: Any) -> None:
    turn["output"]["calls"][0].update(completion_tokens=-5)


def fixed_verdict(forgery: Forgery) -> None:
    """A verdict of a judge whose verdicts are made here, sent along all the same."""
    name = {"candidate": MODEL, "case": "", "seed": 0, "turn": 1, "judge": "rules", "part": "gate"}

    def first(dialogues: list[Any]) -> None:
        name.update(case=dialogues[0]["case"])

    forgery.lines("dialogues", first)
    forgery.raw("scores", json.dumps({**name, "value": 1.0, "status": "scored"}).encode() + b"\n")


def shorter(dialogues: list[Any]) -> None:
    for dialogue in dialogues:
        dialogue["turns"] = dialogue["turns"][:3]


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=40)).isoformat(timespec="seconds")


def other_options(kind: str, name: str, **values: Any) -> Callable[[Any], Any]:
    def change(run: Any) -> None:
        config = run["identity"]["config"]["options"]
        config.setdefault(kind, {})[name] = values
        run["identity"]["options"].setdefault(f"{kind}/{name}", {}).update(values)

    return change


def told_more(turn: Any) -> None:
    turn["user"]["disclosed"] = [*(turn["user"]["disclosed"] or []), "occupation/nurse"]


def told_nothing(turn: Any) -> None:
    turn["user"]["disclosed"] = []


def bomb(forgery: Forgery) -> None:
    forgery.raw("scores", b"0" * (40 << 20))


def ten_gigabytes(forgery: Forgery) -> None:
    with (forgery.path / "dialogues.jsonl.xz").open("r+b") as file:
        file.truncate(10 << 30)


def link(forgery: Forgery) -> None:
    (forgery.path / "dialogues.jsonl.xz").unlink()
    (forgery.path / "dialogues.jsonl.xz").symlink_to("/etc/hostname")


def doubled(dialogues: list[Any]) -> list[Any]:
    return [dialogues[0], dialogues[0], *dialogues[2:]]


def renamed_control(said: Any, run: Any) -> None:
    """A model's transcripts under the name of a control."""
    entry = {"model": "", "baseline": "asker", "control": True, "grants": ["disclosed"], "planned": 10}
    run["candidates"] = {"asker": entry}
    run["plan"]["candidates"] = ["asker"]
    said["system"].update(
        name="asker", model="", baseline="asker", method="control", grants=["disclosed"], weights={}, decoding={}
    )


def as_control(forgery: Forgery) -> None:
    in_both(renamed_control)(forgery)
    forgery.lines("dialogues", lambda values: [value.update(candidate="asker") for value in values] and values)


def generous(run: Any) -> None:
    run["judges"].append({"name": "generous", "target": "turn", "parts": {"all": {"low": 0, "high": 1}}})


def own_files(run: Any) -> None:
    """Persona files of one's own, whose path a careless validator would open."""
    run["identity"]["config"]["options"].setdefault("suites", {})["aloe"] = {"profiles": "/etc/passwd"}


def other_words(scores: list[Any]) -> None:
    """The judge's words say another thing than the verdict."""
    for score in scores:
        score["raw"] = score["raw"].replace('ness": 0', 'ness": 1')


def no_words(scores: list[Any]) -> None:
    """All verdicts perfect, the judge's words gone."""
    for score in scores:
        if score["judge"] == "rlpa-gate" and score["status"] == "scored":
            score.update(raw="", value=1.0)


def wider(run: Any) -> None:
    run["judges"][0]["parts"]["gate"]["high"] = 10


def backwards(dialogues: list[Any]) -> None:
    dialogues[0]["turns"] = dialogues[0]["turns"][::-1]


def hide(text: str) -> Change:
    return in_both(lambda said, run: said["system"].update(name=text))


def claimed(said: Any) -> None:
    said["claims"] = dict.fromkeys(said["claims"], 99.0)
