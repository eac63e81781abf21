"""The demo's certificates: an authority of its own, a certificate that is valid, and one that expired yesterday."""

from __future__ import annotations

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS = 3650
_VALID_DAYS = 90
_RENEW_DAYS = 30


def ca_path(data_dir: Path) -> Path:
    """The authority's certificate, for clients that shall trust the demo's TLS port."""
    return data_dir / "tls" / "ca.pem"


def context(data_dir: Path, *, expired: bool) -> ssl.SSLContext:
    """A server context with the valid or the expired certificate; makes the files that are missing or run out."""
    folder = data_dir / "tls"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / ("expired.pem" if expired else "server.pem")
    now = datetime.now(UTC)
    authority = _authority(folder, now)
    if not path.exists() or (not expired and _runs_out(path, now)):
        ends = now - timedelta(days=1) if expired else now + timedelta(days=_VALID_DAYS)
        _write(path, *_server(authority, ends - timedelta(days=_VALID_DAYS, hours=1), ends))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(path)
    return made


def _runs_out(path: Path, now: datetime) -> bool:
    found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    return found.not_valid_after_utc - now < timedelta(days=_RENEW_DAYS)


def _authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate, key = folder / "ca.pem", folder / "ca.key"
    if certificate.exists() and key.exists():
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        if isinstance(loaded, ec.EllipticCurvePrivateKey):
            return x509.load_pem_x509_certificate(certificate.read_bytes()), loaded
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo Wallet test authority")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    made = (
        _builder(name, name, private, now - timedelta(days=_AUTHORITY_DAYS), now + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(private, hashes.SHA256())
    )
    _write(key, private)
    _write(certificate, made)
    for old in ("server.pem", "expired.pem"):  # signed by an authority that is gone
        (folder / old).unlink(missing_ok=True)
    return made, private


def _server(
    authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], begins: datetime, ends: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    issuer, issuer_key = authority
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo Wallet")])
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(host)) for host in ("127.0.0.1", "::1"))]
    made = (
        _builder(name, issuer.subject, private, begins, ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return made, private


def _builder(
    subject: x509.Name, issuer: x509.Name, private: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer, subject_name=subject, public_key=private.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=begins, not_valid_after=ends,
    )  # fmt: skip


def _write(path: Path, *parts: x509.Certificate | ec.EllipticCurvePrivateKey) -> None:
    """Write the parts as PEM, readable by the owner only, whole or not at all."""
    pem = b"".join(
        part.public_bytes(serialization.Encoding.PEM)
        if isinstance(part, x509.Certificate)
        else part.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for part in parts
    )
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    temporary.replace(path)
