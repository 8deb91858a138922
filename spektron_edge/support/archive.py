"""The support file: a zip of texts, with a list of what is in it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime, timezone

from spektron_edge.config.file import Config

from .parts import Part, parts_of
from .removal import Removal, secrets_of

CONTENTS = "contents.txt"
_LEFT_OUT = (
    "Left out: passwords, keys, hashes and codes, wherever they stood; spectra, predictions, "
    "bundles."
)


def support_file(config: Config, more: Sequence[Part] = ()) -> bytes:
    """The zip; more: what else the one who asks knows. Never raises for a damaged state folder."""
    removal, made = Removal(secrets_of(config)), datetime.now(timezone.utc)
    parts = [*parts_of(config), *more]
    texts = {part.name: _text(removal, part.made) for part in parts}
    listed = [
        f"Support file of {config.site}/{config.instrument}, made {made:%Y-%m-%d %H:%M} UTC.",
        "",
        *(f"{p.name:20} {len(texts[p.name].encode()):>9} bytes  {p.what}" for p in parts),
        "",
        _LEFT_OUT,
        f"Removed from texts: {removal.count}.",
        "",
    ]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {CONTENTS: "\n".join(listed), **texts}.items():
            info = zipfile.ZipInfo(name, made.timetuple()[:6])
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(info, text)
    return stream.getvalue()


def _text(removal: Removal, made: object) -> str:
    if isinstance(made, str):
        return removal.text(made)
    # Before it becomes JSON, in which a secret with a quotation mark would look otherwise.
    return json.dumps(removal.clean(made), indent=2, ensure_ascii=False, default=str) + "\n"
