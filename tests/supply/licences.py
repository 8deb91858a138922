"""Which licences the runtime's dependencies have, and whether they may ship with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata

import tomllib

from .lock import FOLDER

# None of them asks anything of who ships it but its text and its notices.
MAY_SHIP = frozenset(
    ("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT", "MIT-0", "PSF-2.0")
) | {"Zlib"}
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
# A word in the field that packages filled before SPDX's names were asked for.
_OLD_FIELD = {"3-Clause BSD License": "BSD-3-Clause", "BSD-3-Clause": "BSD-3-Clause", "MIT": "MIT"}


def entered() -> dict[str, str]:
    """SPDX expression by package, as deploy/lock/licences.toml has it."""
    return tomllib.loads((FOLDER / "licences.toml").read_text())


def may_ship(expression: str) -> bool:
    """Whether one of the choices (OR) consists (AND) of such licences alone. No parentheses."""
    return any(
        all(part.strip() in MAY_SHIP for part in re.split(r"\bAND\b", choice))
        for choice in re.split(r"\bOR\b", expression)
    )


def declared(package: str) -> str | None:
    """What the installed package says of itself; None where it is not installed.

    Raises ValueError where it says nothing that is known here.
    """
    try:
        told = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        return None
    if expression := told.get("License-Expression"):
        return str(expression)
    kinds = [c.split(" :: ")[-1] for c in told.get_all("Classifier") or [] if "License ::" in c]
    for words, known in ((kinds, _CLASSIFIERS), ([told.get("License", "")], _OLD_FIELD)):
        for word in words:
            if word in known:
                return known[word]
    raise ValueError(f"{package} names no known licence: {kinds}, {told.get('License')!r:.60}")


def not_allowed(licences: Mapping[str, str]) -> dict[str, str]:
    """Those of `licences` that may not ship."""
    return {name: text for name, text in licences.items() if not may_ship(text)}
