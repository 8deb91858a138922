"""Read and write a model bundle (`*.spektron`): a zip of a manifest and the members it lists.

Nothing is unpacked to disk, nothing is pickled, and sizes are capped before anything is read.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from .manifest import GraphFile, Manifest

MAX_MEMBER_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 128 * 2**20
MAX_MEMBERS = 64
_MANIFEST = "manifest.json"


class BundleError(Exception):
    """The file is not a bundle that may be used; the message says why and what to do."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose hashes hold. `id` is name, version and the head of the manifest's SHA-256."""

    manifest: Manifest
    members: Mapping[str, bytes]
    id: str

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
            with zipfile.ZipFile(io.BytesIO(self.members[member])) as archive:
                if sum(info.file_size for info in archive.infolist()) > MAX_MEMBER_BYTES:
                    raise ValueError("larger than a member may be")
            with np.load(io.BytesIO(self.members[member]), allow_pickle=False) as arrays:
                return {key: _array(arrays[key]) for key in arrays.files}
        except Exception as error:  # noqa: BLE001  numpy raises a dozen unrelated types
            raise BundleError(f"{member}: not an array archive ({error})") from None

    def vector(self, member: str) -> NDArray[np.float32]:
        """A .npy member as a float32 vector. Raises BundleError when it is anything else."""
        try:
            array = np.load(io.BytesIO(self.members[member]), allow_pickle=False)
        except Exception as error:  # noqa: BLE001  as above
            raise BundleError(f"{member}: not an array ({error})") from None
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != np.float32:
            raise BundleError(f"{member}: expected a float32 vector")
        return array


def _array(found: object) -> NDArray[Any]:
    if not isinstance(found, np.ndarray):
        raise ValueError("it holds something that is no array")  # noqa: TRY004  one kind for all
    return found


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and check every hash.

    Raises BundleError for a missing or damaged file, an unlisted or absent member, a wrong hash, or
    sizes beyond the caps.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _read_members(archive)
    except FileNotFoundError:
        raise BundleError(f"no such bundle: {path}; check `bundle` in the configuration") from None
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None
    except Exception as error:  # noqa: BLE001  zipfile raises a dozen unrelated types
        raise BundleError(f"{path} is not a readable bundle ({error}); install it again") from None
    raw = members.pop(_MANIFEST, None)
    if raw is None:
        raise BundleError(f"{path} has no {_MANIFEST}; it is not a Spektron bundle")
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise BundleError(f"{path}: manifest refused: {_first(error)}") from None
    _check_hashes(path, manifest, members)
    digest = hashlib.sha256(raw).hexdigest()
    return Bundle(manifest, members, f"{manifest.name}-{manifest.version}-{digest[:12]}")


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"]) or "manifest"
    return f"{where}: {detail['msg']}"


def _read_members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
        raise BundleError("the bundle is larger than any bundle may be; it is not read")
    members: dict[str, bytes] = {}
    for info in infos:
        if info.filename in members:
            raise BundleError(f"member {info.filename!r} appears twice")
        if info.file_size > MAX_MEMBER_BYTES:
            raise BundleError(f"member {info.filename!r} is larger than a member may be")
        with archive.open(info) as stream:
            # The declared size can lie: read no more than it promised.
            data = stream.read(info.file_size + 1)
        if len(data) != info.file_size:
            raise BundleError(f"member {info.filename!r} is not as long as it claims")
        members[info.filename] = data
    return members


def _check_hashes(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    if extra := sorted(set(members) - set(manifest.files)):
        raise BundleError(f"{path}: member {extra[0]!r} is not in the manifest")
    for name, expected in manifest.files.items():
        if name not in members:
            raise BundleError(f"{path}: member {name!r} is missing")
        if hashlib.sha256(members[name]).hexdigest() != expected:
            raise BundleError(f"{path}: {name} does not match its hash; install the bundle again")


def write_bundle(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Write a bundle whose bytes depend on its contents only (fixed order and times).

    `manifest.files` must list exactly `members`. Raises BundleError otherwise.
    """
    _check_hashes(path, manifest, members)
    document = json.loads(manifest.model_dump_json())
    raw = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in [(_MANIFEST, raw), *sorted(members.items())]:
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    partial.replace(path)
