import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins.models._decode import Row, sample
from rlpa_bench_plugins.models.hf import HF
from rlpa_bench_plugins.models.llamacpp import LlamaCpp
from rlpa_bench_plugins.models.tiny import Tiny

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Exchange, Message

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")
pytest.importorskip("transformers", reason="needs the extra 'hf'")
PROMPTS = [[Message("user", "x" * length)] for length in (1, 40, 7, 90, 3)]


def run(model: Any, *calls: tuple[Any, Sampling]) -> list[Generation]:
    async def together() -> list[Generation]:
        await model.start()
        try:
            return await asyncio.gather(*(model.generate(*call, None) for call in calls))
        finally:
            await model.aclose()

    return asyncio.run(together())


def test_a_row_writes_the_same_alone_and_in_a_batch(build: Any) -> None:
    calls = [(prompt, Sampling(max_tokens=10 + 5 * n, seed=n)) for n, prompt in enumerate(PROMPTS)]
    together = run(build(Tiny, batch_size=8), *calls)
    in_twos = run(build(Tiny, batch_size=2), *calls)
    alone = [run(build(Tiny), call)[0] for call in calls]
    assert together == in_twos == alone
    assert len({generation.text for generation in together}) == len(calls)
    assert [generation.completion_tokens for generation in together if generation.finish == "length"]


def test_the_seed_decides_and_greedy_needs_none(build: Any) -> None:
    one, same, other, greedy, again = run(
        build(Tiny),
        (PROMPTS[0], Sampling(max_tokens=20, seed=1)),
        (PROMPTS[0], Sampling(max_tokens=20, seed=1)),
        (PROMPTS[0], Sampling(max_tokens=20, seed=2)),
        (PROMPTS[0], Sampling(max_tokens=20, temperature=0.0)),
        (PROMPTS[0], Sampling(max_tokens=20, temperature=0.0, seed=9)),
    )
    assert one == same != other
    assert greedy == again


def test_a_row_ends_at_its_stop_string_and_the_others_go_on(build: Any) -> None:
    (free,) = run(build(Tiny), (PROMPTS[1], Sampling(max_tokens=60, seed=3)))
    stop = next(char for char in free.text[10:] if char.isascii())
    stopped, other = run(
        build(Tiny),
        (PROMPTS[1], Sampling(max_tokens=60, seed=3, stop=("never", stop))),
        (PROMPTS[1], Sampling(max_tokens=60, seed=3)),
    )
    assert stopped.text == free.text[: free.text.index(stop) + 1]
    assert (stopped.finish, other) == ("stop", free)
    assert (stopped.completion_tokens or 0) < (free.completion_tokens or 0)


def test_the_context_bounds_prompt_and_answer(build: Any) -> None:
    (cut_short,) = run(build(Tiny, context=64), (PROMPTS[0], Sampling(max_tokens=500, seed=1)))
    assert (cut_short.prompt_tokens or 0) + (cut_short.completion_tokens or 0) <= 64
    with pytest.raises(ProviderError) as caught:
        run(build(Tiny, context=64), (PROMPTS[3], Sampling()))
    assert (caught.value.reason, caught.value.retryable) == ("context_overflow", False)


def _row(**sampling: Any) -> Row:
    return Row([0], Sampling(**sampling), Draws("test", 1), 10)


@pytest.mark.parametrize(
    ("sampling", "allowed"),
    [
        ({"temperature": 1.0}, {0, 1, 2, 3}),
        ({"temperature": 1.0, "top_k": 2}, {2, 3}),
        ({"temperature": 1.0, "top_p": 0.3}, {3}),
        ({"temperature": 1.0, "top_p": 0.5}, {2, 3}),
        ({"temperature": 1.0, "min_p": 0.6}, {2, 3}),
        ({"temperature": 0.0}, {3}),
        ({"temperature": 0.0, "repetition_penalty": 3.0}, {2}),
    ],
)
def test_sampling_keeps_what_its_fields_say(sampling: dict[str, Any], allowed: set[int]) -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log() + 5
    row = _row(**sampling)
    row.written = [3] if "repetition_penalty" in sampling else []
    assert {sample(logits.clone(), row) for _ in range(300)} == allowed


def test_draws_follow_the_probabilities() -> None:
    logits, row = torch.tensor([0.1, 0.2, 0.3, 0.4]).log(), _row(temperature=1.0)
    counts = torch.bincount(torch.tensor([sample(logits.clone(), row) for _ in range(4000)]), minlength=4) / 4000
    assert torch.allclose(counts, logits.exp(), atol=0.03)


def test_its_description_names_weights_template_and_place(build: Any) -> None:
    told = build(Tiny).describe()
    assert told["device"] in ("cpu", "cuda") and told["dtype"].startswith("torch.")
    assert told["weights"] == "random, seed 0" and len(told["chat_template_sha256"]) == 64
    parameters = build(Tiny)._decoder.model.num_parameters()
    assert parameters <= 100_000


def test_what_it_cannot_do_is_one_sentence(build: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="smollm2, llamacpp, vllm"):
        build(HF, "x", format="guided")
    with pytest.raises(UsageError, match="hf:PATH"):
        build(HF)
    with pytest.raises(UsageError, match="cannot load"):
        asyncio.run(build(HF, str(tmp_path)).start())
    with pytest.raises(UsageError, match="json guide"):
        asyncio.run(build(Tiny).generate(PROMPTS[0], Sampling(), Guide("json")))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_never_replaced_by_the_cpu(build: Any) -> None:
    with pytest.raises(UsageError, match="cannot use device 'cuda'"):
        asyncio.run(build(Tiny, device="cuda").start())


@pytest.mark.slow
def test_a_gguf_file_is_read_as_llama_cpp_reads_it(build: Any, smollm2: Path) -> None:
    """Both engines see the same tokens: same tokenizer, same chat template, same special tokens."""
    for module in ("xllamacpp", "gguf", "accelerate"):
        pytest.importorskip(module)
    messages = Contract().render((Exchange("Hello", "Hi! – 你好 \U0001f600", "- Age: 34"),), "I'm a nurse.\n\nAnd you?")
    calls = [(messages, Sampling(max_tokens=12, temperature=0.0))]
    (ours,), (theirs,) = run(build(HF, str(smollm2)), *calls), run(build(LlamaCpp, str(smollm2), slots=1), *calls)
    assert ours.prompt_tokens == theirs.prompt_tokens
    assert ours.text and ours.text.split()[:2] == theirs.text.split()[:2]


def test_a_cancelled_call_leaves_its_batch_and_the_others_finish(build: Any) -> None:
    async def once() -> tuple[Generation, float]:
        model = build(Tiny)
        await model.start()
        model._decoder._ends.clear()  # or random weights may end the long one before it is cancelled
        long = asyncio.create_task(model.generate(PROMPTS[0], Sampling(max_tokens=8000, seed=1, min_p=1e-9), None))
        short = asyncio.create_task(model.generate(PROMPTS[1], Sampling(max_tokens=20, seed=2), None))
        generation = (await asyncio.gather(short, _cancel_soon(long)))[0]
        began = time.monotonic()
        await model.aclose()
        return generation, time.monotonic() - began

    generation, seconds = asyncio.run(once())
    assert generation.finish in ("stop", "length") and seconds < 5


async def _cancel_soon(task: "asyncio.Task[Generation]") -> None:
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
