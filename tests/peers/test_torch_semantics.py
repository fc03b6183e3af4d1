"""Beside PyTorch: what accumulates, what is recorded, what may be written, and what raises."""

import numpy as np
import pytest
import torch
from agreement import assert_close

import tinygrad_edu as tg

LIBRARIES = {"tinygrad_edu": tg, "torch": torch}


@pytest.fixture(params=LIBRARIES)
def lib(request):
    return LIBRARIES[request.param]


def leaf(lib, values=(1.0, 2.0, 3.0)):
    if lib is tg:
        return tg.Tensor(np.array(values), requires_grad=True)
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def grad(lib, *args, **options):
    return (tg.grad if lib is tg else torch.autograd.grad)(*args, **options)


def test_gradients_accumulate(lib):
    x = leaf(lib)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0, 18.0]


def test_one_graph_read_twice(lib):
    x = leaf(lib)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0]


def test_a_freed_graph_raises(lib):
    x = leaf(lib)
    y = (x * x).sum()
    y.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match=r"freed|second time"):
        y.backward()


def test_backward_on_several_numbers_raises(lib):
    with pytest.raises(RuntimeError):
        (leaf(lib) * 2).backward()


def test_backward_of_a_given_gradient(lib):
    x = leaf(lib)
    v = [1.0, 0.0, -1.0]
    (x * x).backward(tg.Tensor(v) if lib is tg else torch.tensor(v))
    assert x.grad.tolist() == [2.0, 0.0, -6.0]


def test_no_grad_records_nothing(lib):
    x = leaf(lib)
    with lib.no_grad():
        y = x * 2
    assert not y.requires_grad
    assert (x * 2).requires_grad


def test_no_grad_is_undone_by_exceptions(lib):
    with pytest.raises(ZeroDivisionError), lib.no_grad():
        raise ZeroDivisionError
    assert (leaf(lib) * 2).requires_grad


def test_detach_shares_memory_and_cuts(lib):
    x = leaf(lib)
    d = x.detach()
    assert not d.requires_grad
    assert (x * d).sum().backward() is None
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_in_place_on_a_leaf_raises(lib):
    x = leaf(lib)
    with pytest.raises(RuntimeError):
        x += 1
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_in_place_under_no_grad_trains(lib):
    w = leaf(lib)
    for _ in range(3):
        w.grad = None
        (w * w).sum().backward()
        with lib.no_grad():
            w -= 0.25 * w.grad
    assert w.tolist() == [0.125, 0.25, 0.375]
    assert w.requires_grad


def test_a_write_before_backward_is_caught(lib):
    x = leaf(lib)
    y = (x * x).sum()
    with lib.no_grad():
        x += 1
    with pytest.raises(RuntimeError):
        y.backward()


def test_integers_cannot_require_a_gradient(lib):
    with pytest.raises((TypeError, RuntimeError)):
        (tg.Tensor([1, 2], requires_grad=True) if lib is tg else torch.tensor([1, 2], requires_grad=True))


def test_an_unused_input_raises_unless_allowed(lib):
    x, z = leaf(lib), leaf(lib)
    with pytest.raises(RuntimeError):
        grad(lib, (x * x).sum(), [z])
    found = grad(lib, (x * x).sum(), [x, z], allow_unused=True)
    assert found[0].tolist() == [2.0, 4.0, 6.0]
    assert found[1] is None


def test_gradients_of_results_in_between(lib):
    x = leaf(lib)
    h = x * 2
    (g,) = grad(lib, (h * h).sum(), [h])
    assert g.tolist() == [4.0, 8.0, 12.0]


def test_retained_gradients(lib):
    x = leaf(lib)
    h = x * 2
    h.retain_grad()
    (h * h).sum().backward()
    assert h.grad.tolist() == [4.0, 8.0, 12.0]


def test_hooks_replace_gradients(lib):
    x = leaf(lib)
    h = x * 2
    handle = h.register_hook(lambda g: g * 10)
    h.sum().backward()
    assert x.grad.tolist() == [20.0] * 3
    handle.remove()


def test_second_order(lib):
    x = leaf(lib)
    (g,) = grad(lib, (x**3).sum(), [x], create_graph=True)
    (h,) = grad(lib, g.sum(), [x])
    assert h.tolist() == [6.0, 12.0, 18.0]


@pytest.mark.filterwarnings("ignore:Using backward")  # PyTorch warns of the cycle that x.grad = None undoes
def test_create_graph_in_backward(lib):
    x = leaf(lib)
    (x**3).sum().backward(create_graph=True)
    (h,) = grad(lib, x.grad.sum(), [x])
    assert h.tolist() == [6.0, 12.0, 18.0]
    x.grad = None


def test_no_two_gradients_share_memory(lib):
    x, z = leaf(lib), leaf(lib)
    (x + z).sum().backward()
    with lib.no_grad():
        x.grad *= 0
    assert z.grad.tolist() == [1.0] * 3


def test_dtype_of_gradients(lib):
    x = leaf(lib)
    half = x.astype("float32") if lib is tg else x.float()
    (half * 2).sum().backward()
    assert str(x.grad.dtype).endswith("float64")


@pytest.mark.parametrize("ord", [0.5, 0.3, -1, -2, 1.5, 3, -0.5, 2, 1])
@pytest.mark.parametrize("at", [[0.0, 4.0], [0.0, 0.0], [0.0, -4.0, 1.0], [3.0, -4.0, 1e-3]])
@pytest.mark.parametrize("keepdims", [False, True])
def test_gradients_of_norms_beside_zeros(ord, at, keepdims):
    """As PyTorch's: 0 where an element is 0, and the others' own."""
    theirs = torch.tensor([at, at[::-1]], dtype=torch.float64, requires_grad=True)
    weights = np.array([[1.5], [-0.5]]) if keepdims else np.array([1.5, -0.5])
    y = torch.linalg.vector_norm(theirs, ord, dim=1, keepdim=keepdims)
    (expected,) = torch.autograd.grad(y, theirs, torch.tensor(weights))
    x = leaf(tg, [at, at[::-1]])
    for y in (
        np.linalg.norm(x, ord, axis=1, keepdims=keepdims),
        np.linalg.vector_norm(x, axis=1, keepdims=keepdims, ord=ord),
    ):
        assert_close(tg.grad(y, x, weights).numpy(), expected.numpy(), rtol=1e-12, atol=1e-300)
