"""Who works on this device's command line."""

from __future__ import annotations

import os


def local_operator() -> str:
    """The operator, for the audit log: whom the system says we are, not the environment."""
    import pwd

    try:
        return f"local:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"local:{os.getuid()}"
