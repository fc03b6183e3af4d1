"""Showing a figure to the one who works: below the cell of a notebook, or in the browser."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE_AROUND = 340.0  # pixels that a page needs beside its picture: buttons, words, the panel
TALLEST_IN_NOTEBOOK = 900.0  # pixels: a page that needs more scrolls in its frame


def inline(thing: Any) -> bool:
    """Show a thing below the cell that runs, and say whether there is one: Jupyter, VS Code, Colab."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if not hasattr(shell, "kernel"):  # none at all, or one in a terminal
        return False
    import_module("IPython.display").display(thing)
    return True


def in_frame(page: str, title: str, height: float) -> str:
    """A page as a part of a notebook, which neither sees the other's names and styles. It needs no file and no network."""
    pixels = min(height * 96 / 72 + PAGE_AROUND, TALLEST_IN_NOTEBOOK)
    return (
        f'<iframe title="{escape(title, quote=True)}" srcdoc="{escape(page, quote=True)}" '
        f'style="width:100%;height:{pixels:.0f}px;border:0" sandbox="allow-scripts allow-downloads allow-modals"></iframe>'
    )


def opened(content: str, format: str = "html") -> Path:
    """Write a page into a folder of its own, and open it in the browser. Raises RuntimeError where there is none."""
    path = Path(tempfile.mkdtemp(prefix="tinygrad_edu-")) / f"figure.{format}"
    path.write_text(content, encoding="utf-8", errors="replace")
    if not webbrowser.open(path.as_uri()):
        raise RuntimeError(
            f"no browser could be opened; the figure is in {str(path)!r}, or save it elsewhere: .save('figure.html')"
        )
    return path
