"""What must hold of every file of the repository, whoever adds it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE_HERE = {".git", ".venv", ".venv-dev", "node_modules", "ordermill-data", "dist", "build", "__pycache__"}

# An index is the business of the machine that installs, never of the repository. Each of these is one way in which
# lock files and package lists carry an address; the names are cut in two so that this file does not find itself.
REGISTRY = re.compile(
    r"https?://[^\s\"'<>]*(/simple/|/packages/[0-9a-f]{2}/|/-/[^/\s]+\.tgz)"
    r"|pypi\.(or)g|python(hosted)\.org|registry\.(npmjs)\.org|registry\.(yarnpkg)\.com|--(extra-)?index-(url)"
    r"|--find-(links)"
)
DEVELOPERS_PATH = re.compile(r"(?<![\w./*-])(/wor[k]/|/roo[t]/|/hom[e]/\w+/|/Us[e]rs/\w+/)")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
# These say what the options are called, not where an index is.
NAMES_OPTIONS = {"Makefile"}


def tracked_files() -> list[Path]:
    """Outside a git checkout (an unpacked archive): every file that nobody made here."""
    asked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        names = [ROOT / name for name in asked.stdout.split("\0") if name]
    else:
        names = [path for path in ROOT.rglob("*") if not MADE_HERE & set(path.relative_to(ROOT).parts)]
    return [path for path in names if path.is_file()]


def lines_matching(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a font
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}:{number}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return found


def source_modules() -> list[Path]:
    return sorted((ROOT / "src").rglob("*.py"))


def test_no_file_names_a_package_registry() -> None:
    assert [place for place in lines_matching(REGISTRY) if place.split(":")[0] not in NAMES_OPTIONS] == []


def test_no_file_carries_a_path_of_a_developers_machine() -> None:
    assert lines_matching(DEVELOPERS_PATH) == []


@pytest.mark.parametrize("line", ["https://npm.example/x/" + "-/x-1.tgz", "see /roo" + "t/.cache", "-i pypi.or" + "g"])
def test_the_patterns_find_what_they_are_for(line: str) -> None:
    assert REGISTRY.search(line) or DEVELOPERS_PATH.search(line)


def test_every_module_is_named_after_what_it_holds() -> None:
    vague = [path for path in source_modules() if {path.stem, path.parent.name} & VAGUE_NAMES]
    assert vague == []


def test_every_module_opens_with_what_it_is_for() -> None:
    silent = [path for path in source_modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_its_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    packages = re.split(r"\n(?=[a-z0-9])", text.replace("\\\n", ""))
    assert len(packages) > 20
    assert [package for package in packages if "==" not in package or "--hash=sha256:" not in package] == []
    assert "://" not in text


def test_the_locks_agree_on_every_version() -> None:
    runtime, dev = (
        dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime == {name: dev.get(name) for name in runtime}


def test_every_direct_dependency_is_explained() -> None:
    reasons = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = project.split("\ndependencies = [")[1].split("\n]")[0]
    names = re.findall(r'^\s+"([a-z0-9-]+)', listed, re.MULTILINE)
    assert 0 < len(names) <= 15
    assert [name for name in names if f"| {name} |" not in reasons] == []


@pytest.mark.parametrize("tool", ["modules.py", "configuration.py"])
def test_a_generated_page_is_up_to_date(tool: str) -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / tool, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}: python tools/{tool} writes it"


def test_the_architecture_page_is_short_enough_to_be_read() -> None:
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
