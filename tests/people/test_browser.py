"""The page in a real browser (Chromium, driven by Playwright), by keyboard, with a partner that writes HTML."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from people_kit import Server, toml

import rlpa_bench

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script><b>bold</b>"
OUTPUT = f"<profile>\n- Interests: {EVIL}\n- Age: 30\n</profile>\n\n<response>\n{EVIL} And you?\n</response>"


@pytest.fixture
def page() -> Iterator[Any]:
    """A page as a phone shows it; whatever the browser complains of is in ``page.problems``."""
    if CHROMIUM is None:
        pytest.skip("no Chromium found")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 375, "height": 800}).new_page()
        page.set_default_timeout(120_000)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
        yield page
        browser.close()


def study(tmp_path: Path, out: Path, *more: str, **settings: Any) -> Server:
    options = [f"model.outputs={json.dumps([OUTPUT])}"]
    config = toml(tmp_path / "study.toml", **{"limit": 1, "turns": 2, "options": options, **settings})
    return Server(str(config), "--out", str(out), *more)


def begin(page: Any, server: Server) -> None:
    """Consent by keyboard alone."""
    page.goto(server.address)
    page.get_by_label("I have read this").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_label("Your message").wait_for()


def talk(page: Any) -> None:
    """One partner, by keyboard: rating, message, rating, profile."""
    page.get_by_text("answer 1 of 2").wait_for()
    page.get_by_label("4 well").focus()
    page.keyboard.press("Space")
    page.get_by_label("Your message").focus()
    page.keyboard.type("I am a nurse & I like <i>tea</i>.")
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="What the partner noted").wait_for()
    page.get_by_label("2 hardly").focus()
    page.keyboard.press("Space")
    groups = page.locator("#items fieldset")
    for number, answer in enumerate(("wrong", "right")[: groups.count()]):
        groups.nth(number).get_by_label(answer, exact=True).focus()
        page.keyboard.press("Space")
    if groups.count():
        groups.nth(0).get_by_label("If wrong").focus()
        page.keyboard.type("I like tea")
    page.get_by_role("button", name="Done with this partner").focus()
    page.keyboard.press("Enter")


def test_a_visit_by_keyboard_with_a_partner_that_writes_html(page: Any, out: Path, tmp_path: Path) -> None:
    with study(tmp_path, out) as server:
        begin(page, server)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        for number in (1, 2):
            page.get_by_text(f"Partner {number} ({number} of 2)").wait_for()
            talk(page)
        page.get_by_text("You have talked to everybody").wait_for()
        assert page.title() == "Conversations" and page.problems == []
        assert page.locator("img, b, i, script:not(body > script)").count() == 0
        code, _, messages = server.stop()
    assert code == 0, messages
    run = rlpa_bench.load_run(out)
    assert run.info["counts"]["played"] == 2
    (evil,) = [dialogue for dialogue in run.dialogues() if dialogue.candidate == "scripted/base"]
    assert evil.turns[1].user.text == "I am a nurse & I like <i>tea</i>." and EVIL in evil.turns[0].response
    lines = [json.loads(line) for line in (out / "people.jsonl").read_text().splitlines()]
    (noted,) = [line["items"] for line in lines if line["kind"] == "profile" and line["candidate"] == "scripted/base"]
    assert [item["answer"] for item in noted] == ["wrong", "right"] and noted[0]["correction"] == "I like tea"
    grades = [line["rating"] for line in lines if line["kind"] == "rating" and line["candidate"] == "scripted/base"]
    assert grades == [4, 2]


def test_html_of_a_partner_is_shown_as_text(page: Any, out: Path, tmp_path: Path) -> None:
    with study(tmp_path, out, baseline="base") as server:
        begin(page, server)
        assert EVIL in page.locator("#messages").inner_text()
        assert page.locator("#messages img").count() == 0
        blocked = page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'document.title = \"taken\"';"
            " document.body.append(s); return document.title; }"
        )
        assert blocked == "Conversations", "the page's policy lets foreign scripts run"


def test_reload_come_back_by_code_and_delete(page: Any, out: Path, tmp_path: Path) -> None:
    with study(tmp_path, out, baseline="base") as server:
        begin(page, server)
        code, person = page.locator("#code").inner_text(), page.locator("#person").inner_text()
        page.reload()
        page.get_by_label("Your message").wait_for()
        page.evaluate("sessionStorage.clear()")
        page.goto(server.address)
        page.get_by_label("Your code").fill("wrong")
        page.get_by_role("button", name="Go on").click()
        page.get_by_text("This code is not known here").wait_for()
        page.get_by_label("Your code").fill(code)
        page.get_by_role("button", name="Go on").click()
        page.get_by_text(person).wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="See everything").click()
        assert json.loads(Path(download.value.path()).read_text())["person"] == person
        page.get_by_label("Your message").fill(" ")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("Your message is empty").wait_for()
        page.get_by_role("button", name="Delete everything of mine").click()
        page.get_by_role("button", name="Delete for ever").click()
        page.get_by_text("Everything of yours is deleted").wait_for()
        assert not page.locator("#visit").is_visible() and page.get_by_label("I have read this").is_visible()
        assert person not in (out / "people.jsonl").read_text()


def test_the_page_says_when_the_server_is_gone_and_goes_on_with_it(page: Any, out: Path, tmp_path: Path) -> None:
    with study(tmp_path, out, baseline="base") as server:
        begin(page, server)
        address = server.address
        server.kill()
        page.get_by_label("Your message").fill("Are you there?")
        page.get_by_label("4 well").check()
        page.get_by_text("The server cannot be reached").wait_for()
    port = address.rpartition(":")[2]
    with Server(str(out), port=port):
        page.get_by_label("3 partly").check()
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name="What the partner noted").wait_for()
