"""The bundled plugins keep the promises that third parties' are checked for."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from openai_server import OpenAIServer
from replay_server import KEY, ReplayServer

from rlpa_bench.datasets import dataset
from rlpa_bench.interfaces import KINDS
from rlpa_bench.plugins import Offer, Plugins
from rlpa_bench.testing import examine

OFFERS = {(offer.kind[:-1], offer.name): offer for kind in KINDS for offer in Plugins().offers(kind)}
ELSEWHERE = {
    ("model", "llamacpp"): "needs a GGUF file of one's own; smollm2 is it with a given one",
    ("model", "vllm"): "needs a server that takes minutes to start",
    ("model", "hf"): "needs a checkpoint; tiny is it with random weights",
    ("model", "openai"): "asked over HTTP below",
    **dict.fromkeys([("model", name) for name in ("anthropic", "deepseek", "gemini")], "asked over HTTP below"),
    ("model", "smollm2"): "in the slow lane below",
    ("model", "inspect"): "asked over HTTP by one of Inspect's providers; tests/plugins/adapters",
    ("suite", "hf-personas"): "needs a data set; tests/plugins/adapters",
    ("simulator", "human"): "a person; with typed lines below",
    ("suite", "aloe-original"): "needs ALOE's texts, which are not ours to ship",
    ("metric", "retention"): "needs a run that was probed; tests/core/test_probe.py",
    ("metric", "people"): "needs a run whose users were people; tests/people",
    ("metric", "panel"): "needs a run with the judge panel; tests/plugins/roles",
    ("metric", "verdicts"): "needs a run with judges that ask a model; tests/plugins/roles",
    ("judge", "released-f1"): "asks a model; tests/trainer",
    **dict.fromkeys(
        [("simulator", name) for name in ("aloe-roleplay", "guided", "rlpa")]
        + [
            ("judge", name)
            for name in [
                "aloe-15",
                "pairwise",
                "panel",
                "profile-llm",
                "released-f1",
                "rlpa-gate",
                "rlpa-gate-inferred",
            ]
        ],
        "asks a model of its own, named by an option; tests/plugins/roles",
    ),
}
KNOWN = {
    ("model", "scripted"): {"guides": "it writes what it is told, whatever the guide"},
}


@pytest.mark.parametrize("key", sorted(set(OFFERS) - set(ELSEWHERE)), ids="/".join)
def test_a_bundled_plugin_conforms(key: tuple[str, str]) -> None:
    offer = OFFERS[key]
    if offer.distribution != "rlpa-bench":
        pytest.skip("not one of ours")
    if offer.problem:
        pytest.skip(offer.problem)
    examined(offer, skip=KNOWN.get(key))


def examined(offer: Offer, **settings: Any) -> None:
    report = examine(offer.kind[:-1], offer.component, **settings)
    assert not report.failed, str(report)
    assert sum(result.status == "passed" for result in report.results) >= 8


def test_a_person_who_types_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("I see.\n" * 1000))
    examined(OFFERS["simulator", "human"])


def test_an_endpoint_conforms() -> None:
    with OpenAIServer() as server:
        here = {"options": {"base_url": server.url}, "hosts": ("127.0.0.1",)}
        skip = {"sampling": "the test server writes the same to everybody"}
        examined(OFFERS["model", "openai"], argument="some-model", skip=skip, **here)
    assert len(server.requests) == 2 * 7


@pytest.mark.parametrize("name", ["anthropic", "deepseek", "gemini"])
def test_a_commercial_api_conforms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    with ReplayServer(name) as server:
        here = {"options": {"base_url": server.url}, "hosts": ("127.0.0.1",)}
        skip = dict.fromkeys(("sampling", "guides"), "the recorded answer is the same for everybody")
        examined(OFFERS["model", name], argument="some-model", skip=skip, **here)
    assert len(server.requests) >= 2 * 7


def test_an_endpoint_that_cannot_be_reached_is_a_provider_error() -> None:
    report = examine("model", OFFERS["model", "openai"].component, argument="some-model",
                     options={"base_url": "http://models.example/v1"})  # fmt: skip
    found = {result.check: result.status for result in report.results}
    assert found["unreachable"] == "passed" and not report.failed, str(report)


@pytest.mark.slow
def test_the_embedded_model_conforms() -> None:
    offer = OFFERS["model", "smollm2"]
    if offer.problem or dataset("smollm2").state() != "here":
        pytest.skip(offer.problem or "smollm2 is not fetched")
    examined(offer)
