"""Watching a call: which instructions of the package are executed, and which of its functions are called."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tinygrad_edu.engine.recording import watched

Place = tuple[int, int]
"""A line, from 1, and a column of it, in bytes from 0: where the syntax tree and the instructions say that things are."""
Span = tuple[int, int, int, int]
"""Two places: where something begins and where it has ended."""

FOLDER = Path(__file__).parents[1]
"""Where the package is, whose statements are read."""
OWN = str(Path(__file__).parent)
"""This part of it, which is not read."""
ASKED = watched(abs).__code__
"""The code that stands before a function that is `watched`. It only calls the function, and is not read."""


class Watch:
    """Which instructions of the files in a folder are executed, and which of their functions are called.

    codes: the functions' code, in the order of the first call.
    ran: for each file, the places where the executed instructions stand.
    calls: for each file, the spans of calls, each with the codes that were called from there.

    What the import of a module runs is left out: it runs once, whatever the expression is. So is what `watched` puts
    before a function.
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
        if not code.co_filename.startswith(self._folder) or code.co_filename.startswith(OWN) or code is ASKED:
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
            span = spans_of(caller.f_code)[caller.f_lasti // 2]
            if span is not None:
                self.calls.setdefault(caller.f_code.co_filename, {}).setdefault(span, {}).setdefault(code)
        frame.f_trace_opcodes = True
        return self._stepped

    def _stepped(self, frame: FrameType, event: str, _: Any) -> Any:
        if event in ("opcode", "line"):
            span = spans_of(frame.f_code)[frame.f_lasti // 2]
            if span is not None:
                self.ran.setdefault(frame.f_code.co_filename, set()).add(span[:2])
        return self._stepped

    def _imported(self, frame: FrameType, event: str, _: Any) -> Any:
        self._importing -= event == "return"
        return self._imported


@cache
def spans_of(code: CodeType) -> list[Span | None]:
    """Where each instruction stands in the source; None where the compiler does not say."""
    return [
        (line, column, end or line, end_column or column) if line is not None and column is not None else None
        for line, end, column, end_column in code.co_positions()
    ]
