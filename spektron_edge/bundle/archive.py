"""Read and write a model bundle: a zip of a manifest, the members it lists, and signatures.

Nothing is unpacked to disk, nothing is pickled, and sizes are capped before anything is read.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from .arrays import read_npy, read_npz
from .canonical import canonical, is_canonical
from .errors import BundleError
from .manifest import GraphFile, Manifest
from .members import Caps, read_members, write_members
from .signature import MEMBER as SIGNATURES
from .signature import Signature, read_signatures, write_signatures

MAX_MEMBER_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 128 * 2**20
MAX_MEMBERS = 64
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose hashes hold. `id` is name, version and the head of the manifest's SHA-256.

    raw_manifest: the bytes that are signed; signatures: what the file claims, not yet judged.
    """

    manifest: Manifest
    members: Mapping[str, bytes]
    id: str
    raw_manifest: bytes = b""
    signatures: tuple[Signature, ...] = ()

    @property
    def canonical(self) -> bool:
        """Whether the manifest has the form that can be signed."""
        return is_canonical(self.raw_manifest)

    def graph(self, graph: GraphFile) -> bytes:
        """An ONNX file, put together from its own part and the one it shares with others.

        Serialised protobuf messages one after the other are their union, field by field, so a file
        with nodes followed by one with weights is a model with both.
        """
        own = self.members[graph.file]
        return own + self.members[graph.weights_file] if graph.weights_file else own

    def arrays(self, member: str) -> dict[str, NDArray[np.float64]]:
        """Arrays of an .npz member. Raises BundleError when it cannot be read."""
        try:
            return read_npz(self.members[member])
        except Exception as error:  # noqa: BLE001  numpy raises a dozen unrelated types
            raise BundleError(f"{member}: not an array archive ({error})") from None

    def vector(self, member: str) -> NDArray[np.float32]:
        """A .npy member as a float32 vector. Raises BundleError when it is anything else."""
        try:
            array: NDArray[Any] = read_npy(self.members[member])
        except Exception as error:  # noqa: BLE001  as above
            raise BundleError(f"{member}: not an array ({error})") from None
        if array.ndim != 1 or array.dtype != np.float32:
            raise BundleError(f"{member}: expected a float32 vector")
        return array


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and check every hash; who signed it is for a trust store to say.

    Raises BundleError for a missing or damaged file, an unlisted or absent member, a wrong hash,
    a signed manifest that is not canonical, or sizes beyond the caps.
    """
    members = _read_file(path)
    raw = members.pop(_MANIFEST, None)
    if raw is None:
        raise BundleError(f"{path} has no {_MANIFEST}; it is not a Spektron bundle")
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise BundleError(f"{path}: manifest refused: {_first(error)}") from None
    claimed = members.pop(SIGNATURES, None)
    _check_hashes(path, manifest, members)
    signatures: tuple[Signature, ...] = ()
    if claimed is not None:
        try:
            signatures = read_signatures(claimed)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from None
        if not is_canonical(raw):
            raise BundleError(
                f"{path} is signed, but its manifest is not in canonical form; export it again"
            )
    digest = hashlib.sha256(raw).hexdigest()
    bundle_id = f"{manifest.name}-{manifest.version}-{digest[:12]}"
    return Bundle(manifest, members, bundle_id, raw, signatures)


def _read_file(path: Path) -> dict[str, bytes]:
    try:
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BundleError("not a file")
        with path.open("rb") as stream:
            return read_members(stream, Caps(MAX_MEMBERS, MAX_MEMBER_BYTES, MAX_TOTAL_BYTES))
    except FileNotFoundError:
        raise BundleError(f"no such bundle: {path}; check `bundle` in the configuration") from None
    except BundleError as error:
        raise BundleError(f"{path} is not a readable bundle: {error}") from None
    except Exception as error:  # noqa: BLE001  zipfile raises a dozen unrelated types
        raise BundleError(f"{path} is not a readable bundle ({error}); install it again") from None


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"]) or "manifest"
    return f"{where}: {detail['msg']}"


def _check_hashes(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    if extra := sorted(set(members) - set(manifest.files)):
        raise BundleError(f"{path}: member {extra[0]!r} is not in the manifest")
    for name, expected in manifest.files.items():
        if name not in members:
            raise BundleError(f"{path}: member {name!r} is missing")
        if hashlib.sha256(members[name]).hexdigest() != expected:
            raise BundleError(f"{path}: {name} does not match its hash; install the bundle again")


def write_bundle(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Write an unsigned bundle whose bytes depend on its contents only (fixed order and times).

    `manifest.files` must list exactly `members`. Raises BundleError otherwise.
    """
    _check_hashes(path, manifest, members)
    raw = canonical(json.loads(manifest.model_dump_json()))
    _write(path, [(_MANIFEST, raw), *sorted(members.items())])


def write_signed(path: Path, bundle: Bundle, signatures: Sequence[Signature]) -> None:
    """Write a bundle that was read, its manifest byte for byte, with these signatures."""
    signed = (SIGNATURES, write_signatures(signatures))
    _write(path, [(_MANIFEST, bundle.raw_manifest), signed, *sorted(bundle.members.items())])


def _write(path: Path, entries: Sequence[tuple[str, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    write_members(partial, entries)
    partial.replace(path)
