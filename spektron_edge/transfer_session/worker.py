"""The fit in a process of its own: `python -m spektron_edge.transfer_session.worker`.

Arguments: configuration, id of the session, operator, `--dry-run`. Lines of JSON on standard
output say what it begins, {"step": ...}, or why it ended, {"fault": code, "detail": ...}. What it
finds goes to the session's folder, `result.json` last: where that is, all is there.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path

from spektron_edge.bundle.canonical import canonical
from spektron_edge.child.own_memory import peak_mb
from spektron_edge.child.process import Limits, lower, tell
from spektron_edge.clock import Clock
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.axis_store import load_axis
from spektron_edge.transfer import TransferError

from .fit_result import FIGURES, FILE, PICTURE, REPORT, FitResult, identity_of
from .fitted import check_quantity, fit_material, property_results, report_of, state_about
from .instrument_axis import check_axis
from .material import material, reviewed
from .picture import available, png
from .report import html
from .session_store import SessionStore
from .source import open_source

# Address space as the fit takes it, and more processor time than the parent allows on the clock.
LIMITS = Limits(nice=10, address_bytes=2**30, processor_s=300)


def main(arguments: list[str]) -> int:
    """Returns 0, or 1 after a fault that was told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("session")
    parser.add_argument("who")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args(arguments)
    lower(LIMITS)
    try:
        work(given.config, given.session, given.who, dry_run=given.dry_run)
    except Fault as fault:
        tell(fault=fault.code, detail=fault.detail)
    except TransferError as error:
        tell(fault=Faults.TRANSFER_FAILED.value.code, detail=str(error))
    except MemoryError:
        detail = "the fit needs more memory than it may have; use fewer samples"
        tell(fault=Faults.TRANSFER_FAILED.value.code, detail=detail)
    except Exception as error:  # noqa: BLE001  whoever waits shall hear of it
        detail = f"the fit met {type(error).__name__}: {error}; report this"
        tell(fault=Faults.TRANSFER_FAILED.value.code, detail=detail)
    else:
        return 0
    return 1


def work(config_path: Path, session: str, who: str, *, dry_run: bool) -> FitResult:
    """Fit, store the transfer unless it is a dry run, and write the report.

    Raises Fault, and TransferError for samples that no calibration can be made of.
    """
    began, clock = time.monotonic(), Clock()
    config = load_config(config_path)
    store = SessionStore(config.state_dir)
    with store.fitting():
        open_work = store.read().work
        if open_work.id != session:
            raise Fault(Faults.TRANSFER_FAILED, "the session was ended meanwhile")
        (store.folder_of(open_work) / FILE).unlink(missing_ok=True)
        tell(step="reading the samples and judging them")
        source = open_source(config)
        if (source.bundle, source.product) != (open_work.bundle, open_work.product):
            detail = f"{source.bundle} is in use, and the session is for {open_work.bundle}"
            raise Fault(Faults.TRANSFER_FAILED, detail)
        found = reviewed(store, open_work, source)
        if found.samples:
            known = load_axis(config.state_dir, open_work.serial)
            check_axis(found.axis, known, open_work.serial)
        given = material(found, source)
        tell(step=f"fitting {len(given.pairs)} pairs and {len(given.unpaired)} other samples")
        transfer = fit_material(source, given)
        check_quantity(open_work, transfer)
        version = None
        if not dry_run:
            from spektron_edge.transfer_state import StateStore, state_of

            tell(step="storing the transfer")
            about = state_about(open_work, source, given, who, clock.now())
            version = StateStore(config.state_dir).add(state_of(transfer, about), who)
        tell(step="writing the report")
        made = clock.now().iso
        report = report_of(open_work, source, found, given, transfer, version, who, made)
        store.write(open_work, REPORT, html(report).encode())
        store.write(open_work, FIGURES, canonical(report.as_json()))
        result = FitResult(
            session=open_work.id,
            work=identity_of(open_work),
            version=version,
            pairs=len(given.pairs),
            unpaired=len(given.unpaired),
            properties=property_results(source, transfer),
            warnings=report.warnings,
            left_out=given.left_out,
            seconds=round(time.monotonic() - began, 3),
            processor_s=round(time.process_time(), 3),
            peak_mb=round(peak_mb(), 1),
        )
        if available():
            tell(step="drawing the picture")
            # The page has everything; a picture that does not fit on the disk costs nothing.
            with contextlib.suppress(Fault):
                store.write(open_work, PICTURE, png(report))
        store.write(open_work, FILE, canonical(result.model_dump(mode="json")))
        return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
