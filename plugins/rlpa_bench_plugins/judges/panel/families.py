"""Which maker's models a model belongs to, read from its name."""

from __future__ import annotations

import re
from collections.abc import Mapping

FAMILIES: Mapping[str, str] = {
    "openai": r"gpt|chatgpt|\bo[1345](?:-|\b)|davinci",
    "anthropic": r"claude",
    "google": r"gemini|gemma|palm",
    "deepseek": r"deepseek",
    "qwen": r"qwen|qwq",
    "meta": r"llama(?!cpp|-cpp|\.cpp)",
    "mistral": r"mistral|mixtral|ministral|magistral",
    "smollm": r"smollm",
    "microsoft": r"\bphi-?\d",
    "zhipu": r"\bglm|chatglm",
    "moonshot": r"kimi|moonshot",
    "allenai": r"olmo|tulu",
    "xai": r"grok",
    "cohere": r"command-[ar]|cohere|\baya\b",
}
"""Family -> what its models' names hold. A distilled model (DeepSeek-R1-Distill-Qwen) counts as its first match."""


def family(spec: str, named: Mapping[str, str] | None = None) -> str:
    """The family of a model written ``plugin:name``; of an unknown one the whole spec, which is related to nobody.

    Args:
        named: families by spec, which go before the table.
    """
    if named and spec in named:
        return named[spec]
    name = spec.partition(":")[2] or spec
    for maker, pattern in FAMILIES.items():
        if re.search(pattern, name.rsplit("/", 1)[-1], re.IGNORECASE):
            return maker
    return spec
