"""Who asks."""

from __future__ import annotations

PASSWORD = "correct horse 42"
NAMES = {"viewer": "vera", "operator": "olaf", "engineer": "anna"}
SIGNED = {"password": PASSWORD, "meaning": "approved", "reason": "seen"}
