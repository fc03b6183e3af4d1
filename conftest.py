"""What examples in docstrings and tests share: which pages are left out, those that need what is not installed everywhere;
the generator, seeded before each; and the tables of ops, which no example adds to."""

import importlib.util

import pytest

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import ANSWERS, OPS

collect_ignore_glob = ["tests/benchmarks/*"]  # programs, that run other systems
if importlib.util.find_spec("numba") is None:
    collect_ignore_glob.append("tinygrad_edu/ops/network/convolution/fast/[!_]*.py")
if importlib.util.find_spec("jax") is None:
    collect_ignore_glob.append("tinygrad_edu/program/xla/*")


def pytest_collectstart():
    """What a page draws when it is imported is the same whatever pages were before."""
    tg.manual_seed(0)


@pytest.fixture(autouse=True)
def seeded():
    """What is drawn without a generator is the same whatever ran before."""
    tg.manual_seed(0)


@pytest.fixture(autouse=True)
def undeclared(request):
    """An op that an example in a docstring declares is in the package's tables, since the page is, until the example ends."""
    yield
    if isinstance(request.node, pytest.DoctestItem):
        for name, made in list(OPS.items()):
            code = getattr(made.forward, "__code__", None)
            if code is not None and code.co_filename.startswith("<doctest"):
                del OPS[name], ANSWERS[name]
