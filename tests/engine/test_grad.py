"""grad(): gradients by return value."""

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tests.engine.readings import sin_and_cos
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.ops.network.activations import relu


def test_grad_touches_no_grad():
    x, w = leaf(2.0), leaf(3.0)
    x.grad = np.array([7.0])
    g = grad((x * w).sum(), x)
    assert g.tolist() == [3.0]
    assert g.is_leaf
    assert x.grad.tolist() == [7.0]
    assert w.grad is None


def test_grad_takes_one_several_or_a_generator_of_inputs():
    parameters = [leaf(1.0), leaf(2.0)]
    y = (parameters[0] * parameters[1]).sum()
    assert grad(y, parameters[0]).item() == 2.0
    assert [g.item() for g in grad(y, parameters)] == [2.0, 1.0]
    assert [g.item() for g in grad(y, (p for p in parameters))] == [2.0, 1.0]
    assert isinstance(grad(y, [parameters[0]]), tuple)
    assert grad(y, []) == ()


def test_grad_by_results_in_between():
    x = leaf(2.0)
    h = x * x
    y = (h * h * x).sum()
    by_h, by_x = grad(y, [h, x])
    assert by_h.item() == 2 * 4 * 2
    assert by_x.item() == 5 * 16
    assert grad(y, y).item() == 1.0
    assert grad(h, h, [3.0]).item() == 3.0


def test_grad_of_several_outputs_adds_them_up():
    x = leaf(2.0, 3.0)
    a, b = (x * x).sum(), x * 5
    assert grad([a, b], x, [None, np.array([1.0, 2.0])]).tolist() == [9.0, 16.0]
    assert grad([a, a], x).tolist() == [8.0, 12.0]
    assert grad((a, (x * 1).sum()), x).tolist() == [5.0, 7.0]


@pytest.mark.parametrize(
    "given", [[1.0, 10.0], np.array([1.0, 10.0]), Tensor([1.0, 10.0]), [np.array([1.0, 10.0])], (Tensor([1.0, 10.0]),)]
)
def test_grad_takes_grad_outputs_bare_or_in_a_list(given):
    x = leaf(1.0, 2.0)
    assert grad(x * x, x, given).tolist() == [2.0, 40.0]


def test_a_list_of_one_number_is_the_gradient_of_one_number():
    x = leaf(3.0)
    assert grad(x * x, x, [2.0]).tolist() == [12.0]
    assert grad(x * x, x, [[2.0]]).tolist() == [12.0]


def test_an_unused_input_raises_or_gives_none():
    x, unused = leaf(1.0), leaf(2.0, name="unused")
    y = (x * 2).sum()
    with pytest.raises(RuntimeError, match=r"no path from the outputs to 'unused'.*allow_unused=True"):
        grad(y, [x, unused])
    used, none = grad(y, [x, unused], allow_unused=True)
    assert used.item() == 2.0
    assert none is None
    assert grad(y, unused, allow_unused=True) is None


@pytest.mark.parametrize(("f", "derivatives"), [
    (lambda x: x**4, [32.0, 48.0, 48.0, 24.0, 0.0]),
    (lambda x: x * x * x * x, [32.0, 48.0, 48.0, 24.0, 0.0]),
    (np.exp, [np.e**2] * 5),
    (np.sin, [np.cos(2), -np.sin(2), -np.cos(2), np.sin(2), np.cos(2)]),
    (lambda x: 1 / x, [-1 / 4, 2 / 8, -6 / 16, 24 / 32, -120 / 64]),
    (np.log, [1 / 2, -1 / 4, 2 / 8, -6 / 16, 24 / 32]),
    (lambda x: (x - 2) ** 2, [0.0, 2.0, 0.0, 0.0, 0.0]),
    (np.square, [4.0, 2.0, 0.0, 0.0, 0.0]),
    (lambda x: np.where(x > 1, x**3, x), [12.0, 12.0, 6.0, 0.0, 0.0]),
    (lambda x: relu(x) ** 3, [12.0, 12.0, 6.0, 0.0, 0.0]),
    (lambda x: sin_and_cos(x)[0] * sin_and_cos(x)[1], [np.cos(4), -2 * np.sin(4), -4 * np.cos(4), 8 * np.sin(4), 16 * np.cos(4)]),
    (lambda x: checkpoint(lambda t: np.sin(t) * 1.0, x), [np.cos(2), -np.sin(2), -np.cos(2), np.sin(2), np.cos(2)]),
])  # fmt: skip
def test_derivatives_up_to_the_fifth(f, derivatives):
    x = Tensor(2.0, requires_grad=True)
    y = f(x)
    for expected in derivatives:
        if not y.requires_grad:
            assert expected == 0.0
            break
        y = grad(y, x, create_graph=True, allow_unused=True)
        if y is None:
            assert expected == 0.0
            break
        assert y.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("f", [np.sign, np.floor, lambda x: x - x, lambda x: x * 0])
def test_a_recorded_gradient_is_a_tensor_also_where_it_is_constant(f):
    x = leaf(1.5, -2.5)
    for output in (f(x).sum(), (f(x) * x).sum()):
        g = grad(output, x, create_graph=True)
        assert isinstance(g, Tensor)
        assert g.shape == (2,)
    f(x).sum().backward(create_graph=True)
    assert isinstance(x.grad, Tensor)
    assert x.grad.tolist() == [0.0, 0.0]
