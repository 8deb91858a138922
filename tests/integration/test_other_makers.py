"""An instrument of another maker, from its bytes to predictions at a broker."""

from __future__ import annotations

import numpy as np

from firmware_bridge.protocol import Position
from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual.ocean_sad500 import VirtualOceanSad500
from spektron_edge.demo.corn import PROPERTIES, load_corn
from tests.integration.rig import Raw, until

# The pretended axis: the virtual Flame's own, stretched to where corn was measured.
STRETCH, SHIFT_NM = 2.2, 310.0


def rms(errors: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def test_a_flame_predicts_corn_once_a_person_gave_it_dark_and_white(
    broker, make_rig, streaming, command, tmp_path
):
    corn = load_corn().test
    as_seen_nm = (corn.axis_nm - SHIFT_NM) / STRETCH
    device = VirtualOceanSad500(corn.spectra["m5"], as_seen_nm, baud=115200)
    polynomial = [STRETCH * c for c in device.optics.coefficients[:3]]
    polynomial[0] += SHIFT_NM
    port = PtyPort(device, link=tmp_path / "instrument")
    rig = make_rig(broker.url, port)
    rig.settings["serial"] |= {
        "driver": "ocean-sad500",
        "baud": 115200,
        "model": "Flame-S",
        "serial_number": "FLMS00042",
        "wavelength_nm": Raw(str(polynomial)),
    }
    rig.settings["acquisition"] |= {"integration_us": 20_000, "reference_averages": 8}
    rig.allow("anna", "take-dark", "take-reference", "health")
    streaming(rig)
    assert not rig.newest["valid"]

    for beam, name in ((Position.DARK, "take-dark"), (Position.REFERENCE, "take-reference")):
        port.call(lambda beam=beam: setattr(device, "beam", beam))
        status, answer = command(rig, name, "anna")
        assert (status, answer["ok"]) == (0, True), answer["message"]
    port.call(lambda: setattr(device, "beam", Position.SAMPLE))

    def valid():
        rig.gather(rig.subscriber)
        return [r for r in rig.received.values() if r["valid"]]

    until(lambda: len(valid()) >= 20, "valid predictions")
    assert {record["serial"] for record in valid()} == {"FLMS00042"}
    # Samples come in turn; which one the first valid scan saw, nobody noted.
    moisture = {r["scan"]["number"]: r["values"]["moisture"]["value"] for r in valid()}
    truth = corn.references[:, PROPERTIES.index("moisture")]
    rmsep = min(
        rms([value - truth[(n + k) % truth.size] for n, value in moisture.items()])
        for k in range(truth.size)
    )
    assert rmsep < 0.2
    assert rig.missed() == set()
