"""Random numbers that the devices draw: each draw of a run by a key of its own, so that it is the same on any number of
devices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from tinygrad_edu import random
from tinygrad_edu.program.xla.array import held, jnp


def draw(what: Any, key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Random numbers of this kind. key: two words, of this draw of this run alone."""
    own = jax.random.wrap_key_data(key, impl="threefry2x32")
    wide = held(np.float64 if dtype == np.float64 else np.float32)
    if isinstance(what, random.Mask):
        return jnp.where(jax.random.bernoulli(own, np.float32(1 - what.p), shape), what.kept, 0).astype(held(dtype))
    if isinstance(what, random.Uniform):
        return jax.random.uniform(own, shape, wide).astype(held(dtype))
    if isinstance(what, random.Normal):
        return jax.random.normal(own, shape, wide).astype(held(dtype))
    raise TypeError(f'{type(what).__name__} is not drawn on devices; write noise="host"')


def keys_of(generator: np.random.Generator, draws: int) -> Any:
    """The keys of a run, (draws, 2): the next numbers of a generator, which so goes on as it does when it draws itself."""
    return generator.bit_generator.random_raw((draws, 2)).astype(np.uint32)
