"""All drivers: our own, and those of installed packages (entry points `spektron.instruments`)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from firmware_bridge.drivers.driver import Driver

GROUP = "spektron.instruments"
# Imported when asked for: a daemon loads the one it uses.
OWN = {
    "spektron": "firmware_bridge.drivers.spektron",
    "ocean-obp": "firmware_bridge.drivers.ocean_obp",
    "ocean-sad500": "firmware_bridge.drivers.ocean_sad500",
    "ocean-usb": "firmware_bridge.drivers.ocean_usb",
    "nirone": "firmware_bridge.drivers.nirone",
    "nirscan": "firmware_bridge.drivers.nirscan",
    "tcd1304": "firmware_bridge.drivers.tcd1304",
}


class UnknownDriver(ValueError):
    """No driver of this name, or one that cannot be loaded."""


@dataclass(frozen=True)
class Broken:
    """A driver of another package that cannot be used, and why."""

    name: str
    package: str
    why: str


def names() -> list[str]:
    """Names of all drivers, our own first."""
    return [*OWN, *sorted({entry.name for entry in _others()} - OWN.keys())]


def driver(name: str) -> Driver:
    """The driver of this name; our own where another package has one, too. Raises UnknownDriver."""
    if name in OWN:
        found: Driver = import_module(OWN[name]).DRIVER
        return found
    for entry in _others():
        if entry.name == name:
            loaded = _loaded(entry)
            if isinstance(loaded, Broken):
                raise UnknownDriver(f"the driver {name!r} of {loaded.package}: {loaded.why}")
            return loaded
    raise UnknownDriver(f"no driver {name!r}; there are {', '.join(names())}")


def everything() -> list[Driver | Broken]:
    """All drivers, and those of other packages that cannot be used."""
    return [*(driver(name) for name in OWN), *(_loaded(entry) for entry in _others())]


def _others() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


def _loaded(entry: EntryPoint) -> Driver | Broken:
    package = _package(entry)
    rivals = {_package(other) for other in _others() if other.name == entry.name} - {package}
    if entry.name in OWN:
        return Broken(entry.name, package, "our own driver has this name, and it is the one used")
    if rivals:
        return Broken(entry.name, package, f"{', '.join(sorted(rivals))} has one of this name, too")
    try:
        found = entry.load()
    # Somebody else's code: whatever it raises, leaving the program too, is told.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return Broken(entry.name, package, f"{type(error).__name__}: {error}")
    if not isinstance(found, Driver):
        return Broken(entry.name, package, f"{entry.value} is {found!r}, no Driver")
    if found.name != entry.name:
        return Broken(entry.name, package, f"it calls itself {found.name!r}")
    return found


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module
