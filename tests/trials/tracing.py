"""Alters modules so that they note which of their functions are entered, see `reached.py`."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

from tests.trials.reached import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "_reached_"
"""What altered modules import `reached.py` as."""

CACHES = {"cache", "lru_cache", "functools.cache", "functools.lru_cache"}

BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def traced(path: str, source: bytes) -> bytes:
    """A module's source with a call of `reached` in each function, class and at its start.

    All else stays as it is written, because tests read it.

    Args:
        path: The file's name in the notes: `tap_orgvue/cli.py main` is a function's.
        source: The file's content, UTF-8.

    Raises:
        SyntaxError: The source is not Python.
    """
    tree = ast.parse(source)
    # The start of a process is no import: what it calls, it calls each time.
    depth = int(not path.endswith("__main__.py"))
    begin = f"import reached as {MODULE}; {MODULE}.importing({depth}); {_call(path, ())}"
    calls = [(tree.body, begin), *_calls(tree, path, ())] if tree.body else []
    lines = source.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    for body, call in sorted(calls, key=lambda pair: _place(pair[0]), reverse=True):
        line, column = _place(body)
        at = starts[line - 1] + column
        source = source[:at] + _inserted(body, column, call).encode() + source[at:]
    return source + f"\n{MODULE}.importing(-{depth})\n".encode() if calls else source


def _calls(
    node: ast.AST, path: str, names: tuple[str, ...]
) -> Iterator[tuple[list[ast.stmt], str]]:
    """The body of each function and class in a node, and the call that notes it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, BLOCKS):
            inner = (*names, child.name)
            decorators = {ast.unparse(node).partition("(")[0] for node in child.decorator_list}
            yield child.body, _call(path, inner, cached=bool(decorators & CACHES))
            yield from _calls(child, path, inner)
        else:
            yield from _calls(child, path, names)


def _call(path: str, names: tuple[str, ...], *, cached: bool = False) -> str:
    """The call that notes a function; the result of a cached one is used without a call."""
    note = f"{path} {'.'.join(names)}"
    return f"{MODULE}.reached({ANY + note if cached else note!r})"


def _first(body: list[ast.stmt]) -> ast.stmt | None:
    """The first statement after docstring and future imports."""
    for position, statement in enumerate(body):
        match statement:
            case ast.Expr(ast.Constant(str())) if not position:
                pass
            case ast.ImportFrom(module="__future__"):
                pass
            case _:
                return statement
    return None


def _place(body: list[ast.stmt]) -> tuple[int, int]:
    """Line and column of the first statement, with its decorators, or of the end."""
    first = _first(body)
    if first is None:
        return body[-1].end_lineno or 0, body[-1].end_col_offset or 0
    decorators = getattr(first, "decorator_list", [])
    # An `@` stands before the decorator.
    return (
        (decorators[0].lineno, first.col_offset) if decorators else (first.lineno, first.col_offset)
    )


def _inserted(body: list[ast.stmt], column: int, call: str) -> str:
    """The call, on a line of its own where a statement with a block follows."""
    first = _first(body)
    if first is None:
        return f"; {call}"
    return (
        f"{call}\n{' ' * column}"
        if hasattr(first, "body") or isinstance(first, ast.Match)
        else f"{call}; "
    )
