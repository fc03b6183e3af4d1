"""What ran when you wrote this: the engine's own statements behind an expression, function by function.

    python -m tinygrad_edu.reading "(x*w + b).sum()" --backward
    python -m tinygrad_edu.reading "relu(x @ W)" "x=[1, 2]" "W=[[1, -1], [0, 1]]" -o evening.html
    print(tg.what_ran(lambda x: (x * x).sum().backward(), x))

The expression runs once, while Python says which instructions of this package it executes. Then the source of each
function that was called is printed, less what did not run, so what one reads is the engine itself and cannot drift from it.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import html
import inspect
import io
import os
import re
import sys
import textwrap
import tokenize
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.tensor import Tensor

FOLDER = Path(__file__).parent
FORMATS = (".html", ".md", ".pdf", ".txt")
LINES_A_PAGE = 68
"""What a printed page of a PDF holds."""

Place = tuple[int, int]
"""A line, from 1, and a column of it, in bytes from 0: where the syntax tree and the instructions say that things are."""
Span = tuple[int, int, int, int]
"""Two places: where something begins and where it has ended."""


# ---------------------------------------------------------------------------------------------------
# Watching


class Watch:
    """Which instructions of the files in a folder are executed, and which of their functions are called.

    codes: the functions' code, in the order of the first call.
    ran: for each file, the places where the executed instructions stand.
    calls: for each file, the spans of calls, each with the codes that were called from there.

    What the import of a module runs is left out: it runs once, whatever the expression is.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.codes: dict[CodeType, None] = {}
        self.ran: dict[str, set[Place]] = {}
        self.calls: dict[str, dict[Span, dict[CodeType, None]]] = {}
        self._folder = str(folder) + os.sep
        self._importing = 0

    def run(self, f: Callable[..., Any], *args: Any) -> Any:
        """f(*args), watched; a tracer that was there, such as a debugger's, comes back afterwards."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            return f(*args)
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(self._folder) or code.co_filename == __file__:
            return None
        if code.co_name == "<module>":
            self._importing += 1
            frame.f_trace_lines = False
            return self._imported
        if self._importing:
            return None
        if code.co_flags & inspect.CO_OPTIMIZED:  # a function, not the body of a class
            self.codes.setdefault(code)
        caller = frame.f_back
        while caller is not None and caller.f_code not in self.codes:  # NumPy, say, is between the two
            caller = caller.f_back
        if caller is not None:
            span = _spans(caller.f_code)[caller.f_lasti // 2]
            if span is not None:
                self.calls.setdefault(caller.f_code.co_filename, {}).setdefault(span, {}).setdefault(code)
        frame.f_trace_opcodes = True
        return self._stepped

    def _stepped(self, frame: FrameType, event: str, _: Any) -> Any:
        if event in ("opcode", "line"):
            span = _spans(frame.f_code)[frame.f_lasti // 2]
            if span is not None:
                self.ran.setdefault(frame.f_code.co_filename, set()).add(span[:2])
        return self._stepped

    def _imported(self, frame: FrameType, event: str, _: Any) -> Any:
        self._importing -= event == "return"
        return self._imported


@cache
def _spans(code: CodeType) -> list[Span | None]:
    """Where each instruction stands in the source; None where the compiler does not say."""
    return [
        (line, column, end or line, end_column or column) if line is not None and column is not None else None
        for line, end, column, end_column in code.co_positions()
    ]


# ---------------------------------------------------------------------------------------------------
# Printing what ran


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


class Source:
    """A file, read as text, as a tree, and as words."""

    def __init__(self, file: str) -> None:
        self.text = Path(file).read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.tree = ast.parse(self.text)
        self.words: list[tuple[Place, str]] = [
            ((token.start[0], len(token.line[: token.start[1]].encode())), token.string)
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline)
            if token.type in (tokenize.NAME, tokenize.OP)
        ]
        self.inside: dict[ast.AST, ast.AST] = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

        self.called: dict[Span, Span] = {  # of a call `x.f(y)`, where `x.f` stands
            (*_start(node), *_end(node)): (*_start(node.func), *_end(node.func))
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
        }

    def colon(self, start: Place) -> Place:
        """Where the head of the compound statement that begins at `start` has its colon."""
        depth = lambdas = 0
        for place, word in self.words[bisect_left(self.words, (start, "")) :]:
            depth += (word in "([{") - (word in ")]}")
            lambdas += word == "lambda" and not depth
            if word == ":" and not depth:
                if not lambdas:
                    return place
                lambdas -= 1
        raise ValueError(f"no statement with a colon begins at line {start[0]}")

    def before(self, word: str, place: Place) -> Place:
        """Where the last `word` before a place stands."""
        return next(at for at, said in reversed(self.words[: bisect_left(self.words, (place, ""))]) if said == word)

    def owner(self, code: CodeType) -> tuple[ast.stmt, bool]:
        """The function that a code object is, or is a part of, and True; or a statement outside functions, and False.

        A comprehension, which has code of its own in some versions of Python, and a lambda are a part of the function that
        they are written in. The statement is the one that a lambda outside functions is written in: a declaration.
        """
        line = code.co_firstlineno
        functions = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for node in functions:
            if node.name == code.co_name and _first(node) == line:
                return node, True
        for node in reversed(functions):  # the inmost first
            if _start(node.body[0])[0] <= line <= _end(node)[0]:
                return node, True
        holders: list[ast.Module | ast.ClassDef] = [
            self.tree,
            *(node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)),
        ]
        for statement in (statement for holder in reversed(holders) for statement in holder.body):
            if _first(statement) <= line <= _end(statement)[0]:
                return statement, False
        raise ValueError(f"{code.co_filename} has changed since it was loaded: start Python anew")

    def name(self, node: ast.AST) -> str:
        """A function with the classes and functions that it is in: `Op.apply`."""
        outer = self.inside.get(node)
        own = getattr(node, "name", "")
        if outer is None:
            return own
        around = self.name(outer)
        return ".".join(part for part in (around, own) if part)


@cache
def source(file: str) -> Source:
    """A file, read once."""
    return Source(file)


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
        """Of a declaration, the lambdas in it that ran."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Lambda) and self._passed(_start(node.body), _end(node.body)):
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
            first = min(_start(part) for part in (statement, *statement.decorator_list))
            return self._passed(first, self.source.colon(_start(statement)))
        parts = (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))
        blocks = [getattr(part, key, ()) for part in parts for key in ("body", "orelse", "finalbody")]
        if not any(blocks) and not isinstance(statement, ast.Match):
            return self._passed(_start(statement), _end(statement))
        own = self._passed(_start(statement), self.source.colon(_start(statement)))
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
                self._part(_start(statement), ())
            case ast.If() | ast.While() | ast.For() | ast.AsyncFor():
                self._part(_start(statement), statement.body)
                self._otherwise(statement.orelse)
            case ast.With() | ast.AsyncWith():
                self._part(_start(statement), statement.body)
            case ast.Try() | ast.TryStar():
                self._part(_start(statement), statement.body)
                for handler in statement.handlers:
                    self._part(_start(handler), handler.body)
                self._otherwise(statement.orelse)
                if statement.finalbody:
                    self._part(self.source.before("finally", _start(statement.finalbody[0])), statement.finalbody)
            case ast.Match():
                self._copy(statement.lineno, self.source.colon(_start(statement))[0])
                for case in statement.cases:
                    start = self.source.before("case", _start(case.pattern))
                    if self._passed(start, self.source.colon(start)) or any(map(self._happened, case.body)):
                        self._part(start, case.body)
            case _:
                self._copy(statement.lineno, statement.end_lineno or statement.lineno)

    def _otherwise(self, body: Sequence[ast.stmt]) -> None:
        """An `else`, if it ran; one that is nothing but another `if` is an `elif`."""
        if any(map(self._happened, body)):
            first = _start(body[0])
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


def _start(node: Any) -> Place:
    return node.lineno, node.col_offset


def _first(node: ast.stmt) -> int:
    """The first line of a statement: that of its first decorator, if it has one."""
    return min(part.lineno for part in (node, *getattr(node, "decorator_list", ())))


def _end(node: Any) -> Place:
    return node.end_lineno, node.end_col_offset


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


# ---------------------------------------------------------------------------------------------------
# Pages


class Reading:
    """What ran, to print, to show and to save: `print(reading)`, `reading.save("evening.html")`.

    title: what was run.
    values: what its names stood for.
    functions: what ran, in the order of the first call.
    result: what it gave.
    """

    def __init__(self, title: str, values: Mapping[str, str], functions: Sequence[Function], result: Any) -> None:
        self.title, self.values, self.functions, self.result = title, dict(values), list(functions), result

    @property
    def lines(self) -> int:
        """How many lines of source are printed."""
        return sum(len(function.lines) for function in self.functions)

    def __repr__(self) -> str:
        return f"<what ran in {self.title}: {self.lines} lines of {len(self.functions)} functions>"

    def __str__(self) -> str:
        """All of it as text: a number before each line is that of the file."""
        parts = [f"{HEADING} {self.title}", *self._given("    "), "", *textwrap.wrap(self._about(), 100)]
        for i, function in enumerate(self.functions):
            parts += ["", f"{i + 1}. {function.name} · {function.place}", *filter(None, [f"   {function.sentence}"])]
            parts += _numbered(function)
        return "\n".join(line.rstrip() for line in parts) + "\n"

    def markdown(self, folder: Path | None = None) -> str:
        """All of it as Markdown; `folder`: where the file will be, from which the engine's files are linked."""
        parts = [f"# {HEADING} `{self.title}`", ""]
        if self.values:
            parts += ["```python", *self._given(""), "```", ""]
        parts += [self._about(), ""]
        parts += [f"{i + 1}. [`{f.name}`](#f{i + 1}){self._callers(i)}" for i, f in enumerate(self.functions)]
        for i, function in enumerate(self.functions):
            link = _link(function, folder)
            place = f"[{function.place}]({link}#L{function.line})" if link else function.place
            parts += ["", f'<a id="f{i + 1}"></a>', "", f"## {i + 1}. `{function.name}` · {place}", ""]
            parts += [function.sentence, ""] if function.sentence else []
            parts += ["```python", *_numbered(function), "```"]
        return "\n".join(parts) + "\n"

    def _callers(self, at: int) -> str:
        """By which functions one was called, as the end of a line of Markdown."""
        links = [
            f"[{i + 1}](#f{i + 1})"
            for i, f in enumerate(self.functions)
            if i != at and any(at in called for called in f.calls.values())
        ]
        return f", called in {', '.join(links)}" if links else ""

    def html(self, folder: Path | None = None) -> str:
        """All of it as a page: a call of another function that ran is a link to it."""
        said = html.escape
        entries = "".join(f'<li><a href="#f{i + 1}">{said(f.name)}</a>' for i, f in enumerate(self.functions))
        parts = [f"<nav><ol>{entries}</ol></nav>", "<main>", f"<h1>{HEADING} <code>{said(self.title)}</code></h1>"]
        parts += [f"<pre>{said(chr(10).join(self._given('')))}</pre>"] if self.values else []
        parts += [f"<p>{said(self._about())}</p>"]
        for i, function in enumerate(self.functions):
            link = _link(function, folder)
            place = f'<a href="{said(link)}">{said(function.place)}</a>' if link else said(function.place)
            parts += [f'<section id="f{i + 1}"><h2>{i + 1}. {said(function.name)} <small>{place}</small></h2>']
            parts += [f"<p>{_code(function.sentence)}</p>", f"<pre>{_linked(function)}</pre></section>"]
        body = "\n".join([*parts, "</main>"])
        return f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{said(self.title)}</title>\n<style>{STYLE}</style>\n{body}\n</html>\n'

    _repr_html_ = html

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page: .html and .md with links, .pdf to print, .txt. Raises ValueError for any other ending."""
        target = Path(path)
        ending = target.suffix.lower()
        if ending not in FORMATS:
            raise ValueError(f"{target.name} ends in none of {' '.join(FORMATS)}, which say how the page is written")
        if ending == ".pdf":
            _write_pdf(str(self), target)
            return
        folder = target.resolve().parent
        text = {".html": self.html, ".md": self.markdown, ".txt": lambda _: str(self)}[ending](folder)
        target.write_text(text, encoding="utf-8")

    def _given(self, margin: str) -> list[str]:
        """What the names stand for, as Python would be told."""
        lines = []
        for name, value in self.values.items():
            first, *others = value.splitlines() or [""]
            lines += [f"{name} = {first}", *(" " * len(f"{name} = ") + line for line in others)]
        return [margin + line for line in lines]

    def _about(self) -> str:
        files = len({function.file for function in self.functions})
        return (
            f"{self.lines} lines of {len(self.functions)} functions in {files} files, in the order of the first call. "
            "The number before a line is its number in the file; lines that did not run are left out, and … stands for a "
            "body that did not run."
        )


HEADING = "What ran when you wrote"
STYLE = """
body { margin: 0 auto; max-width: 72rem; display: grid; grid-template-columns: 15rem 1fr; gap: 2rem; font: 16px/1.5 Georgia, serif; }
nav { position: sticky; top: 0; max-height: 100vh; overflow: auto; font-size: 0.85rem; overflow-wrap: anywhere; } nav ol { padding-left: 2.2rem; }
main { min-width: 0; } h1, h2 { font-weight: normal; line-height: 1.25; } h2 { margin: 2rem 0 0; font-size: 1.2rem; }
small { font-size: 0.75em; } small, small a, i { color: #767676; font-style: normal; } i { user-select: none; }
p { margin: 0.25rem 0 0.5rem; } pre, code { font: 0.8rem/1.45 ui-monospace, Menlo, Consolas, monospace; }
pre { overflow-x: auto; margin: 0; padding: 0.5rem; background: #f6f6f4; } a { color: #1a5fb4; text-decoration: none; }
a:hover { text-decoration: underline; } section:target h2 { background: #fff3bf; }
@media (max-width: 50rem) { body { display: block; padding: 0 1rem; } nav { position: static; max-height: 12rem; } }
@media print { body { display: block; } nav { display: none; } pre { white-space: pre-wrap; font-size: 7.5pt; } h2 { break-after: avoid; } }
"""


def _numbered(function: Function) -> list[str]:
    """The lines behind their numbers; a method as far to the left as a function."""
    margin = min(len(line) - len(line.lstrip()) for line in function.lines.values())
    return [f"{number:5}  {line[margin:]}" for number, line in function.lines.items()]


def _code(sentence: str) -> str:
    """A sentence for a page; what stands in backquotes is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(sentence))


def _linked(function: Function) -> str:
    """The lines for a page, each call of a function that ran a link to it."""
    margin = min(len(line) - len(line.lstrip()) for line in function.lines.values())
    names = source(function.file).called
    links: dict[int, list[tuple[int, int, int]]] = {}
    for span, (at, *_) in function.calls.items():
        first, start, last, end = names.get(span, span)
        if first == last and not any(a < end and start < b for a, b, _ in links.get(first, ())):
            links.setdefault(first, []).append((start, end, at))
    lines = []
    for number, line in function.lines.items():
        raw, made, done = line.encode(), "", margin
        for start, end, at in sorted(links.get(number, ())):
            said = html.escape(raw[start:end].decode())
            made += f'{html.escape(raw[done:start].decode())}<a href="#f{at + 1}">{said}</a>'
            done = end
        lines.append(f"<i>{number:5}</i>  {made}{html.escape(raw[done:].decode())}")
    return "\n".join(lines)


def _link(function: Function, folder: Path | None) -> str:
    """The way from a folder to the file of a function, if the folder is in the checkout that the file is in."""
    root = FOLDER.parent
    if folder is None or not folder.is_relative_to(root) or FOLDER not in Path(function.file).parents:
        return ""
    return Path(os.path.relpath(function.file, folder)).as_posix()


def _write_pdf(text: str, path: Path) -> None:
    """The text on pages of A4."""
    try:
        from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'a PDF is written by matplotlib: pip install "tinygrad-edu[examples]"; .html, .md and .txt need nothing'
        ) from error
    lines = [
        part for line in text.splitlines() for part in textwrap.wrap(line, 125, subsequent_indent=" " * 12) or [""]
    ]
    with PdfPages(path, metadata={"CreationDate": None}) as pages:
        for first in range(0, len(lines), LINES_A_PAGE):
            figure = Figure(figsize=(8.27, 11.69))
            page = "\n".join(lines[first : first + LINES_A_PAGE]).replace("$", r"\$")
            figure.text(0.06, 0.96, page, family="monospace", fontsize=7, va="top", linespacing=1.5)
            FigureCanvasPdf(figure)
            pages.savefig(figure)


# ---------------------------------------------------------------------------------------------------
# Asking


def what_ran(f: Callable[..., Any], *args: Any) -> Reading:
    """Call f(*args) once and give the statements of this package that ran, function by function.

    f: any function; for what happens on the way back, let it call `backward()`.
    args: what it takes. The page says which values its names were given.
    Whatever f raises is raised.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> ran = tg.what_ran(lambda x: (x * x).sum().backward(), x)
    >>> [function.name for function in ran.functions][:2]
    ['NumPyProtocols.__array_ufunc__', 'Op.apply']
    """
    watch = Watch()
    result = watch.run(f, *args)
    try:
        given = inspect.signature(f).bind(*args).arguments
    except (TypeError, ValueError):  # a function of another language
        given = {f"argument_{i + 1}": value for i, value in enumerate(args)}
    told = {name: _told(value) for name, value in given.items()}
    return Reading(getattr(f, "__qualname__", type(f).__name__), told, functions(watch), result)


def _told(value: Any) -> str:
    """A value as it is written; a tensor as the call that makes it."""
    if isinstance(value, Tensor) and value.op is None and not isinstance(value.data, tuple):
        numbers = np.array2string(value.data, separator=", ", threshold=20) if value.ndim else repr(value.item())
        return f"tg.Tensor({textwrap.indent(numbers, ' ' * 10).strip()}{', requires_grad=True' * value.requires_grad})"
    return f"np.{value!r}".replace("\n", "\n   ") if isinstance(value, np.ndarray) else repr(value)


def of_expression(text: str, given: Mapping[str, Any] | None = None, *, backward: bool = False) -> Reading:
    """Compute an expression once and give what ran; with `backward`, also what differentiating it ran.

    text: Python, in which this package's names, `tg`, `np`, `nn` and `F` (its functions) can be used: "(x*w + b).sum()".
    given: what the other names stand for. Those left out become tensors: (2, 3), or (3, 3) on the right of @; a number
        if the name begins with b.

    Raises SyntaxError for what is no expression, NameError for a function that is not there.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise SyntaxError(f"{text.strip()!r} is not an expression: {error.msg}") from None
    known = _known()
    values = {name: _leaf(value) for name, value in (given or {}).items()}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    square = {
        part.id
        for node in ast.walk(tree)
        for side in ([node.right] if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) else [])
        for part in ast.walk(side)
        if isinstance(part, ast.Name)
    }
    asked = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in bound]
    used: dict[str, Any] = {}
    for node in sorted(asked, key=_start):
        if node.id in values:
            used[node.id] = values[node.id]
        elif node.id not in known and node.id not in used:
            if id(node) in called:
                raise NameError(f"{node.id} is not a function of this package{_meant(node.id, known)}")
            used[node.id] = _default(node.id, len(used), node.id in square)
    unused = [name for name in values if name not in used]
    if unused:
        raise ValueError(f"{', '.join(unused)} is given a value, but does not stand in {text}")
    code = compile(tree, "<expression>", "eval")

    def run() -> Any:
        result = eval(code, {**known, **used})  # the user's own line, as in Python's prompt
        if backward:
            result.backward()
        return result

    watch = Watch()
    result = watch.run(run)
    title = text.strip()
    if backward:
        chained = isinstance(tree.body, ast.Call | ast.Attribute | ast.Name | ast.Subscript)
        title = f"{title}.backward()" if chained else f"({title}).backward()"
    return Reading(title, {name: _told(value) for name, value in used.items()}, functions(watch), result)


def _known() -> dict[str, Any]:
    """The names that an expression can use without giving them a value."""
    return {
        **vars(builtins),
        **{name: getattr(tg, name) for name in tg.__all__},
        "tg": tg,
        "np": np,
        "F": tg.nn.functional,
    }


def _meant(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _default(name: str, before: int, square: bool) -> Tensor:
    """A value for a name: small numbers, other ones for each name."""
    if name.startswith("b"):
        return Tensor(0.5, requires_grad=True)
    shape = (3, 3) if square else (2, 3)
    return Tensor((np.arange(1.0, 1 + np.prod(shape)) / 2 + before).reshape(shape), requires_grad=True)


def _leaf(value: Any) -> Any:
    """A number or a list as a tensor to differentiate by; anything else as it is."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Tensor(np.asarray(value, float), requires_grad=True) if number or isinstance(value, list) else value


# ---------------------------------------------------------------------------------------------------
# The command line


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists what there is\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _Parser(prog="python -m tinygrad_edu.reading", description="Print what of the engine an expression runs.")
    parser.add_argument("expression", help='as in Python: "(x*w + b).sum()"')
    parser.add_argument("values", nargs="*", metavar="name=value", help='as in Python: x=2, "x=[1, 2]", "t=np.ones(3)"')
    parser.add_argument("--backward", action="store_true", help="differentiate the result too")
    parser.add_argument("-o", "--output", help=f"the file to write: {' '.join(FORMATS)}; left out: the text is printed")
    options = parser._option_string_actions
    given = parser.parse_intermixed_args(  # "-x.sum()" is an expression, which the parser would take for an option
        [
            f" {word}" if word[:1] == "-" and word not in options and word[:2] not in ("--", "-o") else word
            for word in (sys.argv[1:] if argv is None else argv)
        ]
    )
    try:
        values = {}
        for pair in given.values:
            name, equals, said = (part.strip() for part in pair.partition("="))
            if not equals or not name.isidentifier():
                raise ValueError(f"{pair!r} is not name=value, as in x=2")
            values[name] = eval(said, _known())
        reading = of_expression(given.expression, values, backward=given.backward)
        if given.output:
            reading.save(given.output)
        else:
            print(reading, end="")
    except Exception as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
