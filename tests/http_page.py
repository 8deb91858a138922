"""docs/reference/http.md: the page's HTTP interface, from its OpenAPI description."""

from __future__ import annotations

import json
from typing import Any

from spektron_edge.page.endpoints import ENDPOINTS
from spektron_edge.page.openapi import openapi
from spektron_edge.page.routing import PREFIX

from .http_examples import Example, examples
from .model_tables import cell, fields_table, limits

Json = dict[str, Any]
_HEAD = """\
# HTTP interface of the page

Generated from the OpenAPI description by `make pages`; a running page has it at
`/api/v1/openapi.json`. [page.md](../page.md) says how the page is started, who gets which account,
and what is protected. Programs on the same machine need no account: [the door](../door.md).

All paths are below `/api/v1`. Bodies and answers are JSON unless said otherwise.

- **Sign in**: `POST /session`. Its cookie (`{cookie}`; under TLS `__Host-spektron`) goes with every
  request that needs a role, and its `csrf` as the header `X-CSRF-Token` with every one that is no
  `GET`. Roles are `viewer`, `operator` and `engineer`: each may what the one before may.
- **Signed**: the body has the password again, with `meaning` and `reason` of the electronic
  signature. For `POST /commands/{{name}}`, [page.md](../page.md#roles) says which commands.
- **Refused**: `{{"error", "message", "next_step"}}`. `error` does not change: a code of
  [faults](../faults.md) or of the page.

| status | means |
|---|---|
{statuses}

`Retry-After` comes with 429.
"""


def http_page() -> str:
    """Every endpoint: role, parameters, body, answers, an example."""
    document = openapi(ENDPOINTS, "spektron-session")
    operations = [
        (method.upper(), path.removeprefix(PREFIX), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    statuses = {
        int(status): answer["description"]
        for _, _, operation in operations
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    }
    table = "\n".join(f"| {status} | {statuses[status]} |" for status in sorted(statuses))
    lines = [_HEAD.format(statuses=table, cookie="spektron-session"), *_overview(operations)]
    given = examples()
    lines.append("")
    for method, path, operation in operations:
        name = f"{method} {path}"
        lines += [*_section(name, operation, given[name], document)]
    return "\n".join(lines).rstrip() + "\n"


def _overview(operations: list[tuple[str, str, Json]]) -> list[str]:
    lines = ["## Endpoints", "", "| | role | |", "|---|---|---|"]
    for method, path, operation in operations:
        summary = operation["summary"].partition(":")[0]
        lines.append(f"| `{method} {path}` | {_role(operation)} | {summary} |")
    return lines


def _role(operation: Json) -> str:
    role = operation.get("x-role", "none")
    signed = {"always": ", signed", "some": ", some signed"}.get(operation.get("x-signed", ""), "")
    return f"{role}{signed}"


def _section(name: str, operation: Json, example: Example, document: Json) -> list[str]:
    lines = [f"## {name}", "", f"{_capital(operation['summary'])}. Role: {_role(operation)}.", ""]
    if parameters := operation.get("parameters"):
        lines += ["| parameter | in | type | |", "|---|---|---|---|"]
        lines += [_parameter(one) for one in parameters]
        lines.append("")
    body = operation.get("requestBody", {}).get("content", {})
    for media, kind in body.items():
        lines += _described("Body", media, kind["schema"], document)
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            continue
        said = answer["description"]
        also = f": {said}" if said != operation["summary"] else ""
        for media, kind in answer["content"].items():
            if also:
                lines += [f"Or {status}{also}.", ""]
            else:
                lines += _described(f"Answer {status}", media, kind["schema"], document)
    refused = sorted(int(status) for status in operation["responses"] if int(status) >= 400)
    lines += [f"Refused with {', '.join(map(str, refused))}.", ""]
    return lines + _example(name, operation, example)


def _parameter(one: Json) -> str:
    needed = "" if one["required"] else _default(one["schema"])
    text = "; ".join(filter(None, [one["description"], needed]))
    return f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {text} |"


def _default(schema: Json) -> str:
    value = schema.get("default")
    return "optional" if value is None else f"default {json.dumps(value)}"


def _described(title: str, media: str, schema: Json, document: Json) -> list[str]:
    if "$ref" not in schema:
        return [f"{title}: `{media}`.", ""]
    schemas = document["components"]["schemas"]
    model = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    text, table = fields_table(model, schemas, given=title == "Body")
    return [f"{title}: {text}".rstrip(": ") + ":", "", *table, ""]


def _type(schema: Json) -> str:
    options = [o for o in schema.get("anyOf", [schema]) if o.get("type") != "null"]
    words = []
    for option in options:
        if "enum" in option:
            words.append(" ".join(f"`{word}`" for word in option["enum"]))
        else:
            words.append(str(option.get("format", option.get("type", "any"))))
    bounds = limits(schema)
    return cell(" or ".join(words) + (f", {bounds}" if bounds else ""))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _example(name: str, operation: Json, example: Example) -> list[str]:
    method, path = name.split(" ", 1)
    query = "&".join(f"{key}={value}" for key, value in example.query.items())
    lines = [f"{method} {PREFIX}{path.format(**example.path)}{'?' if query else ''}{query}"]
    if any("csrf" in scheme for scheme in operation.get("security", [])):
        lines.append("X-CSRF-Token: 0Jm3...Q")
    if example.body is not None:
        lines += ["Content-Type: application/json", "", json.dumps(example.body)]
    elif "requestBody" in operation:
        lines += [f"Content-Type: {next(iter(operation['requestBody']['content']))}", "", "..."]
    said = ["```text", *lines, "```", ""]
    if isinstance(example.answer, dict):
        said += ["```json", json.dumps(example.answer, indent=1), "```", ""]
    elif example.answer:
        said += ["```text", example.answer.rstrip(), "```", ""]
    return said
