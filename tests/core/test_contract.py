"""The contract: one parser for whatever a model writes, one rendering of the past, two equal grammars."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpa_bench.contract import Contract
from rlpa_bench.types import SLOTS, Exchange, Item

TAGS = ("<profile>", "</profile>", "<response>", "</response>")
TAG = re.compile(r"</?(?:profile|response)>")
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
LINE = st.text(PRINTABLE, max_size=30).filter(lambda text: not TAG.search(text))
TEXT = st.lists(LINE, max_size=4).map("\n".join)
TAGGED = st.lists(
    st.sampled_from(TAGS) | st.sampled_from(["", " ", "\n", "hm", "<", "profile>", "- Age: 3"]), max_size=9
)
CONTRACT = Contract()


@given(TEXT, TEXT.filter(str.strip))
def test_what_is_written_is_read_back(profile: str, reply: str) -> None:
    parsed = Contract.parse(Contract.write(profile, reply))
    assert parsed.malformed == ""
    assert parsed.response == reply.strip()
    assert parsed.profile.split("\n") == [line.strip() for line in profile.split("\n") if line.strip()] or [""]


@given(st.text() | TAGGED.map("".join))
def test_any_text_is_well_formed_or_has_a_reason(raw: str) -> None:
    parsed = Contract.parse(raw)
    blocks = [piece for piece in re.split(f"({TAG.pattern})", raw) if piece]
    tags = tuple(piece for piece in blocks if TAG.fullmatch(piece))
    kept = tags == TAGS and not "".join(raw.split("</profile>")[1].split("<response>")[0]).strip()
    kept = kept and bool(raw.split("<response>")[1].split("</response>")[0].strip())
    assert (parsed.malformed == "") == kept
    if kept:
        assert parsed.response and not TAG.search(parsed.profile + parsed.response)
    else:
        assert parsed.profile == ""
    Contract.items(parsed.profile)


GOOD = "<profile>\n- Age: 30\n</profile>\n\n<response>\nHi.\n</response>"


@pytest.mark.parametrize(
    ("raw", "profile", "response"),
    [
        (GOOD, "- Age: 30", "Hi."),
        (f"Sure!\n{GOOD}\nBye.", "- Age: 30", "Hi."),
        ("<profile></profile><response>Hi.</response>", "", "Hi."),
        ("<profile>\n\n  - Age: 30  \n\n- Location: Rome\n</profile> <response> Hi.\n\nYou? </response>",
         "- Age: 30\n- Location: Rome", "Hi.\n\nYou?"),
        ("<profile>a < b</profile><response>1 < 2 <b>bold</b></response>", "a < b", "1 < 2 <b>bold</b>"),
    ],
)  # fmt: skip
def test_kept_contracts(raw: str, profile: str, response: str) -> None:
    parsed = Contract.parse(raw)
    assert (parsed.profile, parsed.response, parsed.malformed) == (profile, response, "")


ORDER = "blocks missing, unclosed or out of order"


@pytest.mark.parametrize(
    ("raw", "reason", "shown"),
    [
        ("", "empty output", ""),
        (" \n", "empty output", ""),
        ("Hi.", "no blocks", "Hi."),
        ("<Profile>x</Profile><Response>Hi.</Response>", "no blocks", "<Profile>x</Profile><Response>Hi.</Response>"),
        ("<response>\nHi.\n</response>", ORDER, "Hi."),
        ("<profile>\n- Age: 30\n</profile>\nHi.", ORDER, "- Age: 30\n\nHi."),
        (GOOD.removesuffix("</response>"), ORDER, "- Age: 30\n\n\n\nHi."),
        (GOOD.replace("</profile>", ""), ORDER, "- Age: 30\n\n\n\nHi."),
        ("<response>Hi.</response><profile>x</profile>", ORDER, "Hi.x"),
        ("<profile>x</profile>and<response>Hi.</response>", ORDER, "xandHi."),
        (GOOD + GOOD, "blocks repeated", None),
        ("<profile>y</profile>" + GOOD, "blocks repeated", None),
        (GOOD + "<response>Again.</response>", "blocks repeated", None),
        (GOOD.replace("Hi.", "Hi <profile> there."), "blocks repeated", None),
        (GOOD.replace("- Age: 30", "<response>"), "blocks repeated", None),
        (GOOD.replace("Hi.", ""), "empty response", ""),
        (GOOD.replace("Hi.", " \n\t"), "empty response", ""),
    ],
)
def test_broken_contracts_have_a_reason_and_show_what_the_user_would_see(
    raw: str, reason: str, shown: str | None
) -> None:
    parsed = Contract.parse(raw)
    assert (parsed.malformed, parsed.profile) == (reason, "")
    assert not TAG.search(parsed.response) and parsed.response in (shown, parsed.response if shown is None else shown)


@pytest.mark.parametrize(
    ("line", "slot", "value"),
    [
        ("- Age: 30", "Age", "30"),
        ("Age:30", "Age", "30"),
        ("* age : thirty", "Age", "thirty"),
        ("• AGE: 30", "Age", "30"),
        ("– Age: 30", "Age", "30"),
        ("1. Age: 30", "Age", "30"),
        ("2) Occupation: nurse", "Occupation", "nurse"),
        ("- **Age**: 30", "Age", "30"),
        ("**Age:** 30", "Age", "30"),
        ("- _Location_: Rome", "Location", "Rome"),
        ("- job: nurse", "Occupation", "nurse"),
        ("- Profession: nurse", "Occupation", "nurse"),
        ("- Hobbies: chess; tea", "Interests", "chess; tea"),
        ("- Interest: chess", "Interests", "chess"),
        ("- Education: law", "Educational Background", "law"),
        ("- Family: two sons", "Family Background", "two sons"),
        ("- Personality: calm", "Personality Traits", "calm"),
        ("- personality trait: calm", "Personality Traits", "calm"),
        ("- Other Information: a dog", "Others", "a dog"),
        ("- Location: Rome: the centre", "Location", "Rome: the centre"),
        ("- likes tea", "", "likes tea"),
        ("- Mood: good", "", "Mood: good"),
        ("- 30 years old", "", "30 years old"),
    ],
)
def test_slots_by_any_spelling(line: str, slot: str, value: str) -> None:
    assert Contract.items(line) == (Item(slot=slot, value=value),)


@pytest.mark.parametrize("text", ["", "\n\n", "- ", "- Age:", "Age: **", "---", "1. "])
def test_lines_that_say_nothing_are_no_items(text: str) -> None:
    assert Contract.items(text) == ()


VALUE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ;:'é]{0,20}[a-z]", fullmatch=True)


@given(st.lists(st.tuples(st.sampled_from(SLOTS), VALUE), max_size=8))
def test_stated_items_are_read_back(pairs: list[tuple[str, str]]) -> None:
    items = tuple(Item(slot, value) for slot, value in pairs)
    assert Contract.items(Contract.lines(items)) == items


def test_every_slot_is_known_by_its_name() -> None:
    for slot in SLOTS:
        assert Contract.items(f"- {slot.upper()}: x") == (Item(slot, "x"),)


def test_dislikes_and_free_items_are_stated_as_such() -> None:
    items = (Item("Interests", "chess", polarity=-1), Item("", "has a dog"))
    assert Contract.lines(items) == "- Interests: dislikes chess\n- has a dog"


@given(st.lists(st.tuples(LINE, LINE, LINE), max_size=5), LINE)
def test_only_the_latest_reply_keeps_its_profile_block(turns: list[tuple[str, str, str]], user: str) -> None:
    history = [Exchange(*turn) for turn in turns]
    messages = CONTRACT.render(history, user)
    assert [m.role for m in messages] == ["system", *["user", "assistant"] * len(turns), "user"]
    assert messages[0].content == CONTRACT.system and messages[-1].content == user
    assert [m.content for m in messages[1:-1:2]] == [turn.user for turn in history]
    replies = [m.content for m in messages[2:-1:2]]
    assert replies[:-1] == [turn.response for turn in history[:-1]]
    if history:
        assert replies[-1] == Contract.write(history[-1].profile, history[-1].response)
    assert sum(m.content.count("<profile>") for m in messages[1:]) == bool(history)


def test_the_system_text_names_every_slot_and_shows_two_examples_or_none() -> None:
    bare = Contract(examples=0)
    assert all(slot in bare.system for slot in SLOTS)
    assert bare.system.count("<response>") == 1 and CONTRACT.system.startswith(bare.system)
    assert CONTRACT.system.count("<response>") - bare.system.count("<response>") >= 2


def legal(contract: Contract) -> st.SearchStrategy[tuple[str, str]]:
    """Profiles and replies within a contract's bounds."""
    free = st.characters(exclude_characters="\n<>", exclude_categories=("Cs",))

    def value(most: int) -> st.SearchStrategy[str]:
        return st.text(free, min_size=1, max_size=most).map(str.strip).filter(bool)

    values = st.fixed_dictionaries({}, optional={slot: value(contract.max_value) for slot in contract.slots})
    profile = values.map(lambda given: "\n".join(f"- {s}: {given[s]}" for s in contract.slots if s in given))
    return st.tuples(profile, value(contract.max_response))


@settings(max_examples=60)
@given(legal(CONTRACT))
def test_both_grammars_accept_what_is_written_within_the_bounds(pair: tuple[str, str]) -> None:
    text = Contract.write(*pair)
    assert re.fullmatch(CONTRACT.regex(), text)
    assert re.fullmatch(as_regex(CONTRACT.gbnf()), text)


SMALL = Contract(slots=("Age", "Location"), max_value=4, max_response=6)


@settings(max_examples=60)
@given(st.from_regex(SMALL.regex(), fullmatch=True))
def test_what_the_grammars_accept_keeps_the_contract(text: str) -> None:
    assert re.fullmatch(as_regex(SMALL.gbnf()), text)
    assert Contract.parse(text).malformed in ("", "empty response")


@pytest.mark.parametrize(
    ("profile", "reply"),
    [
        ("- Location: Rome\n- Age: 3", "Hi."),
        ("- Age: 3\n- Age: 4", "Hi."),
        ("- Age: 12345", "Hi."),
        ("- Mood: ok", "Hi."),
        ("- Age: 3", "1234567"),
        ("- Age: 3", "a\nb"),
        ("- Age: 3", "<b>"),
    ],
)
def test_both_grammars_refuse_what_is_out_of_bounds(profile: str, reply: str) -> None:
    text = Contract.write(profile, reply)
    assert not re.fullmatch(SMALL.regex(), text) and not re.fullmatch(as_regex(SMALL.gbnf()), text)


TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\[\^[^]]*\](?:\{[\d,]+\})?|[()?]|\w+|\s+')


def as_regex(grammar: str, rule: str = "root") -> str:
    """The regular expression of a llama.cpp grammar without recursion."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.strip().splitlines())
    out = []
    tokens = TOKEN.findall(rules[rule])
    assert "".join(tokens) == rules[rule], "the test cannot read this grammar"
    for token in tokens:
        if token.startswith('"'):
            out.append(re.escape(token[1:-1].replace("\\n", "\n")))
        elif token in rules:
            out.append(f"(?:{as_regex(grammar, token)})")
        elif not token.isspace():
            out.append(token)
    return "".join(out)
