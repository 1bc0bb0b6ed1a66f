"""The card of a data set made by ``rlpa-bench data build``: what is in it, how it came about, what it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def counted(dialogues: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the dialogues gave: turns, pairs, what decided them, why others are missing, how the coin fell."""
    turns = [turn for dialogue in dialogues for turn in dialogue["turns"]]
    paired = [turn for turn in turns if turn["choice"]["preferred"]]
    left = [turn["choice"]["why"] for turn in turns if not turn["choice"]["preferred"]]
    failed = [dialogue["ended"] for dialogue in dialogues if dialogue["ended"].startswith("error")]
    return {
        "dialogues": len(dialogues),
        "failed": dict(Counter(": ".join(ended.split(": ")[1:3]) for ended in failed)),
        "profiles": len({dialogue["profile"] for dialogue in dialogues}),
        "turns": len(turns),
        "pairs": len(paired),
        "preferred": dict(sorted(Counter(turn["choice"]["preferred"] for turn in paired).items())),
        "decided by": dict(sorted(Counter(turn["choice"]["why"] for turn in paired).items())),
        "no pair": dict(sorted(Counter(left).items())),
        "continued": dict(sorted(Counter(turn["continued"] for turn in turns).items())),
    }


def card(data: Mapping[str, Any]) -> str:
    """The card as Markdown, with the header that data set hubs read."""
    made, counts, files = data["made"], data["counts"], data["files"]
    recipe = made["recipe"]
    said = [
        "---",
        "language: en",
        f"pretty_name: Dialogues of {recipe['suite']} by {recipe['model']}",
        "tags: [rlpa-bench, preference, personalization, synthetic]",
        "configs:",
        "- {config_name: sft, data_files: sft.jsonl}",
        "- {config_name: dpo, data_files: dpo.jsonl}",
        "---",
        "",
        f"# Training data: {recipe['suite']}, {recipe['model']}",
        "",
        f"Made by rlpa-bench {made['version']}: `rlpa-bench data build --suite {recipe['suite']} --model "
        f"{recipe['model']} --simulator {recipe['simulator']} --judge {recipe['judge']}`.",
        "",
        "## What is in it",
        "",
        "- `sft.jsonl`: `messages`, chat rows whose last message is the preferred reply.",
        "- `dpo.jsonl`: `prompt`, `chosen`, `rejected`, lists of chat messages.",
        "- `tree.jsonl`: the dialogues with both replies of every turn, what the judge said and how the coin fell.",
        "- `trained_on.json`: what whoever trains on it has seen. `data.json`: options, digests and counts.",
        "",
        *_table(counts),
        "",
        "## How it came about",
        "",
        f"The simulated user `{recipe['simulator']}` talks with `{recipe['model']}` (protocol `{made['protocol']}`). "
        "To each state two replies are written, with and without what the user has told so far in the system text; "
        f"the judge `{recipe['judge']}` picks one, a seeded coin the one that goes on. Prompts never hold the hint. "
        "Ties, equal replies and failed judgements give no row; a reply that breaks the output contract is never "
        "chosen. The procedure is ALOE's (arXiv 2410.03642).",
        "",
        "## What it is not",
        "",
        "The users are invented and played by a program; no person wrote or rated a line. A policy trained on these "
        "rows was trained on this simulator's words and this judge's taste: say so beside every number, and measure it "
        "with others. The users are those of the training pool; none is in an evaluation suite.",
        "",
        "## Licence",
        "",
        "The personas are ours (Apache-2.0). The replies were written by the model named above: its licence says what "
        "may be done with them.",
        "",
        "## Digests (sha256)",
        "",
        *(f"- `{name}`: `{sha}`" for name, sha in sorted(files.items())),
        "",
    ]
    return "\n".join(said)


def _table(counts: Mapping[str, Any]) -> list[str]:
    lines = ["| what | number |", "|---|---|"]
    for name, value in counts.items():
        if isinstance(value, Mapping):
            lines += [f"| {name}: {key} | {n} |" for key, n in value.items()] or [f"| {name} | 0 |"]
        else:
            lines.append(f"| {name} | {value} |")
    return lines
