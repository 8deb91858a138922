"""The one form of a manifest that is signed: sorted keys, an indent of one, UTF-8."""

from __future__ import annotations

import json


def canonical(document: object) -> bytes:
    """The bytes of a JSON document. Raises ValueError where JSON has no word for a value."""
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode()


def is_canonical(raw: bytes) -> bool:
    """Whether these bytes are the form of what they say; what is no JSON is not."""
    # Compared by bytes, so a name given twice or a number written otherwise shows, too.
    try:
        return canonical(json.loads(raw)) == raw
    except (ValueError, RecursionError):
        return False
