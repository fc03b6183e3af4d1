"""Equal and close eigenvalues and singular values: which derivatives exist there, and what they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.ops.matrices import leaf, numbers
from tinygrad_edu.engine.op import op

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
