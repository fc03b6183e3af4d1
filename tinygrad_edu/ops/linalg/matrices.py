"""Matrices to draw examples from."""

from __future__ import annotations

from typing import Any

import numpy as np


def regular(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Square matrices far from singular."""
    return 0.5 * rng.standard_normal(shape) + 2 * np.eye(shape[-1])


def definite(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Symmetric matrices with positive eigenvalues."""
    root = rng.standard_normal(shape)
    return root @ root.mT + np.eye(shape[-1])


def gapped(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Symmetric matrices whose eigenvalues are near 1, 2, 3, …"""
    n = shape[-1]
    basis, _ = np.linalg.qr(rng.standard_normal(shape))
    x = basis * (np.arange(1, n + 1) + rng.uniform(-0.2, 0.2, n)) @ basis.mT
    return (x + x.mT) / 2


def graded(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Matrices whose singular values are near 1, 2, 3, …"""
    *stack, rows, columns = shape
    k = min(rows, columns)
    left, _ = np.linalg.qr(rng.standard_normal((*stack, rows, k)))
    right, _ = np.linalg.qr(rng.standard_normal((*stack, columns, k)))
    return left * (np.arange(k, 0, -1) + rng.uniform(-0.2, 0.2, k)) @ right.mT
