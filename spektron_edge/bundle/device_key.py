"""This device's own key pair: a vendor encrypts calibration spectra to its public half."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import share_with_owner, sync_folder
from spektron_edge.files.state_folder import storage_fault

from . import BundleError
from .keys import DeviceKey, read_device_key

FILE = "device-key.pem"


def show_device_key(state_dir: Path, output: Path | None) -> dict[str, object]:
    """Make the key where there is none; the public half in PEM, also to `output`.

    Raises Fault(KEY_UNUSABLE, STATE_UNWRITABLE, DISK_FULL). A key that exists is never replaced.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path = state_dir / FILE
    made, key = make_device_key(state_dir), load_device_key(state_dir)
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if output is not None:
        try:
            output.write_bytes(pem)
        except OSError as error:
            raise Fault(Faults.KEY_UNUSABLE, f"{output}: {error.strerror}") from None
    return {
        "key": key.key_id,
        "private": f"{path} ({'made now' if made else 'as it was'}; stays on this device)",
        "public": pem.decode("ascii").splitlines(),
    }


def make_device_key(state_dir: Path) -> bool:
    """Whether there was none, so that one was made. Raises Fault(STATE_UNWRITABLE, DISK_FULL)."""
    try:
        return make_key(state_dir / FILE)
    except OSError as error:
        raise storage_fault(error, state_dir) from None


def load_device_key(state_dir: Path) -> DeviceKey:
    """The key that was made. Raises Fault(KEY_UNUSABLE)."""
    try:
        return read_device_key(state_dir / FILE)
    except BundleError as error:
        raise error.fault from None


def make_key(path: Path) -> bool:
    """Write a fresh private key (X25519, PEM), readable by its owner only, unless there is one.

    Whether it was written. Raises OSError.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        share_with_owner(partial)
        # A link, unlike a rename, does not replace what another process made meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True
