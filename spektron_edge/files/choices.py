"""What operators chose in place of the configuration: kept in `state_dir`, so that it survives a
restart and a reload, and shown by `inspect` and in the state."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .ledger import Ledger

FOLDER = "choices"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProductChoice(_Strict):
    """Which product is measured, and who said so when."""

    product: str
    by: str
    at: AwareDatetime


class IntegrationChoice(_Strict):
    """Integration of one exposure in us, and who said so when."""

    integration_us: int = Field(ge=1, le=2**32 - 1)
    by: str
    at: AwareDatetime


class Choices(_Strict):
    """integration: by the instrument's serial number, whose limits it was checked against."""

    product: ProductChoice | None = None
    integration: dict[str, IntegrationChoice] = Field(default_factory=dict)


def _in_words(choices: Choices) -> tuple[str, ...]:
    """What was chosen, by whom and when; empty where the configuration holds."""
    out = []
    if (product := choices.product) is not None:
        out.append(f"product {product.product}, {_said(product)}")
    for serial, choice in choices.integration.items():
        out.append(f"integration {choice.integration_us} us on {serial}, {_said(choice)}")
    return tuple(out)


def _said(choice: ProductChoice | IntegrationChoice) -> str:
    return f"by {choice.by} at {choice.at:%Y-%m-%d %H:%M} UTC"


class ChoiceStore:
    """The file. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED).

    in_words: what was chosen when this store last looked.
    """

    def __init__(self, state_dir: Path) -> None:
        self._ledger = Ledger(state_dir / FOLDER / "choices.json", Choices())
        self.in_words: tuple[str, ...] = ()

    def read(self) -> Choices:
        """What is chosen now."""
        return self._seen(self._ledger.read())

    def choose_product(self, choice: ProductChoice | None) -> Choices:
        """Another product, or None for the configuration's."""
        return self._seen(self._ledger.update(lambda now: _with(now, product=choice)))

    def choose_integration(self, serial: str, choice: IntegrationChoice | None) -> Choices:
        """Another integration for an instrument, or None for the configuration's."""

        def change(now: Choices) -> Choices:
            others = {s: c for s, c in now.integration.items() if s != serial}
            return _with(now, integration=others if choice is None else {**others, serial: choice})

        return self._seen(self._ledger.update(change))

    def _seen(self, choices: Choices) -> Choices:
        self.in_words = _in_words(choices)
        return choices


def _with(choices: Choices, **changed: object) -> Choices:
    return choices.model_copy(update=changed)
