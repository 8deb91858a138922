"""Whether the instrument answers and fits the model, and whether a scan comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from firmware_bridge.errors import LinkError
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Configure, Position, Scan, capability_names
from spektron_edge.bundle import BundleError
from spektron_edge.bundle.rules import check_serial
from spektron_edge.config.file import Config
from spektron_edge.config.instrument import instrument_of
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import Model
from spektron_edge.instrument.line_faults import LINE_FAULTS, as_fault
from spektron_edge.spectra.resampling import Resampler

from .finding import Finding, bad, of_fault, ok, unseen
from .subject import Subject

PART, SCAN = "instrument", "scan"
_OF_THE_LINE = {kind.value.code for kind in LINE_FAULTS.values()}


def look(subject: Subject, model: Model | None, *, scan: bool) -> Iterator[Finding]:
    """Asks it who it is; a running daemon is asked instead. model: that it has to fit, if that can
    be loaded; scan: whether one is taken, for which the lamp goes on. Raises Fault."""
    if subject.running:
        yield _as_told(subject)
        return
    identity = answering(subject.config)
    if model is not None:
        check_fit(identity, model)
    yield ok(PART, in_words(identity))
    if scan:
        yield _one_scan(subject.config)


def _as_told(subject: Subject) -> Finding:
    told = subject.told
    if told is None:
        return unseen(PART, f"a daemon has its port; {subject.why_untold}")
    # It was told with the daemon's other faults, with what to do.
    if wrong := [code for code in subject.codes if code in _OF_THE_LINE]:
        return bad(PART, f"the daemon has no use of it: {', '.join(wrong)}", "see the daemon above")
    device = None if told.state is None else told.state.get("device")
    if device is None:
        return bad(PART, "the daemon has met none yet", "see its log, and the port above")
    return ok(PART, f"{device['serial']}, firmware {device['firmware']}, says the daemon")


def answering(config: Config) -> Identity:
    """Who answers at the configured port. Raises Fault."""
    try:
        with closing(instrument_of(config.serial)) as instrument:
            return instrument.open()
    except LinkError as error:
        raise as_fault(error) from None


def check_fit(identity: Identity, model: Model) -> None:
    """Raises Fault where the model is not for this instrument or its wavelengths."""
    try:
        check_serial(model.devices, identity.serial)
    except BundleError as error:
        raise error.fault from None
    Resampler.between(identity.axis_nm, model.product.grid.axis())


def in_words(identity: Identity) -> str:
    """Who it is and what it can do."""
    able = ", ".join(capability_names(identity.capabilities)) or "nothing by itself"
    told = f"{identity.serial}, firmware {identity.firmware}, {identity.pixels} pixels"
    return f"{told}, does {able}"


def _one_scan(config: Config) -> Finding:
    """Taken as configured. Raises Fault."""
    taking = config.acquisition
    settings = Configure(taking.integration_us, taking.averages, 1, Position.SAMPLE)
    try:
        with closing(instrument_of(config.serial)) as instrument:
            identity = instrument.open()
            instrument.configure(settings)
            instrument.start(1)
            wait_s = instrument.longest_s(settings) + config.serial.silence_s
            deadline = time.monotonic() + wait_s
            while (left_s := deadline - time.monotonic()) > 0:
                received = instrument.read(left_s)
                if received is not None and isinstance(scan := received.message, Scan):
                    brightest = int(scan.counts.max())
                    told = f"{scan.counts.size} pixels, the brightest {brightest} counts"
                    return ok(SCAN, f"one came: {told} of {identity.full_scale}")
    except LinkError as error:
        return of_fault(SCAN, as_fault(error))
    return of_fault(SCAN, Fault(Faults.DEVICE_SILENT, f"no scan came within {wait_s:.1f} s"))
