"""A certificate of the page's own, where nobody else gives it one."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import write_durably
from spektron_edge.files.state_folder import storage_fault

CERTIFICATE, KEY = "page.crt", "page.key"
# Apple's devices take none that is longer, their owners' own included.
_LASTS = timedelta(days=825)
_DAY = timedelta(days=1)
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Made:
    """fingerprint: SHA-256 of the certificate, as browsers show it."""

    certificate: Path
    key: Path
    fingerprint: str
    ends: datetime


def make(folder: Path, names: Sequence[str]) -> Made:
    """Self-signed, for these host names and addresses; the key is its owner's alone to read.

    Raises Fault(PAGE_UNSERVED) for what is no name and where one is there already, and
    Fault(STATE_UNWRITABLE, DISK_FULL).
    """
    certificate, key_file = folder / CERTIFICATE, folder / KEY
    for path in (certificate, key_file):
        if path.exists():
            raise Fault(Faults.PAGE_UNSERVED, f"{path} is there already; nothing was changed")
    try:
        alternatives = x509.SubjectAlternativeName([_host(name) for name in names])
    except ValueError as error:
        raise Fault(Faults.PAGE_UNSERVED, f"{', '.join(names)}: {error}") from None
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now - _DAY + _LASTS)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        # A tablet that trusts it trusts it for this page, not for others that it would sign.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        write_durably(key_file, private, 0o600)
        write_durably(certificate, made.public_bytes(_PEM))
    except OSError as error:
        raise storage_fault(error, folder) from None
    fingerprint = made.fingerprint(hashes.SHA256()).hex(":").upper()
    return Made(certificate, key_file, fingerprint, now - _DAY + _LASTS)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
