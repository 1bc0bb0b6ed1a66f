"""Writes a small Llama that vLLM can load: byte vocabulary, about 100,000 parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlpa_bench_plugins.models.tiny import byte_tokenizer

from reference_trainer.rendering import encoded, rendered
from rlpa_bench.contract import Contract

ANSWER = "<profile>- Gender: female</profile><response>And you?</response>"


def write(folder: Path, seed: int = 0, steps: int = 0) -> None:
    """The checkpoint with tokenizer and chat template; heads of 32, the smallest that vLLM's attention takes.

    Args:
        steps: of teaching it to say one sentence in the contract's form, whatever it is told; 0 leaves it random.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=8192, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    _teach(model, tokenizer, steps)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _teach(model: Any, tokenizer: Any, steps: int) -> None:
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    answer = [*encoded(tokenizer, ANSWER), tokenizer.eos_token_id]
    for step in range(steps):
        prompt = encoded(tokenizer, rendered(tokenizer, Contract().render([], f"Hello {step * 7919 % 1000}")))
        prompt = prompt[-64:] if step < 0.9 * steps else prompt  # short ones first, since they are quick
        ids = torch.tensor([prompt + answer])
        labels = ids.clone()
        labels[:, : len(prompt)] = -100
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if step % 25 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
