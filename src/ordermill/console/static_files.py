"""The style sheet, the scripts and the icon: read once, compressed once, named by content so they never go stale."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files

import msgspec
from starlette.responses import Response

PREFIX = "/console/static/"
FILES = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "vendor/htmx-4.0.1.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """One file. `mark` changes with its content."""

    media_type: str
    plain: bytes
    packed: bytes
    mark: str


class StaticFiles:
    """`url(name)` for pages, `answer` for requests."""

    def __init__(self, root: str) -> None:
        folder = files("ordermill.console") / "static"
        self.root = root
        self.assets = {name: _read((folder / name).read_bytes(), kind) for name, kind in FILES.items()}

    def url(self, name: str) -> str:
        return f"{self.root}{PREFIX}{name}?v={self.assets[name].mark}"

    def answer(self, path: str, accept_encoding: str) -> Response | None:
        asset = self.assets.get(path.removeprefix(PREFIX))
        if asset is None:
            return None
        headers = {"cache-control": FOR_EVER, "vary": "accept-encoding"}
        if "gzip" in accept_encoding:
            return Response(asset.packed, media_type=asset.media_type, headers={**headers, "content-encoding": "gzip"})
        return Response(asset.plain, media_type=asset.media_type, headers=headers)


def _read(content: bytes, media_type: str) -> Asset:
    return Asset(
        media_type, content, gzip.compress(content, 9, mtime=0), hashlib.sha256(content).hexdigest()[:10]
    )  # fmt: skip
