"""Networks that chapters name, each on a page of its own, loaded when it is first named.

gpt  GPT, a decoder of text
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_edu.models.gpt import GPT as GPT

PAGES = {
    "gpt": ("GPT",),
}
"""The networks, by their page."""

_PAGE = {name: page for page, names in PAGES.items() for name in names}

__all__ = sorted(_PAGE)


def __getattr__(name: str) -> Any:
    """Load the page of a network when it is first named."""
    if name in _PAGE:
        return getattr(import_module(f"tinygrad_edu.models.{_PAGE[name]}"), name)
    raise AttributeError(f"module 'tinygrad_edu.models' has no attribute {name!r}; it has {', '.join(__all__)}")
