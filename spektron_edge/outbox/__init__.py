"""Results on disk until the broker has acknowledged them, and for a while after.

`store` holds them, `schema` makes and migrates the database, `limits` says what is dropped,
`salvage` reads what a damaged file still gives, `replay` sends acknowledged records again.
"""

from .errors import OutboxDamagedError, OutboxError, OutboxFullError
from .limits import Limits
from .outgoing import Gap, Outgoing, Progress, RecordKind
from .store import Outbox, read_counts

__all__ = [
    "Gap",
    "Limits",
    "Outbox",
    "OutboxDamagedError",
    "OutboxError",
    "OutboxFullError",
    "Outgoing",
    "Progress",
    "RecordKind",
    "read_counts",
]
