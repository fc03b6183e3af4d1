"""How an op is declared, word for word: what `inspect.getsource`, `help` and an editor's "go to" ask for.

Where a declaration stands is noted as it is made, which costs next to nothing. Its text is read when somebody asks.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from types import CodeType, FunctionType
from typing import Any


class Place:
    """Where a declaration stands.

    module: the module, by name.
    code: what made the declaration: the module's code, or that of a function in which it stands.
    at: the instruction in that code.
    helpers: the package's functions that it went through, such as `unary`: a rule may be written in one of them.
    """

    def __init__(self, module: str, code: CodeType, at: int, helpers: tuple[CodeType, ...]) -> None:
        self.module, self.code, self.at, self.helpers = module, code, at, helpers


def place() -> Place:
    """Where the op that is being made is declared: the first code, outwards, that is not one of the package's functions."""
    frame: Any = sys._getframe(2)
    helpers = []
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        if not str(frame.f_globals.get("__name__")).startswith("tinygrad_edu."):
            break
        helpers.append(frame.f_code)
        frame = frame.f_back
    return Place(str(frame.f_globals.get("__name__")), frame.f_code, frame.f_lasti, tuple(helpers))


def declared(name: str, forward: Callable[..., Any], made: Place) -> Callable[..., Any] | None:
    """The function that shows the declaration: `forward` itself, if it is declared by a decorator above it; otherwise one
    that computes the same, and whose source is the declaration's text. None if neither has a text.
    """
    file = made.code.co_filename
    lines = _lines(file, made.module)
    statement = _statement(file, lines, _line(made))
    if statement is None or isinstance(statement, ast.FunctionDef):
        return forward if isinstance(forward, FunctionType) else None
    parts = [_text(lines, statement)]
    if not re.search(r"\blambda\b", parts[0]):  # its rule is written elsewhere: in a function that it calls
        parts += filter(None, [_function(code, lines) for code in made.helpers if code.co_filename == file])
    if not re.search(r"^def\b|\blambda\b", "\n".join(parts), re.MULTILINE):
        parts.append(f"def {name}(*inputs, **settings): ...")  # `inspect` ends a text where a function ends
    first = _first(statement)
    page = f"{file}:{first}"
    text = f"# {page}\n" + "\n\n\n".join(parts) + "\n"
    linecache.cache[page] = (len(text), None, text.splitlines(keepends=True), page)
    return _computes(name, forward, page, made.module)


def _line(made: Place) -> int:
    """The line of the call that made the declaration."""
    positions = next(islice(made.code.co_positions(), made.at // 2, None), (None,))
    return positions[0] or made.code.co_firstlineno


def _lines(file: str, module: str) -> list[str]:
    """The lines of a file, of a notebook's cell, or of whatever else the module was loaded from."""
    linecache.checkcache(file)
    return linecache.getlines(file, vars(sys.modules[module]) if module in sys.modules else None)


_PAGES: dict[str, tuple[list[str], list[ast.stmt]]] = {}


def _statements(file: str, lines: list[str]) -> list[ast.stmt]:
    """All statements of a file, an outer one before those in it. They are kept, for as long as its lines are the same."""
    known = _PAGES.get(file)
    if known is None or known[0] is not lines:
        try:
            nodes = ast.walk(ast.parse("".join(lines)))
        except SyntaxError:  # a cell with commands that are not Python
            nodes = iter(())
        known = _PAGES[file] = lines, [node for node in nodes if isinstance(node, ast.stmt)]
    return known[1]


def _statement(file: str, lines: list[str], line: int) -> ast.stmt | None:
    """The innermost statement that holds a line, if there is one."""
    around = [s for s in _statements(file, lines) if _first(s) <= line <= (s.end_lineno or 0)]
    return around[-1] if around else None


def _first(statement: ast.stmt) -> int:
    """The line a statement begins in, with its decorators."""
    decorators: Iterable[ast.expr] = getattr(statement, "decorator_list", ())
    return min([statement.lineno, *[d.lineno for d in decorators]])


def _text(lines: list[str], statement: ast.stmt) -> str:
    """The text of a statement, moved to the left margin."""
    chosen = lines[_first(statement) - 1 : statement.end_lineno]
    margin = len(chosen[0]) - len(chosen[0].lstrip())
    return "".join([line[margin:] if not line[:margin].strip() else line for line in chosen]).rstrip()


def _function(code: CodeType, lines: list[str]) -> str:
    """The text of a function of this file."""
    statement = _statement(code.co_filename, lines, code.co_firstlineno)
    return "" if statement is None else _text(lines, statement)


def _computes(name: str, forward: Callable[..., Any], page: str, module: str) -> Callable[..., Any]:
    """A function that computes `forward`, and that `inspect` finds on `page`."""

    def computes(*inputs: Any, **settings: Any) -> Any:
        return forward(*inputs, **settings)

    code = computes.__code__.replace(co_filename=page, co_name=name, co_qualname=name, co_firstlineno=1)
    made = FunctionType(code, {"__name__": module}, name, None, computes.__closure__)
    made.__doc__ = forward.__doc__
    return made
