"""Keys and accounts in a backup, encrypted for a recipient's key or under a passphrase.

They travel as a zip of their own within the backup. The backup's id is bound in, so that they
cannot serve in another one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.bundle import BundleError
from spektron_edge.bundle.keys import DeviceKey, read_device_key, read_device_public_key
from spektron_edge.bundle.members import Caps, read_members, write_members
from spektron_edge.bundle.sealed_box import Box
from spektron_edge.bundle.signature import key_id
from spektron_edge.faults import Fault, Faults

SHORTEST = 12
_BOX = Box(b"SPKBAK1R", b"spektron-backup-keys-v1\n", "a sealed part", "backup")
_MAGIC, _LABEL = b"SPKBAK1P", b"spektron-backup-passphrase-v1\n"
_SALT_BYTES, _NONCE_BYTES = 16, 12
# 64 MiB and half a second on a small device (OWASP's figures for scrypt). Fixed: a file that could
# choose them could also choose the memory that it takes to refuse it.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**16, 8, 2
_CAPS = Caps(members=1000, member_bytes=8 * 2**20, total_bytes=64 * 2**20)


@dataclass(frozen=True)
class Passphrase:
    """A secret that somebody keeps elsewhere."""

    text: str

    def __post_init__(self) -> None:
        """Raises Fault(KEY_UNUSABLE) for one that could be guessed."""
        if len(self.text) < SHORTEST:
            detail = f"the passphrase is shorter than {SHORTEST} characters"
            raise Fault(Faults.KEY_UNUSABLE, detail)

    def __repr__(self) -> str:
        return "Passphrase(...)"


@dataclass(frozen=True)
class Recipient:
    """The public half of a key whose private half lies elsewhere: 32 bytes."""

    public: bytes

    @property
    def key_id(self) -> str:
        """Of the key."""
        return key_id(self.public)


def read_passphrase(path: Path) -> Passphrase:
    """The first line of a file. Raises Fault(KEY_UNUSABLE)."""
    try:
        with path.open(encoding="utf-8") as stream:
            return Passphrase(stream.readline(4096).rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(Faults.KEY_UNUSABLE, f"{path} cannot be read: {error}") from None


def read_recipient(path: Path) -> Recipient:
    """A public key in PEM. Raises Fault(KEY_UNUSABLE)."""
    try:
        return Recipient(read_device_public_key(path))
    except BundleError as error:
        raise error.fault from None


def read_private(path: Path) -> DeviceKey:
    """The private half. Raises Fault(KEY_UNUSABLE)."""
    try:
        return read_device_key(path)
    except BundleError as error:
        raise error.fault from None


def seal(files: Mapping[str, bytes], to: Passphrase | Recipient, backup_id: str) -> bytes:
    """Encrypt files by their names. Raises Fault(KEY_UNUSABLE) for a key that nobody can have."""
    packed = io.BytesIO()
    # Names of members are plain; a list of the paths comes first.
    names = "\n".join(files)
    write_members(
        packed, [("names", names.encode()), *((str(n), d) for n, d in enumerate(files.values()))]
    )
    plain = packed.getvalue()
    if isinstance(to, Recipient):
        try:
            return _BOX.seal(plain, to.public, backup_id.encode())
        except ValueError as error:
            raise Fault(Faults.KEY_UNUSABLE, f"the recipient's key: {error}") from None
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    cipher = ChaCha20Poly1305(_stretched(to, salt))
    return _MAGIC + salt + nonce + cipher.encrypt(nonce, plain, _LABEL + backup_id.encode())


def unseal(sealed: bytes, by: Passphrase | DeviceKey, backup_id: str) -> dict[str, bytes]:
    """The files by their names. Raises Fault(BACKUP_INVALID)."""
    try:
        plain = _opened(sealed, by, backup_id)
        members = read_members(io.BytesIO(plain), _CAPS)
        names = members["names"].decode().splitlines()
        return {name: members[str(number)] for number, name in enumerate(names)}
    except BundleError as error:
        raise Fault(Faults.BACKUP_INVALID, f"the keys in it: {error}") from None
    except Exception as error:  # noqa: BLE001  zipfile raises a dozen unrelated types
        raise Fault(Faults.BACKUP_INVALID, f"the keys in it are damaged: {error}") from None


def _opened(sealed: bytes, by: Passphrase | DeviceKey, backup_id: str) -> bytes:
    if isinstance(by, DeviceKey):
        if sealed.startswith(_MAGIC):
            raise BundleError("encrypted under a passphrase; give it with --passphrase-file")
        if (recipient := _BOX.recipient(sealed)) != by.key_id:
            raise BundleError(f"encrypted for key {recipient}; the one given is {by.key_id}")
        return _BOX.unseal(sealed, by, backup_id.encode())
    if not sealed.startswith(_MAGIC):
        raise BundleError("not encrypted under a passphrase; give the recipient's key with --key")
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    at = len(_MAGIC)
    salt, at = sealed[at : at + _SALT_BYTES], at + _SALT_BYTES
    nonce, at = sealed[at : at + _NONCE_BYTES], at + _NONCE_BYTES
    try:
        cipher = ChaCha20Poly1305(_stretched(by, salt))
        return cipher.decrypt(nonce, sealed[at:], _LABEL + backup_id.encode())
    except (InvalidTag, ValueError):
        raise BundleError("another passphrase, or they were altered") from None


def _stretched(passphrase: Passphrase, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    return kdf.derive(passphrase.text.encode())
