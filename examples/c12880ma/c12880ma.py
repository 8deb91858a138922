"""A Hamamatsu C12880MA on an Arduino that prints 288 counts a line: a driver of its own."""

from __future__ import annotations

from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.printed import PrintedCounts, Sensor
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.instrument import Instrument

SENSOR = Sensor("C12880MA", pixels=288, full_scale=1023)


def said(place: Place) -> PrintedCounts:
    return PrintedCounts(SENSOR, place)  # for another protocol write a class like this one


def make(place: Place) -> Instrument:
    return SingleExposures(lambda: said(place), place.url, place.baud)


DRIVER = Driver(
    name="c12880ma",
    instruments="Hamamatsu C12880MA on an Arduino that prints counts",
    bauds=(115200,),
    source="the usual sketch: 288 counts, each with a comma, a line for every exposure",
    tested="a virtual instrument on a pty",
    make=make,
    needs=("wavelength_nm",),
    takes=("serial",),
    nameless=True,
)
