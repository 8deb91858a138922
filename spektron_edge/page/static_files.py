"""What the browser runs: files of the package, read once, known by their names alone."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from .errors import absent

FOLDER = Path(__file__).with_name("static")
INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".md": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class _File:
    data: bytes
    zipped: bytes | None
    media_type: str
    etag: str


class StaticFiles:
    """A path that is no file's name is not looked for on the disk: nothing leads out of it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def answer(self, request: Request) -> Response:
        """A file. Raises Refused(404)."""
        name = request.path_params.get("name", "") or INDEX
        found = self._files.get(name)
        if found is None:
            raise absent("there is no such file")
        headers = {"ETag": found.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        data = found.data
        if found.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            data, headers["Content-Encoding"] = found.zipped, "gzip"
        # Not as an argument, which would add a character set to every text.
        headers["Content-Type"] = found.media_type
        return Response(data, headers=headers)


def _read(path: Path) -> _File:
    data = path.read_bytes()
    zipped = gzip.compress(data, 9, mtime=0)
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    smaller = zipped if len(zipped) < len(data) else None
    return _File(data, smaller, kind or "application/octet-stream", etag)
