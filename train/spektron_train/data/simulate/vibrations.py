"""A functional group as a set of oscillators, and the bands that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spektron_train.data.simulate.oscillators import (
    GAUSSIAN_AREA,
    Bands,
    coupled_pair,
    fermi,
    overtone,
    overtone_area,
    overtone_width,
)

# A combination band of N parents is about this much narrower than their widths in sum.
_COMBINED_WIDTH = 0.8


@dataclass(frozen=True)
class Mode:
    """One normal or bond mode.

    wavenumber: the fundamental, cm-1; anharmonicity: wexe, cm-1; absorptivity: peak decadic molar,
    L mol-1 cm-1; raman: peak activity, relative; width: cm-1; quanta: highest overtone kept;
    first_drop, next_drop: see `overtone_area`; growth: see `overtone_width`.
    """

    name: str
    wavenumber: float
    anharmonicity: float
    absorptivity: float
    raman: float
    width: float
    quanta: int = 1
    first_drop: float = 0.004
    next_drop: float = 0.1
    growth: float = 1.0


@dataclass(frozen=True)
class Pair:
    """Two equal coupled X-H bonds (XH2); a fundamental splits by twice the coupling.

    Bands are named `as` and `s` for the fundamentals and `2a`, `2b`, ... downwards for v quanta.
    cross: dipole of states with quanta in both bonds, relative to one bond's overtone.
    """

    wavenumber: float
    anharmonicity: float
    coupling: float
    absorptivity: tuple[float, float]
    raman: tuple[float, float]
    width: float
    quanta: int = 4
    first_drop: float = 0.004
    next_drop: float = 0.1
    cross: float = 1.0
    growth: float = 1.0


@dataclass(frozen=True)
class Combination:
    """Parents excited at once: their sum plus `anharmonicity` (cm-1, usually negative)."""

    parents: tuple[str, ...]
    anharmonicity: float
    absorptivity: float
    width: float = 0.0


@dataclass(frozen=True)
class Resonance:
    """Fermi resonance of two bands of the group, coupling in cm-1."""

    upper: str
    lower: str
    coupling: float


@dataclass(frozen=True)
class Group:
    """A functional group. Its first oscillator (the pair, if any) takes a substance's shift."""

    name: str
    modes: tuple[Mode, ...] = ()
    pair: Pair | None = None
    combinations: tuple[Combination, ...] = ()
    resonances: tuple[Resonance, ...] = ()
    lorentz: float = 0.3


@dataclass(frozen=True)
class _Band:
    centre: float
    width: float
    area: float
    raman: float


def group_bands(group: Group, shift: float = 0.0, width: float = 1.0) -> Bands:
    """All bands of one group.

    shift: cm-1, added to the group's leading fundamental (overtones follow from it); width:
    factor on every width at constant area (crystals below one, glasses above).
    """
    table: dict[str, _Band] = {}
    if group.pair is not None:
        _add_pair(table, group.pair, shift)
    for index, mode in enumerate(group.modes):
        leading = index == 0 and group.pair is None
        _add_mode(table, mode, mode.wavenumber + (shift if leading else 0.0))
    for resonance in group.resonances:
        table[resonance.upper], table[resonance.lower] = _resonate(
            table[resonance.upper], table[resonance.lower], resonance.coupling
        )
    for combination in group.combinations:
        parents = [table[name] for name in combination.parents]
        full = combination.width or _COMBINED_WIDTH * sum(p.width for p in parents)
        table["+".join(combination.parents)] = _Band(
            sum(p.centre for p in parents) + combination.anharmonicity,
            full,
            combination.absorptivity * full * GAUSSIAN_AREA,
            0.0,
        )
    bands = table.values()
    return Bands(
        centre=np.array([b.centre for b in bands]),
        width=np.array([b.width for b in bands]) * width,
        area=np.array([b.area for b in bands]),
        raman=np.array([b.raman for b in bands]),
        lorentz=np.full(len(table), group.lorentz),
    )


def _add_mode(table: dict[str, _Band], mode: Mode, fundamental: float) -> None:
    area = mode.absorptivity * mode.width * GAUSSIAN_AREA
    for v in range(1, mode.quanta + 1):
        table[mode.name if v == 1 else f"{v}{mode.name}"] = _Band(
            overtone(v, fundamental, mode.anharmonicity),
            overtone_width(v, mode.width, mode.growth),
            overtone_area(v, area, mode.first_drop, mode.next_drop),
            mode.raman * mode.width * GAUSSIAN_AREA if v == 1 else 0.0,
        )


def _add_pair(table: dict[str, _Band], pair: Pair, shift: float) -> None:
    unit = pair.width * GAUSSIAN_AREA
    area = sum(pair.absorptivity) * unit
    fundamental = pair.wavenumber + shift
    for index, (name, sign) in enumerate((("as", 1), ("s", -1))):
        table[name] = _Band(
            fundamental + sign * pair.coupling,
            pair.width,
            pair.absorptivity[index] * unit,
            pair.raman[index] * unit,
        )
    for v in range(2, pair.quanta + 1):
        levels, shares = coupled_pair(
            v, fundamental, pair.anharmonicity, pair.coupling, pair.cross if v == 2 else 0.0
        )
        total = overtone_area(v, area, pair.first_drop, pair.next_drop)
        for letter, level, share in zip("abcdef", levels, shares, strict=False):
            table[f"{v}{letter}"] = _Band(
                float(level), overtone_width(v, pair.width, pair.growth), float(share) * total, 0.0
            )


def _resonate(upper: _Band, lower: _Band, coupling: float) -> tuple[_Band, _Band]:
    centres, areas = fermi(upper.centre, lower.centre, coupling, upper.area, lower.area)
    _, raman = fermi(upper.centre, lower.centre, coupling, upper.raman, lower.raman)
    return (
        _Band(centres[0], upper.width, areas[0], raman[0]),
        _Band(centres[1], lower.width, areas[1], raman[1]),
    )
