"""The functions that ran, each with those of its lines that did."""

from __future__ import annotations

import ast
import inspect
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinygrad_edu.reading.source import Source, end_of, source, start_of
from tinygrad_edu.reading.watch import FOLDER, Place, Span, Watch


@dataclass(frozen=True)
class Function:
    """One function, as far as it ran.

    name: as its file calls it, such as "Op.apply".
    sentence: what it does: the first sentence of its docstring.
    file, line: where it is.
    lines: its lines that are printed, by their numbers.
    calls: the functions that it called, as positions among all that ran, by where the call is written.
    """

    name: str
    sentence: str
    file: str
    line: int
    lines: dict[int, str]
    calls: dict[Span, tuple[int, ...]]

    @property
    def place(self) -> str:
        """File and line, the file as it is imported: `tinygrad_edu/tensor.py:146`."""
        return f"{Path(self.file).relative_to(FOLDER.parent).as_posix() if FOLDER in Path(self.file).parents else self.file}:{self.line}"


class Listing:
    """The lines of a function that ran. The body of an `if` that did not hold is one sign: `if x is None: …`."""

    def __init__(self, source: Source, ran: Sequence[Place]) -> None:
        self.source = source
        self.ran = ran
        self.lines: dict[int, str] = {}

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[int, str]:
        """The head of the function, and of its body what ran."""
        self._copy(node.lineno, self.source.colon((node.lineno, node.col_offset))[0])
        self._block(node.body)
        return self._sorted()

    def lambdas(self, statement: ast.stmt) -> dict[int, str]:
        """Print those lambdas of a declaration that ran."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Lambda) and self._passed(start_of(node.body), end_of(node.body)):
                self._copy(node.lineno, node.end_lineno or node.lineno)
        return self._sorted()

    def _sorted(self) -> dict[int, str]:
        return {number: self.lines[number] for number in sorted(self.lines)}

    def _passed(self, start: Place, end: Place) -> bool:
        """Whether an instruction between two places was executed."""
        at = bisect_left(self.ran, start)
        return at < len(self.ran) and self.ran[at] < end

    def _happened(self, statement: ast.stmt) -> bool:
        """Whether a statement ran, or one in it; the body of a function is not in it, for that runs later."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min(start_of(part) for part in (statement, *statement.decorator_list))
            return self._passed(first, self.source.colon(start_of(statement)))
        parts = (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))
        blocks = [getattr(part, key, ()) for part in parts for key in ("body", "orelse", "finalbody")]
        if not any(blocks) and not isinstance(statement, ast.Match):
            return self._passed(start_of(statement), end_of(statement))
        own = self._passed(start_of(statement), self.source.colon(start_of(statement)))
        return own or any(self._happened(inner) for block in blocks for inner in block)

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            if self._happened(statement):
                self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                for decorator in statement.decorator_list:
                    self._copy(decorator.lineno, decorator.end_lineno or decorator.lineno)
                self._part(start_of(statement), ())
            case ast.If() | ast.While() | ast.For() | ast.AsyncFor():
                self._part(start_of(statement), statement.body)
                self._otherwise(statement.orelse)
            case ast.With() | ast.AsyncWith():
                self._part(start_of(statement), statement.body)
            case ast.Try() | ast.TryStar():
                self._part(start_of(statement), statement.body)
                for handler in statement.handlers:
                    self._part(start_of(handler), handler.body)
                self._otherwise(statement.orelse)
                if statement.finalbody:
                    self._part(self.source.before("finally", start_of(statement.finalbody[0])), statement.finalbody)
            case ast.Match():
                self._copy(statement.lineno, self.source.colon(start_of(statement))[0])
                for case in statement.cases:
                    start = self.source.before("case", start_of(case.pattern))
                    if self._passed(start, self.source.colon(start)) or any(map(self._happened, case.body)):
                        self._part(start, case.body)
            case _:
                self._copy(statement.lineno, statement.end_lineno or statement.lineno)

    def _otherwise(self, body: Sequence[ast.stmt]) -> None:
        """An `else`, if it ran; one that is nothing but another `if` is an `elif`."""
        if any(map(self._happened, body)):
            first = start_of(body[0])
            if self._written(first).startswith("elif"):
                self._block(body)
            else:
                self._part(self.source.before("else", first), body)

    def _part(self, start: Place, body: Sequence[ast.stmt]) -> None:
        """A head and its body, or the head and … if nothing of the body ran."""
        line, column = self.source.colon(start)
        if any(map(self._happened, body)):
            self._copy(start[0], line)
            self._block(body)
        else:
            self._copy(start[0], line - 1)
            cut = self.source.lines[line - 1].encode()[: column + 1].decode()
            self.lines.setdefault(line, f"{cut} …")

    def _written(self, place: Place) -> str:
        return self.source.lines[place[0] - 1].encode()[place[1] :].decode()

    def _copy(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            text = self.source.lines[number - 1]
            if text.strip():
                self.lines.setdefault(number, text)


def _declared(node: ast.stmt) -> str:
    """The name that a statement outside functions declares; with `@op(…)` above a function, that of the function."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
    return getattr(target, "id", getattr(target, "name", "")) or ast.unparse(target).split("\n")[0]


PROTOCOLS = {
    "__array_ufunc__": "NumPy calls this where an operator, or a function such as np.exp, meets a tensor.",
    "__array_function__": "NumPy calls this where one of its other functions, such as np.concatenate, meets a tensor.",
}
"""What the methods do that NumPy asks of a tensor, and describes itself."""


def _sentence(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """What a function does: the first sentence of its docstring, or of its class's if it makes the object."""
    if node.name in PROTOCOLS:
        return PROTOCOLS[node.name]
    said = ast.get_docstring(node)
    outer = source.inside.get(node)
    if said is None and node.name in ("__init__", "__new__") and isinstance(outer, ast.ClassDef):
        said = ast.get_docstring(outer)
    if said is None and node.name.startswith("__"):
        said = inspect.getdoc(getattr(np.ndarray, node.name, None))
    if said is None and isinstance(outer, ast.ClassDef) and hasattr(np.ndarray, node.name):
        said = f"NumPy's {node.name}, as a method of a tensor."
    first = " ".join((said or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z_`∂yi])|:$", first)[0]


def functions(watch: Watch) -> list[Function]:
    """The functions that ran, in the order of the first call."""
    ran = {file: sorted(places) for file, places in watch.ran.items()}
    keys = {code: (code.co_filename, *source(code.co_filename).owner(code)) for code in watch.codes}
    positions = {key: i for i, key in enumerate(dict.fromkeys(keys.values()))}
    found = []
    for file, node, whole in positions:
        page, listing = source(file), Listing(source(file), ran.get(file, ()))
        if whole and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name, said, lines = page.name(node), _sentence(page, node), listing.function(node)
        else:
            name = _declared(node)
            said, lines = f"From the declaration of `{name}`.", listing.lambdas(node)
        calls = {
            span: tuple(dict.fromkeys(positions[keys[code]] for code in codes))
            for span, codes in watch.calls.get(file, {}).items()
            if span[0] in lines
        }
        line = node.lineno if whole else min(lines)
        found.append(Function(name if whole else f"{name}, declared", said, file, line, lines, calls))
    callers = {at: caller.name for caller in reversed(found) for called in caller.calls.values() for at in called}
    return [
        replace(f, sentence=f.sentence or (f"Called in {callers[i]}." if i in callers else ""))
        for i, f in enumerate(found)
    ]
