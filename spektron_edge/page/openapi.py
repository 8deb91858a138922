"""OpenAPI 3.1 from the declarations (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from spektron_edge import __version__

from .declaration import Endpoint
from .errors import ErrorAnswer
from .routing import PREFIX

_REF = "#/components/schemas/{model}"
# Of every endpoint, of those that take somebody, of those that write, and of those with a body.
_ALWAYS = {
    400: "not understood",
    404: "not there",
    409: "the state of things",
    422: "does not fit",
    429: "too many; Retry-After says when",
    503: "the daemon is not there",
}
_SIGNED_IN = {401: "sign in", 403: "role, signature or another site's request"}
_BODY = {408: "the body came too slowly", 413: "too large", 415: "of another media type"}


def openapi(endpoints: Sequence[Endpoint], cookie: str) -> dict[str, Any]:
    """The document; cookie: the session's name."""
    models: list[tuple[type[BaseModel], Any]] = [(ErrorAnswer, "serialization")]
    for endpoint in endpoints:
        if not isinstance(endpoint.answer, str):
            models.append((endpoint.answer, "serialization"))
        if endpoint.body is not None:
            models.append((endpoint.body, "validation"))
    refs, schemas = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(
            endpoint, refs
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spektron Edge",
            "version": __version__,
            "description": "The instrument's own page.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _operation(endpoint: Endpoint, refs: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": endpoint.what}
    if isinstance(endpoint.answer, str):
        kind: dict[str, Any] = {"type": "string"}
        if endpoint.answer == "application/json":
            kind = {"type": "object"}
        good["content"] = {endpoint.answer: {"schema": kind}}
    else:
        good["content"] = _json(refs[endpoint.answer, "serialization"])
    refused = dict(_ALWAYS)
    if endpoint.role is not None or endpoint.writes:
        refused |= _SIGNED_IN
    if endpoint.writes:
        refused |= _BODY
    error = _json(refs[ErrorAnswer, "serialization"])
    responses = {str(endpoint.status): good}
    for status, what in (endpoint.also or {}).items():
        responses[str(status)] = {**good, "description": what}
    responses |= {
        str(status): {"description": what, "content": error} for status, what in refused.items()
    }
    name = re.sub(r"[^a-z]+", "_", f"{endpoint.method}{endpoint.path}".lower()).strip("_")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": endpoint.what,
        "responses": responses,
    }
    parameters = _parameters(endpoint)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        body = _json(refs[endpoint.body, "validation"])
        operation["requestBody"] = {"required": True, "content": body}
    if endpoint.takes:
        file = {endpoint.takes: {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": file}
    if endpoint.role is not None:
        operation["security"] = [{"session": [], **({"csrf": []} if endpoint.writes else {})}]
        operation["x-role"] = endpoint.role
    if endpoint.signed:
        operation["x-signed"] = endpoint.signed
    return operation


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found = []
    for where, model in (("path", endpoint.parameters), ("query", endpoint.query)):
        document = model.model_json_schema(by_alias=True)
        for name, schema in document.get("properties", {}).items():
            required = name in document.get("required", ())
            text = schema.pop("description", "")
            found.append(
                {
                    "name": name,
                    "in": where,
                    "required": required,
                    "description": text,
                    "schema": schema,
                }
            )
    return found
