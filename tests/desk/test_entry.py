"""The door of a desk: who is let in, by what, and what everybody else is told: nothing."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import socket
import stat

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import expect

from channel.desk.control import ask_link
from channel.desk.entry import HEADERS, LINK_SECONDS
from keys.errors import Unavailable
from tests.cli.running import CHANNEL, Machine, environment

SECRET = ("US", "Exercise", "演练", "expert-1")


@pytest.fixture
def said(room):
    """Ask the desk of US as any program of this machine may: no browser, no cookie unless given."""

    async def ask(method="GET", path="/", headers=None, data=None, cookie=None):
        entry = room.served["us"].entry
        headers = {"Host": entry.host} | (headers or {}) | ({"Cookie": f"{entry.cookie}={cookie}"} if cookie else {})
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.request(
                method, f"http://{entry.host}{path}", headers={k: v for k, v in headers.items() if v is not None},
                data=data, allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            return answer.status, answer.headers, await answer.text()

    return ask


async def inside(said, room):
    """A session as a browser gets it, and the token of its forms."""
    entry = room.served["us"].entry
    _, headers, _ = await said(path=entry.link().removeprefix(entry.origin))
    cookie = headers["Set-Cookie"].split(";")[0].partition("=")[2]
    _, _, text = await said(path="/settings", cookie=cookie)
    return cookie, text.partition('name="token" value="')[2][:64]


async def test_a_link_opens_once_and_not_for_ever(room, said):
    """A second use, an old link and a guess are refused; each opening is a session of its own."""
    entry = room.served["us"].entry
    path = entry.link().removeprefix(entry.origin)
    first, headers, _ = await said(path=path)
    assert (first, headers["Location"]) == (303, "/")
    flags = {part.strip() for part in headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= flags
    assert not any(part.lower().startswith("domain") for part in flags)
    old = entry.link().removeprefix(entry.origin)
    room.clock.ahead += LINK_SECONDS + 1
    for refused in (path, old, f"/enter/{'0' * 48}", "/enter/x", "/enter/%00", "/enter/" + "a" * 4000):
        status, headers, text = await said(path=refused)
        assert (status, "Set-Cookie" in headers) == (403, False), refused
        assert "DESK_LINK" in text
    room.clock.ahead = 0.0
    assert len({(await inside(said, room))[0] for _ in range(3)}) == 3


async def test_without_the_link_nothing_of_the_channel_is_shown(room, said):
    """Another user of the machine learns that a desk is here and how its owner opens it, in both languages; no more."""
    title = room.desk("us").client.view.charter.title
    for path in ("/", "/lock", "/settings", "/events", "/static/desk.css", "/compose", "/nowhere", "/start"):
        for cookie in (None, "0" * 64, ""):
            status, headers, text = await said(path=path, cookie=cookie)
            assert status == 403, path
            assert "DESK_LINK" in text and "一次" in text and "one-time link" in text
            assert not [word for word in (title.en, title.zh, *SECRET, "expert") if word in text]
            assert "Set-Cookie" not in headers
    for path in ("/language", "/settings", "/unlock", "/lock", "/real-world"):
        status, _, _ = await said("POST", path, {"Origin": room.origin("us")}, data={"lang": "zh", "token": "x"})
        assert status == 403


async def test_every_answer_has_the_strict_headers(room, said):
    """Pages, errors, redirects, files, refusals and the stream of events alike."""
    cookie, _ = await inside(said, room)
    answers = [
        await said(path=path, cookie=cookie)
        for path in ("/", "/nowhere", "/static/desk.js", "/static/nothing.js", "/lock")
    ]
    answers += [
        await said(path="/"),
        await said(path="/enter/x"),
        await said("DELETE", "/", {"Origin": room.origin("us")}, cookie=cookie),
    ]
    entry = room.served["us"].entry
    answers.append(await said(path=entry.link().removeprefix(entry.origin)))
    room.desk("us").lock()
    answers.append(await said(path="/settings", cookie=cookie))
    await room.sit("us", "expert-1")
    for status, headers, _ in answers:
        for name, value in HEADERS.items():
            assert headers.get(name) == value, (status, name)
    known = {"Cookie": f"{entry.cookie}={cookie}"}
    async with aiohttp.ClientSession() as http, http.get(f"{room.origin('us')}/events", headers=known) as answer:
        assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
        assert answer.headers["Content-Type"].startswith("text/event-stream")
    csp = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in csp and "unsafe" not in csp and "*" not in csp and "http" not in csp


async def test_only_the_own_host_name_is_answered(room, said):
    """DNS rebinding: a name of the attacker that leads to loopback, or none, or another of ours, is refused."""
    cookie, token = await inside(said, room)
    host = room.served["us"].entry.host
    port = host.partition(":")[2]
    for name in (
        "evil.example", f"evil.example:{port}", f"localhost:{port}", "127.0.0.1", f"127.0.0.1:{int(port) + 1}",
        f"[::1]:{port}", f"127.0.0.1.evil.example:{port}", f"{host}.", f"0.0.0.0:{port}", "",
    ):  # fmt: skip
        status, _, text = await said(headers={"Host": name}, cookie=cookie)
        assert status in (400, 403), name
        assert "expert" not in text
        status, _, _ = await said(
            "POST", "/language", {"Host": name, "Origin": f"http://{name}"}, {"lang": "zh", "token": token}, cookie
        )
        assert status in (400, 403)
    two = f"GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nCookie: {room.served['us'].entry.cookie}={cookie}\r\n\r\n"
    assert b" 40" in (await raw(room, two.encode()))[:13]
    assert room.desk("us").setting("lang") == "en"


async def raw(room, request):
    """Bytes as no client would send them; the beginning of the answer."""
    host, _, port = room.served["us"].entry.host.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(4096), 10)
    writer.close()
    return answer


async def test_a_request_from_elsewhere_does_nothing(room, said):
    """A form without this session's token, from another origin or from none: refused, and nothing has changed."""
    cookie, token = await inside(said, room)
    own = room.origin("us")
    good = {"lang": "zh", "token": token, "back": "/"}
    cases = [
        ({"Origin": "http://evil.example"}, good), ({"Origin": "null"}, good), ({}, good),
        ({"Origin": "https" + own[4:]}, good), ({"Origin": own + ".evil.example"}, good),
        ({"Origin": own, "Sec-Fetch-Site": "cross-site"}, good), ({"Origin": own, "Sec-Fetch-Site": "same-site"}, good),
        ({"Origin": own}, good | {"token": ""}), ({"Origin": own}, good | {"token": "0" * 64}),
        ({"Origin": own}, good | {"token": "令"}), ({"Origin": own}, {"lang": "zh"}),
    ]  # fmt: skip
    for headers, data in cases:
        status, _, text = await said("POST", "/language", headers, data, cookie)
        assert (status, "DESK_ORIGIN" in text) == (403, True), (headers, data)
        assert room.desk("us").setting("lang") == "en"
    other, _ = await inside(said, room)
    status, _, _ = await said("POST", "/language", {"Origin": own}, good, other)
    assert status == 403, "a token belongs to one session"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
        assert (await said(headers=headers, cookie=cookie))[0] == 403
    status, _, _ = await said("POST", "/language", {"Origin": own}, good | {"lang": "en"}, cookie)
    assert status == 303


async def test_methods_and_sizes_and_paths_that_nobody_means(room, said):
    """Each gets a clear refusal; the desk goes on."""
    cookie, token = await inside(said, room)
    own = {"Origin": room.origin("us")}
    for method, path in (
        ("POST", "/"),
        ("PUT", "/settings"),
        ("DELETE", "/"),
        ("PATCH", "/language"),
        ("OPTIONS", "/"),
        ("GET", "/unlock"),
        ("GET", "/language"),
    ):
        status, _, text = await said(method, path, own, cookie=cookie)
        assert (status, "METHOD" in text) == (405, True), (method, path)
    assert (await said("HEAD", "/settings", cookie=cookie))[0] == 200
    form = own | {"Content-Type": "application/x-www-form-urlencoded"}
    big = await said("POST", "/settings", form, io.BytesIO(b"zone_own=" + b"x" * (5 << 20)), cookie)
    assert (big[0], "TOO_BIG" in big[2]) == (413, True)
    many = await said("POST", "/language", form, io.BytesIO(b"lang=en&" * 100_000 + f"token={token}".encode()), cookie)
    assert many[0] in (303, 400, 403, 413)
    kind = own | {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x", b"--x\r\n\r\n\xff\xfe", b"\x00" * 100):
        status, _, text = await said("POST", "/language", kind, body, cookie)
        assert 400 <= status < 500, (body, text)
    for path in (
        "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/%2e%2e%2f%2e%2e%2fcli%2fdesk.py",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/desk.css%00.js", "/static/", "/static/..\\app.py",
        "/static/" + "a" * 3000, "/%ff%fe", "/%", "/%zz", "/m/%00", "/m/%2e%2e%2f", "/m/" + "9" * 2000, "/cases/%ff", "/r/US:99999999999999999999",
        "//evil.example/", "/\\evil.example", "/%0d%0aSet-Cookie:%20a=b", "/lock?next=%0d%0aSet-Cookie:%20a=b",
    ):  # fmt: skip
        answer = await raw(room, f"GET {path} HTTP/1.1\r\nHost: {room.served['us'].entry.host}\r\nCookie: {room.served['us'].entry.cookie}={cookie}\r\nConnection: close\r\n\r\n".encode())  # fmt: skip
        status = int(answer.split(b" ", 2)[1])
        assert status in (200, 303, 400, 403, 404, 405), (path, answer[:200])
        assert b"import" not in answer.replace(b"important", b"") and b"root:" not in answer, path
        assert b"Set-Cookie: a" not in answer.partition(b"\r\n\r\n")[0], path
        assert status != 303 or b"Location: /" in answer, path
    room.desk("us").lock()
    for path in ("/nowhere%0d%0aX: y", "/%22%3e%3cscript%3e", "/m/X?next=//evil.example&a=b"):
        status, headers, _ = await said(path=path, cookie=cookie)
        assert (status, headers.get("Location", "").partition("next=")[0]) in ((303, "/lock?"), (404, "")), path
    await room.sit("us", "expert-1")
    assert (await said(cookie=cookie))[0] == 200


ELSEWHERE = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "\\\\evil",
    "/\t/evil.example",
    " //evil.example",
    "data:text/html,x",
    "",
)


async def test_no_form_leads_away(room, said):
    """``next`` and ``back`` name places of this desk; anything else leads to its first page."""
    cookie, token = await inside(said, room)
    own = {"Origin": room.origin("us")}
    for place in ELSEWHERE:
        _, headers, _ = await said("POST", "/language", own, {"lang": "en", "token": token, "back": place}, cookie)
        assert headers["Location"] == "/", place
        _, headers, _ = await said("POST", "/unlock", own, {"seat": "expert-1", "token": token, "next": place}, cookie)
        assert headers["Location"] == "/", place
    _, headers, _ = await said(
        "POST", "/unlock", own, {"seat": "expert-1", "token": token, "next": "/settings?a=b"}, cookie
    )
    assert headers["Location"] == "/settings?a=b"


HOSTILE = """<!doctype html><title>elsewhere</title><body>
<img src="{own}/static/exercise.svg" id="img"><iframe src="{own}/settings" id="frame"></iframe>
<form method="post" action="{own}/language" id="form" target="answer"><input name="lang" value="zh"></form><iframe name="answer"></iframe>
<script>
window.got = {{}};
const tell = (name) => [(v) => {{ window.got[name] = v; }}, () => {{ window.got[name] = "refused"; }}];
fetch("{own}/settings", {{ credentials: "include" }}).then(a => a.text()).then(...tell("fetch"));
fetch("{own}/language", {{ method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({{ lang: "zh" }}) }}).then(a => a.type).then(...tell("post"));
new EventSource("{own}/events", {{ withCredentials: true }}).onerror = () => {{ window.got.events = "refused"; }};
const script = document.createElement("script"); script.type = "module"; script.src = "{own}/static/desk.js";
script.onload = () => {{ window.got.script = "loaded"; }}; script.onerror = () => {{ window.got.script = "refused"; }}; document.body.append(script);
document.getElementById("img").onload = () => {{ window.got.img = "loaded"; }};
document.getElementById("form").submit();
</script>"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_another_page_of_this_browser_gets_nothing(room, name):
    """A page of another origin, on this very machine: posts, reads, frames, pictures, scripts and events are all refused."""
    context = await room.context()
    await room.page("us", context=context)
    own, before = room.origin("us"), room.desk("us").setting("lang")

    async def hostile(_):
        return web.Response(text=HOSTILE.format(own=own), content_type="text/html")

    app = web.Application()
    app.router.add_get("/", hostile)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        page = await context.new_page()
        statuses = []
        page.on("response", lambda answer: answer.url.startswith(own) and statuses.append(answer.status))
        await page.goto(f"http://{name}:{port}/")
        await page.wait_for_function("window.got.fetch && window.got.post && window.got.events && window.got.script")
        got = await page.evaluate("window.got")
        assert (got["fetch"], got["events"], got["script"], got.get("img")) == ("refused", "refused", "refused", None)
        assert [frame for frame in page.frames if "Settings" in await frame.content()] == []
        async with context.expect_page() as opened:
            await page.evaluate(f"window.other = window.open('{own}/settings')")
        other = await opened.value
        await other.wait_for_load_state()
        assert "DESK_" in await other.content() and "Settings" not in await other.content()
        assert statuses and set(statuses) <= {403}
    finally:
        await runner.cleanup()
        await context.close()
    assert room.desk("us").setting("lang") == before


async def test_a_whole_visit_asks_nobody_else(room):
    """From the link on, every request goes to the desk's own origin; other ports and names are not touched."""
    page = await room.page("us")
    room.asked.clear()
    for path in ("/", "/settings", "/lock", "/nowhere", "/compose", "/log", "/ladder", "/glossary", "/directory"):
        await page.goto(room.origin("us") + path)
        await expect(page.locator("h1")).to_be_visible()
    assert len(room.asked) > 9
    assert [url for url in room.asked if not url.startswith((room.origin("us") + "/", "data:"))] == []
    room.console[:] = [said for said in room.console if "404" not in said]
    assert room.console == []


async def test_two_desks_in_one_browser_do_not_push_each_other_out(room):
    """Both parties' desks of a trial on one machine: a browser keeps cookies by name, not by port."""
    context = await room.context()
    us, cn = await room.page("us", context=context), await room.page("cn", context=context)
    for page, party in ((us, "us"), (cn, "cn"), (us, "us")):
        await page.goto(room.origin(party) + "/settings")
        await expect(page.locator("main h1")).to_be_visible()
    await context.close()


async def test_a_dozen_windows_of_one_desk(room):
    """A browser opens six connections to one place: one window listens and tells the others, so that every window loads."""
    context = await room.context()
    pages = [await room.page("us", context=context)]
    for path in ("/", "/settings", "/cases", "/log") * 3:
        pages.append(await context.new_page())
        await pages[-1].goto(room.origin("us") + path)
    number = await room.send("cn", line="seen in every window")
    for page in pages:
        await expect(page.locator("nav .count").first).to_be_visible()
    await expect(pages[1].locator(f"[data-item='{number}']")).to_be_visible()
    await pages[0].close()  # the one that listened: another goes on
    second = await room.send("cn", line="after it was closed")
    await expect(pages[1].locator(f"[data-item='{second}']")).to_be_visible()
    await context.close()


async def test_a_page_whose_desk_has_ended_says_so(room):
    """The process is gone: within twenty seconds the page says that nothing new comes in and nothing rings."""
    page = await room.page("cn")
    await expect(page.locator("#gone")).to_be_hidden()
    await room.restart("cn")
    await expect(page.locator("#gone")).to_be_visible(timeout=40_000)
    room.console.clear()


async def test_the_socket_of_the_home_is_its_owners(room):
    """It gives links to whoever may open it, and only its owner may; it answers no other word."""
    home = room.desk("us").home.path
    assert stat.S_IMODE((home / "desk.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (await ask_link(home)).startswith(room.origin("us") + "/enter/")
    for word in (b"", b"\n", b"links\n", b"link", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000):
        reader, writer = await asyncio.open_unix_connection(home / "desk.sock")
        writer.write(word)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    assert (await ask_link(home)).startswith(room.origin("us"))


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The homes of a trial whose nodes do not run."""
    return Machine(tmp_path_factory.mktemp("alone") / "trial")


async def started(machine, *words, **more):
    """``channel desk`` as a process, without a terminal; the link that it gives."""
    desk = await asyncio.create_subprocess_exec(
        *CHANNEL, "--home", str(machine.desk("us")), "--json", *words, "desk", *more.get("options", ()),
        env=environment(DISPLAY="", BROWSER="false"), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    line = await asyncio.wait_for(desk.stdout.readline(), 30)
    return desk, json.loads(line)["link"] if line else (await desk.stderr.read()).decode()


async def opens(link, cookie=None):
    """Whether a link lets in; the cookie that it gives."""
    async with aiohttp.ClientSession() as http, http.get(link, allow_redirects=False) as answer:
        return answer.headers.get("Set-Cookie", "").split(";")[0] if answer.status == 303 else None


async def test_a_second_command_gives_a_link_to_the_first(alone):
    """One process holds a home; typing the command again is how its owner gets in again. The first link still works."""
    first, link = await started(alone)
    try:
        second, more = await started(alone)
        assert (await second.wait(), more.split("/enter/")[0]) == (0, link.split("/enter/")[0])
        assert more != link
        assert await opens(more)
        assert await opens(link)
        assert not await opens(link)
        held = await asyncio.to_thread(alone.command, "us", "inbox")
        assert (held.exit_code, "HOME_HELD" in held.stderr) == (4, True)
        assert held.stderr.count("\n") <= 3
    finally:
        first.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(first.wait(), 10)
    assert code == 0
    assert not (alone.desk("us") / "desk.sock").exists()
    with pytest.raises(Unavailable, match="DESK_NOT_RUNNING"):
        await ask_link(alone.desk("us"))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_it_ends_at_once(alone, how):
    """Also with an open page that waits for events. Nothing stays behind, and the next start finds no obstacle."""
    desk, link = await started(alone)
    cookie, origin = await opens(link), link.split("/enter/")[0]
    async with aiohttp.ClientSession() as http, http.get(f"{origin}/events", headers={"Cookie": cookie}) as events:
        assert events.status == 200
        desk.send_signal(how)
        assert await asyncio.wait_for(desk.wait(), 5) == 0
    assert (await desk.stderr.read()).decode() == ""
    assert not (alone.desk("us") / "desk.sock").exists()


async def test_after_a_kill_it_starts_again(alone):
    """A socket that a killed desk left is in nobody's way."""
    desk, _ = await started(alone)
    desk.kill()
    await desk.wait()
    with pytest.raises(Unavailable, match="DESK_NOT_RUNNING"):
        await ask_link(alone.desk("us"))
    again, link = await started(alone)
    assert await opens(link)
    again.terminate()
    assert await again.wait() == 0


async def test_a_port_that_is_taken(alone):
    """One clear error, and no trace."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        desk, said = await started(alone, options=("--port", str(taken.getsockname()[1])))
        assert await desk.wait() != 0
        assert "Traceback" not in said
        assert said
    assert not (alone.desk("us") / "desk.sock").exists()
