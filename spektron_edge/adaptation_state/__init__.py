"""Adaptations that a device keeps: their files, who approved them, and which is in use."""

from .adaptations import Adaptations, Approval, Entry
from .header import Header
from .state import About, AdaptationState, state_of
from .store import AdaptationStore

__all__ = [
    "About",
    "AdaptationState",
    "AdaptationStore",
    "Adaptations",
    "Approval",
    "Entry",
    "Header",
    "state_of",
]
