"""Linear algebra: shapes, equations and matrices that the examples of the ops do not reach."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.einsum import explicit
from tinygrad_edu.testing import GradientError, gradcheck, strategies


def numbers(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(x, **options):
    return tg.Tensor(numbers(x) if isinstance(x, tuple) else x, requires_grad=True, **options)


def check_linear(f, arrays):
    """f is linear in each of its arguments: its values are NumPy's, and ⟨∂L/∂xᵢ, d⟩ = ⟨g, f(…, d, …)⟩ for any d."""
    xs = [leaf(a) for a in arrays]
    y = f(*xs)
    expected = f(*arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-10, atol=1e-10)
    g = numbers(y.shape, 1)
    for i, by_x in enumerate(tg.grad(y, xs, g)):
        assert by_x.shape == arrays[i].shape
        d = numbers(arrays[i].shape, 2 + i)
        along = f(*[d if k == i else a for k, a in enumerate(arrays)])
        assert (by_x.numpy() * d).sum() == pytest.approx(np.sum(g * along), rel=1e-9, abs=1e-9)


# ---------------------------------------------------------------------------------------------------
# Products


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


# ---------------------------------------------------------------------------------------------------
# einsum


@st.composite
def equations(draw):
    """An equation of up to three operands with repeated, lone and broadcast labels, an ellipsis, and its arrays."""
    length = {label: draw(st.integers(1, 3)) for label in "ijkl"}
    stack = draw(st.lists(st.integers(1, 3), max_size=2)) if draw(st.booleans()) else None
    inputs, arrays = [], []
    for k in range(draw(st.integers(1, 3))):
        labels = draw(st.lists(st.sampled_from("ijkl"), max_size=3))
        shape = [length[s] for s in labels]
        if len(set(labels)) == len(labels):  # a repeated label of one array is not broadcast with itself
            shape = [1 if draw(st.sampled_from([False] * 5 + [True])) else n for n in shape]
        place = draw(st.integers(0, len(labels))) if stack is not None and (k == 0 or draw(st.booleans())) else None
        if place is not None:
            tail = stack if k == 0 else stack[draw(st.integers(0, len(stack))) :]
            shape[place:place] = [1 if k and draw(st.booleans()) else n for n in tail]
            labels.insert(place, "...")
        inputs.append("".join(labels))
        arrays.append(numbers(shape, k))
    equation = ",".join(inputs)
    if draw(st.booleans()):
        output = draw(st.permutations(sorted({s for part in inputs for s in part} - {"."})))
        output = list(output)[: draw(st.integers(0, len(output)))]
        if stack is not None:
            output.insert(draw(st.integers(0, len(output))), "...")
        equation += "->" + "".join(output)
    return equation, arrays


@given(equations())
def test_einsum_of_any_equation(case):
    equation, arrays = case
    check_linear(lambda *xs: np.einsum(equation, *xs), arrays)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 1)), ((2, 1), (2, 3)), ((2, 3), (1, 1)), ((1, 3), (2, 1))])
@pytest.mark.parametrize("equation", ["ij,ij->i", "ij,ij->", "ij,ij->ji"])
def test_einsum_broadcasts_axes_of_length_one(equation, shapes):
    check_linear(lambda a, b: np.einsum(equation, a, b), [numbers(shape, i) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    ("equation", "ndims", "expected"),
    [
        ("ij,jk", (2, 2), "ij,jk->ik"),
        ("ba", (2,), "ba->ab"),
        ("i j -> j i", (2,), "ij->ji"),
        ("ii", (2,), "ii->"),
        ("...i,...", (3, 1), "BAi,A->BAi"),
        ("i...->...i", (1,), "i->i"),
        ("A...->...A", (2,), "AB->BA"),
    ],
)
def test_explicit_equation(equation, ndims, expected):
    assert explicit(equation, *ndims) == expected


def test_einsum_of_lists_of_labels():
    a, b = numbers((2, 3)), numbers((3, 4), 1)
    check_linear(lambda a, b: np.einsum(a, [5, 2], b, [2, 0]), [a, b])
    check_linear(lambda a, b: np.einsum(a, [0, ...], b, [..., 3], [..., 3]), [numbers((2, 3)), numbers((3, 4))])


@pytest.mark.parametrize("optimize", [True, False, "greedy"])
def test_einsum_takes_optimize(optimize):
    a, b = leaf((2, 3)), leaf((3, 4))
    np.testing.assert_allclose(np.einsum("ij,jk", a, b, optimize=optimize).numpy(), a.numpy() @ b.numpy())


def test_a_large_einsum_agrees_with_matmul():
    a, b = leaf((2, 40, 50)), leaf((2, 50, 30))
    np.testing.assert_allclose(np.einsum("bij,bjk->bik", a, b).numpy(), (a @ b).numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("ij,jk", "needs 2 arrays for 'ij,jk', but got 1"),
        ("i", "an array of 2 axes for 'i'"),
        ("ijk", "an array of 2 axes for 'ijk'"),
        ("...i->i", "none in its output"),
        ("ij->ii", r"einsum\(W \(2, 3\), equation='ij->ii'\).*multiple times"),
        ("ij->ik", "never appeared"),
        ("ii", r"einsum\(W \(2, 3\)"),
    ],
)
def test_a_wrong_equation_is_named(equation, message):
    with pytest.raises(ValueError, match=message):
        np.einsum(equation, leaf((2, 3), name="W"))


def test_einsum_refuses_other_options():
    with pytest.raises(ValueError, match="labels from 0 to 51, but got"):
        np.einsum(leaf((2, 3)), [0, -1])
    with pytest.raises(TypeError, match=r"einsum\(\) on a Tensor takes .*, not order="):
        np.einsum("ij", leaf((2, 3)), order="F")


# ---------------------------------------------------------------------------------------------------
# Determinants


def cofactors(x):
    """By the definition: the determinants of what is left without a row and a column."""
    n = len(x)
    minor = lambda i, j: np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) if n > 1 else 1.0
    return np.array([[(-1) ** (i + j) * minor(i, j) for j in range(n)] for i in range(n)])


@pytest.mark.parametrize(
    "x",
    [
        [[1.0, 2.0], [2.0, 4.0]],
        np.zeros((2, 2)),
        np.zeros((3, 3)),
        np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
        [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]],
        [[0.0]],
        np.diag([1.0, 2.0, 0.0, 3.0]),
        numbers((4, 4)),
    ],
)
def test_the_gradient_of_det_is_the_cofactors_also_of_singular_matrices(x):
    x = leaf(np.asarray(x))
    np.testing.assert_allclose(tg.grad(np.linalg.det(x), x).numpy(), cofactors(x.numpy()), rtol=1e-12, atol=1e-12)


def test_det_of_a_stack_with_a_singular_matrix():
    x = leaf(np.stack([np.eye(2), np.ones((2, 2))]))
    assert np.round(tg.grad(np.linalg.det(x).sum(), x).numpy(), 12).tolist() == [[[1, 0], [0, 1]], [[1, -1], [-1, 1]]]


def test_higher_derivatives_of_det_need_a_regular_matrix():
    gradcheck(np.linalg.det, [numbers((3, 3)) + 2 * np.eye(3)], order=3)
    x = leaf(np.ones((2, 2)))
    dx = tg.grad(np.linalg.det(x), x, create_graph=True)
    with pytest.raises(np.linalg.LinAlgError, match=r"[Ss]ingular"):
        tg.grad(dx.sum(), x)


def test_slogdet_where_det_overflows():
    x = leaf(1000 * np.eye(200))
    result = np.linalg.slogdet(x)
    with np.errstate(over="ignore"):
        assert np.isinf(np.linalg.det(x).item())
    assert result.sign.item() == 1
    assert result.logabsdet.item() == pytest.approx(200 * math.log(1000))
    np.testing.assert_allclose(tg.grad(result.logabsdet, x).numpy(), np.eye(200) / 1000)


# ---------------------------------------------------------------------------------------------------
# Inverses and solutions


@pytest.mark.parametrize(
    ("a", "b"), [((3, 3), (3,)), ((3, 3), (3, 3)), ((3, 3, 3), (3,)), ((3, 3, 3), (3, 3)), ((2, 1, 3, 3), (4, 3, 2))]
)
def test_solve_of_vectors_and_of_stacks_of_matrices(a, b):
    a, b = numbers(a) + 3 * np.eye(3), numbers(b, 1)
    np.testing.assert_allclose(np.linalg.solve(leaf(a), leaf(b)).numpy(), np.linalg.solve(a, b))
    gradcheck(np.linalg.solve, [a, b])


def test_solve_is_the_inverse_times():
    a, b = leaf(numbers((3, 3)) + 2 * np.eye(3)), leaf(numbers((3, 2), 1))
    g = numbers((3, 2), 2)
    for by_solve, by_inv in zip(
        tg.grad(np.linalg.solve(a, b), [a, b], g), tg.grad(np.linalg.inv(a) @ b, [a, b], g), strict=True
    ):
        np.testing.assert_allclose(by_solve.numpy(), by_inv.numpy(), rtol=1e-10)


@pytest.mark.parametrize(("m", "n", "rank"), [(4, 2, 2), (2, 4, 2), (3, 3, 3), (4, 3, 2)])
@pytest.mark.parametrize("columns", [None, 2])
def test_lstsq_is_numpys(m, n, rank, columns):
    a = numbers((m, rank)) @ numbers((rank, n), 1)
    b = numbers((m,) if columns is None else (m, columns), 2)
    expected = np.linalg.lstsq(a, b)
    for got, other in zip(np.linalg.lstsq(leaf(a), leaf(b)), expected, strict=True):
        got = got.numpy() if isinstance(got, tg.Tensor) else got
        np.testing.assert_allclose(got, other, rtol=1e-9, atol=1e-12)
        assert np.shape(got) == np.shape(other)


def test_least_squares_residual_does_not_depend_on_the_solution_at_first_order():
    a, b = leaf((5, 2)), leaf(numbers((5,), 1))
    x, residuals, _, _ = np.linalg.lstsq(a, b)
    fixed = x.detach()
    again = ((a @ fixed - b) ** 2).sum()
    for by_both, by_fixed in zip(tg.grad(residuals.sum(), [a, b]), tg.grad(again, [a, b]), strict=True):
        np.testing.assert_allclose(by_both.numpy(), by_fixed.numpy(), rtol=1e-9, atol=1e-12)


def test_pinv_of_a_matrix_of_lower_rank():
    """Along changes that keep the rank, the derivative is that of the difference quotient."""
    u, v = numbers((4, 2)), numbers((2, 3), 1)
    f = lambda u, v: np.linalg.pinv(u @ v, rtol=1e-10)
    gradcheck(f, [u, v])
    x = leaf(u @ v)
    np.testing.assert_allclose(np.linalg.pinv(x, rtol=1e-10).numpy(), np.linalg.pinv(u @ v, rtol=1e-10))
    np.testing.assert_allclose(np.linalg.pinv(x, rtol=None).numpy(), np.linalg.pinv(u @ v, rtol=None), atol=1e-12)


# ---------------------------------------------------------------------------------------------------
# Factorizations


def symmetric(shape, seed=0):
    x = numbers(shape, seed)
    return (x + x.mT) / 2


def test_the_gradient_of_cholesky_is_symmetric_and_that_of_a_symmetric_matrix():
    root = leaf((3, 3))
    x = root @ root.T + np.eye(3)
    g = numbers((3, 3), 1)
    by_x, by_root = tg.grad(np.linalg.cholesky(x), [x, root], g)
    np.testing.assert_allclose(by_x.numpy(), by_x.numpy().T)
    np.testing.assert_allclose(by_root.numpy(), (by_x.numpy() + by_x.numpy().T) @ root.numpy())
    gradcheck(lambda r: np.linalg.cholesky(r @ r.T + np.eye(3)), [root.numpy()], order=2)


HALVES = {
    "cholesky": (lambda x: np.linalg.cholesky(x), np.tril),
    "cholesky, upper": (lambda x: np.linalg.cholesky(x, upper=True), np.triu),
    "eigh": (lambda x: np.linalg.eigh(x)[0], np.tril),
    "eigh, L": (lambda x: np.linalg.eigh(x, UPLO="L")[0], np.tril),
    "eigh, U": (lambda x: np.linalg.eigh(x, UPLO="U")[0], np.triu),
    "eigh, u": (lambda x: np.linalg.eigh(x, "u")[0], np.triu),
    "eigh, vectors": (lambda x: np.abs(np.linalg.eigh(x, UPLO="U")[1]), np.triu),
    "eigvalsh": (lambda x: np.linalg.eigvalsh(x), np.tril),
    "eigvalsh, U": (lambda x: np.linalg.eigvalsh(x, UPLO="U"), np.triu),
}


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3)])
def test_one_triangle_is_read_as_in_numpy_and_the_gradient_is_symmetric(name, shape):
    f, triangle = HALVES[name]
    x = numbers(shape, 5) + 5 * np.eye(3)
    half = triangle(x)
    meant = half + half.mT - half * np.eye(3)
    t = leaf(x)
    y = f(t)
    np.testing.assert_allclose(y.numpy(), f(x), rtol=1e-12)
    np.testing.assert_allclose(y.numpy(), f(meant))
    assert not np.allclose(y.numpy(), f(x.mT))
    g = numbers(y.shape, 6)
    gradient = tg.grad(y, t, g).numpy()
    np.testing.assert_array_equal(gradient, gradient.mT)
    d = symmetric(shape, 7)
    h = 1e-5
    quotient = (f(meant + h * d) - f(meant - h * d)) / (2 * h)
    assert (gradient * d).sum() == pytest.approx((g * quotient).sum(), rel=1e-6)


def test_a_check_by_each_element_of_a_symmetric_matrix_says_how_to_move_it():
    x = symmetric((3, 3)) + 4 * np.eye(3)
    with pytest.raises(
        GradientError, match=r"cholesky takes its input for symmetric.*lambda x: f\(\(x \+ x\.mT\) / 2\)"
    ):
        gradcheck(np.linalg.cholesky, x)
    gradcheck(lambda x: np.linalg.cholesky((x + x.mT) / 2), x, order=2)


def test_of_several_ops_the_faulty_one_is_named_and_not_one_that_takes_its_input_for_symmetric():
    cubed = op(symbol="f", name="planted", vjp=(lambda g, y, x: g * 2 * x**2,))
    f = cubed(lambda x: x**3)
    with pytest.raises(GradientError, match="planted"):
        gradcheck(lambda r: f(np.linalg.cholesky(r @ r.T + np.eye(3))), numbers((3, 3)))


def test_the_upper_factor_is_the_lower_ones_transpose():
    x = leaf(symmetric((3, 3)) + 4 * np.eye(3))
    g = numbers((3, 3), 1)
    upper = tg.grad(np.linalg.cholesky(x, upper=True), x, g)
    np.testing.assert_allclose(upper.numpy(), tg.grad(np.linalg.cholesky(x), x, g.T).numpy())


def test_eigenvalues_and_vectors_make_the_matrix_again():
    x = leaf(symmetric((2, 3, 3)))
    w, v = np.linalg.eigh(x)
    again = (v * w[..., None, :]) @ v.mT
    g = symmetric((2, 3, 3), 1)
    np.testing.assert_allclose(tg.grad(again, x, g).numpy(), g, atol=1e-12)


@pytest.mark.parametrize("x", [np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1.0, 2.0]), np.ones((3, 3))])
def test_equal_eigenvalues(x):
    """What does not depend on the basis of their space has its gradient: the sum of all, log det, the matrix again."""
    t = leaf(x)
    w, v = np.linalg.eigh(t)
    np.testing.assert_allclose(tg.grad(w.sum(), t).numpy(), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(tg.grad((w**2).sum(), t).numpy(), 2 * x, atol=1e-12)
    np.testing.assert_allclose(tg.grad((v @ v.T).sum(), t).numpy(), 0, atol=1e-12)


@pytest.mark.parametrize("turn", [np.eye(3), np.linalg.qr(numbers((3, 3)))[0]], ids=["diagonal", "turned"])
def test_the_projection_onto_the_space_of_equal_eigenvalues(turn):
    x = symmetric((3, 3), 3) * 0 + turn @ np.diag([1.0, 1.0, 4.0]) @ turn.T
    x = (x + x.T) / 2

    def projection(t):
        v = np.linalg.eigh(t).eigenvectors[:, :2]
        return v @ v.T

    t, g, d = leaf(x), numbers((3, 3), 1), symmetric((3, 3), 2)
    h = 1e-5
    quotient = (projection(x + h * d) - projection(x - h * d)) / (2 * h)
    assert (tg.grad(projection(t), t, g).numpy() * d).sum() == pytest.approx((g * quotient).sum(), abs=1e-7)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2), (2, 2, 3)])
def test_the_singular_value_decomposition_makes_the_matrix_again(shape):
    x = leaf(shape)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    g = numbers(shape, 1)
    np.testing.assert_allclose(tg.grad((u * s[..., None, :]) @ vh, x, g).numpy(), g, atol=1e-10)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_singular_vectors_up_to_their_signs(shape):
    def spaces(x):
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        return (u**2 * s[None, :]) @ vh**2 + np.sum(u[:, :1] @ vh[:1])

    gradcheck(spaces, [numbers(shape)], order=2)


# ---------------------------------------------------------------------------------------------------
# Equal eigenvalues and singular values

SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])

MULTIPLE = {
    "2": [1.0, 1.0],
    "2 of 3": [2.0, 2.0, 5.0],
    "3": [3.0, 3.0, 3.0],
    "4": [1.0, 1.0, 1.0, 1.0],
    "2 and 2": [1.0, 1.0, 4.0, 4.0],
    "apart by rounding": [1.0, 1.0 + 1e-15, 2.0],
    "small": [1e-150, 1e-150, 3e-150],
    "large": [1e150, 1e150, 3e150],
}


def orthogonal(n, seed=0):
    return np.linalg.qr(numbers((n, n), seed))[0]


def with_eigenvalues(values, seed=None):
    """A symmetric matrix; with a seed, turned."""
    q = np.eye(len(values)) if seed is None else orthogonal(len(values), seed)
    return _even((q * np.asarray(values)) @ q.T)


def with_singular_values(values, shape, seed=None):
    diagonal = np.zeros(shape)
    np.fill_diagonal(diagonal, values)
    return diagonal if seed is None else orthogonal(shape[0], seed) @ diagonal @ orthogonal(shape[1], seed + 1)


def _even(x):
    return (x + x.mT) / 2


def by_eigh(f):
    """The function of matrices V·diag(f(w))·Vᵀ."""

    def of_matrix(x):
        w, v = np.linalg.eigh(x)
        return (v * f(w)[..., None, :]) @ v.mT

    return of_matrix


def by_svd(f):
    """U·diag(f(s))·Vᵀ."""

    def of_matrix(x):
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        return (u * f(s)[..., None, :]) @ vh

    return of_matrix


def slopes(f, x, g):
    """The gradient of ⟨g, f(x)⟩."""
    return tg.vjp(f, x, g)[1].numpy()


FUNCTIONS = {
    "w": (lambda w: w, lambda w: 1 + 0 * w),
    "sqrt": (np.sqrt, lambda w: 0.5 / np.sqrt(w)),
    "log": (np.log, lambda w: 1 / w),
    "1/w": (lambda w: 1 / w, lambda w: -1 / w**2),
    "exp": (lambda w: np.exp(-w), lambda w: -np.exp(-w)),
    "w less its mean": (lambda w: w - np.mean(w, axis=-1, keepdims=True), None),
}


def daleckii_krein(f, slope, x, g):
    """The gradient of ⟨g, f(x)⟩ by the formula of Daleckii and Krein: f's divided differences, f′ where values are equal."""
    w, v = np.linalg.eigh(x)
    near = np.abs(w[:, None] - w) < 1e-9 * np.abs(w).max()
    middle = (w[:, None] + w) / 2
    quotients = np.where(near, slope(middle), (f(w)[:, None] - f(w)) / np.where(near, 1, w[:, None] - w))
    return v @ (quotients * (v.T @ _even(g) @ v)) @ v.T


def test_taking_apart_and_putting_together_is_the_identity():
    for f in (by_eigh(lambda w: w), by_svd(lambda s: s)):
        np.testing.assert_allclose(slopes(f, np.eye(2), SWAP), SWAP, atol=1e-15)


@pytest.mark.parametrize("turn", [None, 1], ids=["diagonal", "turned"])
@pytest.mark.parametrize("values", MULTIPLE.values(), ids=MULTIPLE)
@pytest.mark.parametrize("name", ["w", "sqrt", "log", "1/w"])
def test_functions_of_matrices_at_equal_eigenvalues(name, values, turn):
    x, g = with_eigenvalues(values, turn), numbers((len(values),) * 2, 2)
    expected = daleckii_krein(*FUNCTIONS[name], x, g)
    np.testing.assert_allclose(
        slopes(by_eigh(FUNCTIONS[name][0]), x, g), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max()
    )


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=5),
    st.integers(0, 1000),
    st.sampled_from(["sqrt", "log", "1/w", "exp"]),
)
def test_random_functions_of_random_matrices_with_values_that_repeat(values, seed, name):
    x, g = with_eigenvalues(np.sort(values) / 2, seed), numbers((len(values),) * 2, seed + 1)
    f, slope = FUNCTIONS[name]
    t = leaf(x)
    (by_eigh(f)(t) * g).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), daleckii_krein(f, slope, x, g), rtol=1e-9, atol=1e-10)


def test_a_numerator_that_is_zero_in_every_gradient():
    """∂L/∂V itself is 0 where all eigenvalues are their mean, and yet L changes."""
    g = _even(numbers((3, 3)))
    f = by_eigh(FUNCTIONS["w less its mean"][0])
    np.testing.assert_allclose(slopes(f, 2 * np.eye(3), g), g - np.eye(3) * np.trace(g) / 3, atol=1e-14)


SINGULAR = [
    ((2, 2), [1, 1]), ((2, 2), [1, 0]), ((2, 2), [0, 0]), ((3, 3), [2, 2, 1]), ((3, 3), [2, 0, 0]), ((3, 3), [2, 2, 0]),
    ((3, 2), [1, 1]), ((3, 2), [1, 0]), ((3, 2), [0, 0]), ((2, 4), [1, 1]), ((2, 4), [1, 0]), ((1, 3), [0]), ((4, 1), [0]),
]  # fmt: skip


@pytest.mark.parametrize("turn", [None, 1], ids=["diagonal", "turned"])
@pytest.mark.parametrize(("shape", "values"), SINGULAR)
def test_functions_of_matrices_at_equal_singular_values_and_at_zero(shape, values, turn):
    def left(x):
        u, s, _ = np.linalg.svd(x, full_matrices=False)
        return (u * s[..., None, :] ** 2) @ u.mT

    def right(x):
        _, s, vh = np.linalg.svd(x, full_matrices=False)
        return (vh.mT * s[..., None, :] ** 4) @ vh

    x = with_singular_values(values, shape, turn)
    for f, same in [
        (by_svd(lambda s: s), lambda x: x * 1.0),
        (by_svd(lambda s: s**3), lambda x: x @ x.mT @ x),
        (left, lambda x: x @ x.mT),
        (right, lambda x: x.mT @ x @ x.mT @ x),
    ]:
        g = numbers(same(x).shape, 3)
        np.testing.assert_allclose(slopes(f, x, g), slopes(same, x, g), atol=1e-12)


def test_of_a_batch_each_matrix_has_its_own_gradient():
    values = [[1.0, 1.0, 1.0], [1.0, 2.0, 3.0], [2.0, 2.0, 5.0], [0.5, 4.0, 4.0]]
    x, g = np.stack([with_eigenvalues(v, i) for i, v in enumerate(values)]), numbers((4, 3, 3))
    for f in (by_eigh(np.log), by_svd(lambda s: s**3)):
        np.testing.assert_allclose(
            slopes(f, x, g), np.stack([slopes(f, a, b) for a, b in zip(x, g, strict=True)]), atol=1e-12
        )


def bases(x):
    w, v = np.linalg.eigh(x)
    u, s, vh = np.linalg.svd(x)
    return w, v, u, s, vh


DEPENDENT = {
    "v[0, 0]": lambda x: np.linalg.eigh(x)[1][..., 0, 0],
    "v[0, 0]²": lambda x: np.linalg.eigh(x)[1][..., 0, 0] ** 2,
    "v[0, 1]⁴": lambda x: np.linalg.eigh(x)[1][..., 0, 1] ** 4,
    "|v|": lambda x: np.abs(np.linalg.eigh(x)[1]).sum((-2, -1)),
    "one projection": lambda x: (np.linalg.eigh(x)[1][..., :1] @ np.linalg.eigh(x)[1][..., :1].mT)[..., 0, 1],
    "u[0, −1]²": lambda x: np.linalg.svd(x)[0][..., 0, -1] ** 2,
    "v of svd": lambda x: np.linalg.svd(x)[2][..., -1, 1] ** 2,
    "u without v": lambda x: (np.linalg.svd(x)[0] * numbers((3, 3))).sum((-2, -1)),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_what_depends_on_the_basis_has_no_gradient(name):
    f = DEPENDENT[name]
    for x in (np.eye(3), with_eigenvalues([1.0, 1.0, 4.0])):
        assert np.isnan(tg.vjp(f, x)[1].numpy()).all()
    batch = np.stack([np.eye(3), np.diag([1.0, 2.0, 3.0]) + 0.1])
    gradient = tg.vjp(lambda x: f(x).sum(), batch)[1].numpy()
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()


ACROSS_ZERO = {  # of U, s, Vᵀ where one singular value is 0: whether there is a gradient
    "U·Vᵀ": (lambda u, s, vh: u @ vh, False),
    "U·cos(s)·Vᵀ": (lambda u, s, vh: (u * np.cos(s)[..., None, :]) @ vh, False),
    "U·s·Vᵀ": (lambda u, s, vh: (u * s[..., None, :]) @ vh, True),
    "U·s³·Vᵀ": (lambda u, s, vh: (u * s[..., None, :] ** 3) @ vh, True),
    "U·cos(s)·Uᵀ": (lambda u, s, vh: (u * np.cos(s)[..., None, :]) @ u.mT, True),
    "the best approximation": (lambda u, s, vh: u[..., :2] @ vh[..., :2, :], True),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ACROSS_ZERO)
def test_what_jumps_as_a_singular_value_passes_zero_has_no_gradient_there(name, dtype):
    made, exists = ACROSS_ZERO[name]
    weights = numbers((3, 3), 5).astype(dtype)
    f = lambda x: (made(*np.linalg.svd(x)) * weights).sum()
    for values in ([3.0, 1.0, 0.0], [2.0, 2.0, 0.0]):
        if name == "the best approximation" and dtype == np.float32 and values[0] == values[1]:
            continue
        x = with_singular_values(values, (3, 3), 1).astype(dtype)
        batch = np.stack([x, x + np.eye(3, dtype=dtype)])
        gradient = tg.vjp(f, batch)[1].numpy()
        assert np.isfinite(gradient[1]).all()
        assert np.isfinite(gradient[0]).all() if exists else np.isnan(gradient[0]).all()
        if exists and dtype == np.float64:
            d, h = numbers((3, 3), 6), 1e-5
            np.testing.assert_allclose((gradient[0] * d).sum(), (f(x + h * d) - f(x - h * d)) / (2 * h), rtol=1e-6)


def test_in_a_replay_the_vectors_of_a_singular_value_zero_have_no_gradient():
    f = lambda x: (np.linalg.svd(x)[0] @ np.linalg.svd(x)[2] * numbers((3, 3), 5)).sum()
    slope = tg.replay(lambda x: tg.vjp(f, x)[1])
    for values, exists in [([3, 2, 1], True), ([3, 2, 1], True), ([3, 1, 0], False), ([5, 2, 1], True)]:
        x = with_singular_values([float(v) for v in values], (3, 3), 1)
        gradient = slope(tg.Tensor(x)).numpy()
        assert np.isfinite(gradient).all() if exists else np.isnan(gradient).all()
        if exists:
            np.testing.assert_allclose(gradient, tg.vjp(f, x)[1].numpy(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)])
def test_vectors_of_the_singular_value_zero_have_no_gradient(shape):
    for f in (lambda x: np.linalg.svd(x, False)[0][-1, -1] ** 2, lambda x: np.linalg.svd(x, False)[2][-1, -1] ** 2):
        for x in (np.zeros(shape), np.ones(shape)) if shape != (2, 2) else (np.zeros(shape),):
            gradient = tg.vjp(f, x)[1].numpy()
            h = 1e-5
            d = numbers(shape)
            moved = [f(x + h * d), f(x - h * d)]
            assert np.isnan(gradient).all() or abs(np.sum(gradient * d) - (moved[0] - moved[1]) / (2 * h)) < 1e-6


def second(f, x, g, d):
    """The derivative along d of the gradient of ⟨g, f(x)⟩."""
    return tg.hvp(lambda x: (f(x) * g).sum(), x, d)[1].numpy()


@pytest.mark.parametrize(
    "values", [MULTIPLE[k] for k in ("2", "2 of 3", "3", "2 and 2", "apart by rounding")] + [[1.0, 1.001, 2.0]]
)
def test_second_derivatives_of_functions_of_matrices_at_equal_eigenvalues(values):
    for turn in (None, 1):
        x, n = with_eigenvalues(values, turn), len(values)
        g, d = numbers((n, n), 2), _even(numbers((n, n), 3))
        cube = _even(second(lambda x: x @ x @ x, x, _even(g), d))
        np.testing.assert_allclose(second(by_eigh(lambda w: w**3), x, g, d), cube, rtol=1e-7, atol=1e-8)
        inverse = _even(second(np.linalg.inv, x, _even(g), d))
        np.testing.assert_allclose(second(by_eigh(lambda w: 1 / w), x, g, d), inverse, rtol=1e-6, atol=1e-7)


def test_the_second_derivative_of_the_square_root_at_the_identity():
    g, d = _even(numbers((3, 3))), _even(numbers((3, 3), 1))
    np.testing.assert_allclose(second(by_eigh(np.sqrt), np.eye(3), g, d), -(g @ d + d @ g) / 8, atol=1e-12)


@pytest.mark.parametrize(("shape", "values"), [c for c in SINGULAR if c[0] in ((2, 2), (3, 2), (1, 3), (2, 4))])
def test_second_derivatives_at_equal_singular_values_and_at_zero(shape, values):
    x, g, d = with_singular_values(values, shape, 1), numbers(shape, 2), numbers(shape, 3)
    np.testing.assert_allclose(
        second(by_svd(lambda s: s**3), x, g, d), second(lambda x: x @ x.mT @ x, x, g, d), atol=1e-9
    )


@pytest.mark.parametrize("x", [np.eye(2), np.zeros((2, 2)), np.diag([1.0, 0.0])])
def test_the_hessian_of_the_sum_of_squares_of_singular_values(x):
    hessian = tg.hessian(lambda x: (np.linalg.svdvals(x) ** 2).sum(), x).numpy()
    np.testing.assert_allclose(hessian.reshape(4, 4), 2 * np.eye(4), atol=1e-12)


def test_hessians_of_eigenvalues():
    hessian = tg.hessian(lambda x: (np.linalg.eigvalsh(x) ** 3).sum(), np.eye(2)).numpy()
    symmetrizer = np.einsum("ik,jl->ijkl", np.eye(2), np.eye(2))
    np.testing.assert_allclose(hessian, 6 * (symmetrizer + symmetrizer.swapaxes(0, 1)) / 2, atol=1e-12)


def test_past_the_second_derivative_there_is_nan_and_no_number():
    f = by_eigh(np.exp)
    twice = lambda x: tg.hvp(lambda x: (f(x) * SWAP).sum(), x, SWAP)[1]
    assert np.isnan(tg.vjp(twice, np.eye(2), SWAP)[1].numpy()).all()
    assert np.isfinite(tg.vjp(twice, np.diag([1.0, 2.0]), SWAP)[1].numpy()).all()


def test_looking_for_anomalies_does_not_mind_a_series_that_ends():
    f = by_eigh(lambda w: w**3)
    hessian = tg.hessian(lambda x: (f(x) * SWAP).sum(), np.eye(2), create_graph=True)
    with tg.detect_anomaly():
        again = tg.hessian(lambda x: (f(x) * SWAP).sum(), np.eye(2), create_graph=True)
    assert np.isfinite(hessian.numpy()).all()
    np.testing.assert_array_equal(again.numpy(), hessian.numpy())


def test_functions_of_functions_of_matrices():
    root, g = by_eigh(np.sqrt), _even(numbers((3, 3)))
    np.testing.assert_allclose(slopes(lambda x: root(root(x)), np.eye(3), g), g / 4, atol=1e-14)
    assert np.isnan(slopes(lambda x: root(root(root(x))), np.eye(3), g)).all()
    np.testing.assert_allclose(slopes(lambda x: root(x) @ by_svd(lambda s: s**3)(x), np.eye(3), g), 3.5 * g, atol=1e-12)


@pytest.mark.parametrize(
    "how", ["backward", "twice", "freed", "create_graph", "grad", "jacobian", "jvp", "checkpoint", "no_grad", "anomaly"]
)
def test_each_way_to_a_gradient_finds_the_limit(how):
    x, g = leaf(np.eye(3)), _even(numbers((3, 3)))
    f = by_eigh(np.log)
    loss = (f(x) * g).sum()
    if how == "backward":
        loss.backward()
        gradient = x.grad
    elif how == "twice":
        loss.backward()
        loss.backward()
        gradient = x.grad / 2
    elif how == "freed":
        loss.backward(retain_graph=False)
        gradient = x.grad
        with pytest.raises(RuntimeError, match="freed"):
            loss.backward()
    elif how == "create_graph":
        loss.backward(create_graph=True)
        gradient = x.grad.detach()
    elif how == "grad":
        gradient = tg.grad(loss, x, create_graph=True).detach()
    elif how == "jacobian":
        jacobian = tg.jacobian(f, np.eye(3)).numpy()
        gradient = tg.Tensor(np.einsum("ijkl,ij->kl", jacobian, g))
    elif how == "jvp":
        gradient = tg.jvp(f, np.eye(3), g)[1]
    elif how == "checkpoint":
        (tg.checkpoint(f, x) * g).sum().backward()
        gradient = x.grad
    elif how == "no_grad":
        with tg.no_grad():
            loss.backward()
        gradient = x.grad
    else:
        with tg.detect_anomaly():
            (f(x) * g).sum().backward()
        gradient = x.grad
    assert gradient.op is None
    assert not gradient.requires_grad
    np.testing.assert_allclose(gradient.numpy(), g, atol=1e-14)


def test_a_checkpoint_that_returns_the_basis_alone_has_no_gradient():
    """What makes the function independent of the basis is then outside, and not seen from inside."""
    x, g = leaf(np.eye(3)), numbers((3, 3))
    v = tg.checkpoint(lambda x: np.linalg.eigh(x)[1], x)
    assert np.isnan(tg.grad(((v * np.linalg.eigvalsh(x)) @ v.T * g).sum(), x).numpy()).all()


def test_hooks_run_once_and_what_they_return_counts():
    x, g, seen = leaf(np.eye(3)), _even(numbers((3, 3))), []
    w, v = np.linalg.eigh(x)
    y = (v * w) @ v.T
    v.register_hook(lambda g: seen.append("v"))
    y.register_hook(lambda g: seen.append("y"))
    y.register_hook(lambda g: 2 * g)
    (y * g).sum().backward()
    assert seen == ["y", "v"]
    np.testing.assert_allclose(x.grad.numpy(), 2 * g, atol=1e-14)


def test_an_error_on_the_way_leaves_gradients_as_they_were():
    x = leaf(np.eye(3))
    before = x * 1

    def fail(g):
        raise ValueError("no")

    before.register_hook(fail)
    loss = by_eigh(np.log)(before).sum()
    with pytest.raises(ValueError, match="no"):
        loss.backward(retain_graph=False)
    assert x.grad is None


def test_what_is_before_and_beside_the_decomposition_has_its_gradients():
    a, b, g = leaf(np.eye(3)), leaf(2.0), numbers((3, 3))
    root = by_eigh(np.sqrt)
    plain = tg.grad((root(a @ a.T + 3 * np.eye(3)) * g * b).sum(), [a, b])
    np.testing.assert_allclose(plain[0].numpy(), _even(g) * 2 * 2 / 4, atol=1e-12)
    assert plain[1].item() == pytest.approx(2 * np.trace(g))


def test_walks_elsewhere_are_not_recorded():
    """Only the vectors of equal values need it, and only as far as they reach."""
    calls = []
    probe = op(vjp=(lambda g, y, x: calls.append(type(g)) or g,), name="probe")(lambda x: x * 1.0)
    x = leaf(np.eye(3))
    kept = by_eigh(np.sqrt)(x)  # alive, and of no concern to the others
    probe(np.linalg.svdvals(probe(x))).sum().backward()
    by_eigh(np.sqrt)(probe(np.diag([1.0, 2.0, 3.0]) + 0 * x)).sum().backward()
    assert set(calls) == {np.ndarray}
    calls.clear()
    probe(by_eigh(np.sqrt)(probe(x))).sum().backward()
    assert calls == [tg.Tensor, np.ndarray]
    del kept


def test_a_replayed_function_has_no_limit():
    """Its values differ from call to call, so a limit would be frozen: NaN, and right again at values that differ."""
    g = _even(numbers((3, 3)))
    f = tg.replay(lambda x: tg.grad((by_eigh(np.sqrt)(x) * g).sum(), x))
    distinct = with_eigenvalues([1.0, 2.0, 4.0], 1)
    for x in (distinct, np.eye(3), distinct):
        result = f(leaf(x)).numpy()
        if x is distinct:
            np.testing.assert_allclose(result, daleckii_krein(*FUNCTIONS["sqrt"], x, g), rtol=1e-10)
        else:
            assert np.isnan(result).all()
    first_at_equal = tg.replay(lambda x: tg.grad((by_eigh(np.sqrt)(x) * g).sum(), x))
    assert np.isnan(first_at_equal(leaf(np.eye(3))).numpy()).all()
    np.testing.assert_allclose(
        first_at_equal(leaf(distinct)).numpy(), daleckii_krein(*FUNCTIONS["sqrt"], distinct, g), rtol=1e-10
    )
    values = tg.replay(lambda x: tg.grad((np.linalg.svdvals(x) ** 2).sum(), x))
    np.testing.assert_allclose(values(leaf(np.eye(3))).numpy(), 2 * np.eye(3), atol=1e-14)


# Singular values are told apart by their differences


def test_singular_values_are_compared_and_not_their_squares():
    x = tg.Tensor(np.diag([1.0, 3e-4, 1e-4]).astype(np.float32), requires_grad=True)
    u, *_ = np.linalg.svd(x)
    gradient = tg.grad((u[:, 2:] @ u[:, 2:].T)[1, 2], x).numpy().copy()
    np.testing.assert_allclose([gradient[1, 2], gradient[2, 1]], [-1250, -3750], rtol=1e-5)
    gradient[1, 2] = gradient[2, 1] = 0
    np.testing.assert_allclose(gradient, 0, atol=1e-3)


def by_left_vectors(s, g):
    """The gradient of ⟨g, U⟩ at diag(s), for g of one place."""
    p = g - g.T
    gaps = (s - s[:, None]) * (s + s[:, None])
    return p * s / np.where(gaps == 0, 1, gaps)


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e30, 1e200])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients_by_singular_vectors_at_every_scale(dtype, scale):
    if dtype == np.float32 and abs(np.log10(scale)) > 100:
        pytest.skip("beyond float32")
    s, g = np.array([1.0, 1e-2, 3e-4, 1e-4]), np.triu(numbers((4, 4)), 1)
    for axis in (0, 1):
        x = tg.Tensor((np.diag(s) * scale).astype(dtype), requires_grad=True)
        u, _, vh = np.linalg.svd(x)
        flips = np.diag(u.numpy())
        loss = (u * flips * g).sum() if axis == 0 else (vh.mT * flips * g).sum()
        gradient = tg.grad(loss, x).numpy().astype(float) * scale
        expected = by_left_vectors(s, g)
        np.testing.assert_allclose(
            gradient, expected if axis == 0 else expected.T, rtol=1e-4 if dtype == np.float32 else 1e-11
        )


def test_a_hilbert_matrix():
    """The projections onto the vectors of its singular values, which fall to 1e-10, against those by eigh of longer numbers."""
    hilbert = 1 / (np.arange(8)[:, None] + np.arange(8) + 1.0)
    g = _even(numbers((8, 8)))
    w, v = np.linalg.eigh(hilbert)
    for k in range(2, 6):

        def left(x, k=k):
            u = np.linalg.svd(x)[0][:, :k]
            return u @ u.T

        top = v[:, -k:]
        rest, others, kept = v[:, :-k], w[:-k], w[-k:]
        middle = (rest.T @ g @ top) / (kept - others[:, None])
        expected = rest @ middle @ top.T
        by_u = slopes(left, hilbert, g)
        # Of symmetric moves, those of u and v are the same, so that the gradients by each agree.
        np.testing.assert_allclose(_even(by_u), _even(2 * expected), rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("order", ["nuc", 2, -2])
def test_second_derivatives_of_norms_at_close_singular_values(order):
    x = with_singular_values([1.0, 3e-4, 1e-4], (3, 3), 1)
    d = numbers((3, 3), 4)
    f = lambda x: np.linalg.norm(x, order)
    h = 1e-9 if order != 2 else 1e-6
    numeric = (tg.vjp(f, x + h * d)[1].numpy() - tg.vjp(f, x - h * d)[1].numpy()) / (2 * h)
    np.testing.assert_allclose(tg.hvp(f, x, d)[1].numpy(), numeric, rtol=1e-4, atol=1e-5 * np.abs(numeric).max())


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)])
def test_q_and_r_make_the_matrix_again(shape):
    x = leaf(shape)
    q, r = np.linalg.qr(x)
    g = numbers(shape, 1)
    np.testing.assert_allclose(tg.grad(q @ r, x, g).numpy(), g, atol=1e-12)


def test_qr_of_dependent_columns_raises_in_the_backward_pass():
    x = leaf(np.zeros((2, 2)))
    r = np.linalg.qr(x, mode="r")
    with pytest.raises(np.linalg.LinAlgError, match=r"[Ss]ingular"):
        r.sum().backward()
    assert x.grad is None


def test_results_have_names():
    x = symmetric((3, 3)) + 4 * np.eye(3)
    for given_x in (x, leaf(x)):
        assert tg.linalg.eigh(given_x)._fields == ("eigenvalues", "eigenvectors")
        assert tg.linalg.svd(given_x)._fields == ("U", "S", "Vh")
        assert tg.linalg.qr(given_x)._fields == ("Q", "R")
        assert tg.linalg.slogdet(given_x)._fields == ("sign", "logabsdet")
        kind = type(given_x)
        assert all(isinstance(part, kind) for part in tg.linalg.qr(given_x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: x @ np.ones(5),
            ValueError,
            r"matmul\(W \(2, 3\), \(5,\)\): the last axis of the first \(3\) must be as long as the axis of the second \(5\)",
        ),
        (np.linalg.inv, np.linalg.LinAlgError, r"inv\(W \(2, 3\)\).*square"),
        (np.linalg.det, np.linalg.LinAlgError, r"det\(W \(2, 3\)\).*square"),
        (lambda x: np.linalg.matrix_power(x, 2), np.linalg.LinAlgError, r"square matrices, but got shape \(2, 3\)"),
        (lambda x: np.linalg.solve(x, x), np.linalg.LinAlgError, r"solve\(W \(2, 3\), W \(2, 3\)\)"),
        (lambda x: np.linalg.inv(0 * x[:, :2]), np.linalg.LinAlgError, "Singular"),
        (lambda x: np.linalg.cholesky(-np.eye(2) + 0 * x[:, :2]), np.linalg.LinAlgError, "not positive definite"),
        (lambda x: np.linalg.svd(x).U.sum().backward(), ValueError, r"svd\(\) of shape \(2, 3\).*full_matrices=False"),
        (lambda x: np.linalg.qr(x.T, mode="complete").R.sum().backward(), ValueError, r"qr\(\).*mode='reduced'"),
        (lambda x: np.linalg.qr(x, mode="raw"), ValueError, "but got 'raw'; leave mode out"),
        (lambda x: np.linalg.eigh(x[:, :2], UPLO="X"), ValueError, r"UPLO"),
        (np.linalg.cholesky, np.linalg.LinAlgError, r"cholesky\(W \(2, 3\).*square"),
        (np.linalg.eigvalsh, np.linalg.LinAlgError, r"eigh\(W \(2, 3\).*square"),
        (np.linalg.eig, TypeError, r"np\.linalg\.eig is not an operation that tensors record"),
        (lambda x: np.cross(x, np.ones((2, 2))), ValueError, "three components"),
        (
            lambda x: np.linalg.lstsq(np.stack([x, x]), x),
            np.linalg.LinAlgError,
            "takes a matrix and a vector or matrix",
        ),
        (lambda x: np.linalg.tensorsolve(x, np.ones(2)), np.linalg.LinAlgError, "as many equations as unknowns"),
        (lambda x: np.linalg.tensorinv(x, ind=1), np.linalg.LinAlgError, "as many rows as columns"),
        (lambda x: np.linalg.multi_dot([x]), ValueError, "at least two arrays, but got 1"),
        (lambda x: np.tensordot(x, x, ([0], [2])), np.exceptions.AxisError, "axis 2 is out of bounds"),
        (lambda x: np.tensordot(x, x, 3), np.exceptions.AxisError, "out of bounds"),
    ],
)
def test_errors_say_what_is_wanted(call, error, message):
    with pytest.raises(error, match=message):
        call(leaf((2, 3), name="W"))


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.det, np.linalg.inv, np.linalg.pinv, np.linalg.cholesky, np.linalg.svdvals, np.linalg.eigvalsh,
        np.linalg.cond, lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.qr(x)[0] + np.linalg.qr(x)[1],
        lambda x: np.linalg.eigh(x)[1], lambda x: np.linalg.svd(x)[0], lambda x: np.linalg.solve(x, x[0]),
        lambda x: np.linalg.matrix_power(x, 0), lambda x: np.linalg.lstsq(x, x)[0], lambda x: np.einsum("ii,ij->i", x, x),
        lambda x: np.kron(x, x), lambda x: np.cross(x, x[0]),
    ],
)  # fmt: skip
def test_float32_stays(f):
    x = tg.Tensor((symmetric((3, 3)) + 4 * np.eye(3)).astype(np.float32), requires_grad=True)
    y = f(x)
    dx = tg.grad(y.sum(), x, create_graph=True)
    assert y.dtype == dx.dtype == np.float32
    if dx.requires_grad:
        assert tg.grad(dx.sum(), x, allow_unused=True).dtype == np.float32


@pytest.mark.parametrize("p", [None, 2, -2, "fro", 1, np.inf])
def test_the_condition_of_singular_matrices(p):
    """As NumPy's, without a warning; and no finite number is said to be its slope."""
    x = tg.Tensor(np.stack([np.diag([1.0, 0.0]), np.diag([1.0, 4.0])]), requires_grad=True)
    y = np.linalg.cond(x, p)
    np.testing.assert_allclose(y.numpy(), np.linalg.cond(x.numpy(), p))
    if p != -2:
        slope = tg.grad(y, x, np.ones(2)).numpy()
        assert not np.isfinite(slope[0]).all()
        assert np.isfinite(slope[1]).all()
    whole = tg.Tensor(np.array([[1, 2], [2, 4]], np.uint8))
    np.testing.assert_allclose(np.linalg.cond(whole, "fro").numpy(), np.linalg.cond(whole.numpy(), "fro"))
