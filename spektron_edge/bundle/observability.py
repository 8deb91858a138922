"""What an instrument can see of an analyte, by theory: an optional part of a product.

It is what `spektron-train physics observability --json` prints.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from .strict import Strict

Fate = Literal["seen", "overlapped", "weak", "outside", "inactive"]
Name = Annotated[str, Field(max_length=64)]

# Of a molecule of sixty atoms there are at most 174.
_MOST_LEVELS = 256


class Setting(Strict):
    """An instrument: its technique, and range and resolution in cm-1."""

    technique: Literal["infrared", "raman"]
    low_cm1: NonNegativeFloat
    high_cm1: PositiveFloat
    resolution_cm1: PositiveFloat

    @model_validator(mode="after")
    def _range(self) -> Setting:
        if self.low_cm1 >= self.high_cm1:
            raise ValueError(f"a range of {self.low_cm1:g} to {self.high_cm1:g} cm-1 is empty")
        return self


class Level(Strict):
    """One fundamental: negative wavenumbers are imaginary; intensity relative to the strongest."""

    wavenumber_cm1: float
    species: Name
    degeneracy: int = Field(ge=1, le=5)
    relative_intensity: float = Field(ge=0, le=1)
    stretches: dict[Name, Annotated[float, Field(ge=0, le=1)]] = Field(
        description="share of its energy in the stretching of a kind of bond"
    )
    fate: Fate


class Bonds(Strict):
    """Bonds of one kind: how many, and where their stretching is seen and lost."""

    bond: Name
    bonds: NonNegativeInt
    seen_cm1: tuple[float, ...] = Field(max_length=_MOST_LEVELS)
    lost_cm1: tuple[float, ...] = Field(max_length=_MOST_LEVELS)


class Observability(Strict):
    """Of one analyte before one instrument, each vibrational degree of freedom with one fate."""

    format: Literal[1]
    smiles: str = Field(min_length=1, max_length=512)
    method: str = Field(min_length=1, max_length=128, description="what computed it")
    instrument: Setting
    point_group: Name
    vibrations: int = Field(ge=1)
    observable_share: float = Field(ge=0, le=1)
    literal_ratio: float = Field(ge=0, le=2)
    freedom: dict[Fate, NonNegativeInt]
    levels: tuple[Level, ...] = Field(min_length=1, max_length=_MOST_LEVELS)
    groups: tuple[Bonds, ...] = Field(max_length=_MOST_LEVELS)
    note: str = Field(min_length=1, max_length=512)

    @model_validator(mode="after")
    def _adds_up(self) -> Observability:
        told = dict.fromkeys(self.freedom, 0)
        for level in self.levels:
            told[level.fate] = told.get(level.fate, 0) + level.degeneracy
        if told != self.freedom or sum(told.values()) != self.vibrations:
            raise ValueError("`freedom` and `vibrations` are not those of `levels`")
        return self

    @property
    def in_words(self) -> str:
        """For a reader of the bundle."""
        return f"seen of {self.smiles}, by theory: {self.note}"
