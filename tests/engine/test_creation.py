"""Making tensors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import ANSWERS

SHAPED = [tg.zeros, tg.ones, tg.rand, tg.randn]


@pytest.fixture
def default64():
    tg.set_default_dtype("float64")
    yield
    tg.set_default_dtype("float32")


@pytest.mark.parametrize("make", SHAPED)
def test_shapes_are_given_as_numbers_or_as_one(make):
    assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == (2, 3)
    assert make().shape == make(()).shape == ()
    assert make(np.int64(4)).shape == (4,)
    assert make(0, 2).shape == (0, 2)
    t = make(2, dtype="float64", requires_grad=True, name="t")
    assert (t.dtype, t.requires_grad, t.name, t.is_leaf) == (np.float64, True, "t", True)
    with pytest.raises(
        TypeError, match=rf"{make.__name__}\(\) takes the lengths of the axes, as {make.__name__}\(2, 3\)"
    ):
        make(2, float)
    with pytest.raises(ValueError, match="negative length"):
        make(2, -1)


def test_values():
    assert (tg.zeros(2).tolist(), tg.ones(2).tolist(), tg.full(2, 0.5).tolist()) == ([0, 0], [1, 1], [0.5, 0.5])
    assert tg.eye(2).tolist() == [[1, 0], [0, 1]]
    assert tg.eye(2, 3, 1).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert tg.linspace(0, 1, 3).tolist() == [0, 0.5, 1]
    assert tg.linspace(0, 1, 2, endpoint=False).tolist() == [0, 0.5]
    assert tg.arange(3).tolist() == [0, 1, 2]
    assert tg.arange(1, 4, 2).tolist() == [1, 3]
    assert tg.arange(3, 0, -1).tolist() == [3, 2, 1]
    assert tg.full((2, 2), tg.Tensor([1.0, 2.0])).tolist() == [[1, 2], [1, 2]]


MADE_OF = {
    "arange": (tg.arange, r"start \+ step \* tg\.arange\(n\)"),
    "arange, stop": (lambda t: tg.arange(0, t), "step"),
    "arange, step": (lambda t: tg.arange(0, 6, t), "step"),
    "linspace": (lambda t: tg.linspace(t, 1, 3), r"start \+ \(stop - start\) \* tg\.linspace\(0, 1, num\)"),
    "linspace, stop": (lambda t: tg.linspace(0, t, 3), "stop - start"),
    "full": (lambda t: tg.full((2, 2), t), r"t \* tg\.ones\(shape\)"),
    "full of parts": (lambda t: tg.full((2, 2), [t, t]), r"t \* tg\.ones\(shape\)"),
    "full_like": (lambda t: tg.full_like(tg.zeros(2), t), r"t \* tg\.ones_like\(x\)"),
    "np.full_like": (lambda t: np.full_like(tg.zeros(2), t), r"t \* tg\.ones_like\(x\)"),
    "np.full_like of": (lambda t: np.full_like(tg.zeros(2), fill_value=t), r"t \* tg\.ones_like\(x\)"),
}


@pytest.mark.parametrize("name", MADE_OF)
def test_a_number_to_make_a_tensor_of_is_not_cut_from_its_graph(name):
    make, cure = MADE_OF[name]
    made = name.removeprefix("np.").split(",")[0].split(" ")[0]
    x = tg.Tensor(3.0, requires_grad=True, name="x")
    with pytest.raises(RuntimeError, match=rf"^{made}\(\) makes a leaf.* 'x', .*part of a graph.*{cure}.*\.item\(\)"):
        make(x)
    with pytest.raises(RuntimeError, match="the result of multiply, which is part of a graph"):
        make(x * 1.0)
    expected = np.asarray(make(3.0))
    np.testing.assert_array_equal(np.asarray(make(tg.Tensor(3.0))), expected, strict=True)
    np.testing.assert_array_equal(np.asarray(make(x.item())), expected, strict=True)


def test_the_cures_for_numbers_in_a_graph_work():
    start, stop = tg.Tensor(1.0, requires_grad=True), tg.Tensor(3.0, requires_grad=True)
    y = start + (stop - start) * tg.linspace(0, 1, 3, dtype=float)
    np.testing.assert_array_equal(y.numpy(), np.linspace(1, 3, 3))
    y.sum().backward()
    assert (start.grad.item(), stop.grad.item()) == (1.5, 1.5)
    (start * tg.ones(2, 2, dtype=float)).sum().backward()
    assert start.grad.item() == 5.5


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda n: tg.eye(n), "n"),
        (lambda n: tg.eye(3, n), "m"),
        (lambda n: tg.eye(3, 3, n), "k"),
        (lambda n: tg.linspace(0, 1, n), "num"),
    ],
)
def test_counts_are_whole_numbers(make, what):
    for n in (2.0, tg.Tensor(2.0), "2", None if what != "m" else 2.5):
        with pytest.raises(TypeError, match=rf"takes a whole number for {what}, but got"):
            make(n)
    assert make(tg.Tensor(2)).tolist() == make(np.int64(2)).tolist() == make(2).tolist()


def test_what_is_made_without_data_has_the_default_type():
    floats = [
        tg.zeros(2),
        tg.ones(2),
        tg.eye(2),
        tg.linspace(0, 1),
        tg.rand(2),
        tg.randn(2),
        tg.full(2, 0.5),
        tg.arange(0.0, 1.0, 0.5),
    ]
    assert all(t.dtype == np.float32 for t in floats)
    assert tg.full(2, np.float64(0.5)).dtype == np.float32
    assert [t.dtype for t in (tg.arange(3), tg.full(2, 7), tg.full(2, True))] == [np.int64, np.int64, np.bool_]
    assert tg.arange(3, dtype="float32", requires_grad=True).dtype == np.float32
    with pytest.raises(TypeError, match="only floating numbers"):
        tg.full((3,), 1, requires_grad=True)


def test_the_default_type_can_be_set(default64):
    assert tg.get_default_dtype() == np.float64
    assert all(
        t.dtype == np.float64 for t in (tg.zeros(2), tg.full(2, 0.5), tg.rand(2), tg.arange(1.0), tg.linspace(0, 1))
    )
    assert all(p.dtype == np.float64 for p in tg.nn.Linear(2, 2).parameters())
    with pytest.raises(TypeError, match="floating type"):
        tg.set_default_dtype(int)


def test_tensor_copies_and_tensor_shares():
    a = np.zeros(2)
    copied, shared = tg.tensor(a), tg.Tensor(a)
    a[0] = 1
    assert copied.tolist() == [0, 0]
    assert shared.tolist() == [1, 0]
    assert tg.tensor(shared, requires_grad=True, name="w").requires_grad
    assert not np.shares_memory(tg.tensor(shared).data, shared.data)
    assert tg.tensor([1, 2]).dtype == np.int64
    assert tg.tensor([1, 2], dtype="float32").dtype == np.float32
    with pytest.raises(RuntimeError, match=r"write \.numpy\(\)"):
        tg.tensor(tg.ones(2, requires_grad=True) * 2)


def test_like():
    x = tg.Tensor([[1, 2]], dtype="int8")
    for t, value in ((tg.zeros_like(x), 0), (tg.ones_like(x), 1), (tg.full_like(x, 7), 7)):
        assert (t.dtype, t.tolist()) == (np.int8, [[value, value]])
        assert isinstance(t, tg.Tensor)
    assert tg.zeros_like(np.ones(3), dtype="float32", requires_grad=True).dtype == np.float32


def test_random_numbers_come_from_the_generator():
    same = [tg.randn(3, generator=np.random.default_rng(5)).tolist() for _ in range(2)]
    assert same[0] == same[1]
    tg.manual_seed(5)
    assert tg.randn(3).tolist() == same[0]
    tg.manual_seed(5)
    first = tg.rand(1000)
    assert 0 <= first.numpy().min() < 0.01 < 0.99 < first.numpy().max() < 1
    assert not np.array_equal(first, tg.rand(1000))
    assert tg.rand(2, dtype="float16").dtype == np.float16
    with pytest.raises(TypeError, match="floating, but got dtype=int64"):
        tg.rand(2, dtype=int)
    with pytest.raises(TypeError, match=r"numpy\.random\.Generator"):
        tg.randn(2, generator=3)


# -- the public names --------------------------------------------------------------------------------


def test_every_numpy_function_that_tensors_answer_is_here_by_each_of_its_names():
    refused = {"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"}
    for namespace, ours in ((np, tg), (np.linalg, tg.linalg)):
        for name in dir(namespace):
            function = getattr(namespace, name)
            if callable(function) and function in ANSWERS and name not in refused:
                assert callable(getattr(ours, name, None)), f"{ours.__name__} has no {name}"


def test_public_names_are_there():
    assert len(set(tg.__all__)) == len(tg.__all__)
    for name in tg.__all__:
        assert getattr(tg, name) is not None
    with pytest.raises(AttributeError, match="has no tensro; did you mean tensor"):
        tg.tensro  # noqa: B018


def test_importing_the_engine_loads_numpy_alone():
    code = "import sys, numpy; before = set(sys.modules); import tinygrad_edu; print(*(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[0] for name in ran.stdout.split()}
    assert "tinygrad_edu" in rooms
    assert rooms <= {"tinygrad_edu", "numpy", *sys.stdlib_module_names}
    assert not {"numpy.random", "tinygrad_edu.nn", "tinygrad_edu.optim", "tinygrad_edu.testing"} & set(
        ran.stdout.split()
    )
