"""Finds the small changes that can be made to a module: mutants, each of one expression."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

COMPARISONS: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
}
SUMS: dict[type[ast.operator], ast.operator] = {ast.Add: ast.Sub(), ast.Sub: ast.Add()}

SKIPPED_BRANCHES = {"TYPE_CHECKING", "__name__ == '__main__'"}
"""Conditions of blocks that only a type checker, or a command line, runs."""

SKIPPED_DECORATORS = {"overload"}
SKIPPED_FUNCTIONS = {"__repr__"}
"""Functions whose result only programmers see."""

TYPE_FLAGS = {"frozen", "kw_only", "total"}
"""Keywords of class definitions that the type checker enforces."""

TYPE_CALLS = {"TypeVar", "ParamSpec", "NewType"}

LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
QUIET_LOG_METHODS = {"debug", "info"}
"""Log calls that need no test; a warning is a promise."""

UNREACHABLE = "# pragma: no cover"
"""Marks lines that no test can reach, for coverage too."""

SHOWN = 60
"""Maximum length of an expression in a mutant's description, in characters."""


@dataclass(frozen=True)
class Mutant:
    """One change to one file.

    Attributes:
        path: The file, relative to the project's root, with `/`.
        line: The line number where the changed code starts.
        function: The enclosing function or class, as in `Outer.method`; empty at module level.
        text: The source line, stripped.
        change: The code before and after, as in `a < b → a <= b`, cut if long; numbered if the
            function has equal lines with equal changes.
        start: The offset of the changed code in the file, in bytes.
        end: The offset of its end.
        code: Its replacement.
    """

    path: str
    line: int
    function: str
    text: str
    change: str
    start: int
    end: int
    code: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Stays the same when other lines of the file change."""
        return self.path, self.function, self.text, self.change

    def apply(self, source: bytes) -> bytes:
        """The file's content with the change."""
        return source[: self.start] + self.code.encode() + source[self.end :]

    @override
    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {self.change}"


@dataclass(frozen=True)
class _Edit:
    """A node and its replacement, with a prefix for the description of both."""

    node: ast.expr | ast.stmt
    new: ast.AST
    label: str = ""

    @property
    def code(self) -> str:
        """The replacement's source text."""
        text = ast.unparse(self.new)
        # Parentheses, because the operators around it may bind more strongly.
        return f"({text})" if isinstance(self.new, ast.expr) else text

    @property
    def change(self) -> str:
        """The description."""
        return _shown(self.label + ast.unparse(self.node), self.label + ast.unparse(self.new))


def find_mutants(path: str, source: bytes) -> Iterator[Mutant]:
    """Find all mutants of a file.

    Args:
        path: The file's name in the mutants.
        source: The file's content, UTF-8.

    Raises:
        SyntaxError: The source is not Python.
    """
    lines = source.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    seen = Counter[tuple[str, ...]]()
    for node, names in _walk(ast.parse(source), ()):
        for edit in EDITS.get(type(node), _no_edits)(node):
            old = edit.node
            text = lines[old.lineno - 1].decode().strip()
            # An attribute that is never set is an AttributeError at first use: too easily noticed.
            too_easy = names[-1:] == ("__init__",) and isinstance(old, ast.Assign)
            if too_easy or UNREACHABLE in text:
                continue
            mutant = Mutant(
                path=path,
                line=old.lineno,
                function=".".join(names),
                text=text,
                change=edit.change,
                start=starts[old.lineno - 1] + old.col_offset,
                end=starts[(old.end_lineno or 0) - 1] + (old.end_col_offset or 0),
                code=edit.code,
            )
            seen[mutant.identity] += 1
            nth = seen[mutant.identity]
            yield mutant if nth == 1 else replace(mutant, change=f"{mutant.change} ({nth})")


# --- the nodes that are changed -------------------------------------------------------------


def _walk(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Yield a node and all in it that may change, with the names of the enclosing functions."""
    yield node, names
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        names = (*names, node.name)
    for child in _children(node):
        yield from _walk(child, names)


def _children(node: ast.AST) -> Iterable[ast.AST]:
    """The children of a node, without annotations, log texts and code for type checkers."""
    if _is_skipped(node):
        return ()
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return (*node.decorator_list, node.args, *node.body)
        case ast.If() if ast.unparse(node.test) in SKIPPED_BRANCHES:
            return node.orelse
        case ast.AnnAssign():
            return () if node.value is None else (node.value,)
        case _:
            return ast.iter_child_nodes(node)


def _is_skipped(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            return node.name in SKIPPED_FUNCTIONS or bool(decorators & SKIPPED_DECORATORS)
        case ast.Call():
            return bool(_log_method(node)) or ast.unparse(node.func) in TYPE_CALLS
        case ast.keyword():
            # A flag is changed together with its name.
            return node.arg in TYPE_FLAGS or _is_flag(node.value)
        case _:
            # An f-string is wording, and its parts have no exact positions before Python 3.12.
            return isinstance(node, (ast.arg, ast.JoinedStr))


def _log_method(call: ast.Call) -> str:
    """The logger's method that is called; empty for any other call."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in LOG_METHODS:
        return ""
    owner = ast.unparse(call.func.value).lower()
    return call.func.attr if owner.endswith(("logger", "log", "logging")) else ""


def _is_flag(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


# --- the changes ----------------------------------------------------------------------------


def _no_edits(_: ast.AST) -> Iterator[_Edit]:
    return iter(())


def _turned(node: ast.Compare) -> Iterator[_Edit]:
    """`<` and `<=`, `==` and `!=`, with and without `not`."""
    for i, operator in enumerate(node.ops):
        operators = [*node.ops[:i], COMPARISONS[type(operator)], *node.ops[i + 1 :]]
        yield _Edit(node, ast.Compare(node.left, operators, node.comparators))


def _swapped(node: ast.BoolOp) -> Iterator[_Edit]:
    """`and` and `or`."""
    operator = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield _Edit(node, ast.BoolOp(operator, node.values))


def _without_not(node: ast.UnaryOp) -> Iterator[_Edit]:
    if isinstance(node.op, ast.Not):
        yield _Edit(node, node.operand)


def _other_sum(node: ast.BinOp) -> Iterator[_Edit]:
    """`+` and `-`, except between strings."""
    if type(node.op) in SUMS and not _has_text(node):
        yield _Edit(node, ast.BinOp(node.left, SUMS[type(node.op)], node.right))


def _has_text(node: ast.expr) -> bool:
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, (str, bytes)))
        for part in ast.walk(node)
    )


def _other_constant(node: ast.Constant) -> Iterator[_Edit]:
    """The other Boolean, the next integer."""
    if isinstance(node.value, bool):
        yield _Edit(node, ast.Constant(not node.value))
    elif isinstance(node.value, int):
        yield _Edit(node, ast.Constant(node.value + 1))


def _moved_bound(node: ast.Slice) -> Iterator[_Edit]:
    """A computed bound plus one; a bound that is a number changes as any number does."""
    for bound in (node.lower, node.upper):
        if bound is not None and not isinstance(bound, (ast.Constant, ast.UnaryOp)):
            yield _Edit(bound, ast.BinOp(bound, ast.Add(), ast.Constant(1)))


def _other_default(node: ast.arguments) -> Iterator[_Edit]:
    """Another default string; numbers and flags change as anywhere."""
    for default in (*node.defaults, *node.kw_defaults):
        if isinstance(default, ast.Constant) and isinstance(default.value, str):
            yield _Edit(default, ast.Constant("" if default.value else "x"))


def _flipped(node: ast.keyword) -> Iterator[_Edit]:
    """A flag, shown with its name."""
    if isinstance(node.value, ast.Constant) and _is_flag(node.value) and node.arg not in TYPE_FLAGS:
        yield _Edit(node.value, ast.Constant(not node.value.value), f"{node.arg}=")


def _branches(node: ast.If | ast.IfExp) -> Iterator[_Edit]:
    """Both branches, whatever the condition."""
    if ast.unparse(node.test) not in SKIPPED_BRANCHES:
        yield from _decided(node.test)


def _guarded(node: ast.match_case) -> Iterator[_Edit]:
    return _decided(node.guard)


def _filtered(node: ast.comprehension) -> Iterator[_Edit]:
    """All, or nothing."""
    for test in node.ifs:
        yield from _decided(test)


def _not_entered(node: ast.While) -> Iterator[_Edit]:
    """A loop that is not entered; one that never ends needs no test to be noticed."""
    yield from (edit for edit in _decided(node.test) if ast.unparse(edit.new) == "False")


def _decided(test: ast.expr | None) -> Iterator[_Edit]:
    if test is not None and not isinstance(test, ast.Constant):
        yield _Edit(test, ast.Constant(value=True), "if ")
        yield _Edit(test, ast.Constant(value=False), "if ")


def _nothing_returned(node: ast.Return) -> Iterator[_Edit]:
    # A flag is flipped instead: callers cannot tell False from None.
    if node.value is not None and not _is_flag(node.value) and ast.unparse(node.value) != "None":
        yield _Edit(node.value, ast.Constant(None), "return ")


def _without_call(node: ast.Expr) -> Iterator[_Edit]:
    if isinstance(node.value, ast.Call) and _log_method(node.value) not in QUIET_LOG_METHODS:
        yield _Edit(node, ast.Pass())


def _without_assignment(node: ast.Assign | ast.Delete) -> Iterator[_Edit]:
    """An attribute or item that is not set, or not deleted."""
    if isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
        yield _Edit(node, ast.Pass())


def _other_addition(node: ast.AugAssign) -> Iterator[_Edit]:
    """No addition, or a subtraction."""
    yield _Edit(node, ast.Pass())
    if type(node.op) in SUMS and not _has_text(node.value):
        yield _Edit(node, ast.AugAssign(node.target, SUMS[type(node.op)], node.value))


def _without(node: ast.stmt) -> Iterator[_Edit]:
    yield _Edit(node, ast.Pass())


EDITS: dict[type[ast.AST], Callable[[Any], Iterator[_Edit]]] = {
    ast.arguments: _other_default,
    ast.Assign: _without_assignment,
    ast.AugAssign: _other_addition,
    ast.BinOp: _other_sum,
    ast.BoolOp: _swapped,
    ast.Break: _without,
    ast.Compare: _turned,
    ast.comprehension: _filtered,
    ast.Constant: _other_constant,
    ast.Continue: _without,
    ast.Delete: _without_assignment,
    ast.Expr: _without_call,
    ast.If: _branches,
    ast.IfExp: _branches,
    ast.keyword: _flipped,
    ast.match_case: _guarded,
    ast.Raise: _without,
    ast.Return: _nothing_returned,
    ast.Slice: _moved_bound,
    ast.UnaryOp: _without_not,
    ast.While: _not_entered,
}


def _shown(before: str, after: str) -> str:
    """Both texts on one line, cut to the place where they differ."""
    before, after = " ".join(before.split()), " ".join(after.split())
    equal = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    start = max(0, len(list(equal)) - SHOWN // 2) if len(before) > SHOWN else 0
    return " → ".join(
        ("…" if start else "")
        + text[start : start + SHOWN]
        + ("…" if len(text) > start + SHOWN else "")
        for text in (before, after)
    )
