"""Small types: float16 adds up and counts in float32, float32 adds up long batches by parts."""

import numpy as np
import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu.engine.graph import add_up, unbroadcast

HALF = np.float16


def zeros(x):
    return np.zeros(x.shape, x.dtype)


# Each function adds up or counts over the first axis of (n, 2) numbers.
FUNCTIONS = {
    "mean": lambda x: np.mean(x, axis=0),
    "mean of all": np.mean,
    "sum": lambda x: np.sum(x * HALF(0.01), axis=0),
    "var": lambda x: np.var(x, axis=0),
    "std": lambda x: np.std(x, axis=0, ddof=1),
    "max": lambda x: np.max(x, axis=0),
    "min": np.min,
    "average": lambda x: np.average(x, axis=0),
    "nanmean": lambda x: np.nanmean(x, axis=0),
    "nanvar": lambda x: np.nanvar(x, axis=0),
    "nanstd": lambda x: np.nanstd(x),
    "logsumexp": lambda x: tg.logsumexp(x, axis=0),
    "softmax": lambda x: F.softmax(x, axis=0),
    "log_softmax": lambda x: F.log_softmax(x, axis=0),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "mse": lambda x: F.mse_loss(x, zeros(x)),
    "l1": lambda x: F.l1_loss(x, zeros(x)),
    "huber": lambda x: F.huber_loss(x, zeros(x)),
    "smooth l1": lambda x: F.smooth_l1_loss(x, zeros(x)),
    "bce with logits": lambda x: F.binary_cross_entropy_with_logits(x, zeros(x)),
    "bce": lambda x: F.binary_cross_entropy(F.sigmoid(x), zeros(x)),
    "cross entropy": lambda x: F.cross_entropy(x, np.zeros(len(x), int)),
    "soft cross entropy": lambda x: F.cross_entropy(x, zeros(x) + 0.5),
    "weighted": lambda x: F.cross_entropy(x, np.zeros(len(x), int), weight=np.array([2, 1], x.dtype)),
    "smoothed": lambda x: F.cross_entropy(x, np.zeros(len(x), int), label_smoothing=0.1),
    "nll": lambda x: F.nll_loss(x, np.zeros(len(x), int)),
}


@pytest.mark.parametrize("n", [4097, 70_000])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float16_gives_what_float64_gives_and_then_rounds(name, n):
    """float16 ends at 65,504, and sums of ones stand still at 2,048: neither shows in a value or in a gradient."""
    f = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    numbers = (rng.integers(0, 13, (n, 2)) / 4).astype(HALF)  # many are the largest
    small, exact = tg.Tensor(numbers, requires_grad=True), tg.Tensor(numbers.astype(float), requires_grad=True)
    y, right = f(small), f(exact)
    assert y.dtype == HALF
    np.testing.assert_allclose(y.numpy(), right.numpy(), rtol=4e-3, atol=2e-3 * np.abs(right.numpy()).max())
    cotangent = rng.uniform(0.5, 1, y.shape).astype(HALF)
    g, wanted = tg.grad(y, small, cotangent).numpy(), tg.grad(right, exact, cotangent.astype(float)).numpy()
    assert g.dtype == HALF
    np.testing.assert_allclose(g, wanted, rtol=1e-2, atol=1e-2 * np.abs(wanted).max() + 6e-8)
    assert np.abs(g).max() > 0
    recorded = tg.grad(y, small, cotangent, create_graph=True).numpy()
    np.testing.assert_allclose(recorded, g, rtol=5e-3, atol=6e-8)
    replayed = tg.replay(lambda x: (lambda loss: (loss, tg.grad(loss, x, cotangent)))(f(x)))
    for _ in range(2):
        again, slope = replayed(small)
        np.testing.assert_array_equal(again.numpy(), y.numpy())
        np.testing.assert_array_equal(slope.numpy(), recorded)


def test_the_share_of_each_of_many_float16_numbers():
    x = tg.Tensor(np.ones(70_000, HALF), requires_grad=True)
    for f in (np.mean, np.max, np.min, lambda x: F.l1_loss(x, zeros(x)), np.nanmean):
        np.testing.assert_allclose(tg.grad(f(x), x).numpy(), 1 / 70_000, rtol=3e-3)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4096, 1), ()])
def test_a_float16_gradient_is_added_up_over_the_batch(shape):
    bias = tg.Tensor(np.full(shape, 3, HALF), requires_grad=True)
    y = np.zeros((4096, 3), HALF) + bias
    assert np.array_equal(tg.grad(y, bias, np.ones(y.shape, HALF)).numpy(), np.full(shape, 4096 * 3 / bias.size, HALF))


def test_float16_images_normalized_far_from_zero():
    x = np.random.default_rng(0).normal(5, 1, (256, 2, 64)).astype(HALF)
    y = F.batch_norm(tg.Tensor(x, requires_grad=True), None, None, training=True)
    assert np.abs(y.mean(axis=(0, 2)).numpy()).max() < 1e-3
    np.testing.assert_allclose(y.std(axis=(0, 2)).numpy(), 1, rtol=1e-2)


def test_float16_and_eight_thousand_classes():
    logits = np.zeros((4, 8192), HALF)
    for options in ({}, {"weight": np.ones(8192, HALF)}, {"label_smoothing": 0.1}):
        x = tg.Tensor(logits, requires_grad=True)
        loss = F.cross_entropy(x, np.arange(4), **options)
        assert loss.item() == pytest.approx(np.log(8192), rel=1e-3)
        assert tg.grad(loss, x).numpy()[0, 0] == pytest.approx(-0.25, rel=0.11)


def test_unbroadcasting_is_the_same_on_arrays_and_tensors():
    g = np.ones((3000, 2, 3), HALF)
    for shape in ((3,), (2, 3), (1, 3), (3000, 1, 1), (1, 1, 1)):
        plain, recorded = unbroadcast(g, shape), unbroadcast(tg.Tensor(g, requires_grad=True), shape)
        assert plain.dtype == recorded.dtype == HALF
        assert np.array_equal(plain, recorded.numpy())
        assert plain.sum(dtype=float) == g.size


def test_add_up_is_numpy_s_sum_for_larger_types():
    x = np.random.default_rng(0).standard_normal((5, 4, 3))
    for dtype in (np.float32, float, complex, int):
        for axis in (None, 0, (0, 2), -1):
            for keepdims in (False, True):
                expected = np.add.reduce(x.astype(dtype), axis, keepdims=keepdims)
                assert np.array_equal(add_up(x.astype(dtype), axis, keepdims=keepdims), expected)


@pytest.mark.parametrize("rows", [100, 1024, 1025, 2000, 4097, 66_000, 100_000])
def test_a_long_float32_batch_is_added_up_by_parts(rows):
    bias = tg.Tensor(np.zeros(3, np.float32), requires_grad=True)
    y = np.zeros((rows, 3), np.float32) + bias
    gradient = tg.grad(y, bias, np.full(y.shape, 0.1, np.float32)).numpy()
    np.testing.assert_allclose(gradient, rows * float(np.float32(0.1)), rtol=5e-6)
    g = np.random.default_rng(0).standard_normal((rows, 3))
    np.testing.assert_allclose(unbroadcast(g, (3,)), g.sum(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(unbroadcast(np.asfortranarray(g), (3,)), g.sum(0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", [np.std, np.nanstd])
def test_a_deviation_whose_square_float16_does_not_hold(function):
    rows = np.array([[1e-4, 2e-4], [300.0, 900.0]], np.float16)
    exact = rows.astype(np.float64)
    got, slope = tg.vjp(lambda x: function(x, axis=1), tg.Tensor(rows), np.ones(2, np.float16))
    assert got.dtype == slope.dtype == np.float16
    np.testing.assert_allclose(got.numpy(), function(exact, axis=1), rtol=1e-3)
    np.testing.assert_allclose(slope.numpy(), [[-0.5, 0.5], [-0.5, 0.5]], rtol=1e-3)
