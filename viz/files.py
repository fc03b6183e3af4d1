"""How a figure becomes a file: what its name says, what may be said of it, and writing it whole or not at all."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from viz.formats.render import PRINT, SCREEN
from viz.options import choose, expect

DOTTED = ("png", "gif", "webp", "mp4")  # the formats that are made of dots
ON_PAPER = ("svg", "pdf", "png", "gif", "webp", "mp4", "pptx")  # those that have a background of their own


def named(path: str | Path, formats: Sequence[str]) -> tuple[Path, str]:
    """The path of a file, and the format that its name ends in."""
    expect("save()", path, (str, os.PathLike), "the name of a file, as in 'figure.svg'")
    path = Path(path)
    if "\0" in str(path):
        raise ValueError(f"the name {str(path)!r} has a character in it that no file can have; leave out the \\0")
    if not path.suffix:
        endings = ", ".join(f".{format}" for format in formats)
        raise ValueError(f"the name {str(path)!r} does not say in which format to save; end it in one of {endings}")
    format = path.suffix[1:].lower()
    choose("the format", format, formats)
    return path, format


def dots(format: str, dpi: float | None, scale: float | None, usual: float = PRINT) -> float:
    """How many dots an inch a picture gets, from what was said of it; else `usual`."""
    said = {f"{name}=": number for name, number in (("dpi", dpi), ("scale", scale)) if number is not None}
    for name, number in said.items():
        expect(name, number, (int, float), "a number of dots an inch, as in dpi=300, or of times, as in scale=3")
        if not 0 < number < math.inf:
            raise ValueError(f"{name}{number!r} is not a number above 0")
        if format not in DOTTED:
            raise ValueError(f"{name} is for PNG, which is made of dots; .{format} is sharp in every size")
    if len(said) == 2:
        raise ValueError("dpi= and scale= say the same in two ways; give one of them")
    return dpi or (SCREEN * scale if scale else usual)


def on_paper(format: str, background: str | None) -> str | None:
    """Check `background=` and return it: "none", a colour, or None for the theme's. Raises ValueError or TypeError."""
    if background is None:
        return None
    expect("background=", background, str, "'none' or a colour, as in '#FFF8E7'")
    if format not in ON_PAPER:
        raise ValueError(f"background= is for {', '.join(ON_PAPER[:-1])} and {ON_PAPER[-1]}, not for .{format}")
    if not re.fullmatch(r"none|[a-z]+|#[0-9A-Fa-f]{6}", background):
        raise ValueError(f"background={background!r} is not a colour; write 'none', 'white', or as '#FFF8E7'")
    return background


def write(contents: Mapping[Path, bytes]) -> list[Path]:
    """Write files, each whole or not at all; folders are made. Raises OSError, naming what stands in the way."""
    for path, content in contents.items():
        for part in path.parents:
            if part.exists() and not part.is_dir():
                raise NotADirectoryError(f"cannot save {str(path)!r}: {str(part)!r} is a file, and no folder")
        if path.is_dir():
            raise IsADirectoryError(f"cannot save {str(path)!r}: there is a folder of that name")
        whole = Path(os.path.realpath(path))  # a link stays one
        written = whole.with_name(f".{os.getpid()}-{whole.name}"[:200])
        try:
            whole.parent.mkdir(parents=True, exist_ok=True)
            written.write_bytes(content)
            written.replace(whole)
        except OSError as error:
            with suppress(OSError):
                written.unlink(missing_ok=True)
            raise type(error)(f"cannot save {str(path)!r}: {error.strerror or error}") from error
    return list(contents)
