"""Rules beyond who signed: no step back to an older version, and only on the right instrument."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import BundleElsewhere, BundleOlder
from .manifest import Manifest


def check_version(manifest: Manifest, floors: Mapping[str, int]) -> None:
    """Raise BundleOlder when a newer version of this bundle was accepted before.

    floors: the highest version accepted so far, by the bundle's name. Only signed bundles raise or
    meet it: the version of an unsigned one is anybody's claim.
    """
    floor = floors.get(manifest.name, 0)
    if manifest.version < floor:
        raise BundleOlder(
            f"{manifest.name} {manifest.version} is older than {manifest.name} {floor}, which was "
            "accepted on this device"
        )


def check_serial(devices: tuple[str, ...] | None, serial: str) -> None:
    """Raise BundleElsewhere unless the bundle is free, or bound to this instrument too."""
    if devices is not None and serial not in devices:
        raise BundleElsewhere(f"the bundle is bound to {', '.join(devices)}; this is {serial}")
