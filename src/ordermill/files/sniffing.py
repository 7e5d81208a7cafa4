"""What a file is, by looking at it: kind, encoding, delimiter, size, rows, fingerprint. One pass, bounded memory."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

Kind = Literal["csv", "ndjson", "json", "spreadsheet"]
SAMPLE_BYTES = 64 * 1024
PIECE_BYTES = 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
_MARKUP = ("<!doctype html", "<html", "<?xml")
SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


class Unusable(Exception):
    """The file cannot be read as a whole; the message says what was seen, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class Sniffed(msgspec.Struct, frozen=True, kw_only=True):
    """`name`: what its owner calls it, also where it lies under another. `lines`: line ends, 0 for a spreadsheet.

    `delimiter`, `encoding`: '' where they mean nothing.
    """

    name: str
    kind: Kind
    sha256: str
    size_bytes: int
    lines: int
    encoding: str = ""
    delimiter: str = ""

    def told(self) -> str:
        """`; delimited, UTF-8`"""
        if self.kind == "csv":
            shown = {"\t": "tab"}.get(self.delimiter, self.delimiter)
            return f"{shown} delimited, {spell_encoding(self.encoding)}"
        return {"ndjson": "NDJSON", "json": "JSON", "spreadsheet": "spreadsheet"}[self.kind]


def spell_encoding(encoding: str) -> str:
    return {
        "utf-8": "UTF-8",
        "utf-8-sig": "UTF-8 with byte order mark",
        "cp1252": "Windows-1252",
        "utf-16": "UTF-16",
    }.get(encoding, encoding)


def sniff(path: Path, *, name: str = "", encoding: str | None = None, delimiter: str | None = None) -> Sniffed:
    """Raises Unusable for a file that is empty, or none that is read here."""
    try:
        with open(path, "rb") as file:
            return _sniff(file, name or path.name, encoding, delimiter)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None


def _sniff(file: BinaryIO, name: str, encoding: str | None, delimiter: str | None) -> Sniffed:
    sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise Unusable(f"{name} is empty")
    if sample[:2] == b"\x1f\x8b":
        raise Unusable(f"{name} is gzipped", "unpack it first")
    file.seek(0)
    if sample[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0") or name.lower().endswith(SPREADSHEETS):
        digest, size, _, _ = _read_through(file, None)
        return Sniffed(name=name, kind="spreadsheet", sha256=digest, size_bytes=size, lines=0)
    chosen = encoding or _marked(sample)
    digest, size, lines, is_utf8 = _read_through(file, chosen)
    if chosen is None:
        chosen = "utf-8" if is_utf8 else "cp1252"
    elif not is_utf8 and encoding is not None:
        raise Unusable(f"{name} is not {encoding}", "leave --encoding out, or name the right one")
    text = _decoded(sample, chosen)
    if "\0" in text:
        raise Unusable(f"{name} holds bytes that are no text", "save it as CSV (UTF-8), NDJSON or XLSX")
    if text.lstrip("\ufeff \r\n\t")[:14].lower().startswith(_MARKUP):
        raise Unusable(f"{name} is a web page or XML, no table", "save it as CSV (UTF-8), NDJSON or XLSX")
    kind = _kind(text)
    found = (delimiter or _delimiter(text)) if kind == "csv" else ""
    return Sniffed(name=name, kind=kind, sha256=digest, size_bytes=size, lines=lines, encoding=chosen, delimiter=found)


def _marked(sample: bytes) -> str | None:
    """The encoding that a byte order mark tells."""
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return None


def _read_through(file: BinaryIO, encoding: str | None) -> tuple[str, int, int, bool]:
    """(SHA-256, size, line ends, whether it is text in that encoding, or in UTF-8 when none is told)."""
    digest, size, lines, good = hashlib.sha256(), 0, 0, True
    try:
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
    except LookupError:
        raise Unusable(f"there is no encoding {encoding!r}", "e.g. utf-8, cp1252, latin-1, utf-16") from None
    try:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            lines += piece.count(b"\n")
            if good:
                try:
                    decoder.decode(piece)
                except UnicodeError:
                    good = False
        if good:
            decoder.decode(b"", final=True)
    except UnicodeError:
        good = False
    return digest.hexdigest(), size, lines, good


def _decoded(sample: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample)


def _kind(text: str) -> Kind:
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return "csv"
    first, _, rest = text.lstrip().partition("\n")
    try:
        msgspec.json.decode(first)
    except msgspec.DecodeError:
        return "json"
    # One value on the first line: NDJSON when another follows, or when it is one order; an envelope is JSON.
    return "ndjson" if rest.strip() or _is_order(first) else "json"


def _is_order(line: str) -> bool:
    value = msgspec.json.decode(line)
    return (
        isinstance(value, dict)
        and "orders" not in value
        and any(name in value for name in ("order_id", "id", "reference", "products", "lines", "line_items"))
    )


def _delimiter(text: str) -> str:
    """The one that cuts the first rows into the same number of cells, most often and into most of them."""
    best, best_score = ",", (0.0, 0)
    for candidate in DELIMITERS:
        counts = Counter(len(row) for row in _rows(text, candidate))
        if not counts:
            continue
        cells, times = max(counts.items(), key=lambda entry: (entry[1], entry[0]))
        if cells < 2:
            continue
        score = (times / counts.total(), cells)
        if score > best_score and (best_score[0] < 0.8 or cells > best_score[1]):
            best, best_score = candidate, score
    return best


def _rows(text: str, delimiter: str) -> list[list[str]]:
    whole = text[: text.rfind("\n") + 1] or text
    try:
        return [row for row in islice(csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter), 200) if row]
    except csv.Error:
        return []


class ByteCount:
    """Counts what is read from a file: how far an import is."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        count = self.file.readinto(buffer)  # type: ignore[attr-defined]
        self.read_bytes += count
        return int(count)
