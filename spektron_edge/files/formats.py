"""Files that later versions wrote: refused as such, not as damaged."""

from __future__ import annotations

import json

from pydantic import BaseModel


def newer(raw: bytes, kind: type[BaseModel]) -> str:
    """Why JSON that is no `kind` cannot be read, if its format is a later one; else empty."""
    try:
        found, known = json.loads(raw)["format"], kind.model_fields["format"].default
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    if not isinstance(found, int) or found <= known:
        return ""
    return f"a newer version of Spektron Edge wrote it (format {found}; this one reads {known})"
