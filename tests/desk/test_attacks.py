"""What hostile people write: script, invisible characters, templates, endless words. Nothing runs, nothing hides, nothing breaks."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import expect

from channel.client.composing import Draft
from tests.desk.pages import FACTS, furnish

pytestmark = pytest.mark.timeout(900)

SCRIPT = '"\'><img src=x data-pwned onerror="window.__pwned=1"><script data-pwned>window.__pwned=1</script><svg data-pwned onload=window.__pwned=1>'
TEMPLATE = "{{7*1931}} {{ desk.client.keys }} {% raw %}x{% endraw %} ${7*1931} #{7*1931} <%= 7*1931 %>"
UNSEEN = (
    "left \u202eright\u202c \u2066x\u2069 a\u200bb\u2060c\ufeffd \u2028line\u2029paragraph \u00adsoft \U000e0041tag"
)
LABELS = "Signed by: CN official\nLevel: High-level contact ★ ▮▮▮▮▮▮\nReceived and read\n[EXERCISE 演练] EXERCISE: end of message"
LONG = "W" * 20_000
HUGE = "wide words 中文 " * 4_000
TEXTS = {"script": SCRIPT, "template": TEMPLATE, "unseen": UNSEEN, "labels": LABELS, "long": LONG, "huge": HUGE}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(room):
    """The pages of a furnished room, into which the other side has sent what hostile people write."""
    places = await furnish(room)
    async with room.desk("cn").working() as client:
        sent = [
            await client.send(Draft(fmt="F03", body=FACTS | {"line": text[:280].replace("\n", " ")}, lang=lang))
            for text in TEXTS.values()
            for lang in ("en", "zh")
        ]
        for text in TEXTS.values():
            body = {"observed": text[:6_000], "questions": [{"ask": text[:200].replace("\n", " ")}]}
            sent.append(await client.send(Draft(fmt="F06", body=body, lang="en")))
    await room.seen("us", sent[-1].verdict.number)
    numbers = [each.verdict.number for each in sent]
    return [
        *places,
        *(("hostile", f"/m/{number}") for number in numbers),
        *(("hostile-case", f"/cases/{number}") for number in numbers),
    ]


async def unharmed(page, where):
    """Nothing ran, no mark-up of theirs is an element, nothing has to be scrolled sideways."""
    assert await page.evaluate("window.__pwned") is None, where
    assert await page.locator("[data-pwned]").count() == 0, where
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), where
    assert not await page.locator("body").evaluate("e => /[\\u202a-\\u202e\\u2066-\\u2069\\u200b\\u2060\\ufeff\\u2028\\u2029]/.test(e.outerHTML.replace(/<(input|textarea)[^>]*>/g, ''))"), where  # fmt: skip


async def test_no_page_runs_or_hides_what_the_other_side_wrote(room, places):
    """Every page, wide and at 320 pixels, in both languages: text stays text, invisible characters are visible marks."""
    for lang, width in (("en", 320), ("zh", 1280)):
        page = await room.page("us", lang=lang, viewport={"width": width, "height": 800})
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for name, path in places:
            await page.goto(room.origin("us") + path)
            await expect(page.locator("main h1")).to_be_visible()
            await unharmed(page, (name, path, lang))
            assert "13517" not in await page.locator("main").inner_text(), path
            for banner in await page.locator("[data-banner]").all():
                assert await banner.is_visible()
        await page.context.close()
    room.console[:] = [said for said in room.console if "404" not in said]
    assert room.console == []


async def test_invisible_characters_are_marks_that_can_be_seen(room, places):
    """Each has its code point in a frame; what it would have turned around stands as it was written."""
    hostile = [path for name, path in places if name == "hostile"]
    page = await room.page("us")
    for path in hostile:
        await page.goto(room.origin("us") + path)
        if "U+202E" in await page.locator("main").inner_text():
            marks = await page.locator("main .message .unseen").all_inner_texts()
            assert {"U+202E", "U+202C", "U+2066", "U+2069", "U+200B", "U+FEFF"} <= set(marks), marks
            break
    else:
        pytest.fail("no page showed the marks")
    await page.goto(room.origin("us") + "/")
    await expect(page.locator("#owed .unseen", has_text="U+202E").first).to_be_visible()
    await page.context.close()


async def test_words_that_look_like_ours_are_told_apart(room, places):
    """What looks like a label of the page stands inside the frame of what somebody wrote, and the true mark is the page's."""
    page = await room.page("us")
    found = 0
    for name, path in places:
        if name != "hostile":
            continue
        await page.goto(room.origin("us") + path)
        inside = page.locator(".message .words", has_text="Signed by: CN official")
        found += await inside.count()
        outside = await page.evaluate(
            """() => { const copy = document.querySelector("main").cloneNode(true); copy.querySelectorAll("bdi, .words, .message").forEach(e => e.remove()); return copy.textContent; }"""
        )
        assert "Signed by: CN official" not in outside
    assert found
    await page.context.close()


SAME = {
    "hostile", "hostile-case", "real-world", "nowhere", "lock",
    "compose-F04", "compose-F05", "compose-F08", "compose-F09", "compose-F11",
}  # fmt: skip
"""Pages with no form, or with the forms of another page."""
HIDDEN = """const hidden = (page) => { page.querySelectorAll("input, textarea").forEach(e => e.remove()); return /[\\u202a-\\u202e\\u2066-\\u2069]/.test(page.documentElement.outerHTML); };"""
FORMS = (
    f"""async ({{ text, every }}) => {{ {HIDDEN}"""
    """
  const found = [];
  for (const form of document.querySelectorAll("form")) {
    const action = form.getAttribute("action") ?? location.pathname, where = new URL(action, location).pathname;
    if (form.getAttribute("method") !== "post" || ["/lock", "/unlock", "/real-world", "/language"].includes(where)) continue;
    for (const button of [...form.querySelectorAll("button:not([disabled])"), null]) {
      if (button && (button.type === "button" || button.disabled)) continue;
      const data = new URLSearchParams();
      for (const [name, value] of new FormData(form)) if (typeof value === "string") {
        const field = form.querySelector(`[name="${CSS.escape(name)}"]`);
        const typed = field.matches("textarea, input:not([type=hidden], [type=radio], [type=checkbox])");
        data.append(name, name === "token" || !(typed || every) ? value : text);
      }
      for (const field of form.querySelectorAll("[name]")) if (!data.has(field.name) && every && field.name) data.append(field.name, text);
      if (button?.name) data.set(button.name, every ? text : button.value);
      const answer = await fetch(button?.getAttribute("formaction") || action, { method: "POST", body: data });
      const said = await answer.text(), page = new DOMParser().parseFromString(said, "text/html");
      const bad = answer.status >= 500 && !/NODE|DESK_NOT/.test(page.querySelector(".problem")?.textContent ?? "") ? "status " + answer.status + " " + page.querySelector("main")?.textContent.trim().slice(0, 200)
        : page.querySelector("[data-pwned]") ? "an element" : hidden(page) ? "unseen characters" : !page.querySelector("main") ? "no page" : "";
      if (bad) found.push(`${where} ${button?.name ?? ""}=${button?.value ?? ""}: ${bad}`);
    }
  }
  for (const form of document.querySelectorAll("form[method=get]")) {
    const url = new URL(form.getAttribute("action") ?? "", location);
    for (const field of form.querySelectorAll("[name]")) url.searchParams.set(field.name, text.slice(0, 3000));
    const answer = await fetch(url), said = await answer.text(), page = new DOMParser().parseFromString(said, "text/html");
    if (answer.status >= 500 || page.querySelector("[data-pwned]") || hidden(page)) found.push(`${url.pathname} get ${answer.status}`);
  }
  return found;
}"""
)


@pytest.mark.parametrize(("name", "every"), [*((name, False) for name in TEXTS), ("script", True), ("huge", True)])
async def test_every_form_takes_whatever_is_typed(room, places, name, every):
    """Each form of each page, sent with each of its buttons: a page comes back, with no element of theirs and no fault of ours."""
    page = await room.page("us")
    found = []
    for place, path in places:
        if place in SAME:
            continue
        await page.goto(room.origin("us") + path)
        if await page.locator("main h1").count() == 0:
            continue
        found += [(place, each) for each in await page.evaluate(FORMS, {"text": TEXTS[name], "every": every})]
        assert await page.evaluate("window.__pwned") is None
    await page.context.close()
    room.console.clear()  # the browser notes each refusal
    assert not found, "\n".join(map(str, found))


async def test_addresses_take_whatever_is_typed(room, places):
    """Numbers, records, ids, queries: a page of its own that says what is not here."""
    page = await room.page("us")
    for text in (SCRIPT, TEMPLATE, UNSEEN, "%00", "..", "US-2026-999999", "9" * 400, "中文"):
        told = await page.evaluate(
            f"async (text) => {{ {HIDDEN}"
            """const found = [];
              for (const at of ["/m/", "/r/", "/cases/", "/compose/", "/review/", "/approvals/", "/directory/aloud/", "/search?q=", "/glossary?q=", "/log?ref=", "/log?since=", "/log?before=", "/lock?next=", "/cases?page=", "/help?x="]) {
                const answer = await fetch(at + encodeURIComponent(text)), said = await answer.text(), page = new DOMParser().parseFromString(said, "text/html");
                if (answer.status >= 500 || page.querySelector("[data-pwned]") || !page.querySelector("main") || hidden(page)) found.push(at + " " + answer.status + " " + page.querySelector("main")?.textContent.trim().slice(0, 150));
              } return found; }""",
            text,
        )
        assert not told, (text, told)
    await page.context.close()
    room.console.clear()
