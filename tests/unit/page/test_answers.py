"""What the browser's tests are told has the shape of what the server tells."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from spektron_edge.page.api.adaptation import AdaptationAnswer, OneAdaptation
from spektron_edge.page.api.audit import AuditAnswer, Verified
from spektron_edge.page.api.bundles import BundlesAnswer
from spektron_edge.page.api.live import AxisAnswer, Now
from spektron_edge.page.api.transfer import TransferAnswer
from spektron_edge.said import Sayings
from tests import page_answers as answers
from tests.page_cups import Cups

_TOLD: list[tuple[type[BaseModel], Any]] = [
    (Now, answers.now(door=True)),
    (AxisAnswer, answers.AXIS),
    (TransferAnswer, answers.TRANSFER),
    (TransferAnswer, Cups().told()),
    (AdaptationAnswer, answers.ADAPTATION),
    (OneAdaptation, answers.adaptation_whole(5)),
    (BundlesAnswer, answers.BUNDLES),
    (AuditAnswer, answers.AUDIT),
    (Verified, answers.VERIFIED),
]


@pytest.mark.parametrize(("model", "told"), _TOLD, ids=lambda one: getattr(one, "__name__", ""))
def test_an_answer_is_one_of_the_server(model: type[BaseModel], told: Any) -> None:
    model.model_validate(told)
    assert _codes(told) <= {kind.code for kind in Sayings}


def _codes(told: Any) -> set[str]:
    if isinstance(told, list):
        return {code for one in told for code in _codes(one)}
    if not isinstance(told, dict):
        return set()
    if told.keys() == {"code", "values"}:
        return {told["code"]}
    return {code for one in told.values() for code in _codes(one)}
