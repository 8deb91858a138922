"""The tables of docs/page.md: roles, and the HTTP interface from its declarations."""

from __future__ import annotations

from spektron_edge.page.declaration import Endpoint
from spektron_edge.page.endpoints import ENDPOINTS
from spektron_edge.roles import ACTIONS, ROLES, may, needs_signature


def roles_table() -> str:
    """Who may send which command."""
    lines = [f"| command | {' | '.join(ROLES)} | signed |", f"|---|{'---|' * len(ROLES)}---|"]
    for action in ACTIONS:
        marks = [_mark(action, {}, role) for role in ROLES]
        lines.append(
            f"| `{action}` | {' | '.join(marks)} | {'yes' if needs_signature(action, {}) else ''} |"
        )
    return "\n".join(lines)


def _mark(action: str, arguments: dict[str, object], role: str) -> str:
    held = next(one for one in ROLES if one == role)
    if may(held, action, arguments):
        return "yes"
    return "with `dry_run`" if may(held, action, {"dry_run": True}) else ""


def endpoints_table() -> str:
    """Every endpoint, its role and what it takes."""
    lines = ["| | role | takes | |", "|---|---|---|---|"]
    lines += [_line(endpoint) for endpoint in ENDPOINTS]
    return "\n".join(lines)


def _line(endpoint: Endpoint) -> str:
    query = endpoint.query.model_json_schema(by_alias=True).get("properties", {})
    body = {} if endpoint.body is None else endpoint.body.model_json_schema()["properties"]
    takes = [f"`?{name}`" for name in query] + [f"`{name}`" for name in body]
    takes += [f"`{endpoint.takes}`"] if endpoint.takes else []
    role = f"{endpoint.role or '-'}{', signed' if endpoint.signed == 'always' else ''}"
    return (
        f"| `{endpoint.method} {endpoint.path}` | {role} | {', '.join(takes)} | {endpoint.what} |"
    )
