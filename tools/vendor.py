#!/usr/bin/env python3
"""Keeps the vendored files honest: `check` compares them with VENDOR.toml, offline; `update` fetches them with npm.

python tools/vendor.py check
python tools/vendor.py update      (needs npm; the versions stand in assets/package.json)
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "src" / "ordermill" / "console" / "static" / "vendor" / "VENDOR.toml"
FOLDERS = (LIST.parent, ROOT / "tests" / "console" / "vendor")


def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(LIST.read_text(encoding="utf-8"))["file"]
    return found


def check() -> list[str]:
    """What is wrong, one sentence each."""
    wrong = []
    wanted = json.loads((ROOT / "assets" / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    known = set()
    for entry in listed():
        path = ROOT / entry["path"]
        known.add(path)
        if not path.is_file():
            wrong.append(f"{entry['path']} is missing")
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            wrong.append(f"{entry['path']} is not the file that VENDOR.toml describes")
        if wanted.get(entry["package"]) != entry["version"]:
            wrong.append(f"assets/package.json and VENDOR.toml disagree on {entry['package']}")
    for folder in FOLDERS:
        wrong += [
            f"{path.relative_to(ROOT)} is not in VENDOR.toml"
            for path in folder.iterdir()
            if path.suffix == ".js" and path not in known
        ]
    return wrong


def update() -> None:
    """Fetches each package, checks its integrity, takes the one file out of it."""
    for entry in listed():
        with tempfile.TemporaryDirectory() as folder:
            spec = f"{entry['package']}@{entry['version']}"
            subprocess.run(["npm", "pack", "--silent", spec], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            packed = next(Path(folder).glob("*.tgz"))
            digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
            if f"sha512-{digest}" != entry["integrity"]:
                sys.exit(f"{spec} is not the package that VENDOR.toml describes: sha512-{digest}")
            with tarfile.open(packed) as archive:
                member = archive.extractfile(f"package/{entry['from']}")
                assert member is not None
                (ROOT / entry["path"]).write_bytes(member.read())


def main(arguments: list[str]) -> None:
    if arguments == ["update"]:
        update()
    elif arguments != ["check"]:
        sys.exit(__doc__)
    wrong = check()
    print("\n".join(wrong) or "the vendored files are those of the list")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
