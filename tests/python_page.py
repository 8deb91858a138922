"""docs/reference/python.md: what other programs may import, from its docstrings."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import textwrap
from types import ModuleType
from typing import Any

# What a program of somebody else's may use. All else may change with any version.
PUBLIC = (
    "spektron_edge.bundle",
    "spektron_edge.inference",
    "spektron_edge.transfer",
    "spektron_edge.transfer_session",
    "spektron_edge.door.client",
    "firmware_bridge.link",
    "firmware_bridge.drivers.driver",
    "firmware_bridge.virtual",
)

_HEAD = """\
# Python

Generated from docstrings by `make pages`: what other programs may import. Everything else may
change with any version. Transfer methods as classes have a
[page of their own](../transfer-methods.md).
"""


def python_page() -> str:
    """Modules, and what each offers."""
    lines = [_HEAD]
    for name in PUBLIC:
        module = importlib.import_module(name)
        lines += [f"## {name}", "", inspect.getdoc(module) or "", ""]
        for each in offered(module):
            lines += _described(each, getattr(module, each))
    return "\n".join(lines).rstrip() + "\n"


def offered(module: ModuleType) -> list[str]:
    """Names that a module offers, as it lists them, else the public ones that it defines."""
    listed = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]
    return [
        name
        for name in listed
        if inspect.isclass(vars(module)[name]) or callable(vars(module)[name])
    ]


def _described(name: str, thing: Any) -> list[str]:
    lines = [f"### {name}", "", "```python", _head_of(thing), "```", "", *_doc(thing)]
    if not inspect.isclass(thing):
        return lines
    for member, value in vars(thing).items():
        made = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        made = made.fget if isinstance(made, property) else made
        if member.startswith("_") or not inspect.isfunction(made) or not inspect.getdoc(made):
            continue
        kind = "property " if isinstance(value, property) else ""
        lines += [
            f"**`{member}`** {kind}".rstrip(),
            "",
            "```python",
            _head_of(made),
            "```",
            "",
            *_doc(made),
        ]
    return lines


def _doc(thing: Any) -> list[str]:
    # Not what a class takes over from a parent of somebody else's.
    text = thing.__doc__ if isinstance(thing.__doc__, str) else ""
    return [inspect.cleandoc(text), ""] if text else []


def _head_of(thing: Any) -> str:
    """As it stands in the source, without decorators, bodies and defaults of several lines."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    if isinstance(tree, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in tree.bases)
        head = f"class {tree.name}({bases})" if bases else f"class {tree.name}"
        fields = [] if issubclass(thing, enum.Enum) else _fields(tree)
        if issubclass(thing, enum.Enum):
            fields = [ast.unparse(part) for part in tree.body if isinstance(part, ast.Assign)]
        return "\n    ".join([head, *(fields or _constructor(tree))])
    assert isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef))
    return _signature(tree)


def _fields(tree: ast.ClassDef) -> list[str]:
    return [
        ast.unparse(part)
        for part in tree.body
        if isinstance(part, ast.AnnAssign) and not ast.unparse(part.target).startswith("_")
    ]


def _constructor(tree: ast.ClassDef) -> list[str]:
    return [
        _signature(part)
        for part in tree.body
        if isinstance(part, ast.FunctionDef) and part.name == "__init__"
    ]


def _signature(tree: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(tree, ast.AsyncFunctionDef) else "def"
    result = f" -> {ast.unparse(tree.returns)}" if tree.returns else ""
    return f"{word} {tree.name}({ast.unparse(tree.args)}){result}"
