"""Determinants, inverses, solutions and factorizations of matrices that the examples of the ops do not reach."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.ops.matrices import leaf, numbers
from tinygrad_edu.engine.op import op
from tinygrad_edu.testing import GradientError, gradcheck

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
