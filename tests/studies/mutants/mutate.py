"""Mutants of a module: its syntax tree with one operator, constant or condition changed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    one: other
    for pair in (
        (ast.Lt, ast.LtE),
        (ast.Gt, ast.GtE),
        (ast.Eq, ast.NotEq),
        (ast.Is, ast.IsNot),
        (ast.In, ast.NotIn),
        (ast.Add, ast.Sub),
        (ast.Mult, ast.Div),
        (ast.FloorDiv, ast.Mod),
        (ast.LShift, ast.RShift),
        (ast.BitAnd, ast.BitOr),
        (ast.And, ast.Or),
        (ast.USub, ast.UAdd),
    )
    for one, other in (pair, pair[::-1])
} | {ast.Pow: ast.Mult}
_CALLS = {
    one: other
    for pair in (("min", "max"), ("any", "all"), ("minimum", "maximum"), ("floor", "ceil"))
    for one, other in (pair, pair[::-1])
}
# Names and functions that hold text for the reader; what they say is not mathematics.
_TEXT_NAMES = frozenset(
    {"said", "message", "why", "told", "what", "good", "reasons", "more", "but"}
)
_TEXT_FUNCTIONS = ("_words", "_words_of", "_where")

Change = tuple[str, Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a module.

    Attributes:
        node: place of the changed node in the walk over the tree.
        variant: which of the node's changes.
        line: number of the source line, from 1.
        text: the source line, without indentation.
        change: what was changed, and into what; `#2` for the second such change of a line.
    """

    node: int
    variant: int
    line: int
    text: str
    change: str


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    found = []
    seen: Counter[tuple[int, str]] = Counter()
    for place, node in enumerate(_nodes(ast.parse(source))):
        for variant, (change, _) in enumerate(_changes(node)):
            seen[node.lineno, change] += 1
            turn = seen[node.lineno, change]
            reported = change if turn == 1 else f"{change} #{turn}"
            text = lines[node.lineno - 1].strip()
            found.append(Mutant(place, variant, node.lineno, text, reported))
    return sorted(found, key=lambda mutant: mutant.line)


def mutated(path: Path, mutant: Mutant) -> ast.Module:
    """The tree of a module with one change."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    node = list(_nodes(tree))[mutant.node]
    list(_changes(node))[mutant.variant][1]()
    return ast.fix_missing_locations(tree)


def _nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Statements and expressions that compute; neither annotations nor text."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_text(child):
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield child
            yield from _nodes(child)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name.endswith(_TEXT_FUNCTIONS)
    if isinstance(node, ast.keyword):
        return node.arg in _TEXT_NAMES
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return all(isinstance(one, ast.Name) and one.id in _TEXT_NAMES for one in targets)
    return isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom)


def _changes(node: ast.expr | ast.stmt) -> Iterator[Change]:
    """What can be changed in a node itself, as a description and an action upon it."""
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            yield from _swap(op, partial(node.ops.__setitem__, place))
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp | ast.UnaryOp):
        yield from _swap(node.op, partial(setattr, node, "op"))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            twice = ast.UnaryOp(node.op, node.operand)
            yield f"{type(node.op).__name__} removed", partial(setattr, node, "operand", twice)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield "condition negated", partial(setattr, node, "test", negated)
    else:
        yield from _renamed(node)


def _renamed(node: ast.expr | ast.stmt) -> Iterator[Change]:
    """Another function of the same kind in place of a name, or a slice with an end less."""
    for field in ("id", "attr"):
        other = _CALLS.get(getattr(node, field, ""))
        if other is not None:
            yield f"{getattr(node, field)} -> {other}", partial(setattr, node, field, other)
    for end in ("lower", "upper"):
        if getattr(node, end, None) is not None:
            yield f"slice without {end}", partial(setattr, node, end, None)


def _swap(op: ast.AST, put: Callable[[ast.AST], object]) -> Iterator[Change]:
    other = _SWAPS.get(type(op))
    if other is not None:
        yield f"{type(op).__name__} -> {other.__name__}", partial(put, other())


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool | int | float):
        other = (not value) if isinstance(value, bool) else value + 1
        yield f"{value} -> {other}", partial(setattr, node, "value", other)
