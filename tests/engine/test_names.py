"""The public names of the package."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor


def test_the_public_names():
    for name in [
        "Tensor",
        "tensor",
        "zeros",
        "ones",
        "full",
        "arange",
        "linspace",
        "eye",
        "rand",
        "randn",
        "manual_seed",
        "no_grad",
        "grad",
        "value_and_grad",
        "jacobian",
        "hessian",
        "jvp",
        "vjp",
        "set_default_dtype",
    ]:
        assert hasattr(tg, name), name
    for name in [
        "no_grad",
        "enable_grad",
        "is_grad_enabled",
        "grad",
        "value_and_grad",
        "vjp",
        "jvp",
        "jacobian",
        "hessian",
        "hvp",
        "detect_anomaly",
        "checkpoint",
        "evaluate",
    ]:
        assert hasattr(tg.autograd, name), name
    assert [name for name in tg.__all__ if not hasattr(tg, name)] == []


def test_random_numbers_come_from_the_packages_generator():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 (the legacy state must not be touched)
    generator = tg.manual_seed(3)
    a = tg.rand(4).tolist()
    tg.manual_seed(3)
    assert tg.rand(4).tolist() == a
    assert isinstance(generator, np.random.Generator)
    tg.manual_seed(4)
    assert tg.rand(4).tolist() != a
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    with pytest.raises(TypeError, match=r"default_rng\(seed\)"):
        tg.rand(2, generator=7)
    from tinygrad_edu import random

    tg.manual_seed(5)
    state = random.get_state()
    first = tg.randn(3).tolist()
    own = random.generator()
    between = tg.randn(2).tolist()
    assert random.replaying(own, state, tg.randn, 3).tolist() == first
    second = tg.randn(3).tolist()
    random.set_state(state)
    assert [tg.randn(3).tolist(), tg.randn(2).tolist(), tg.randn(3).tolist()] == [first, between, second]
    with pytest.raises(ZeroDivisionError):
        random.replaying(own, state, lambda: [tg.randn(3), 1 / 0])
    assert random.get_state() != state


# -- as ndarray has it


def test_methods_take_what_ndarrays_take():
    x = Tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
    a = x.numpy()
    assert x.std(ddof=1).item() == pytest.approx(a.std(ddof=1))
    assert x.item(2) == a.item(2)
    assert x.item(1, 1) == a.item(1, 1)
    assert x.compress([False, True], axis=1).tolist() == a.compress([False, True], axis=1).tolist()
    assert x.conj().tolist() == x.conjugate().tolist() == a.tolist()
    assert Tensor([1, 0]).choose([x[0], x[1]]).tolist() == [2.0, 1.0]
    assert round(x * 1.23, 1).tolist() == np.round(a * 1.23, 1).tolist()
    assert a.clip(x.detach() - 1, 3).tolist() == a.clip(a - 1, 3).tolist()


def test_iterating_goes_back_in_linear_time():
    x = Tensor(np.ones((7, 2)), requires_grad=True)
    rows = list(x)
    assert len({id(row.inputs[0]) for row in rows}) == 1  # one node gives all rows
    sum(i * row.sum() for i, row in enumerate(rows)).backward()
    assert x.grad.tolist() == [[float(i)] * 2 for i in range(7)]


class Tagged(Tensor):
    """A tensor with attributes."""


def test_a_subclass_keeps_its_attributes_when_copied():
    t = Tagged([1.0, 2.0], requires_grad=True)
    t.tags = ["a"]
    for copied in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t)):
        assert type(copied) is Tagged
        assert (copied.tags, copied.tolist(), copied.requires_grad) == (["a"], [1.0, 2.0], True)
        assert copied.tags is not t.tags


def test_flatten_is_a_copy_that_may_be_written_as_numpy_s_is():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x.flatten()
    y *= 0
    assert x.tolist() == [[1, 2], [3, 4]]
    z = x.ravel()  # which shows the same memory
    z *= 2
    assert x.tolist() == [[2, 4], [6, 8]]
    w = leaf([1.0, 2.0], [3.0, 4.0])
    assert tg.grad((w.flatten() ** 2).sum(), w).tolist() == [[2, 4], [6, 8]]
