"""The models of the experiments.

The tiny one: its own byte-pair tokenizer, a Llama of three layers, a template with a short memory. And SmolLM2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rlpa_bench.datasets import SMOLLM2_GGUF, dataset
from rlpa_bench.types import SLOTS

USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
BLOCKS = ("<profile>\n", "</profile>\n\n<response>\n", "\n</response>")
VOCABULARY = 2048
TEMPLATE = (
    "{% if messages | length > 2 %}{{ messages[-2].content }}" + END + "{% endif %}"
    "{{ '" + USER + "' + messages[-1].content + '" + ASSISTANT + "' }}"
)
"""Only the latest reply with its profile and the latest user turn: the profile carries what was told before."""


def train_tokenizer(texts: Iterable[str]) -> Any:
    """A byte-pair tokenizer of these texts; the contract's blocks and slots are one token each."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    pieces = [*BLOCKS, *(f"- {slot}:" for slot in SLOTS)]
    raw.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - len(pieces),
            special_tokens=[PAD, USER, ASSISTANT, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    raw.add_tokens([AddedToken(piece, normalized=False) for piece in pieces])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def new_model(tokenizer: Any, seed: int) -> Any:
    """A Llama of about half a million parameters with weights drawn from ``seed``."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def smollm2() -> tuple[Any, Any]:
    """SmolLM2-135M-Instruct in float32, from the pinned Q4_1 file, and its tokenizer. Raises DataError."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    where = {"pretrained_model_name_or_path": dataset("smollm2").fetch(), "gguf_file": SMOLLM2_GGUF}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    tokenizer.eos_token = "<|im_end|>"  # the file names another end than the chat's
    tokenizer.pad_token = "<|endoftext|>"
    loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    # A model read from such a file counts as quantized and cannot be saved, although its weights are plain tensors.
    config = loaded.config.to_dict()
    config.pop("quantization_config", None)
    config |= {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model = AutoModelForCausalLM.from_config(LlamaConfig(**config), dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    return model, tokenizer
