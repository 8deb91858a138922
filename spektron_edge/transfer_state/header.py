"""What a transfer says of itself: `state.json` in its file."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.said import Said, Sayings
from spektron_edge.transfer.quantity import Conversion


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Expectation(_Strict):
    """What to expect of one property, in its unit.

    rmsep: predicted, against the reference method, with its 90 % interval; half_width: of the 90 %
    interval of one prediction.
    """

    name: str
    unit: str
    valid: bool
    method: str
    rmsep: float = Field(ge=0)
    rmsep_low: float = Field(ge=0)
    rmsep_high: float = Field(ge=0)
    half_width: float = Field(ge=0)


class Header(_Strict):
    """What the transfer is for, who made it of what, and what to expect of it."""

    format: Literal[1] = 1
    bundle: str = Field(description="id of the bundle whose calibration was transferred")
    product: str
    serial: str = Field(description="of the instrument that it is for", min_length=1, max_length=64)
    by: str = Field(description="the operator")
    created: datetime
    software: str = Field(description="version of Spektron Edge that made it")
    samples: tuple[str, ...] = Field(description="transfer samples, in the order of the pairs")
    pairs: int
    labelled: int
    unpaired: int
    quantity: Conversion
    interval_basis: str
    properties: tuple[Expectation, ...] = Field(min_length=1)

    def made_for_another(self, bundle: str, product: str) -> Said | None:
        """What it was made for, where that is not this bundle's product."""
        if (self.bundle, self.product) == (bundle, product):
            return None
        return Sayings.MADE_FOR_ANOTHER.of(
            product=self.product, bundle=self.bundle, other=product, other_bundle=bundle
        )
