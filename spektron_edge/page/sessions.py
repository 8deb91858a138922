"""Who is signed in. In memory: a restart of the page signs everybody out."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from spektron_edge.roles import Role

from .users import User

MOST = 256
_MOST_OF_ONE = 16


@dataclass(eq=False)
class Session:
    """One login. csrf: what writes have to carry; edition: of the account when it signed in;
    seen: when anything was asked for, a stream being a question that goes on; acted: when something
    was done."""

    user: str
    role: Role
    edition: str
    began: float
    csrf: str = field(repr=False)
    seen: float = 0.0
    acted: float = 0.0
    ended: bool = False


class Sessions:
    """By the SHA-256 of the cookie's 256 random bits: memory holds no key to anybody's session."""

    def __init__(self, longest_s: float, idle_s: float, now: Callable[[], float]) -> None:
        """now: seconds of a clock that only runs forward."""
        self._longest_s, self._idle_s, self._now = longest_s, idle_s, now
        self._held: dict[str, Session] = {}

    def begin(self, user: User) -> tuple[str, Session]:
        """The cookie's value and the session. Of one user the oldest gives way, and of all."""
        self._sweep()
        own = [key for key, session in self._held.items() if session.user == user.name]
        while len(own) >= _MOST_OF_ONE:
            self._end(own.pop(0))
        while len(self._held) >= MOST:
            self._end(next(iter(self._held)))
        token, now = secrets.token_urlsafe(32), self._now()
        session = Session(
            user.name, user.role, user.edition, now, secrets.token_urlsafe(32), seen=now, acted=now
        )
        self._held[_key(token)] = session
        return token, session

    def find(self, token: str, account: Callable[[str], User | None]) -> Session | None:
        """The session of a cookie, if it has not ended; account: the user of a name."""
        session = self._held.get(_key(token))
        if session is None:
            return None
        if not self.holds(session, account):
            self._end(_key(token))
            return None
        return session

    def holds(self, session: Session, account: Callable[[str], User | None]) -> bool:
        """Whether it goes on: neither old, idle nor signed out, and the account as it was."""
        now, user = self._now(), account(session.user)
        if session.ended or user is None or not user.active or user.edition != session.edition:
            return False
        return now - session.began < self._longest_s and now - session.seen < self._idle_s

    def idle(self, session: Session) -> bool:
        """Whether nobody did anything for so long that somebody else may stand there now."""
        return self._now() - session.acted >= self._idle_s

    def touch(self, session: Session, *, acts: bool) -> None:
        """Somebody asked for something, or did it."""
        session.seen = self._now()
        if acts:
            session.acted = session.seen

    def end(self, token: str) -> None:
        """Signed out."""
        self._end(_key(token))

    def _end(self, key: str) -> None:
        session = self._held.pop(key, None)
        if session is not None:
            session.ended = True

    def _sweep(self) -> None:
        now = self._now()
        for key, session in list(self._held.items()):
            old = now - session.began >= self._longest_s or now - session.seen >= self._idle_s
            if old or session.ended:
                self._end(key)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
