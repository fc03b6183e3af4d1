"""A file of source, in which what ran is looked up."""

from __future__ import annotations

import ast
import io
import tokenize
from bisect import bisect_left
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from tinygrad_edu.reading.watch import Place, Span


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
            (*start_of(node), *end_of(node)): (*start_of(node.func), *end_of(node.func))
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
            if node.name == code.co_name and first_line(node) == line:
                return node, True
        for node in reversed(functions):  # the inmost first
            if start_of(node.body[0])[0] <= line <= end_of(node)[0]:
                return node, True
        holders: list[ast.Module | ast.ClassDef] = [
            self.tree,
            *(node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)),
        ]
        for statement in (statement for holder in reversed(holders) for statement in holder.body):
            if first_line(statement) <= line <= end_of(statement)[0]:
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


def start_of(node: Any) -> Place:
    """Where a part of the tree begins."""
    return node.lineno, node.col_offset


def first_line(node: ast.stmt) -> int:
    """The first line of a statement: that of its first decorator, if it has one."""
    return min(part.lineno for part in (node, *getattr(node, "decorator_list", ())))


def end_of(node: Any) -> Place:
    """Where a part of the tree has ended."""
    return node.end_lineno, node.end_col_offset
