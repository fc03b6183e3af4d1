"""The packages that only some formats need: each is loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

EXTRAS = {
    "PIL": ("Pillow", "viz"),
    "pypdf": ("pypdf", "viz"),
    "pptx": ("python-pptx", "slides"),
    "imageio_ffmpeg": ("imageio-ffmpeg", "video"),
}
"""What a package is called where it is installed from, and the extra that brings it."""


def extra(module: str, what: str) -> Any:
    """A module of a package that only `what` needs. Raises RuntimeError, with the line that installs it."""
    try:
        return import_module(module)
    except ImportError:
        package, name = EXTRAS[module.split(".")[0]]
        raise RuntimeError(
            f'{what} needs {package}, which is not installed here: pip install "tinygrad-edu[{name}]"'
        ) from None
