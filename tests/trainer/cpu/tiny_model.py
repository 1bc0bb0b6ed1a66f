"""Writes a small Llama that vLLM can load and that can keep the contract: bytes and some phrases, 0.1M parameters."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from rlpa_bench_plugins.models.tiny import byte_tokenizer

from reference_trainer.rendering import encoded, rendered
from rlpa_bench.types import Message

PHRASES = (
    ("<profile>\n",),
    ("- Gender: female\n", "- Gender: male\n", "- Age: 30\n", "- Occupation: teacher\n"),
    ("</profile>\n\n<response>\n",),
    ("I see.", "And what do you do for a living?", "What do you like to do in your free time?"),
    ("\n</response>",),
)
"""An output is one phrase of each, drawn evenly; every phrase is one token, so that there is little to learn."""


def write(folder: Path, seed: int = 0, steps: int = 0) -> None:
    """The checkpoint with tokenizer and chat template; heads of 32, the smallest that vLLM's attention takes.

    Args:
        steps: of teaching it to write a phrase of each kind, whatever it is told; 0 leaves it random.
    """
    import torch
    from tokenizers import AddedToken
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for kind in PHRASES for phrase in kind])
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=8192, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    _teach(model, tokenizer, steps, random.Random(seed))
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _teach(model: Any, tokenizer: Any, steps: int, draws: random.Random) -> None:
    """Answers after prompts of random letters, of 32 to 1,024 tokens, that end as the chat template does."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    opening = encoded(tokenizer, rendered(tokenizer, [Message("user", "")]))
    for step in range(steps):
        length = 2 ** draws.randint(5, 10)
        rows, labels = [], []
        for _ in range(max(1, 1024 // length)):
            prompt = [draws.randrange(256) for _ in range(length)] + opening
            answer = tokenizer.convert_tokens_to_ids([draws.choice(kind) for kind in PHRASES])
            answer.append(tokenizer.eos_token_id)
            rows.append(prompt + answer)
            labels.append([-100] * len(prompt) + answer)
        loss = model(input_ids=torch.tensor(rows), labels=torch.tensor(labels)).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if step % 25 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
