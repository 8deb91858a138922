"""All drivers: our own, and those of installed packages (entry points `spektron.instruments`)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions

from firmware_bridge.drivers.driver import Driver
from firmware_bridge.drivers.theirs import kept_apart

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
    return [*OWN, *sorted({entry.name for entry in _others()[0]} - OWN.keys())]


def driver(name: str) -> Driver:
    """The driver of this name; our own where another package has one, too. Raises UnknownDriver."""
    if name in OWN:
        found: Driver = import_module(OWN[name]).DRIVER
        return found
    others, unreadable = _others()
    for entry in others:
        if entry.name == name:
            loaded = _loaded(entry)
            if isinstance(loaded, Broken):
                raise UnknownDriver(f"the driver {name!r} of {loaded.package}: {loaded.why}")
            return loaded
    told = "".join(f"; {b.package}: {b.why}" for b in unreadable)
    raise UnknownDriver(f"no driver {name!r}; there are {', '.join(names())}{told}")


def everything() -> list[Driver | Broken]:
    """All drivers, and those of other packages that cannot be used."""
    others, unreadable = _others()
    return [*(driver(name) for name in OWN), *map(_loaded, others), *unreadable]


def _others() -> tuple[list[EntryPoint], list[Broken]]:
    """Drivers of other packages, and packages that nobody can ask for theirs."""
    found: dict[str, list[EntryPoint]] = {}
    unreadable = []
    for package in distributions():
        name = str(package.name)
        # As on the path, the first of a name is the one that counts.
        if name in found:
            continue
        points = _points(package, name)
        if isinstance(points, Broken):
            unreadable.append(points)
        else:
            found[name] = points
    return [entry for entries in found.values() for entry in entries], unreadable


def _points(package: Distribution, name: str) -> list[EntryPoint] | Broken:
    try:
        return [entry for entry in package.entry_points if entry.group == GROUP]
    # A package that has nothing to do with instruments may be broken, too: then that is its affair.
    except Exception as error:  # noqa: BLE001  how a malformed file fails, no page says
        if GROUP not in (package.read_text("entry_points.txt") or ""):
            return []
        why = f"its entry_points.txt cannot be read: {type(error).__name__}: {error}"
        return Broken(name, name, why)


def _loaded(entry: EntryPoint) -> Driver | Broken:
    package = _package(entry)
    rivals = {_package(other) for other in _others()[0] if other.name == entry.name} - {package}
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
    return kept_apart(found, package)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module
