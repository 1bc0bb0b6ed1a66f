import asyncio
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins.models._gguf import metadata
from rlpa_bench_plugins.models.llamacpp import LlamaCpp
from rlpa_bench_plugins.models.smollm2 import TEMPLATE_SUM, SmolLM2

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Exchange, Message

pytest.importorskip("xllamacpp", reason="needs the extra 'local'")
CONTRACT = Contract()
GUIDED = Sampling(max_tokens=200, stop=("</response>",))
SAID = ("Hello", "I am a nurse.", "I bake bread.", "I live by the sea.", "I am 34.", "My dog is old.", "No.", "Bye!")


def run(model: Any, *calls: tuple[Any, Sampling, Guide | None]) -> list[Generation]:
    async def all_at_once() -> list[Generation]:
        await model.start()
        try:
            return await asyncio.gather(*(model.generate(*call) for call in calls))
        finally:
            await model.aclose()

    return asyncio.run(all_at_once())


def test_eight_guided_calls_at_once_keep_the_contract(build: Any, smollm2: Path) -> None:
    model = build(SmolLM2, engines=2)
    assert model.options.format == "guided" and model.concurrency == 8
    calls = [(CONTRACT.render((), said), replace(GUIDED, seed=n), Guide("contract")) for n, said in enumerate(SAID)]
    generations = run(model, *calls)
    finished = [generation for generation in generations if generation.finish == "stop"]
    assert len(generations) == 8 and len(finished) >= 6
    for generation in finished:
        assert generation.text.endswith("</response>")
        assert CONTRACT.parse(generation.text).malformed == ""
    assert len({CONTRACT.parse(generation.text).response for generation in finished}) > 1
    assert all((g.prompt_tokens or 0) > 300 and 0 < (g.completion_tokens or 0) <= 200 for g in generations)


def test_a_dialogue_goes_on_and_is_repeatable(build: Any, smollm2: Path) -> None:
    history = (Exchange("Hello", "Hi, what do you do?", "- Interests: chess"),)
    call = (CONTRACT.render(history, "I am a nurse."), replace(GUIDED, seed=5, max_tokens=40), Guide("contract"))
    one, other = (run(build(SmolLM2, slots=1), call) for _ in range(2))
    assert one == other
    assert one[0].text.startswith("<profile>\n")


def test_free_text_ends_with_its_stop_string_or_at_its_limit(build: Any, smollm2: Path) -> None:
    messages = [Message("user", "Count from one to ten in words.")]
    model = build(LlamaCpp, str(smollm2), slots=3)
    greedy = Sampling(temperature=0.0, max_tokens=30, seed=1)
    free, stopped, short = run(
        model,
        (messages, greedy, None),
        (messages, replace(greedy, stop=("zzz", "3.")), None),
        (messages, replace(greedy, max_tokens=2), None),
    )
    assert "3." in free.text
    assert stopped.text == free.text[: free.text.index("3.") + 2] and stopped.finish == "stop"
    assert free.text.startswith(short.text) and (short.finish, short.completion_tokens) == ("length", 2)


def test_a_json_guide_gives_json(build: Any, smollm2: Path) -> None:
    schema = {"type": "object", "properties": {"verdict": {"enum": ["yes", "no"]}}, "required": ["verdict"]}
    call = ([Message("user", "Is water wet?")], Sampling(seed=1), Guide("json", schema))
    (generation,) = run(build(SmolLM2, slots=1), call)
    assert json.loads(generation.text)["verdict"] in ("yes", "no")


def test_a_prompt_that_is_too_long_says_so(build: Any, smollm2: Path) -> None:
    with pytest.raises(ProviderError, match="raise the model's option context") as caught:
        run(build(SmolLM2, slots=1, context=256), ([Message("user", "word " * 400)], Sampling(), None))
    assert (caught.value.reason, caught.value.retryable) == ("context_overflow", False)


def test_a_cancelled_call_stops_writing(build: Any, smollm2: Path) -> None:
    async def cancelled() -> float:
        model = build(SmolLM2, slots=1)
        await model.start()
        call = model.generate([Message("user", "Tell me a long story.")], Sampling(max_tokens=4000, seed=1), None)
        task = asyncio.create_task(call)
        await asyncio.sleep(1)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.aclose()
        return time.monotonic() - began

    assert asyncio.run(cancelled()) < 20


def test_descriptions_name_weights_template_and_engine(build: Any, smollm2: Path) -> None:
    pinned, read = build(SmolLM2).describe(), build(LlamaCpp, str(smollm2)).describe()
    assert pinned == read
    assert pinned["weights_sha256"] == hashlib.sha256(smollm2.read_bytes()).hexdigest()
    template = metadata(smollm2)["tokenizer.chat_template"]
    assert pinned["chat_template_sha256"] == TEMPLATE_SUM == hashlib.sha256(template.encode()).hexdigest()
    assert pinned["engine"].startswith("xllamacpp 2")


def test_files_that_are_no_models_are_refused_in_one_sentence(build: Any, tmp_path: Path) -> None:
    junk, cut_off, empty = (tmp_path / name for name in ("junk.gguf", "cut.gguf", "empty.gguf"))
    junk.write_bytes(b"not a model")
    cut_off.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + (9).to_bytes(8, "little") * 3)
    empty.write_bytes(b"")
    for path in (junk, cut_off, empty):
        with pytest.raises(UsageError, match=path.name):
            asyncio.run(build(LlamaCpp, str(path)).start())
    for argument in ("", str(tmp_path / "nowhere.gguf")):
        with pytest.raises(UsageError, match=r"llamacpp:PATH\.gguf"):
            asyncio.run(build(LlamaCpp, argument).start())


def test_a_file_with_a_good_header_and_no_weights_fails_to_load(build: Any, tmp_path: Path) -> None:
    path = tmp_path / "hollow.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with pytest.raises(ProviderError, match="cannot load") as caught:
        asyncio.run(build(LlamaCpp, str(path)).start())
    assert (caught.value.reason, caught.value.retryable) == ("load", False)
