"""Which faults a function can end with, read from the source: what it calls, and what that calls.

A function is reached where a reached one names it; a method where its class is reached, and a
reached function names an attribute of that name. What stands in a `try` whose handler takes every
`Fault` and raises none does not count. So this errs towards more: it does not know which values
occur.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from spektron_edge.faults import Faults

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("spektron_edge", "firmware_bridge")
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_TAKES_ALL = {"Fault", "Exception", "BaseException"}
# What goes wrong where `doctor` and `setup` look becomes a finding, by the thread that looks.
_FINDINGS = "spektron_edge.examination.everything"

# Module and name in it; a method is (module, class, method).
Place = tuple[str, ...]


@dataclass
class _Module:
    """Its functions, classes and constants by name, and where its imported names come from."""

    defined: dict[str, list[ast.AST]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@dataclass
class _Used:
    """What a piece of source names: names, `a.b` as pairs, attributes, faults."""

    names: set[str] = field(default_factory=set)
    dotted: set[tuple[str, str]] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)


def reachable(function: Callable[..., object]) -> list[Faults]:
    """Faults that this function can raise or end with, by exit status."""
    seen = _Search()
    seen.add((function.__module__, function.__qualname__))
    found = {Faults[name] for name in seen.run()}
    return sorted(found, key=lambda fault: fault.value.exit_status)


class _Search:
    """Goes on until nothing more is reached."""

    def __init__(self) -> None:
        self._waiting: list[Place] = []
        self._seen: set[Place] = set()
        self._attributes: set[str] = set()
        self._classes: dict[Place, ast.ClassDef] = {}
        self._faults: set[str] = set()

    def add(self, place: Place) -> None:
        if place not in self._seen and place[0] != _FINDINGS:
            self._seen.add(place)
            self._waiting.append(place)

    def run(self) -> set[str]:
        while self._waiting:
            while self._waiting:
                self._visit(self._waiting.pop())
            for place, node in self._classes.items():
                for method in _methods(node):
                    if _called(method, self._attributes):
                        self.add((*place, method.name))
        return self._faults

    def _visit(self, place: Place) -> None:
        module, name, *method = place
        for node in _modules()[module].defined.get(name, ()):
            if method:
                assert isinstance(node, ast.ClassDef)
                for one in _methods(node):
                    if one.name == method[0]:
                        self._take(module, one)
            elif isinstance(node, ast.ClassDef):
                self._classes[place] = node
                for part in (*node.bases, *node.body):
                    if not isinstance(part, _FUNCTION):
                        self._take(module, part)
            else:
                self._take(module, node)

    def _take(self, module: str, node: ast.AST) -> None:
        used = _used(node)
        self._faults |= used.faults
        self._attributes |= used.attributes
        for name in used.names:
            self._resolve(module, name)
        for name, attribute in used.dotted:
            self._resolve(module, name, attribute)

    def _resolve(self, module: str, name: str, attribute: str | None = None) -> None:
        known = _modules()[module]
        if name in known.defined:
            if attribute is None:
                self.add((module, name))
        elif name in known.imported:
            source, inner = known.imported[name]
            below = source if inner is None else f"{source}.{inner}"
            if below in _modules():
                if attribute is not None:
                    self._resolve(below, attribute)
            elif source in _modules() and inner is not None and attribute is None:
                self._resolve(source, inner)


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (part for part in node.body if isinstance(part, _FUNCTION))


def _called(method: ast.FunctionDef | ast.AsyncFunctionDef, attributes: set[str]) -> bool:
    # Special methods, and what pydantic calls by its decorator, have no name where they are called.
    by_others = method.name.startswith("__") or any(
        isinstance(decorator, ast.Call) for decorator in method.decorator_list
    )
    return by_others or method.name in attributes


@cache
def _used(node: ast.AST) -> _Used:
    used = _Used()
    _collect(node, used)
    return used


def _collect(node: ast.AST, used: _Used) -> None:
    if isinstance(node, ast.Compare | ast.Import | ast.ImportFrom):
        # A fault that is compared with is not raised.
        faultless = _Used()
        for child in ast.iter_child_nodes(node):
            _collect(child, faultless)
        used.names |= faultless.names
        used.dotted |= faultless.dotted
        used.attributes |= faultless.attributes
        return
    if isinstance(node, ast.Try) and any(_swallows(handler) for handler in node.handlers):
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            _collect(part, used)
        return
    if isinstance(node, ast.Attribute):
        used.attributes.add(node.attr)
        if isinstance(node.value, ast.Name):
            used.dotted.add((node.value.id, node.attr))
            if node.value.id == "Faults" and node.attr in Faults.__members__:
                used.faults.add(node.attr)
    elif isinstance(node, ast.Name):
        used.names.add(node.id)
    for child in ast.iter_child_nodes(node):
        _collect(child, used)


def _swallows(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {kind.id for kind in kinds if isinstance(kind, ast.Name)}
    return bool(names & _TAKES_ALL) and not any(_hands_on(p, handler) for p in ast.walk(handler))


def _hands_on(part: ast.AST, handler: ast.ExceptHandler) -> bool:
    returned = part.value if isinstance(part, ast.Return) else None
    as_it_is = isinstance(returned, ast.Name) and returned.id == handler.name
    return isinstance(part, ast.Raise) or as_it_is


@cache
def _modules() -> dict[str, _Module]:
    found = {}
    for package in _PACKAGES:
        for path in (_ROOT / package).rglob("*.py"):
            parts = path.relative_to(_ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = _read(name, is_package, ast.parse(path.read_text("utf-8")))
    return found


def _read(name: str, is_package: bool, tree: ast.Module) -> _Module:
    module = _Module()
    for node in tree.body:
        if isinstance(node, (*_FUNCTION, ast.ClassDef)):
            module.defined.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    module.defined.setdefault(target.id, []).append(node)
    for inner in ast.walk(tree):
        if isinstance(inner, ast.ImportFrom):
            base = name.split(".")
            base = base[: len(base) - inner.level + is_package] if inner.level else []
            source = ".".join([*base, *([inner.module] if inner.module else [])])
            for alias in inner.names:
                module.imported[alias.asname or alias.name] = (source, alias.name)
        elif isinstance(inner, ast.Import):
            for alias in inner.names:
                if alias.asname:
                    module.imported[alias.asname] = (alias.name, None)
    return module
