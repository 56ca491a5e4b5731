"""TLS between nodes and towards desks: version 1.3 only, whole self-signed certificates pinned (docs/protocol.md 4.3).

The charter names each node's first certificate by the hash of its DER bytes. A context trusts the pinned certificates
and nothing else, and ``check_pin`` compares the whole bytes after the handshake: OpenSSL alone would also accept what a
pinned key signed. TLS keeps metadata to the two ends and keeps strangers out; no decision about content rests on it.
"""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keys.errors import Malformed, Unverified, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LAST_DAY = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: no well-defined end


def make_certificate(common_name: str, not_before: datetime) -> tuple[bytes, bytes, bytes]:
    """A new P-256 key with its self-signed certificate: (certificate PEM, private key PEM, certificate DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(LAST_DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem, der = (certificate.public_bytes(form) for form in (serialization.Encoding.PEM, serialization.Encoding.DER))
    return pem, key_pem, der


def read_certificate(path: Path) -> bytes:
    """The DER bytes of the one certificate in a PEM file; ``WrongUse`` NO_FILE, ``Malformed`` CERTIFICATE."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(path), why=e.strerror or str(e)) from e
    except ValueError as e:
        raise Malformed("CERTIFICATE", path=str(path), why=str(e)) from e


def fingerprint(der: bytes) -> bytes:
    """The hash by which a charter names a certificate."""
    return hashlib.sha256(der).digest()


def desk_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The server side towards own desks: the desk pins us; people prove themselves by their session keys."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    _load(context, certificate, key)
    return context


def peer_server_context(certificate: Path, key: Path, peers: Iterable[bytes]) -> ssl.SSLContext:
    """The server side of the link: only the pinned peers' certificates (DER) get through the handshake."""
    context = desk_context(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    for der in peers:
        context.load_verify_locations(cadata=der)
    return context


def peer_client_context(certificate: Path, key: Path, peer: bytes) -> ssl.SSLContext:
    """The client side of the link: the pinned peer's certificate (DER) and no other."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the whole certificate is pinned; a name would add nothing
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=peer)
    _load(context, certificate, key)
    return context


def check_pin(found: bytes | None, pinned: Iterable[bytes]) -> bytes:
    """The certificate (DER) shown by the other end, if it is one of the pinned; else ``Unverified`` PIN."""
    if found is None or found not in set(pinned):
        raise Unverified("PIN", found=fingerprint(found or b"").hex())
    return found


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as e:
        raise WrongUse("TLS_KEY", path=str(certificate), why=str(e)) from e
