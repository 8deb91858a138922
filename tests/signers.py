"""Signing keys for tests, and devices that trust them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from spektron_edge.bundle.install import Terms
from spektron_edge.bundle.trust import read_trust
from spektron_export.signing import KeyFiles, make_key, read_signing_key, sign_bundle
from tests import bundles


def sign(path: Path, *keys: KeyFiles) -> Path:
    """Add a signature of each key, in place."""
    for key in keys:
        sign_bundle(path, read_signing_key(key.private), path)
    return path


def signed_tiny(path: Path, *keys: KeyFiles, **changes: Any) -> Path:
    """The tiny bundle, signed by these."""
    return sign(bundles.write_tiny(path, **changes), *keys)


def trusting(folder: Path, *keys: KeyFiles, revoked: dict[str, Any] | None = None) -> Path:
    """A folder that holds just these public keys and this revocation list."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for key in keys:
        shutil.copy(key.public, folder)
    if revoked is not None:
        (folder / "revoked.json").write_text(json.dumps(revoked))
    return folder


def terms(folder: Path | None, *, require_signature: bool = True, **changes: Any) -> Terms:
    """What a device asks that trusts the keys of a folder, or anybody."""
    store = None if folder is None else read_trust(folder, require_signature=require_signature)
    return Terms(**{"trust": store, "product": None, "precision": "int8", **changes})


def key(folder: Path, name: str) -> KeyFiles:
    """A fresh pair NAME.key.pem, NAME.pem in a folder of its own."""
    return make_key(name, folder / f"keys-of-{name}")
