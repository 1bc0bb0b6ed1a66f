"""Writes a random Llama that vLLM can load: byte vocabulary, about 100,000 parameters."""

from __future__ import annotations

from pathlib import Path

from rlpa_bench_plugins.models.tiny import byte_tokenizer


def write(folder: Path, seed: int = 0) -> None:
    """The checkpoint with tokenizer and chat template; heads of 32, the smallest that vLLM's attention takes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=8192, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
