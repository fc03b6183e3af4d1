"""The class `Tensor`, under the name that programs and pickles know. The page is `engine/tensor.py`."""

from tinygrad_edu.engine.tensor import Tensor, _rebuild, new_leaf

__all__ = ["Tensor", "_rebuild", "new_leaf"]
