"""What the tests of the engine share."""

import gc

import pytest

from tests.engine.leaves import leaf


@pytest.fixture
def x():
    return leaf(1.0, -2.0, 3.0, name="x")


@pytest.fixture
def no_collector():
    """The cyclic garbage collector switched off, so that only reference counting frees."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def weights(rng):
    return leaf(*rng.standard_normal((3, 3))), leaf(*rng.standard_normal(3)), leaf(*rng.standard_normal((2, 3)))
