"""An instrument of another maker, from its bytes to predictions at a broker."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.protocol import Position
from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual.nirone import VirtualNirone
from firmware_bridge.virtual.nirscan import VirtualNirscan
from firmware_bridge.virtual.ocean_obp import VirtualOceanObp
from firmware_bridge.virtual.ocean_sad500 import VirtualOceanSad500
from firmware_bridge.virtual.tcd1304 import VirtualTcd1304
from spektron_edge.demo.corn import PROPERTIES, load_corn
from tests.integration.rig import Raw, until

# The pretended axis: the virtual Flame's own, stretched to where corn was measured.
STRETCH, SHIFT_NM = 2.2, 310.0


def rms(errors: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def give_dark_and_white(port, rig, command) -> None:
    """What a person does: cover the beam, show the standard, put the samples back."""
    for beam, name in ((Position.DARK, "take-dark"), (Position.REFERENCE, "take-reference")):
        port.call(lambda beam=beam: setattr(port.device, "beam", beam))
        status, answer = command(rig, name, "anna")
        assert (status, answer["ok"]) == (0, True), answer["message"]
    port.call(lambda: setattr(port.device, "beam", Position.SAMPLE))


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

    give_dark_and_white(port, rig, command)

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


OTHERS = {
    "ocean-obp": (VirtualOceanObp, 20_000, "S11908", {}),
    "nirscan": (VirtualNirscan, 635, "6100039", {}),
    "nirone": (VirtualNirone, 20_000, "S2-00417", {}),
    "tcd1304": (
        VirtualTcd1304,
        20_000,
        "bench",
        {"serial_number": "bench", "wavelength_nm": Raw("[350.0, 0.176]")},
    ),
}
LEAST_NM, MOST_NM = 1090.0, 2510.0


@pytest.mark.parametrize("driver", OTHERS)
def test_each_makers_spectra_predict_once_a_person_gave_dark_and_white(
    driver, broker, make_rig, streaming, command, tmp_path
):
    make, integration_us, serial, given = OTHERS[driver]
    corn = load_corn().test
    own_nm = make(corn.spectra["m5"], corn.axis_nm).optics.wavelengths
    # The pretended axis: its own, stretched to where corn was measured.
    stretch = (MOST_NM - LEAST_NM) / (own_nm[-1] - own_nm[0])
    device = make(corn.spectra["m5"], own_nm[0] + (corn.axis_nm - LEAST_NM) / stretch)
    device.baud = 115200
    pretended = LEAST_NM + (own_nm - own_nm[0]) * stretch
    polynomial = np.polyfit(np.arange(own_nm.size), pretended, 3)[::-1].tolist()
    port = PtyPort(device, link=tmp_path / "instrument")
    rig = make_rig(broker.url, port)
    rig.settings["serial"] |= {"driver": driver, "baud": 115200, **given}
    rig.settings["acquisition"] |= {
        "integration_us": integration_us,
        "reference_averages": 1,
        "automatic_references": False,
        "wavelength_nm": Raw(str(polynomial)),
    }
    rig.allow("anna", "take-dark", "take-reference")
    streaming(rig)
    assert not rig.newest["valid"]

    give_dark_and_white(port, rig, command)

    def whole():
        rig.gather(rig.subscriber)
        return [r for r in rig.received.values() if r["scan"]["white_age_s"] is not None]

    until(lambda: len(whole()) >= 2, "predictions with both references")
    for record in whole():
        # Fewer pixels or bits than the bundle was made with may be told, and nothing else.
        assert set(record["reasons"]) <= {"q_above_limit", "t2_above_limit"}
        assert np.isfinite(record["values"]["moisture"]["value"])
        assert record["serial"] == serial
    # In one connection: a second one would have lost the references.
    assert len({record["scan"]["boot_id"] for record in rig.received.values()}) == 1
