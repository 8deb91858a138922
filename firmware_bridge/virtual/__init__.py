"""A virtual spectrometer: optics, noise, drift and faults behind a pseudo terminal."""

from firmware_bridge.virtual.device import VirtualSpectrometer
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.flaws import Flaws
from firmware_bridge.virtual.optics import Conditions, Exposure, Optics
from firmware_bridge.virtual.port import PtyPort

__all__ = [
    "Conditions",
    "Exposure",
    "Flaws",
    "InjectedFaults",
    "Optics",
    "PtyPort",
    "VirtualSpectrometer",
]
