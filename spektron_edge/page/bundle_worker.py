"""A bundle that came through the page, looked at or installed in a process of its own: it may need
more memory than the page has. `python -m spektron_edge.page.bundle_worker`.

Arguments: `look` or `install`, configuration, file, who, serial of the instrument or nothing. What
came of it is in RESULT beside the file; a fault is told as `spektron_edge.child` has it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import resource
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.install import Terms, install
from spektron_edge.bundle.rules import check_version
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import SlotName
from spektron_edge.child.process import Limits, lower, tell
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.prediction.product import terms_of

RESULT = "result.json"
Action = Literal["look", "install"]
# The largest bundle twice, its graphs, and what onnxruntime reserves.
LIMITS = Limits(nice=10, address_bytes=3 * 2**29, processor_s=300)
_CHUNK = 2**20


class Result(BaseModel):
    """What the file holds; slot, tried: where it was installed, and what its self-test did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    bytes: int
    bundle: str
    name: str
    version: int
    products: tuple[str, ...]
    signed_by: str | None
    slot: SlotName | None = None
    tried: tuple[str, ...] = ()


def main(arguments: list[str]) -> int:
    """Returns 0, or 1 after a fault that was told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["look", "install"])
    parser.add_argument("config", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("who")
    parser.add_argument("serial")
    given = parser.parse_args(arguments)
    # The page's own limit is the soft one (`serving.py`).
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    lower(LIMITS)
    try:
        result = _do(given.action, given.config, given.file, given.who, given.serial or None)
        (given.file.parent / RESULT).write_text(result.model_dump_json(), "utf-8")
    except BundleError as error:
        # Whoever sent it knows no path of the device.
        told = str(error).replace(str(given.file), "the file")
        tell(fault=error.fault.code, detail=told)
    except Fault as fault:
        tell(fault=fault.code, detail=fault.detail)
    except MemoryError:
        _unchecked("it needs more memory than there is for it")
    except Exception as error:  # noqa: BLE001  whoever waits shall hear of it
        _unchecked(f"{type(error).__name__}: {error}; report this")
    else:
        return 0
    return 1


def _unchecked(detail: str) -> None:
    tell(fault=Faults.BUNDLE_UNCHECKED.value.code, detail=detail)


def _do(action: Action, config_path: Path, file: Path, who: str, serial: str | None) -> Result:
    """Raises BundleError, Fault."""
    config = load_config(config_path)
    store, terms = SlotStore(config.state_dir), terms_of(config, serial)
    result = _look(store, file, terms)
    if action == "look":
        return result
    done = install(store, file, terms, who)
    return result.model_copy(update={"slot": done.slot, "tried": done.tried})


def _look(store: SlotStore, file: Path, terms: Terms) -> Result:
    """As `install` looks at it, but for the self-test."""
    bundle = read_bundle(file)
    signer = terms.admit(bundle)
    if signer is not None:
        check_version(bundle.manifest, store.read().floors)
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return Result(
        sha256=digest.hexdigest(),
        bytes=file.stat().st_size,
        bundle=bundle.id,
        name=bundle.manifest.name,
        version=bundle.manifest.version,
        products=tuple(product.name for product in bundle.manifest.products),
        signed_by=None if signer is None else str(signer),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
