"""The child: `python -m spektron_edge.adaptation.worker CONFIG calibrate|adapt --serial SERIAL`.

`calibrate` finds what is usual for the bundle and writes `yardstick.npz`. `adapt` makes a candidate
of the task in the work folder, judges it, keeps it as a proposal unless it is refused, and writes
`result.json` last; or it judges a proposal again, by spectra that came since. Neither changes what
the instrument predicts with.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from spektron_edge.adaptation_state import About, AdaptationStore, state_of
from spektron_edge.bundle import BundleError
from spektron_edge.child.own_memory import peak_mb
from spektron_edge.child.process import Limits, lower, tell
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import write_durably
from spektron_edge.files.state_folder import storage_fault
from spektron_edge.inference import BackendError
from spektron_edge.transfer_session.source import source_of

from .adapt import adapt, material
from .array_file import npz
from .candidate import Adapted, Candidate
from .ground import open_ground
from .guard import judge
from .task import WORK, YARDSTICK, Given, Result, read_task, write_result
from .yardstick import calibrate, to_arrays, yardstick_of

LIMITS = Limits(nice=19, address_bytes=2**30, processor_s=120)
_AT_ONCE = 16


def main(arguments: list[str]) -> int:
    """Returns 0, or 1 after a fault that was told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("kind", choices=("calibrate", "adapt"))
    parser.add_argument("--serial", default="")
    given = parser.parse_args(arguments)
    lower(LIMITS)
    failed = Faults.ADAPTATION_FAILED.value.code
    try:
        config = load_config(given.config)
        if given.kind == "calibrate":
            write_yardstick(config, given.serial)
        else:
            attempt(config)
    except Fault as fault:
        tell(fault=fault.code, detail=fault.detail)
    except (BundleError, BackendError, ValueError) as error:
        tell(fault=failed, detail=str(error))
    except MemoryError:
        tell(fault=failed, detail="it needs more memory than it may have")
    except Exception as error:  # noqa: BLE001  whoever waits shall hear of it
        tell(fault=failed, detail=f"it met {type(error).__name__}: {error}; report this")
    else:
        return 0
    return 1


def write_yardstick(config: Config, serial: str) -> None:
    """Raises Fault, BundleError, BackendError and ValueError."""
    ground = open_ground(config, serial)
    model = ground.model
    source = source_of(ground.bundle, model.product, config.state_dir)
    tell(step=f"measuring {len(source.x)} source spectra against each other")
    parts = np.array_split(source.x, -(-len(source.x) // _AT_ONCE))
    z_inst = np.concatenate([model.infer(part).z_inst for part in parts])
    found = calibrate(model.applicability, source.x, z_inst, model.product.grid.step_nm)
    path = config.state_dir / WORK / YARDSTICK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, npz({"of": np.array(yardstick_of(model)), **to_arrays(found)}))
    except OSError as error:
        raise storage_fault(error, path) from None


def attempt(config: Config) -> Result:
    """Raises Fault, BundleError, BackendError and ValueError."""
    began = time.monotonic()
    folder = config.state_dir / WORK
    given = read_task(folder)
    task = given.task
    tell(step="reading the bundle")
    ground = open_ground(config, task.serial)
    if ground.bundle.id != task.bundle:
        detail = f"{ground.bundle.id} is configured, and {task.bundle} in use: reload"
        raise Fault(Faults.ADAPTATION_FAILED, detail)
    store = AdaptationStore(config.state_dir)
    known = material(replace(ground, start=_start(store, task.parent)))
    if task.tried is None:
        tell(step=f"adapting to {len(given.batch.scans)} spectra")
        candidate = adapt(known, given.batch, task.seed)
    else:
        state = store.load(store.read().entry(task.tried))
        candidate = Candidate(state.adapted, state.header.metrics)
    tell(step=f"judging on {len(given.held_out.scans)} spectra that it was not made from")
    verdict = judge(known, given.held_out, candidate, task.evidence, given.stability)
    number = task.tried
    if number is None and not verdict.refusals:
        tell(step="keeping it")
        about = _about(given, candidate.metrics)
        state = state_of(candidate.adapted, verdict, about, given.batch, ground.model)
        number = store.propose(state, given.batch)
    result = Result(
        id=task.id,
        number=number,
        refusals=tuple(text[:500] for text in verdict.refusals[:16]),
        doubts=tuple(text[:500] for text in verdict.doubts[:16]),
        metrics={**candidate.metrics, **verdict.metrics},
        seconds=round(time.monotonic() - began, 3),
        processor_s=round(time.process_time(), 3),
        peak_mb=round(peak_mb(), 1),
    )
    write_result(folder, result)
    return result


def _about(given: Given, metrics: object) -> About:
    task = given.task
    figures = {k: float(v) for k, v in dict(metrics).items()}  # type: ignore[call-overload]
    return About(
        serial=task.serial,
        mode=task.mode,
        seed=task.seed,
        created=datetime.now(timezone.utc),
        why=task.why,
        parent=task.parent,
        judged_by=given.held_out.scans,
        evidence=tuple(text[:500] for text in task.evidence.told[:16]),
        metrics=figures,
    )


def _start(store: AdaptationStore, parent: str | None) -> Adapted | None:
    return None if parent is None else store.load(store.read().by_id(parent)).adapted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
