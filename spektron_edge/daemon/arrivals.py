"""An instrument answered, and then measures: said, audited, and told to whom it matters."""

from __future__ import annotations

from spektron_edge import log
from spektron_edge.faults import Faults
from spektron_edge.inbox import InstrumentReady, Streaming
from spektron_edge.instrument.axis_store import save_axis
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.active_faults import LINE, PREPARATION, REFERENCES
from spektron_edge.publishing.records import DeviceInfo
from spektron_edge.publishing.spectrum_feed import SpectrumFeed

from .opening import Opened


class Arrivals:
    """device: who answered last, for the state record."""

    def __init__(self, opened: Opened, serving: Serving, spectra: SpectrumFeed) -> None:
        self._state_dir, self._numbering = opened.state.folder, opened.numbering
        self._serving, self._spectra, self._adapters = serving, spectra, opened.adapters
        self._door = opened.door
        self._notices, self._audit = opened.notices, opened.audit
        self.device: DeviceInfo | None = None

    def ready(self, ready: InstrumentReady) -> None:
        """It said who it is."""
        self._notices.end((*LINE, Faults.NUMBERS_JUMPED))
        self._adapters.instrument(present=True)
        if ready.untold:
            self._numbering.untold(ready.serial, ready.boot_id)
        last = self._numbering.last(ready.serial)
        if last is not None and last.boot_id != ready.boot_id and not ready.untold:
            # Only our own protocol says what it knows of a power-on.
            told = f"{ready.serial} was switched off"
            if not ready.protocol:
                told = f"{ready.serial} connected anew; nobody knows whether it was switched off"
            told += f": of what it made after scan {last.number}, nothing more is known"
            self._notices.say("instrument_restarted", told, "warning", of=last)
        self.device = DeviceInfo(
            serial=ready.serial,
            firmware=ready.firmware,
            protocol=ready.protocol,
            capabilities=ready.capabilities,
            pixels=ready.axis_nm.size,
            boot_id=ready.boot_id,
        )
        said = {"serial": ready.serial, "firmware": ready.firmware}
        said["capabilities"] = ", ".join(ready.capabilities)
        self._audit("instrument_connected", "daemon", **said, protocol=ready.protocol)
        log.info("instrument_connected", **said, protocol=ready.protocol)
        try:
            save_axis(self._state_dir, ready.serial, ready.axis_nm)
        except OSError as error:
            # Only spectra from files are checked against it.
            log.warn("axis_not_saved", detail=error, next="make room in `state_dir`")
        self._serving.instrument(ready.serial, ready.axis_nm)
        self._spectra.instrument(ready.serial, ready.axis_nm)
        self._door.axis(ready.serial, ready.axis_nm)

    def streaming(self, streaming: Streaming) -> None:
        """Sample scans follow."""
        self._notices.end(PREPARATION)
        if streaming.measured and (new := streaming.references) is not None:
            self._notices.end(REFERENCES)
            self._audit("references_measured", serial=new.serial, integration_us=new.integration_us)
            self._notices.say("references_measured", "dark and white reference were measured")
