"""What ran, as text, Markdown, a page with links, and a PDF."""

from __future__ import annotations

import html
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinygrad_edu.reading.listing import Function
from tinygrad_edu.reading.source import source
from tinygrad_edu.reading.watch import FOLDER

FORMATS = (".html", ".md", ".pdf", ".txt")
LINES_A_PAGE = 68
"""What a printed page of a PDF holds."""


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
            parts += numbered(function)
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
            parts += ["```python", *numbered(function), "```"]
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


def numbered(function: Function) -> list[str]:
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
