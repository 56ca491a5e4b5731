"""What call-outs go to, in this process and real: a mail relay, a web endpoint, deaf and curt servers, a pager program."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGER = """\
import json, os, sys
told = {"stdin": sys.stdin.read(), "argv": sys.argv[2:], "env": dict(os.environ), "cwd": os.getcwd()}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(told) + "\\n")
"""


class Pager:
    """A program that keeps what it is told. ``command``: how to call it."""

    def __init__(self, folder, *arguments, name="pager"):
        script, self._kept = folder / f"{name}.py", folder / f"{name}.jsonl"
        script.write_text(PAGER)
        self.command = (sys.executable, str(script), str(self._kept), *arguments)

    @property
    def told(self):
        return [json.loads(line) for line in self._kept.read_text().splitlines()] if self._kept.exists() else []


class Relay:
    """A mail relay. ``refuse``: receiver, or "DATA" for the mail as a whole -> the answer it gets in place of 250.

    ``slow``: seconds that it takes for each receiver and for the mail; ``hang``: the mail is taken once it is set.
    """

    def __init__(self, refuse=None, hang=None, slow=0.0):
        self.mails, self.logins, self._refuse, self._hang, self._slow = [], [], refuse or {}, hang, slow

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        await asyncio.sleep(self._slow)
        if address in self._refuse:
            return self._refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        await asyncio.sleep(self._slow)
        if self._hang is not None:
            await self._hang.wait()
        if "DATA" in self._refuse:
            return self._refuse["DATA"]
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, mail, over_tls(server)))
        return "250 OK"

    def login(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password, over_tls(server)))
        return AuthResult(success=data.password == b"right word", handled=False)

    @asynccontextmanager
    async def listen(self, tls=None, **smtp):
        """The port on loopback."""
        async with listen(lambda: SMTP(self, hostname="relay", **smtp), tls) as port:
            yield port


def over_tls(server):
    return server.transport.get_extra_info("sslcontext") is not None


class Endpoint:
    """A web endpoint that answers each path as ``answers`` says and keeps what is posted."""

    def __init__(self):
        self.posted, self.asked, self.hang = [], asyncio.Event(), asyncio.Event()

    async def _take(self, request):
        path = request.path
        self.posted.append((path, dict(request.headers), await request.text()))
        self.asked.set()
        if path == "/hang":
            await self.hang.wait()
        if path == "/moved":
            raise web.HTTPTemporaryRedirect("/taken-elsewhere")
        if path == "/endless":
            answer = web.StreamResponse()
            await answer.prepare(request)
            while not self.hang.is_set():
                try:
                    await answer.write(bytes(65536))
                except ConnectionError:
                    return answer
            return answer
        return web.Response(status=int(path.strip("/")) if path.strip("/").isdigit() else 204)

    @asynccontextmanager
    async def listen(self, tls=None):
        """The port on loopback."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        try:
            yield runner.addresses[0][1]
        finally:
            self.hang.set()
            await runner.cleanup()


@asynccontextmanager
async def listen(protocol, tls=None):
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


class Curt(asyncio.Protocol):
    """Says one thing to whoever connects, and closes, or says nothing more."""

    def __init__(self, says, closes):
        self._says, self._closes = says, closes

    def connection_made(self, transport):
        if self._says:
            transport.write(self._says)
        if self._closes:
            transport.close()


def curt(says=b"", *, closes):
    return listen(lambda: Curt(says, closes))


def loopback_certificate(folder):
    """(server context, client context that trusts it) for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "relay.pem").write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "relay.pem")
    return server, ssl.create_default_context(cadata=pem.decode())
