"""DOT text in, a picture or positions out: Graphviz, in a child process that a timeout can end.

Two engines do the same: the `dot` program where it is on the PATH, else the wheel of pygraphviz, which
carries Graphviz with it.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import struct
import subprocess
import sys
import zlib

NEXT_GRAPH = "// the next graph\n"  # between several that are laid out by one process
_WHEEL = f"""\
import sys
from pygraphviz import AGraph
engine, format = sys.argv[1:]
for dot in sys.stdin.buffer.read().decode().split({NEXT_GRAPH!r}):
    sys.stdout.buffer.write(AGraph(dot, strict=False).draw(format=format, prog=engine))
"""


SCREEN = 96.0  # dots an inch, in which a figure is as large as its SVG on a page
PRINT = 2.5 * SCREEN  # dots an inch of a PNG, unless others are asked for: sharp on paper and on large screens
INSTALL = "drawing needs Graphviz, which is not installed here: pip install graphviz pygraphviz"


class LayoutTimeout(TimeoutError):
    """Graphviz took longer than it was given."""


def engine() -> list[str]:
    """The command that stands for Graphviz on this machine. Raises RuntimeError if there is none."""
    dot = shutil.which("dot")
    if dot:
        return [dot]
    if importlib.util.find_spec("pygraphviz"):
        return [sys.executable, "-c", _WHEEL]
    raise RuntimeError(INSTALL)


def with_dpi(png: bytes, dpi: float) -> bytes:
    """A PNG that says how many dots an inch it has, so that it is set in its size."""
    chunk = b"pHYs" + struct.pack(">IIB", round(dpi / 0.0254), round(dpi / 0.0254), 1)  # dots a metre
    head = 8 + 25  # the signature and the first chunk, after which it may stand
    return png[:head] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[head:]


def graphviz(dot: str, layout: str, format: str, timeout: float | None = 20.0) -> bytes:
    """What Graphviz makes of DOT text with an engine (`dot`, `nop2`) in a format (`svg`, `png`, `pdf`, `json0`).

    Of several graphs, with `NEXT_GRAPH` between them, what is made of each, one after the other.

    Raises LayoutTimeout when it takes longer than `timeout` seconds; the process is then ended.
    """
    command = engine()
    arguments = [layout, format] if command[0] == sys.executable else [f"-K{layout}", f"-T{format}"]
    try:
        done = subprocess.run([*command, *arguments], input=dot.encode(), capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise LayoutTimeout(
            f"the layout took longer than {timeout:g} seconds; draw less (collapse=1, wrt=..., max_nodes=...), "
            "or give it longer: draw(..., timeout=60)"
        ) from None
    if unknown := re.search(rb"(\S+) is not a known color", done.stderr):
        raise ValueError(f"{unknown[1].decode()!r} is not a colour that Graphviz knows; write one as '#FFF8E7'")
    if done.returncode or not done.stdout:
        raise RuntimeError(f"Graphviz failed: {done.stderr.decode(errors='replace').strip()[-500:]}")
    return done.stdout
