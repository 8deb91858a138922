"""Passwords: what is accepted as one, and its argon2id hash (RFC 9106)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST, MOST = 12, 256

# OWASP's parameters for small memory: 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Of nobody's password: looking up an unknown user takes as long as a known one.
_NOBODY = _HASHER.hash("spektron: nobody has this password")


def unfit(password: str, user: str) -> str:
    """Why this is no password for that user; empty if it is one."""
    if len(password) < LEAST:
        return f"a password has at least {LEAST} characters"
    if len(password) > MOST:
        return f"a password has at most {MOST} characters"
    if not password.isprintable():
        return "a password holds printable characters only"
    if len(set(password)) < 5:
        return "a password has at least five different characters"
    if user.lower() in password.lower() and len(password) - len(user) < LEAST:
        return "a password does not hold the user's name"
    return ""


def hashed(password: str) -> str:
    """As it is kept: argon2id with a salt of its own."""
    return _HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password of a hash; None, nobody's, takes the same time."""
    try:
        _HASHER.verify(_NOBODY if kept is None else kept, password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None
