"""The table of docs/page.md: roles."""

from __future__ import annotations

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
