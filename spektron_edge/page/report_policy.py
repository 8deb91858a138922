"""What a report that the page sends may do in a browser: it has its style within it, no more."""

from __future__ import annotations

OF_REPORT = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; sandbox"
)
