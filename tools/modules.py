"""Writes docs/modules.md: every module with the first sentence of its docstring. A test says when it is out of date."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "modules.md"
PACKAGE = ROOT / "src" / "ordermill"


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def page() -> str:
    """The whole page."""
    lines = ["# Modules", "", "Written by `python tools/modules.py` from the modules' own docstrings.", ""]
    folders = sorted({path.parent for path in PACKAGE.rglob("*.py")})
    for folder in folders:
        name = "ordermill" if folder == PACKAGE else "ordermill." + ".".join(folder.relative_to(PACKAGE).parts)
        lines += [f"## {name}", "", sentence(folder / "__init__.py"), ""]
        modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        lines += [f"- `{path.name}`: {sentence(path)}" for path in modules]
        lines += [""] if modules else []
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == page() else "docs/modules.md is out of date")
    PAGE.write_text(page(), encoding="utf-8")
