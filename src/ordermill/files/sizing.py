"""How large a spreadsheet is, found out in a process of its own that may take only so much memory.

A sheet is laid out densely from its first cell to its last one: two cells far apart in a file of a kilobyte become
thousands of millions of them. The reader tells how far they reach only when it has done so, and where there is not
enough memory for that, it is the end of its process.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ordermill.files.sniffing import Unusable

CELLS_MAX = 64 * 1024 * 1024  # a million rows of sixty columns, and some
MEMORY_BYTES = 256 * 1024 * 1024  # and as much more as the content is large:
MEMORY_PER_BYTE = 16  # so one cell in twenty may be filled, however large the sheet is
MEMORY_BYTES_MAX = 8 * 1024**3
PACKED_AT_MOST = 1032  # what deflate can make of one byte, whatever the archive says
TIMEOUT_S = 600
LOOKED_AT_BYTES = 32 * 1024 * 1024
_TOO_LARGE = (b"memory allocation of", b"MemoryError", b"capacity overflow")
_CELL = re.compile(rb'r="([A-Z]{1,3})([0-9]{1,7})"')
_SHEET = re.compile(r"xl/worksheets/[^/]*?(\d*)\.xml")


class Sized(msgspec.Struct, frozen=True):
    """What is known of a spreadsheet. `rows`, `columns`: of the sheet `name`, from the first ones on; 0: not known."""

    sheets: tuple[str, ...] = ()
    name: str = ""
    rows: int = 0
    columns: int = 0
    trouble: str = ""


def refuse_too_large(path: Path, name: str, sheet: str | None) -> None:
    """Raises Unusable for a spreadsheet that cannot be read, or has more cells than are laid out here."""
    command = [sys.executable, "-m", "ordermill.files.sizing", str(path), sheet or ""]
    found_in = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": found_in},
            process_group=0,  # a signal to the server's own group is not for it, not even before it can pass it over
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unusable(f"{name} cannot be read as a spreadsheet: it takes too long", "save it as CSV") from None
    found = Sized()
    for line in done.stdout.splitlines():
        found = msgspec.json.decode(line, type=Sized)
    if found.trouble:
        raise Unusable(f"{name} cannot be read as a spreadsheet: {found.trouble}")
    if done.returncode != 0:
        large = done.returncode == -signal.SIGKILL or any(said in done.stderr for said in _TOO_LARGE)
        if not large:
            raise Unusable(f"{name} cannot be read as a spreadsheet: looking at it ended with {done.returncode}")
        raise _too_large(name, _seen(path, found))
    if found.rows * found.columns > CELLS_MAX:
        raise _too_large(name, found)


def _too_large(name: str, found: Sized) -> Unusable:
    where = f"{name}, sheet {found.name}" if found.name else name
    extent = f"it reaches over {found.rows:,} rows × {found.columns:,} columns" if found.rows else "it reaches too far"
    return Unusable(
        f"{where}: {extent}, at most {CELLS_MAX:,} cells are read, and fewer where most are empty",
        "delete the empty rows and columns behind the orders, or save the sheet as CSV",
    )


def _seen(path: Path, found: Sized) -> Sized:
    """How far the cells of the sheet say that they reach; for the message only, so the beginning of it has to do."""
    try:
        with zipfile.ZipFile(path) as book:
            parts = [part for part in book.namelist() if _SHEET.fullmatch(part)]
            if len(parts) != len(found.sheets):
                return found
            parts.sort(key=lambda part: int(_SHEET.sub(r"\1", part) or 0))
            with book.open(parts[found.sheets.index(found.name)]) as part:
                cells = _CELL.findall(part.read(LOOKED_AT_BYTES))
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return found
    rows = max((int(row) for _, row in cells), default=0)
    columns = max((_column(letters) for letters, _ in cells), default=0)
    return msgspec.structs.replace(found, rows=rows, columns=columns)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


# in the process of its own


def main() -> None:
    """Tells what it knows by lines, the last one is the most: opening one sheet may be the end of it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # for whoever started this
        signal.signal(number, signal.SIG_IGN)
    from python_calamine import CalamineWorkbook

    path, sheet = Path(sys.argv[1]), sys.argv[2]
    _take_at_most(memory_of(path))
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = tuple(book.sheet_names)
        found = Sized(sheets, sheet or (sheets[0] if sheets else ""))
        _tell(found)
        if found.name in sheets:
            end = book.get_sheet_by_name(found.name).end or (0, 0)
            _tell(msgspec.structs.replace(found, rows=end[0] + 1, columns=end[1] + 1))
    except MemoryError:
        raise
    except Exception as error:
        _tell(Sized(trouble=str(error) or type(error).__name__))


def memory_of(path: Path) -> int:
    """How many bytes laying it out may take: what is in it is worth that, and nobody's emptiness more."""
    size = path.stat().st_size
    with suppress(OSError, zipfile.BadZipFile, NotImplementedError), zipfile.ZipFile(path) as book:
        size = min(sum(part.file_size for part in book.infolist()), size * PACKED_AT_MOST)
    return min(MEMORY_BYTES + size * MEMORY_PER_BYTE, MEMORY_BYTES_MAX)


def _take_at_most(size_bytes: int) -> None:
    with suppress(OSError, ValueError):  # where there is no such limit, that of the cells is left
        resource.setrlimit(resource.RLIMIT_AS, (size_bytes, size_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _tell(found: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
