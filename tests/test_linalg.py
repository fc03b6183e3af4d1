"""Linear algebra: shapes, equations and matrices that the examples of the ops do not reach."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.graph import topological
from tinygrad_edu.op import op
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


@pytest.mark.parametrize("x", [np.eye(2), np.zeros((3, 2)), np.ones((2, 3)), np.diag([2.0, 2.0, 0.0])])
def test_equal_and_zero_singular_values_leave_gradients_finite(x):
    t = leaf(x)
    u, s, vh = np.linalg.svd(t, full_matrices=False)
    assert np.isfinite(tg.grad(u.sum() + vh.sum() + s.sum(), t).numpy()).all()
    np.testing.assert_allclose(tg.grad((s**2).sum(), t).numpy(), 2 * x, atol=1e-12)


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
