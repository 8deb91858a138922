"""The process that holds a USB instrument of Ocean's, for `ocean_usb`: a line of JSON each way.

A process of its own, since the library has been seen to wait for ever, and in parts of it no other
thread runs meanwhile: a process can be killed, and its hold on the instrument ends with it.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sys
import threading
from importlib import import_module
from typing import Any, Literal, TypeAlias

Backend: TypeAlias = Literal["cseabreeze", "pyseabreeze"]
# The maker's library first; python-seabreeze's own code knows newer models (HDX, SR, HR, ST).
BACKENDS: tuple[Backend, ...] = ("cseabreeze", "pyseabreeze")


def main(serial: str = "") -> None:
    """Open the instrument of this serial number, or the first one, and do what stdin asks for."""
    instrument = _opened(serial)
    asked: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    _say({"ready": True})
    while True:
        request = json.loads(asked.get())
        _say({"id": request["id"], **_done(instrument, request)})


def _opened(serial: str) -> Any:
    """The spectrometer; says why there is none, and ends the process."""
    found: list[str] = []
    for backend in BACKENDS:
        try:
            spectrometer, devices = _devices(backend)
            for device in devices:
                if serial in ("", device.serial_number):
                    return spectrometer(device)
        except Exception as error:
            if type(error).__name__ == "NoBackendError":
                continue  # of pyusb: there is no libusb here
            _say({"busy" if "opened" in str(error) else "failed": f"{backend}: {error!r}"})
            raise
        found += [device.serial_number for device in devices]
    _say({"missing": sorted(set(found))})
    raise SystemExit(1)


def _devices(backend: Backend) -> tuple[Any, list[Any]]:
    """Its class of spectrometers, and those it finds. A backend is chosen before the import."""
    import seabreeze

    sys.modules.pop("seabreeze.spectrometers", None)
    seabreeze.use(backend)
    library = import_module("seabreeze.spectrometers")
    return library.Spectrometer, library.list_devices()


def _listen(asked: queue.Queue[str]) -> None:
    """End with the one who asks, also while the library waits."""
    for line in sys.stdin:
        asked.put(line)
    os._exit(0)


def _done(instrument: Any, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "identify":
        return _identity(instrument)
    if request["do"] == "integration":
        instrument.trigger_mode(0)
        instrument.integration_time_micros(request["us"])
        # What a free-running instrument gives next was begun before; so it is after opening.
        instrument.intensities()
        return {}
    if request["do"] == "expose":
        return {"counts": [float(count) for count in instrument.intensities()]}
    return {"serial": instrument.serial_number}


def _identity(instrument: Any) -> dict[str, Any]:
    least, most = instrument.integration_time_micros_limits
    return {
        "serial": instrument.serial_number,
        "model": instrument.model,
        "nm": [float(nm) for nm in instrument.wavelengths()],
        "full": float(instrument.max_intensity),
        "limits_us": [int(least), int(most)],
        "nonlinearity": _nonlinearity(instrument),
        "dark": _flat(instrument.f.spectrometer.get_electric_dark_pixel_indices()),
    }


def _nonlinearity(instrument: Any) -> list[float]:
    """Empty where the instrument keeps none; the library says so in several ways."""
    try:
        found = instrument.f.nonlinearity_coefficients.get_nonlinearity_coefficients()
        values = [float(value) for value in found]
    except Exception:  # noqa: BLE001  some models raise what their USB layer raises
        return []
    return values if all(math.isfinite(value) for value in values) else []


def _flat(indices: Any) -> list[int]:
    """python-seabreeze 2.11 gives a list within a tuple for some models."""
    found: list[int] = []
    for index in indices:
        found += _flat(index) if isinstance(index, list | tuple) else [int(index)]
    return found


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:2])
