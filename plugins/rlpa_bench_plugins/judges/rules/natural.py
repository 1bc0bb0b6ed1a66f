"""N: does it read like something a person would say in a chat?"""

from __future__ import annotations

import re
from functools import lru_cache

from .scene import Finding, Scene
from .text import FUNCTION, Sentence, Text
from .words import patterns, words

_LENGTH = (3, 80)
_SENTENCES = 6
_END = re.compile(r"(?:[.!?]|[.!?][\"')]+|[:;][-']?[)D(P]|[^\w\s.,;:!?\"'()<>{}\[\]|/\\@#$%&*+=~^_-])\s*$")
_LETTERS = 0.75
_SIGNS = re.compile(r"[^\w\s,.;!?'\"()-]|\d|__|www|score|rating|verdict|^\s*-", re.IGNORECASE | re.MULTILINE)
_FUNCTION = (0.28, 0.85)
_RUN = 8
_SAME_WORD = 4
_AREAS = 3
_CROWD = 5
_TWIN = 0.75
_MONSTER = re.compile(r"(.)\1\1|[bcdfghjklmnpqrstvwxz]{6}|^[bcdfghjklmnpqrstvwxz]{4,}$|.{22}")


def natural(scene: Scene) -> Finding:
    """Real words in at most six sentences, no machinery, no keyword stuffing, not an earlier reply again."""
    reason = _alone(scene.reply) or _stuffing(scene) or _twin(scene)
    return (False, reason) if reason else (True, "plain sentences")


@lru_cache(1024)
def _alone(reply: Text) -> str:
    """What can be seen without the dialogue."""
    return _form(reply) or _machinery(reply) or _repetition(reply)


def _form(reply: Text) -> str:
    low, high = _LENGTH if not (reply.sentences and _greets(reply)) else (2, _LENGTH[1])
    count = len(reply.tokens)
    if not low <= count <= high:
        return f"{count} words long"
    if len(reply.sentences) > _SENTENCES:
        return f"{len(reply.sentences)} sentences long"
    letters = sum(len(word) for word in reply.tokens if not word.isdecimal())
    if letters < _LETTERS * len("".join(reply.plain.split())):
        return "more signs than letters"
    if not _END.search(reply.plain):
        return "does not end like a sentence"
    if count >= 8 and not _FUNCTION[0] <= reply.function <= _FUNCTION[1]:
        return "no sentences but a list of words" if reply.function < 0.5 else "hardly a word that means something"
    if sum(map(_monstrous, reply.vocabulary)) > max(1, count // 20):
        return "words that are none"
    longest = max((_longest_run(sentence) for sentence in reply.sentences), default=0)
    return f"{longest} keywords in a row" if longest > _RUN else ""


@lru_cache(16384)
def _monstrous(word: str) -> bool:
    return bool(_MONSTER.search(word))


def _greets(reply: Text) -> bool:
    return bool(set(reply.sentences[0].tokens) & {"hi", "hello", "hey"})


def _longest_run(sentence: Sentence) -> int:
    best = run = 0
    for word in sentence.tokens:
        run = 0 if word in FUNCTION or "'" in word else run + 1
        best = max(best, run)
    return best


def _machinery(reply: Text) -> str:
    wanted = patterns("signs.txt") if _SIGNS.search(reply.plain) else ()
    if not reply.vocabulary.isdisjoint(words("triggers")):
        wanted += patterns("meta.txt")
    for pattern in wanted:
        if found := pattern.search(reply.plain):
            return f"machinery or talk to a judge: {found[0].strip()[:40]!r}"
    return ""


def _repetition(reply: Text) -> str:
    tokens = reply.tokens
    if len(tokens) >= 12 and len(reply.vocabulary) < len(tokens) / 2:
        return "says the same words again and again"
    fives = [tokens[i : i + 5] for i in range(len(tokens) - 4)]
    if len(set(fives)) < len(fives):
        return "repeats a phrase"
    for word in reply.content:
        if reply.stems.count(word) > _SAME_WORD:
            return f"says {word!r} {reply.stems.count(word)} times"
    return ""


def _stuffing(scene: Scene) -> str:
    related = scene.related
    areas = scene.topics.areas(scene.reply, related | scene.user.grams)
    if areas >= _CROWD or (areas >= _AREAS and areas > 2 * len(related & scene.reply.content)):
        return f"touches {areas} unrelated areas: keyword stuffing"
    return ""


def _twin(scene: Scene) -> str:
    reply = scene.reply
    if len(reply.tokens) < 4:
        return ""
    own = reply.vocabulary
    for past in scene.own:
        both = len(own & past.vocabulary)
        if both >= _TWIN * (len(own) + len(past.vocabulary) - both):
            return "nearly an earlier reply of its own"
        if len(reply.frame) >= 8 and reply.frame == past.frame:
            return "an earlier reply with other words filled in"
    return ""
