"""The strategies draw what they say, and say what to install."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.testing import strategies


@given(st.data())
def test_indices_are_numpys(data):
    x = data.draw(strategies.arrays())
    index = data.draw(strategies.indices(x.shape))
    assert isinstance(x[index], np.ndarray | np.generic)


@given(st.data())
def test_axes_are_numpys(data):
    x = data.draw(strategies.arrays())
    axis = data.draw(strategies.axes(x.ndim, several=data.draw(st.booleans())))
    assert np.sum(x, axis=axis).ndim <= x.ndim


@given(strategies.broadcastable_shapes(3))
def test_shapes_broadcast(shapes):
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@given(strategies.tensors(dtype=strategies.dtypes("f")))
def test_tensors_are_leaves(x):
    assert x.is_leaf
    assert x.requires_grad


@given(strategies.ties((4,)), strategies.special_values((2,), np.float32))
def test_special_numbers(x, y):
    assert set(x) <= {0, 1, -1, 2}
    assert y.dtype == np.float32


def test_ties_and_special_numbers_are_found():
    """A strategy that never drew a tie, an infinity or a mask would check nothing."""
    seen = set()

    @given(strategies.ties((4,)), strategies.special_values((2,)), strategies.indices((2, 3)), strategies.programs())
    def look(x, y, index, program):
        seen.update({"tie"} if len(set(x)) < 4 else ())
        seen.update({"infinity"} if np.isinf(y).any() else ())
        seen.update({"NaN"} if np.isnan(y).any() else ())
        parts = index if isinstance(index, tuple) else (index,)
        seen.update("mask" if getattr(p, "dtype", None) == np.dtype(bool) else type(p).__name__ for p in parts)
        uses = [i for step in program.steps for i in step.args]
        seen.update({"shared node"} if len(uses) > len(set(uses)) else ())
        seen.update({"several outputs"} if len(program.outputs) > 1 else ())

    look()
    assert seen >= {"tie", "infinity", "NaN", "mask", "ndarray", "slice", "int", "shared node", "several outputs"}


def test_without_hypothesis_strategies_say_what_to_install():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import tinygrad_edu.testing\n"
        "try: import tinygrad_edu.testing.strategies\n"
        "except ImportError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install hypothesis" in said
