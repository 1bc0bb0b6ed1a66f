import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins.models.scripted import Scripted

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Sampling
from rlpa_bench.types import Exchange, Message


def ask(model: Any, messages: Any, **sampling: Any) -> str:
    text: str = asyncio.run(model.generate(messages, Sampling(**sampling), None)).text
    return text


def test_by_default_it_restates_the_user_legally_and_asks_something_new_each_turn(build: Any) -> None:
    model, contract = build(Scripted), Contract()
    replies, history = [], []
    for said in ("Hello", "I am a <b>nurse</b> and\nI bake bread. " + "Really. " * 40):
        parsed = contract.parse(ask(model, contract.render(history, said), stop=("</response>",)))
        assert not parsed.malformed
        history.append(Exchange(said, parsed.response, parsed.profile))
        replies.append(parsed.response)
    (item,) = contract.items(history[1].profile)
    assert item.slot == "Others" and item.value.startswith("I am a b nurse /b and I bake bread.")
    assert len(item.value) <= contract.max_value
    assert replies[0] != replies[1] and all(reply.endswith("?") for reply in replies)


def test_an_empty_message_still_gives_a_legal_output(build: Any) -> None:
    parsed = Contract.parse(ask(build(Scripted), [Message("user", " ")]))
    assert not parsed.malformed and parsed.profile == ""


def test_given_outputs_follow_the_turn_or_the_seed(build: Any) -> None:
    first, third = [Message("user", "a")], [Message("assistant", "b"), Message("user", "c")] * 2
    assert [ask(build(Scripted, outputs=("x", "y")), m) for m in (first, third)] == ["x", "x"]
    assert [ask(build(Scripted, outputs=("x", "y"), mode="seed"), first, seed=n) for n in (4, 5)] == ["x", "y"]


def test_outputs_come_from_a_file(build: Any, tmp_path: Path) -> None:
    lines, plain = tmp_path / "outputs.jsonl", tmp_path / "one.txt"
    lines.write_text("\n".join(json.dumps(text) for text in ("a\nb", "c")))
    plain.write_text("whole\ntext STOP and more")
    assert build(Scripted, str(lines)).outputs == ("a\nb", "c")
    assert ask(build(Scripted, str(plain)), [Message("user", "")], stop=("STOP",)) == "whole\ntext STOP"


@pytest.mark.parametrize("content", ["", "{}", "[", "\ud800"])
def test_a_bad_file_is_one_sentence(build: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "outputs.jsonl"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"outputs\.jsonl"):
        asyncio.run(build(Scripted, str(path)).start())
    with pytest.raises(UsageError, match="cannot read"):
        asyncio.run(build(Scripted, str(tmp_path / "nowhere")).start())


def test_every_nth_call_fails_retryably(build: Any) -> None:
    model = build(Scripted, outputs=("x",), fail=3)
    assert [ask(model, []) for _ in range(2)] == ["x", "x"]
    with pytest.raises(ProviderError) as caught:
        ask(model, [])
    assert caught.value.retryable
    assert ask(model, []) == "x"


def test_its_description_tells_scripts_apart(build: Any) -> None:
    assert build(Scripted, outputs=("x",)).describe() != build(Scripted, outputs=("y",)).describe()
