"""Every code that the source can answer with is explained in docs/errors.md, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ordermill.core.errors import Refusal

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def modules() -> Iterator[ast.Module]:
    """Without the client, whose codes are what it makes of other servers' answers."""
    package = ROOT / "src" / "ordermill"
    for path in sorted(package.rglob("*.py")):
        if path.is_relative_to(package / "client"):
            continue
        yield ast.parse(path.read_text(encoding="utf-8"))


def makers(trees: list[ast.Module]) -> dict[str, set[int]]:
    """Functions and exceptions that take a `code: str`: name -> its positions among the arguments."""
    found: dict[str, set[int]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            owner = ""
            if isinstance(node, ast.ClassDef):
                owner = node.name
            for function in node.body if isinstance(node, ast.ClassDef | ast.Module) else ():
                if isinstance(function, ast.FunctionDef):
                    name = owner if function.name == "__init__" else function.name
                    for place in code_places(function, method=bool(owner)):
                        found.setdefault(name, set()).add(place)
    return found


def code_places(function: ast.FunctionDef, *, method: bool) -> Iterator[int]:
    for place, argument in enumerate(function.args.args[1 if method else 0 :]):
        if argument.arg == "code" and isinstance(argument.annotation, ast.Name) and argument.annotation.id == "str":
            yield place


def codes_of(node: ast.AST, known: dict[str, set[int]]) -> Iterator[ast.expr]:
    """The expressions in one node that stand for a code."""
    if isinstance(node, ast.FunctionDef):
        named = dict(zip(reversed(node.args.args), reversed(node.args.defaults), strict=False))
        named |= dict(zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True))
        yield from (default for argument, default in named.items() if argument.arg == "code" and default is not None)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")
        yield from (node.args[place] for place in known.get(name, ()) if place < len(node.args))


def codes() -> set[str]:
    trees = list(modules())
    known = makers(trees)
    found = {
        expression.value
        for tree in trees
        for node in ast.walk(tree)
        for expression in codes_of(node, known)
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str) and expression.value
    }
    return found | {kind.code for kind in refusals(Refusal)}


def refusals(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for inner in kind.__subclasses__():
        if inner.__module__ == "ordermill.core.errors":
            yield inner
            yield from refusals(inner)


def catalogue() -> list[str]:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)


def test_every_code_of_the_source_is_in_the_catalogue() -> None:
    assert codes() - set(catalogue()) == set()


def test_the_catalogue_names_no_code_that_nobody_uses() -> None:
    assert set(catalogue()) - codes() == set()


def test_codes_are_in_the_catalogue_once_and_look_alike() -> None:
    assert len(catalogue()) == len(set(catalogue()))
    assert all(CODE.fullmatch(code) for code in codes())
