"""Transfers that a device keeps: their file, their versions, and which is in use."""

from .header import Header
from .state import About, Transferred, TransferState, state_of
from .store import StateStore
from .versions import Version, Versions

__all__ = [
    "About",
    "Header",
    "StateStore",
    "TransferState",
    "Transferred",
    "Version",
    "Versions",
    "state_of",
]
