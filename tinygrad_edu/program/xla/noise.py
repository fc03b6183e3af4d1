"""Random numbers that the devices draw: each draw of a run by a key of its own, so that it is the same on any number of
devices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from tinygrad_edu import random
from tinygrad_edu.program.xla.array import held, jnp


def draw(what: Any, key: Any, place: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """Random numbers of this kind. key: of the run and the generator; place: which draw of the run it is."""
    own = jax.random.fold_in(jax.random.wrap_key_data(key, impl="threefry2x32"), place)
    wide = held(np.float64 if dtype == np.float64 else np.float32)
    if isinstance(what, random.Mask):
        return jnp.where(jax.random.bernoulli(own, np.float32(1 - what.p), shape), what.kept, 0).astype(held(dtype))
    if isinstance(what, random.Uniform):
        return jax.random.uniform(own, shape, wide).astype(held(dtype))
    if isinstance(what, random.Normal):
        return jax.random.normal(own, shape, wide).astype(held(dtype))
    raise TypeError(f'{type(what).__name__} is not drawn on devices; write noise="host"')


def key_of(generator: np.random.Generator) -> Any:
    """The key of a run: the next number of a generator, which so goes on as it does when it draws itself."""
    return generator.bit_generator.random_raw(2).astype(np.uint32)
