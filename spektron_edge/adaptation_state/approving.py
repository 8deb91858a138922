"""Approval under the rules of the configuration, from the command line and over MQTT alike."""

from __future__ import annotations

from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import Model

from .adaptations import Adaptations, Approval
from .store import AdaptationStore

_NOTHING_USED = ("frozen", "shadow")


def approve(
    store: AdaptationStore, number: int, approval: Approval, config: Config, model: Model
) -> Adaptations:
    """One more person agrees. Raises Fault as `AdaptationStore.approve`, and ADAPTATION_REFUSED
    where the mode lets nothing be used."""
    rules = config.adaptation
    if rules.mode in _NOTHING_USED:
        detail = f'adaptation.mode is "{rules.mode}", which uses none; "propose" lets people decide'
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    return store.approve(number, approval, rules.approvals, model)
