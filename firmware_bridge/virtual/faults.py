"""InjectedFaults that can be injected into the virtual instrument. All off unless asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InjectedFaults:
    """Scan numbers count from power-on, as on the wire; every fault by number happens once.

    - unplug_at_scan: unplug the port when this scan has been sent; replug_after_s: and plug it in
      again after so many seconds (None = never).
    - drop_numbers: made but never sent. flip_bits_at: one bit of the frame is wrong.
    - saturate_at: so much light that pixels saturate.
    - power_loss_in_reference: power fails during the first scan of the white reference.
    - silent: never answers. refuse_version: speaks only versions nobody knows.
    - nan_axis: INFO carries a wavelength coefficient that is not a number.
    - error_on_configure: CONFIGURE is refused.
    """

    unplug_at_scan: int | None = None
    replug_after_s: float | None = None
    drop_numbers: frozenset[int] = frozenset()
    flip_bits_at: frozenset[int] = frozenset()
    saturate_at: frozenset[int] = frozenset()
    power_loss_in_reference: bool = False
    silent: bool = False
    refuse_version: bool = False
    nan_axis: bool = False
    error_on_configure: bool = False
