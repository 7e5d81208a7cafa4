"""Writes docs/configuration.md from the settings themselves. A test says when it is out of date."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"
sys.path.insert(0, str(ROOT / "src"))


def page() -> str:
    """The whole page."""
    from ordermill.config import PREFIX, SECRETS, Config, sentence

    lines = [
        "# Configuration",
        "",
        "Every setting has an environment form, `ORDERMILL_<NAME>`; `ORDERMILL_<NAME>_FILE` names a file to read it",
        "from (for secrets). The same names in lower case may stand in a TOML file that `ORDERMILL_CONFIG` names. A",
        "command-line option wins over the environment, that over the file. `ordermill config show` tells what",
        "holds and where it came from. This page is written by `python tools/configuration.py`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name in Config.__struct_fields__:
        default = getattr(Config(), name)
        shown = "" if default == "" else str(default).lower() if isinstance(default, bool) else str(default)
        secret = " (secret)" if name in SECRETS else ""
        lines.append(f"| `{PREFIX}{name.upper()}` | {f'`{shown}`' if shown else ''} | {sentence(name)}{secret} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == page() else "docs/configuration.md is out of date")
    PAGE.write_text(page(), encoding="utf-8")
