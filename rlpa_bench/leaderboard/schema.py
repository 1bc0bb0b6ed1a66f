"""The files of a leaderboard as pydantic models; their JSON Schemas are published with every board."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

VERSION = "rlpa-bench-leaderboard/1"
"""Version of the files; rises when their shape changes."""

TIERS = {
    "T0": "Self-reported: a number somebody printed. Nothing was checked; it is never ranked and stands on no board.",
    "T1": "Recomputed: these transcripts earn these numbers under these judges' recorded verdicts. It does not show "
    "which model wrote the transcripts, nor that the verdicts of a judge with a model would be given again.",
    "T2": "Judged again: as T1, and the verdicts were made again by the board (all of a deterministic judge's, at "
    "least 20 % of the dialogues otherwise). It does not show which model wrote the transcripts.",
    "T3": "Reproduced: as T2, and somebody else got the transcripts, or a value that cannot be told apart, from the "
    "same system. It does not show that the system had never seen the suite, its judge or its simulated user.",
}
"""What each tier shows and, in words, what it does not."""

FLAGS = {
    "trained-on-simulator": "trained against this simulated user",
    "trained-on-judge": "trained against one of these judges",
    "trained-on-profiles": "trained on these profiles",
    "training-unknown": "the submitter does not say what it was trained on",
    "gold": "was given the true profile",
    "disclosed": "was given the disclosure ledger",
    "older-protocol": "played under an older version of the instruments' package",
    "user-not-replayed": "its user (a person or a model) cannot be replayed",
    "judge-not-rebuilt": "a judge's verdicts could not be made again here",
    "judge-not-reread": "a judge's verdicts have no words behind them that could be read again",
    "unknown-baseline": "its baseline is not installed here; its grants are taken on trust",
    "unidentified-weights": "its weights have no digest",
    "no-calls": "its turns record no model call",
    "constant": "most of its replies are the same",
    "near-copy": "most of its outputs are nearly those of another row",
    "repeated-dialogues": "gives different users the same dialogue",
    "injection": "addresses the judge in its replies or profiles",
    "knows-undisclosed": "states facts that the user never told, far above chance",
    "usage-implausible": "its token counts do not fit its texts",
    "incomplete": "more than 1 % of the planned turns are missing",
    "rescored": "judged again under another panel",
    "flagged": "flagged by a maintainer",
    "withdrawn": "withdrawn; the row stays",
}
"""What may hang on a row."""

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def plain_text(text: str) -> str:
    """The text, if no character in it hides, reorders or imitates others.

    Raises:
        ValueError: for control, format or unassigned characters, letters of several scripts in one word, or text that
            compatibility normalisation (NFKC) would change.
    """
    for char in text:
        if unicodedata.category(char) in _HIDDEN:
            raise ValueError(f"holds the invisible character U+{ord(char):04X}; write it without")
    if unicodedata.normalize("NFKC", text) != text:
        raise ValueError("holds look-alike forms of ordinary characters; write it in NFKC")
    for word in re.findall(r"[^\W\d_]+", text):
        scripts = {unicodedata.name(char, "?").split()[0] for char in word}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "CHEROKEE", "ARMENIAN"}:
            raise ValueError(f"mixes alphabets in {word!r}; use one")
    return text


def _past(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("has no time zone; write UTC as ...+00:00")
    if moment > datetime.now(UTC) + timedelta(days=1):
        raise ValueError("lies in the future; set the clock of the machine that ran it")
    return moment


Text = Annotated[str, Field(max_length=2000), AfterValidator(plain_text)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(plain_text)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[datetime, AfterValidator(_past)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Dollars = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Strict(BaseModel):
    """Unknown keys are errors, and no number is NaN or infinite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Training(Strict):
    """What a system was trained on. None is "not said", which a board shows as such."""

    simulator: bool | None = Field(default=None, description="Trained against the simulated user of this board.")
    judge: bool | None = Field(default=None, description="Trained against a judge of this board.")
    profiles: bool | None = Field(default=None, description="Trained on profiles of this suite.")
    notes: Text = ""

    @property
    def zero_shot(self) -> bool | None:
        """Whether it met nothing of this board in training; None where that is not said."""
        said = (self.simulator, self.judge, self.profiles)
        return False if True in said else None if None in said else True


Method = Literal["control", "prompted", "sft", "dpo", "rl", "memory", "other"]
"""How a system came to be, as its submitter says; only ``control`` is checked."""


class System(Strict):
    """Who plays: a model under a baseline, or a control."""

    name: Name
    model: Text = Field("", description="Model as MODEL:ARGUMENT; empty for a control.")
    baseline: Name
    method: Method
    grants: tuple[Literal["disclosed", "gold"], ...] = ()
    weights: dict[str, Any] = Field(default_factory=dict, description="What the run recorded of the weights.")
    decoding: dict[str, Any] = Field(default_factory=dict, description="Every option of the model in force.")
    training: Training = Training()
    url: Text = ""
    licence: Text = ""


class Cost(Strict):
    """US dollars by role; None is unknown, not 0."""

    system: Dollars | None = None
    simulator: Dollars | None = None
    judge: Dollars | None = None


class Counts(Strict):
    """Dialogues by outcome; ``failed`` by the stage that failed."""

    planned: int = Field(ge=0)
    played: int = Field(ge=0)
    failed: dict[Text, int] = Field(default_factory=dict)


class Submission(Strict):
    """submission.json: who, what, under which terms, and what the submitter claims of it."""

    format: Literal["rlpa-bench-leaderboard/1"] = "rlpa-bench-leaderboard/1"
    id: Slug
    submitter: Name
    created: Moment
    system: System
    suite: Name
    protocol: Name
    simulator: Name
    judges: tuple[Name, ...]
    cost: Cost = Cost()
    counts: Counts
    claims: dict[Name, Number | None] = Field(
        default_factory=dict,
        description="Means of all columns as the run's own summary has them; only compared.",
    )
    notes: Text = ""


Event = Literal["include", "rescore", "recompute", "flag", "tier", "withdraw"]


class Entry(Strict):
    """One line of history.jsonl. ``previous`` is the sha256 of the line before, so that no line changes unseen."""

    format: Literal["rlpa-bench-leaderboard/1"] = "rlpa-bench-leaderboard/1"
    number: int = Field(ge=1)
    time: Moment
    event: Event
    id: Slug
    reason: Text = ""
    board: Slug | Literal[""] = ""
    manifest: Digest | Literal[""] = ""
    tier: Literal["T1", "T2", "T3", ""] = ""
    flags: tuple[str, ...] = ()
    result: Digest | Literal[""] = Field("", description="sha256 of the result that this line books.")
    previous: Digest | Literal[""] = ""


class Key(Strict):
    """What decides a board: rows of different keys never share a table."""

    suite: Name
    protocol: Name
    split: Name
    simulator: Name
    judges: tuple[Name, ...]
    turns: tuple[int, ...] = Field(description="Shortest and longest dialogue planned.")
    terms: Digest = Field(description="sha256 over protocol, contract, cases, simulator and judges with all options.")


class Result(Strict):
    """results/ID.json.xz: what validation recomputed of a submission; nothing in it was typed by the submitter."""

    format: Literal["rlpa-bench-leaderboard/1"] = "rlpa-bench-leaderboard/1"
    id: Slug
    board: Slug
    key: Key
    manifest: Digest
    submission: Submission
    tier: Literal["T1", "T2", "T3"]
    flags: tuple[str, ...]
    checks: dict[str, str] = Field(description="Check -> pass or flag.")
    columns: tuple[dict[str, Any], ...]
    row: dict[str, dict[str, Any]] = Field(description="Column -> cell, as in summary.json.")
    bands: dict[str, dict[str, dict[str, Any]]] = Field(description="Column -> turn -> mean, low, high, n.")
    clusters: dict[str, str] = Field(description="Case -> profile.")
    cost: Cost
    usage: dict[str, Number | None] = Field(description="Candidate's tokens per turn and US dollars per dialogue.")
    fingerprints: dict[str, str] = Field(description="Case/seed -> sixteen hex digits per turn's output.")
    excerpts: tuple[dict[str, Any], ...] = Field(description="Some dialogues as the page shows them, faults first.")


class Row(Strict):
    """One system on a board."""

    id: Slug
    system: System
    submitter: Name
    created: Moment
    tier: Literal["T1", "T2", "T3"]
    flags: tuple[str, ...]
    control: bool
    ranked: bool
    zero_shot: bool | None
    rank: tuple[int, int] | None = Field(None, description="Best and worst rank that the data allow.")
    tie_group: int | None = None
    profiles: int
    cases: int
    seeds: int
    counts: Counts
    cost: Cost
    usage: dict[str, Number | None]
    row: dict[str, dict[str, Any]]
    bands: dict[str, dict[str, dict[str, Any]]]
    manifest: Digest


class Difference(Strict):
    """a - b on the headline column, paired by case, clustered by profile.

    The interval is that of this pair alone; p is corrected by Holm over the pairs of ranked systems, or over all the
    other pairs.
    """

    a: Slug
    b: Slug
    mean: Number
    low: Number
    high: Number
    p: Number
    profiles: int
    contestants: bool = Field(description="Whether both are ranked; these pairs decide ranks and tie groups.")


class Board(Strict):
    """leaderboard.json, from which every other file of a board is made."""

    format: Literal["rlpa-bench-leaderboard/1"] = "rlpa-bench-leaderboard/1"
    id: Slug
    key: Key
    title: str
    updated: datetime | None
    headline: str
    columns: tuple[dict[str, Any], ...]
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    tiers: dict[str, str]
    flags: dict[str, str]
    history: tuple[Entry, ...]


SCHEMAS: dict[str, type[Strict]] = {
    "submission": Submission,
    "history": Entry,
    "result": Result,
    "leaderboard": Board,
}
"""Published as ``schemas/NAME.schema.json``."""
