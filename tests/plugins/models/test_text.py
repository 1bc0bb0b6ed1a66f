import pytest
from rlpa_bench_plugins.models._text import cut, without_thinking


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("a</response>b", ("</response>",), ("a</response>", True)),
        ("a</resp", ("</response>",), ("a</resp", False)),
        ("one. two! three", ("!", "."), ("one.", True)),
        ("xENDOFy", ("ENDOF", "END"), ("xEND", True)),
        ("a", (), ("a", False)),
        ("a", ("",), ("a", False)),
        ("", ("b",), ("", False)),
    ],
)
def test_the_stop_string_that_ends_first_is_kept(text: str, stops: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert cut(text, stops) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>hm</think>\n\nyes", "yes"),
        ("hm</think>yes", "yes"),
        ("<think>hm, this never", ""),
        ("<think>a</think>b<think>c</think>d", "bd"),
        ("  no thought  ", "  no thought  "),
    ],
)
def test_thinking_is_taken_out(text: str, expected: str) -> None:
    assert without_thinking(text) == expected
