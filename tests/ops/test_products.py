"""Products of vectors, matrices and stacks."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.ops.matrices import check_linear, leaf, numbers
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.testing import gradcheck, strategies


@st.composite
def matmul_shapes(draw):
    n, k, m = (draw(st.integers(0, 3)) for _ in range(3))
    stacks = draw(strategies.broadcastable_shapes(2, max_dims=2, min_side=0))
    a = (k,) if draw(st.booleans()) and draw(st.booleans()) else (*stacks[0], n, k)
    b = (k,) if draw(st.booleans()) and draw(st.booleans()) else (*stacks[1], k, m)
    return a, b


@given(matmul_shapes())
def test_matmul_of_vectors_matrices_and_stacks(shapes):
    check_linear(np.matmul, [numbers(shape, i) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    "shapes", [((2, 3), (3, 2)), ((3,), (3,)), ((3,), (3, 2)), ((2, 2, 3), (3,)), ((2, 2, 3), (3, 2))]
)
def test_second_derivatives_of_matmul(shapes):
    gradcheck(np.matmul, [numbers(shape, i) for i, shape in enumerate(shapes)], order=2)


def test_products_on_the_left_and_right_of_arrays():
    x = leaf((2, 2))
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal((array @ x).numpy(), array @ x.numpy())
    assert np.array_equal((x @ array.tolist()).numpy(), x.numpy() @ array)
    assert isinstance(tg.matmul(array, array), np.ndarray)


def test_a_linear_layer_on_a_stack_makes_no_stack_of_weight_gradients():
    """The gradient of the weight is one product, not one for each matrix of the stack, added up."""
    x, w = leaf((4, 5, 3)), leaf((3, 2))
    (x @ w).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), np.einsum("bij->j", x.numpy())[:, None] * np.ones(2))
    rule = tg.matmul.vjp[1](np.ones((4, 5, 2)), None, x.numpy(), w.numpy())
    assert rule.shape == (3, 2)


@pytest.mark.parametrize(
    "shapes", [((), ()), ((), (2,)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3, 4)), ((2, 3), (4, 3, 2))]
)
def test_dot_is_numpys(shapes):
    check_linear(np.dot, [numbers(shape, i) for i, shape in enumerate(shapes)])


def test_dot_of_matrices_is_recorded_as_one_matmul():
    y = np.dot(leaf((2, 3)), leaf((3, 2)))
    assert y.op is tg.matmul
    assert y.op.symbol() == "dot"


@st.composite
def tensordots(draw):
    """Two shapes, and pairs of their axes, of equal lengths, in any order."""
    lengths = draw(st.lists(st.integers(1, 3), max_size=2))
    free = [draw(st.lists(st.integers(1, 3), max_size=2)) for _ in range(2)]
    shapes, axes = [], []
    for others in free:
        labels = draw(
            st.permutations([("sum", i) for i in range(len(lengths))] + [("free", i) for i in range(len(others))])
        )
        shapes.append(tuple(lengths[i] if kind == "sum" else others[i] for kind, i in labels))
        ndim = len(labels)
        axes.append([labels.index(("sum", i)) - draw(st.sampled_from([0, ndim])) for i in range(len(lengths))])
    return shapes, axes


@given(tensordots())
def test_tensordot_over_any_axes(case):
    shapes, axes = case
    check_linear(lambda a, b: np.tensordot(a, b, axes), [numbers(shape, i) for i, shape in enumerate(shapes)])


@given(st.lists(st.integers(1, 4), min_size=3, max_size=6), st.booleans(), st.booleans())
def test_multi_dot(sizes, row, column):
    shapes = [*itertools.pairwise(sizes)]
    shapes[0] = shapes[0][1:] if row else shapes[0]
    shapes[-1] = shapes[-1][:1] if column else shapes[-1]
    check_linear(lambda *xs: np.linalg.multi_dot(xs), [numbers(shape, i) for i, shape in enumerate(shapes)])


def test_multi_dot_takes_the_cheapest_order():
    a, b, c = leaf((2, 50)), leaf((50, 50)), leaf((50, 1))
    y = np.linalg.multi_dot([a, b, c])
    assert y.inputs[0] is a  # a·(b·c) takes 2,600 products, (a·b)·c 5,100
    assert np.linalg.multi_dot([leaf((1, 50)), b, leaf((50, 50))]).inputs[0].shape == (1, 50)


@pytest.mark.parametrize("power", [-3, -1, 0, 1, 2, 3, 6, 7])
def test_matrix_power(power):
    x = numbers((2, 3, 3)) + 2 * np.eye(3)
    np.testing.assert_allclose(np.linalg.matrix_power(leaf(x), power).numpy(), np.linalg.matrix_power(x, power))
    gradcheck(lambda t: np.linalg.matrix_power(t, power), [x])


def test_matrix_power_takes_few_products():
    y = np.linalg.matrix_power(leaf((3, 3)), 16)
    assert len([node for node in topological([y]) if node.op is tg.matmul]) == 4


def test_kron_of_any_ranks():
    for a, b in [((2, 1, 2), (3,)), ((2,), (2, 3)), ((), (2, 2))]:
        check_linear(np.kron, [numbers(a), numbers(b, 1)])
