"""Leaves, as the tests of the engine make them."""

import numpy as np

from tinygrad_edu import Tensor


def leaf(*values, name=None, dtype=float):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True, name=name)
