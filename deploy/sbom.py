"""Writes a CycloneDX 1.5 bill of materials from requirements.lock: `python deploy/sbom.py sbom.json`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_ENTRY = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """One per locked package, with the hash of every file that may be installed for it."""
    found: list[dict[str, Any]] = []
    for line in lock.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            name, version, marker = entry.groups()
            part: dict[str, Any] = {"type": "library", "name": name, "version": version, "hashes": []}
            part["purl"] = part["bom-ref"] = f"pkg:pypi/{name.lower()}@{version}"
            if marker:
                part["properties"] = [{"name": "environment-marker", "value": marker.strip()}]
            found.append(part)
        elif found:
            found[-1]["hashes"] += [{"alg": "SHA-256", "content": digest} for digest in _HASH.findall(line)]
    return sorted(found, key=lambda part: str(part["name"]))


def version() -> str:
    text = (ROOT / "src" / "ordermill" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'__version__ = "([^"]+)"', text)
    return match[1] if match else "0"


def main(target: str) -> None:
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "ordermill", "version": version()}},
        "components": components((ROOT / "requirements.lock").read_text(encoding="utf-8")),
    }
    Path(target).write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "sbom.json")
