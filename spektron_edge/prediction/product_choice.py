"""The command `choose-product`: another product of the bundle, from the next scan on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from pydantic import Field

from spektron_edge.clock import Clock
from spektron_edge.commands.arguments import Taken, take_arguments
from spektron_edge.commands.asked import Asked, CommandOutcome
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.choices import ChoiceStore, ProductChoice

from .product import take_product
from .serving import Serving

CONFIGURED = "configured"


class ChooseProduct(Taken):
    """One of the bundle's; "configured" goes back to the configuration's."""

    product: str = Field(max_length=64)


class ProductCommands:
    """Commands raise Fault, which answers them."""

    def __init__(
        self,
        config: Callable[[], Config],
        serving: Serving,
        choices: ChoiceStore,
        settled: Callable[[], None],
    ) -> None:
        """config: what the daemon goes by now; settled: raises Fault while that may change."""
        self._config, self._serving, self._choices = config, serving, choices
        self._settled = settled
        self._clock = Clock()

    def actions(self) -> dict[str, Callable[[Asked], CommandOutcome]]:
        """Command -> what carries it out."""
        return {"choose-product": self._choose}

    def _choose(self, asked: Asked) -> CommandOutcome:
        given = take_arguments(asked.arguments, ChooseProduct, Faults.COMMAND_INPUT)
        self._settled()
        serving, before = self._serving, self._choices.read().product
        left, have = serving.model.product.name, serving.loaded.products
        if given.product not in (*have, CONFIGURED):
            detail = f"the bundle holds {', '.join(have)}, not {given.product!r}"
            raise Fault(Faults.COMMAND_INPUT, f"nothing was changed: {detail}")
        at = datetime.fromtimestamp(self._clock.now().utc_s, timezone.utc)
        choice = None
        if given.product != CONFIGURED:
            choice = ProductChoice(product=given.product, by=asked.operator, at=at)
        self._choices.choose_product(choice)
        try:
            loaded = take_product(self._config(), serving.serial, running=serving.model.bundle_id)
            if loaded.unfit:
                raise Fault(Faults.COMMAND_INPUT, loaded.unfit)
        except Fault as fault:
            self._choices.choose_product(before)
            raise Fault(fault.kind, f"nothing was changed: {fault.detail}") from None
        serving.take(loaded)
        told = f"product {left} -> {serving.model.product.name}"
        if serving.unfit is not None:
            told += f"; results are invalid: {serving.unfit}"
        result = {"product": serving.model.product.name, "bundle": serving.model.bundle_id}
        return CommandOutcome(True, told, dict(result))
