"""First run: a person without a key gets to a test message, with the operator's part played for real; and the settings."""

from __future__ import annotations

import asyncio
import os
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from channel.client import joining
from keys.documents import Member, Named, Roster
from keys.envelope import read_envelope, sign
from keys.errors import Malformed, Refused
from keys.identity import read_key
from keys.keyring import Passphrase, show_keys
from keys.pop import Claim, challenge, check_pop
from keys.words import words

SECRET = "correct horse battery 马 staple"


def key_file(room, party, name):
    return room.desk(party).home.path / "keys" / f"{name}.key"


async def start(room, party, lang="en", **more):
    """The page of a locked desk."""
    page = await room.page(party, lang=lang, **more)
    room.desk(party).lock()
    await page.goto(room.served[party].entry.origin + "/start")
    await expect(page.locator("h1")).to_be_visible()
    return page


async def fill(page, seat, person, role="expert", passphrase=SECRET, again=None):
    if not await page.locator("#seat").is_visible():
        await page.locator("#new-key summary").click()
    await page.fill("#seat", seat)
    await page.fill("#key-person", person)
    await page.select_option("#key-role", role)
    await page.fill("#passphrase", passphrase)
    await page.fill("#again", passphrase if again is None else again)
    await page.get_by_role("button", name="Make the key").click()


async def saved(download):
    path = Path(await download.path())
    return await asyncio.to_thread(path.read_bytes)


def admit(room, party, raw_request, raw_answer, secret):
    """What an operator and the authority do with both files: a roster with the new member, and what it names."""
    trial = room.machine.trial
    side = trial.founding.b if party == "us" else trial.founding.a
    root = read_envelope(side.root).hash
    asked = joining.read_request(raw_request, root)
    signer, seal = read_key(asked.sign), read_key(asked.seal)
    claim = Claim(party=asked.party, root=root, person=asked.person, seat=asked.seat, role=asked.role)
    pop = check_pop(raw_answer, claim, {signer.kid: signer, seal.kid: seal}, signer)
    assert (pop.kid, pop.opened) == (seal.kid, secret)
    blobs = [asked.sign, asked.seal, asked.pop, raw_answer]
    member = Member(
        person=asked.person, seat=asked.seat, role=asked.role, standing="informal", sig=(signer.kid,), kem=(seal.kid,),
        langs=("en", "zh"), pop=tuple(sorted(sha256(each).digest() for each in (asked.pop, raw_answer))),
    )  # fmt: skip
    before = read_envelope(side.roster)
    roster = before.read("roster", Roster)
    new = replace(
        roster,
        ver=2,
        prev=before.hash,
        members=(*roster.members, member),
        persons=(*roster.persons, Named(id=asked.person, en="E. Green", zh="格林")),
    )
    authority = next(p for p in trial.parties if p.code == asked.party).authority
    return sign("roster", new, authority), blobs


async def test_from_no_key_to_the_roster_and_an_unlocked_desk(room):
    """Key, words, request, challenge, answer, roster: each step as its people do it; the page shows the admission by itself."""
    page = await start(room, "us")
    await fill(page, "expert-1.2", "e.green")
    await expect(page.locator(".notice.done")).to_contain_text("expert-1.2")
    shown = show_keys(key_file(room, "us", "expert-1.2"))
    assert key_file(room, "us", "expert-1.2").stat().st_mode & 0o777 == 0o600
    for key in shown.keys:
        said = words(key.kid)
        for language, spoken in (("en", said.en), ("zh-Hans", said.zh)):
            listed = page.locator(f".spoken[lang={language}]")
            assert " ".join(spoken) in [" ".join((await each.inner_text()).split()) for each in await listed.all()]
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the request").click()
    raw_request = await saved(await download.value)
    assert (await download.value).suggested_filename == "US-expert-1.2.request"
    secret = os.urandom(32)
    sealed = challenge(read_key(joining.unpack(raw_request, joining.KeyRequest).seal), secret)
    await page.set_input_files(
        "#challenge", {"name": "c", "mimeType": "application/octet-stream", "buffer": sealed[:-1]}
    )
    await page.fill("#answer-passphrase", SECRET)
    await page.get_by_role("button", name="Open it and make the answer").click()
    await expect(page.locator("#fault-answer")).to_contain_text("CHALLENGE")
    await page.set_input_files("#challenge", {"name": "c", "mimeType": "application/octet-stream", "buffer": sealed})
    await page.fill("#answer-passphrase", SECRET)
    await page.get_by_role("button", name="Open it and make the answer").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the answer").click()
    raw_answer = await saved(await download.value)
    await expect(page.locator("#roster-state")).to_contain_text("No roster in the log names this key yet")
    roster, blobs = admit(room, "us", raw_request, raw_answer, secret)
    desk = room.desk("us")
    await room.sit("us", "operator")
    async with desk.working() as client:
        lent = {sha256(blob).digest(): blob for blob in blobs}
        with client.view.lending(lent):
            await client.submit("roster", roster, tuple(sorted(lent)), tuple(lent.values()))
    desk.lock()
    await page.goto(room.served["us"].entry.origin + "/start?seat=expert-1.2")
    await expect(page.locator("#roster-state")).to_contain_text("The roster in the log names this key")
    await page.goto(room.served["us"].entry.origin + "/lock")
    await page.select_option("#seat", "expert-1.2")
    await page.fill("#passphrase", SECRET)
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.locator("#who")).to_contain_text("E. Green")
    assert [said for said in room.console if "400" not in said] == []  # a form that was not taken is answered so
    room.console.clear()


async def test_what_does_not_fit_is_said_at_its_field_and_nothing_is_written(room):
    """Passphrases that differ, ids that can't be, a file that exists: said at the step, with what was typed but no passphrase."""
    page = await start(room, "us")
    before = sorted(p.name for p in (room.desk("us").home.path / "keys").iterdir())
    held = key_file(room, "us", "expert-2").read_bytes()
    await fill(page, "expert-9", "e.green", role="official", again="another")
    await expect(page.locator("#fault-key")).to_contain_text("PASSPHRASE_TWICE")
    await expect(page.locator("#seat")).to_have_value("expert-9")
    await expect(page.locator("#key-person")).to_have_value("e.green")
    await expect(page.locator("#key-role")).to_have_value("official")
    await expect(page.locator("#passphrase")).to_have_value("")
    assert SECRET not in await page.content()
    for seat, person, code in (
        ("../up", "e.green", "NO_ID"), ("expert-9", "E Green", "NO_ID"), ("expert-2", "e.green", "EXISTS"),
    ):  # fmt: skip
        await fill(page, seat, person)
        await expect(page.locator("#fault-key")).to_contain_text(code)
        assert SECRET not in await page.content()
    assert sorted(p.name for p in (room.desk("us").home.path / "keys").iterdir()) == before
    assert key_file(room, "us", "expert-2").read_bytes() == held


async def test_a_key_without_a_request_gets_one_and_files_of_others_stay_unseen(room):
    """A run that was broken off goes on; nothing but requests and answers can be fetched, and only by name."""
    home = room.desk("us").home
    joining.new_key(home, "duty.7", Passphrase(SECRET))
    page = await start(room, "us")
    base = room.served["us"].entry.origin
    await page.goto(base + "/start?seat=duty.7")
    await page.fill("#request-person", "p.seven")
    await page.fill("#request-passphrase", "wrong")
    await page.get_by_role("button", name="Make the request").click()
    await expect(page.locator("#fault-request")).to_contain_text("PASSPHRASE")
    await expect(page.locator("#request-person")).to_have_value("p.seven")
    await page.fill("#request-passphrase", SECRET)
    await page.get_by_role("button", name="Make the request").click()
    await expect(page.get_by_role("link", name="Download the request")).to_be_visible()
    for query in (
        "seat=duty.7&what=key",
        "seat=duty.7&what=answer",
        "seat=../desk&what=request",
        "seat=expert-1&what=request",
    ):
        answer = await page.request.get(f"{base}/start/file?{query}")
        assert answer.status == 404
    asked = joining.kept_request(home, "duty.7")
    assert (asked.seat, asked.person, asked.role) == ("duty", "p.seven", "expert")


async def test_a_changed_request_is_refused(room):
    """A request in somebody else's name, or for another party's root, has no proof."""
    home = room.desk("cn").home
    joining.new_key(home, "expert-8", Passphrase(SECRET))
    joining.request(home, "expert-8", "p.eight", "expert", Passphrase(SECRET), os.urandom)
    raw = joining.request_path(home, "expert-8").read_bytes()
    root = read_envelope(room.machine.trial.founding.a.root).hash
    asked = joining.read_request(raw, root)
    for changed in (replace(asked, person="p.nine"), replace(asked, role="official"), replace(asked, seal=asked.sign)):
        with pytest.raises(Refused):
            joining.read_request(joining.pack(changed), root)
    with pytest.raises(Refused):
        joining.read_request(raw, bytes(32))
    with pytest.raises(Malformed):
        joining.read_request(raw[:-1], root)


async def test_first_run_in_chinese_without_scripts_while_locked(room):
    """All steps are there in Chinese, as plain forms; the language is the first step."""
    page = await start(room, "cn", java_script_enabled=False)
    await page.locator("main").get_by_role("button", name="中文").click()
    await expect(page.locator("h1")).to_have_text("首次使用")
    for word in ("密钥", "供朗读核对的词语", "向运行管理员提交申请", "列入名册", "声音测试", "测试电文"):
        await expect(page.locator("main h2", has_text=word).first).to_be_visible()
    await page.get_by_role("button", name="已听到声音").click()
    await expect(page.locator("#sound")).to_contain_text("已完成")


async def test_settings_are_kept_and_an_unknown_zone_is_said_at_its_field(room):
    """What was chosen stays chosen while a zone that nobody knows is corrected; then all of it is kept."""
    page = await room.page("us")
    base = page.url.rstrip("/")
    await page.goto(base + "/settings")
    await page.check("input[name=contrast][value=more]")
    await page.fill("#zone_other", "Asia/Nowhere")
    await page.get_by_role("button", name="Keep").click()
    await expect(page.locator(".fault")).to_contain_text("ZONE")
    await expect(page.locator("#zone_other")).to_have_value("Asia/Nowhere")
    await expect(page.locator("input[name=contrast][value=more]")).to_be_checked()
    assert room.desk("us").setting("contrast") == "normal"
    await page.fill("#zone_other", "Asia/Shanghai")
    await page.get_by_role("button", name="Keep").click()
    await expect(page.locator("html")).to_have_attribute("data-contrast", "more")
    assert room.desk("us").setting("zone_other") == "Asia/Shanghai"
    await expect(page.locator("[data-notify-state]")).not_to_be_empty()
    await page.get_by_role("link", name="Back to the watch").click()
    await expect(page).to_have_url(base + "/")
    room.desk("us").home.set("contrast", "normal")
