"""The examples of the HTTP reference are what the page's own description allows."""

from __future__ import annotations

import jsonschema
import pytest

from spektron_edge.page.endpoints import ENDPOINTS
from spektron_edge.page.openapi import openapi
from spektron_edge.page.routing import PREFIX
from tests.http_examples import examples
from tests.http_page import http_page

EXAMPLES = examples()
DOCUMENT = openapi(ENDPOINTS, "spektron-session")
BY_NAME = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in ENDPOINTS}


def test_there_is_one_for_every_endpoint():
    assert set(EXAMPLES) == set(BY_NAME)
    assert http_page().count("\n## GET ") == sum(e.method == "GET" for e in ENDPOINTS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_sent_fits(name):
    given, endpoint = EXAMPLES[name], BY_NAME[name]
    endpoint.parameters.model_validate(given.path)
    endpoint.query.model_validate(given.query)
    assert (given.body is None) == (endpoint.body is None)
    if endpoint.body is not None:
        endpoint.body.model_validate(given.body)
        _fits(given.body, _operation(name)["requestBody"]["content"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_comes_back_fits(name):
    given, endpoint = EXAMPLES[name], BY_NAME[name]
    if isinstance(endpoint.answer, str):
        assert isinstance(given.answer, str)
    else:
        _fits(given.answer, _operation(name)["responses"]["200"]["content"])


def _operation(name):
    method, path = name.split(" ")
    return DOCUMENT["paths"][PREFIX + path][method.lower()]


def _fits(value, content):
    schema = {**content["application/json"]["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)
