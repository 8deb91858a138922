"""The udev rule for serial ports, read as udev reads it: systemd 252 has no `udevadm verify`, and
no adapter is plugged in here."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "udev"
_PART = re.compile(r'([A-Z]+)(?:\{([\w/]+)\})?(==|!=|\+=|:=|=)"([^"]*)"')
_MATCHES = {"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "KERNEL", "ENV", "ATTR", "ATTRS"}


@dataclass
class Device:
    """What a rule may ask of it and give it."""

    keys: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    imported: bool = False


def _lines() -> list[list[tuple[str, str, str, str]]]:
    (file,) = _FOLDER.glob("*.rules")
    text = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    lines = [_PART.findall(line) for line in text]
    for line, parts in zip(text, lines, strict=True):
        assert re.sub(r"[,\s]", "", _PART.sub("", line)) == "", line
        assert parts
    return lines


def _held(device: Device, key: str, of: str) -> str:
    if key == "ENV":
        return device.env.get(of, "")
    return device.attributes.get(of, "") if key.startswith("ATTR") else device.keys.get(key, "")


def _said_of(device: Device) -> Device:
    """The device after the file's rules, in their order."""
    awaited: str | None = None
    for parts in _lines():
        labels = [value for key, _, _, value in parts if key == "LABEL"]
        if awaited is not None and awaited not in labels:
            continue
        awaited = None
        matches = [p for p in parts if p[2] in ("==", "!=")]
        assert {key for key, *_ in matches} <= _MATCHES
        if all(
            any(fnmatch.fnmatchcase(_held(device, key, of), one) for one in value.split("|"))
            is (sign == "==")
            for key, of, sign, value in matches
        ):
            for key, of, sign, value in parts:
                if sign in ("==", "!="):
                    continue
                if key == "ENV":
                    device.env[of] = value
                elif key == "SYMLINK":
                    device.links.append(value)
                elif key == "IMPORT":
                    device.imported = True
                elif key == "GOTO":
                    awaited = value
                elif key != "LABEL":
                    device.given[key] = value
    assert awaited is None, f"no label {awaited}"
    return device


# As `udevadm info` shows them, and as the documentation names them.
_ADAPTERS = {
    "FTDI FT232R": ("0403", "6001"),
    "FTDI FT2232": ("0403", "6010"),
    "FTDI FT4232": ("0403", "6011"),
    "FTDI FT232H": ("0403", "6014"),
    "FTDI FT-X": ("0403", "6015"),
    "Silicon Labs CP2102": ("10c4", "ea60"),
    "Silicon Labs CP2105": ("10c4", "ea70"),
    "Silicon Labs CP2108": ("10c4", "ea71"),
    "WCH CH340": ("1a86", "7523"),
    "WCH CH341": ("1a86", "5523"),
    "WCH CH343": ("1a86", "55d3"),
    "WCH CH9102": ("1a86", "55d4"),
    "Prolific PL2303": ("067b", "2303"),
    "Prolific PL2303GC": ("067b", "23a3"),
    "Microchip MCP2221": ("04d8", "00dd"),
}


def _port(vendor: str, model: str, **more: str) -> Device:
    keys = {"ACTION": "add", "SUBSYSTEM": "tty", "SUBSYSTEMS": "usb", **more}
    env = {"ID_BUS": "usb", "ID_VENDOR_ID": vendor, "ID_MODEL_ID": model}
    return Device(keys, env)


@pytest.mark.parametrize("name", _ADAPTERS)
def test_a_known_adapter_is_for_the_group_and_has_the_name(name: str) -> None:
    said = _said_of(_port(*_ADAPTERS[name]))
    assert said.given == {"GROUP": "dialout", "MODE": "0660"}
    assert said.links == ["spektron"]
    # Modem managers leave it alone.
    assert said.env["ID_MM_DEVICE_IGNORE"] == "1"
    assert not said.imported


def test_what_earlier_rules_have_not_found_out_is_asked_for() -> None:
    device = _port("0403", "6001")
    del device.env["ID_BUS"]
    assert _said_of(device).imported


@pytest.mark.parametrize(
    "device",
    [
        _port("1366", "0105"),
        _port("0403", "ffff"),
        _port("0403", "6001", ACTION="remove"),
        Device({"ACTION": "add", "SUBSYSTEM": "tty"}),
        Device(
            {"ACTION": "add", "SUBSYSTEM": "usb"}, {"DEVTYPE": "usb_device"}, {"idVendor": "0403"}
        ),
    ],
    ids=["another adapter", "another product", "removed", "on board", "the adapter's USB"],
)
def test_other_devices_are_left_alone(device: Device) -> None:
    said = _said_of(device)
    assert (said.given, said.links) == ({}, [])


def test_an_instrument_on_usb_is_for_the_group() -> None:
    keys = {"ACTION": "add", "SUBSYSTEM": "usb"}
    said = _said_of(Device(keys, {"DEVTYPE": "usb_device"}, {"idVendor": "2457"}))
    assert said.given == {"GROUP": "dialout", "MODE": "0660"}
    assert said.links == []
