"""A transformer of random weights, for tests and for plumbing: it writes nonsense, fast and offline."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rlpa_bench_plugins.models.hf import HF, HFOptions

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class TinyOptions(HFOptions):
    weights_seed: int = Field(0, ge=0, description="Seed of the random weights.")


class Tiny(HF):
    """A random Llama of about 45,000 parameters that reads and writes bytes; for tests."""

    name = "tiny"
    Options = TinyOptions
    takes_argument = ""
    options: TinyOptions

    @property
    def _weights(self) -> str:
        return f"random, seed {self.options.weights_seed}"

    def _load(self) -> tuple[Any, Any]:
        import torch

        tokenizer = byte_tokenizer()
        model = random_llama(len(tokenizer), tokenizer.eos_token_id, self.options.weights_seed)
        dtype = "float32" if self.options.dtype == "auto" else self.options.dtype
        return model.to(getattr(torch, dtype)), tokenizer


def byte_tokenizer() -> Any:
    """A tokenizer of the 256 bytes and three special tokens, with a ChatML template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def random_llama(vocabulary: int, end: int, seed: int) -> Any:
    """A Llama of two small layers, its weights drawn from ``seed`` without touching the global generator."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
