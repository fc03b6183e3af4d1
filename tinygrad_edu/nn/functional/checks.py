"""Checks of the settings of layers and losses, which raise an error that names the setting."""

from __future__ import annotations

from typing import Any


def between_0_and_1(name: str, value: Any) -> None:
    """Raise TypeError for a setting that is no number, ValueError for one that is below 0 or above 1."""
    _check_number(name, value)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a number between 0 and 1, but got {value}")


def _check_number(name: str, value: Any) -> None:
    """Raise TypeError for text and None. Other things pass if they compare with numbers, as NumPy's own numbers do."""
    if isinstance(value, str | bytes) or value is None:
        raise TypeError(f"{name} is a number, but got {type(value).__name__} {value!r}")


def positive(name: str, value: float) -> None:
    """Raise TypeError for a setting that is no number, ValueError for one that is 0 or below."""
    _check_number(name, value)
    if not value > 0:
        raise ValueError(f"{name} must be positive, but got {value}")


def not_negative(name: str, value: float) -> None:
    """Raise TypeError for a setting that is no number, ValueError for one below 0."""
    _check_number(name, value)
    if not value >= 0:
        raise ValueError(f"{name} is not negative, but got {value}")


def truth(name: str, value: Any) -> None:
    """Raise TypeError for a setting that is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, but got {type(value).__name__} {value!r:.60}")
