"""Over which message a broker keeps hanging up.

Not every broker says what it does not like: Mosquitto 2.0 closes the connection without a word over
a message beyond its `message_size_limit`. Sent again after every reconnect, such a message would
block all behind it for ever.
"""

from __future__ import annotations

import hashlib

from .message import Message

OFTEN = 3
_MOST = 1000


class Blame:
    """Counts, by content, how often a connection ended while a message was the next to be
    acknowledged. One thread."""

    def __init__(self) -> None:
        self._ended: dict[bytes, int] = {}

    def hung_up(self, message: Message) -> int:
        """The connection ended over this one; how often now, at most `OFTEN`.

        It stays at that until the broker takes the message: offered again, once is enough.
        """
        if len(self._ended) >= _MOST:
            self._ended.clear()
        key = _key(message)
        self._ended[key] = min(self._ended.get(key, 0) + 1, OFTEN)
        return self._ended[key]

    def taken(self, message: Message) -> None:
        """The broker answered it."""
        if self._ended:
            self._ended.pop(_key(message), None)


def _key(message: Message) -> bytes:
    return hashlib.sha256(message.topic.encode() + b"\0" + message.payload).digest()
