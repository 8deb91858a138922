"""What the browser's tests are told has the shape of what the server tells."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from spektron_edge.page.api.adaptation import AdaptationAnswer, OneAdaptation
from spektron_edge.page.api.audit import AuditAnswer, Verified
from spektron_edge.page.api.bundles import BundlesAnswer
from spektron_edge.page.api.live import AxisAnswer, Now
from spektron_edge.page.api.qualifications import QualificationsAnswer
from spektron_edge.page.api.transfer import TransferAnswer
from spektron_edge.page.endpoints import ENDPOINTS
from spektron_edge.page.openapi import openapi
from spektron_edge.said import Sayings
from tests import page_answers as answers
from tests.page_cups import Cups

# Texts of answers, by name: names, ids, times, units, codes and what people wrote.
_NAMES = (
    "adaptation approved_by astray at bundle by chosen code configured csrf due_utc error head id "
    "instrument level "
    "made method mode name next of_scan_utc parent product products property published_head "
    "quantity reasons record sample samples samples_known serial sha256 signed_by since since_utc "
    "site started through told_at transfer unit user utc values version wanted what who why work"
)
_DATA = set(_NAMES.split())
# English beside a code: for other programs, and as the detail of a fault. And what the page does
# not show: the self-test's lines, and the numbers of an adaptation's scans.
_ENGLISH = {"message", "next_step", "tried", "scans"}
_TOLD: list[tuple[type[BaseModel], Any]] = [
    (Now, answers.now(door=True)),
    (AxisAnswer, answers.AXIS),
    (TransferAnswer, answers.TRANSFER),
    (TransferAnswer, Cups().told()),
    (AdaptationAnswer, answers.ADAPTATION),
    (OneAdaptation, answers.adaptation_whole(5)),
    (BundlesAnswer, answers.BUNDLES),
    (AuditAnswer, answers.AUDIT),
    (QualificationsAnswer, answers.QUALIFICATIONS),
    (Verified, answers.VERIFIED),
]


@pytest.mark.parametrize(("model", "told"), _TOLD, ids=lambda one: getattr(one, "__name__", ""))
def test_an_answer_is_one_of_the_server(model: type[BaseModel], told: Any) -> None:
    model.model_validate(told)
    assert _codes(told) <= {kind.code for kind in Sayings}


def test_no_answer_has_a_sentence_that_is_not_known_of() -> None:
    """Whoever adds a text to an answer says here that it is data, or makes it a code."""
    document = openapi(ENDPOINTS, "session")
    asked = {endpoint.body.__name__ for endpoint in ENDPOINTS if endpoint.body}
    schemas = document["components"]["schemas"].items()
    answers_ = [schema.get("properties", {}) for name, schema in schemas if name not in asked]
    texts = {name for one in answers_ for name, schema in one.items() if _has_text(schema)}
    assert texts == _DATA | _ENGLISH


def _has_text(schema: Any) -> bool:
    if not isinstance(schema, dict) or "enum" in schema or "const" in schema:
        return False
    inner = [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    inner += [schema.get("items"), schema.get("additionalProperties")]
    return schema.get("type") == "string" or any(map(_has_text, inner))


def _codes(told: Any) -> set[str]:
    if isinstance(told, list):
        return {code for one in told for code in _codes(one)}
    if not isinstance(told, dict):
        return set()
    if told.keys() == {"code", "values"}:
        return {told["code"]}
    return {code for one in told.values() for code in _codes(one)}
