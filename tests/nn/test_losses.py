"""The losses: of numbers, of classes, of probabilities."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.losses import softmax_cross_entropy
from tinygrad_edu.testing import gradcheck, gradgradcheck

# -- losses of numbers -------------------------------------------------------------------------------

NUMBERS = [
    (F.mse_loss, nn.MSELoss, {}, lambda d: d**2),
    (F.l1_loss, nn.L1Loss, {}, np.abs),
    (F.huber_loss, nn.HuberLoss, {"delta": 0.5}, lambda d: np.where(abs(d) <= 0.5, d * d / 2, 0.5 * (abs(d) - 0.25))),
    (F.smooth_l1_loss, nn.SmoothL1Loss, {"beta": 0.5}, lambda d: np.where(abs(d) < 0.5, d * d, abs(d) - 0.25)),
]


@pytest.mark.parametrize(("function", "module", "options", "formula"), NUMBERS)
def test_losses_of_numbers(function, module, options, formula):
    rng = np.random.default_rng(0)
    y, t = rng.standard_normal((2, 4, 3))
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x)):
        loss = function(y, t, reduction=reduction, **options)
        np.testing.assert_allclose(loss, reduce(formula(y - t)))
        assert np.array_equal(module(reduction=reduction, **options)(y, t), loss)
    gradcheck(
        lambda a, b: function(a, b, **options), [tg.Tensor(y, requires_grad=True), tg.Tensor(t, requires_grad=True)]
    )
    with pytest.raises(ValueError, match=r"prediction of shape \(4, 3\) and a target of shape \(4,\)"):
        function(y, t[:, 0])
    with pytest.raises(ValueError, match=r"reduction is 'mean', 'sum' or 'none', but got 'max'"):
        function(y, t, reduction="max")
    for name in options:
        for bad in [-1.0] + [0.0] * (function is not F.smooth_l1_loss):  # whose β may be 0, as elsewhere
            with pytest.raises(ValueError, match=f"{name} (must be positive|is not negative), but got {bad}"):
                function(y, t, **{name: bad})
    assert function(y.astype("f"), t.astype("f"), **options).dtype == np.float32


@pytest.mark.parametrize("far", [np.inf, -np.inf])
def test_losses_at_infinity(far):
    for f in (F.huber_loss, F.smooth_l1_loss, F.l1_loss):
        x = tg.Tensor([far, 0.0], requires_grad=True)
        loss = f(x, np.zeros(2))
        assert loss.item() == np.inf
        assert tg.grad(loss, x).tolist() == [np.sign(far) / 2, 0]
    for target, cost in ((far > 0, 0.0), (far < 0, np.inf), (0.5, np.inf)):
        x = tg.Tensor([far, 0.0], requires_grad=True)
        loss = F.binary_cross_entropy_with_logits(x, np.array([float(target), 1.0]), reduction="none")
        assert loss.tolist() == [cost, pytest.approx(np.log(2))]
        assert tg.grad(loss.sum(), x).tolist() == [(far > 0) - float(target), -0.5]
    assert np.isnan(F.huber_loss(np.array([np.nan]), np.zeros(1)))
    assert np.isnan(F.binary_cross_entropy_with_logits(np.array([np.nan]), np.ones(1)))
    single = np.array([np.inf, 1], np.float32)
    assert F.binary_cross_entropy_with_logits(single, np.ones_like(single)).dtype == np.float32


def test_huber_s_second_derivative():
    x = np.array([-2.0, -0.7, 0.0, 0.4, 1.5])
    curvature = tg.hessian(lambda x: F.huber_loss(x, np.zeros(5), reduction="sum"), x)
    assert np.array_equal(curvature.numpy(), np.diag([0.0, 1, 1, 1, 0]))


def test_mse_of_a_column_against_a_row_raises():
    with pytest.raises(ValueError, match="reshape or squeeze"):
        F.mse_loss(tg.zeros(5, 1), tg.zeros(5))


# -- losses of probabilities -------------------------------------------------------------------------


def naive_cross_entropy(x, t):
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return -np.log(p[np.arange(len(t)), t])


@pytest.fixture
def logits():
    return np.random.default_rng(0).standard_normal((5, 3))


T = np.array([0, 2, 1, 1, 0])


def test_cross_entropy_by_its_definition(logits):
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x)):
        np.testing.assert_allclose(
            F.cross_entropy(logits, T, reduction=reduction), reduce(naive_cross_entropy(logits, T))
        )
        x = tg.Tensor(logits, requires_grad=True)
        gradcheck(lambda x, how=reduction: F.cross_entropy(x, T, reduction=how), [x])
        gradgradcheck(lambda x, how=reduction: F.cross_entropy(x, T, reduction=how), [x])


def test_cross_entropy_s_gradient_is_softmax_minus_target(logits):
    x = tg.Tensor(logits, requires_grad=True)
    F.cross_entropy(x, T).backward()
    np.testing.assert_allclose(x.grad.numpy(), (F.softmax(logits) - np.eye(3)[T]) / 5, rtol=1e-12)


def test_class_numbers_one_hot_and_soft_targets_agree(logits):
    one_hot = np.eye(3)[T]
    for options in ({}, {"label_smoothing": 0.2}, {"reduction": "sum"}, {"reduction": "none"}):
        by_number, by_row = (tg.Tensor(logits, requires_grad=True) for _ in range(2))
        a, b = F.cross_entropy(by_number, T, **options), F.cross_entropy(by_row, one_hot, **options)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
        a.sum().backward()
        b.sum().backward()
        np.testing.assert_allclose(by_number.grad.numpy(), by_row.grad.numpy(), rtol=1e-9, atol=1e-15)
    soft = F.softmax(np.random.default_rng(1).standard_normal((5, 3)))
    np.testing.assert_allclose(F.cross_entropy(logits, soft), -(soft * F.log_softmax(logits)).sum(1).mean())
    gradcheck(F.cross_entropy, [tg.Tensor(logits, requires_grad=True), tg.Tensor(soft, requires_grad=True)])


def test_cross_entropy_of_weighted_classes(logits):
    w = np.array([1.0, 2.0, 0.5])
    losses = naive_cross_entropy(logits, T)
    np.testing.assert_allclose(F.cross_entropy(logits, T, w), (w[T] * losses).sum() / w[T].sum())
    np.testing.assert_allclose(F.cross_entropy(logits, T, w, reduction="none"), w[T] * losses)
    np.testing.assert_allclose(F.cross_entropy(logits, np.eye(3)[T], w), (w[T] * losses).mean())
    smooth = {"label_smoothing": 0.3, "reduction": "sum"}
    np.testing.assert_allclose(
        F.cross_entropy(logits, T, w, **smooth), F.cross_entropy(logits, np.eye(3)[T], w, **smooth)
    )
    gradcheck(lambda x: F.cross_entropy(x, T, w, label_smoothing=0.1), [tg.Tensor(logits, requires_grad=True)])
    loss = nn.CrossEntropyLoss(w, label_smoothing=0.1)
    assert np.array_equal(loss(logits, T).numpy(), F.cross_entropy(logits, T, w, label_smoothing=0.1))
    assert list(loss.state_dict()) == ["weight"]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, np.ones(3), np.array([2.0, 0.5, 0.0])])
@pytest.mark.parametrize("soft", [False, True])
def test_an_impossible_class_costs_nothing_where_it_is_not_the_target(reduction, weight, soft):
    """−∞ leaves a class out: as if there were two."""
    logits = np.array([[1.0, 2.0, -np.inf], [0.5, -1.0, -np.inf]])
    target = np.array([0, 1])
    options = {"reduction": reduction}
    fewer = weight if weight is None else weight[:2]
    right = F.cross_entropy(logits[:, :2], np.eye(2)[target] if soft else target, fewer, **options)
    given = np.eye(3)[target] if soft else target
    step = tg.replay(
        lambda x: (lambda loss: (loss, tg.grad(loss.sum(), x)))(F.cross_entropy(x, given, weight, **options))
    )
    for _ in range(2):
        x = tg.Tensor(logits, requires_grad=True)
        loss = F.cross_entropy(x, given, weight, **options)
        np.testing.assert_allclose(loss.numpy(), right)
        slope = tg.grad(loss.sum(), x).numpy()
        assert np.isfinite(slope).all()
        assert not slope[:, 2].any()
        replayed, again = step(x)
        np.testing.assert_array_equal(replayed.numpy(), loss.numpy())
        np.testing.assert_allclose(again.numpy(), slope)
    module = nn.CrossEntropyLoss(weight, **options)
    np.testing.assert_allclose(module(tg.Tensor(logits), given).numpy(), right)
    images = np.stack([logits, logits], axis=-1)  # (N, C, d)
    targets = np.stack([given, given], axis=-1)
    losses = F.cross_entropy(images, targets, weight, reduction="none")
    np.testing.assert_allclose(losses[:, 0], F.cross_entropy(logits, given, weight, reduction="none"))


def test_an_impossible_class_that_is_smoothed_or_asked_for_costs_infinitely_much():
    logits = np.array([[1.0, 2.0, -np.inf]])
    assert F.cross_entropy(logits, np.array([0]), label_smoothing=0.1) == np.inf
    with np.errstate(divide="ignore"):
        assert F.cross_entropy(logits, np.array([2]), np.ones(3)) == np.inf
    assert F.cross_entropy(logits, np.array([0]), np.array([1.0, 1.0, 0.0]), label_smoothing=0.1) < np.inf


def test_a_tensor_of_targets_keeps_float32():
    logits, target = np.zeros((4, 3), np.float32), tg.Tensor(np.array([0, 1, 2, -100]))
    for options in ({}, {"label_smoothing": 0.1}, {"weight": np.ones(3, np.float32)}):
        assert F.cross_entropy(tg.Tensor(logits), target, **options).dtype == np.float32
    assert F.nll_loss(tg.Tensor(logits), target).dtype == np.float32


def test_cross_entropy_of_images_and_of_one_row(logits):
    images = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    target = np.random.default_rng(1).integers(3, size=(2, 4, 5))
    losses = F.cross_entropy(images, target, reduction="none")
    assert losses.shape == (2, 4, 5)
    rows = np.moveaxis(images, 1, -1).reshape(-1, 3)
    np.testing.assert_allclose(losses.ravel(), naive_cross_entropy(rows, target.ravel()))
    np.testing.assert_allclose(F.cross_entropy(images, np.moveaxis(np.eye(3)[target], -1, 1)), losses.mean())
    w = np.array([1.0, 2.0, 0.5])
    soft = F.cross_entropy(images, np.moveaxis(np.eye(3)[target], -1, 1), w, reduction="none")
    np.testing.assert_allclose(soft, losses * w[target])
    np.testing.assert_allclose(F.cross_entropy(logits[0], 2), naive_cross_entropy(logits[:1], T[1:2])[0])
    np.testing.assert_allclose(F.cross_entropy(logits[0], [0.0, 0.0, 1.0]), naive_cross_entropy(logits[:1], T[1:2])[0])
    assert F.cross_entropy(logits[0], 2, reduction="none").shape == ()


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"reduction": "sum"}, {"reduction": "none"}])
@pytest.mark.parametrize("ignore_index", [-100, 1, 7])
def test_rows_left_out_leak_nothing(logits, options, ignore_index):
    target = np.where([False, True, False, True, False], ignore_index, [0, 0, 2, 0, 0])
    poisoned = logits.copy()
    poisoned[1], poisoned[3] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        x, clean = tg.Tensor(poisoned, requires_grad=True), tg.Tensor(logits[::2], requires_grad=True)
        loss = F.cross_entropy(x, target, ignore_index=ignore_index, **options)
        kept = F.cross_entropy(clean, target[::2], **options)
        np.testing.assert_allclose(loss.numpy()[::2] if loss.ndim else loss.numpy(), kept.numpy(), rtol=1e-12)
        if loss.ndim:
            assert (loss.numpy()[1::2] == 0).all()
        loss.sum().backward()
        kept.sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[::2], clean.grad.numpy(), rtol=1e-9, atol=1e-15)
    assert (x.grad.numpy()[1::2] == 0).all()


def test_a_mean_over_no_rows_is_nan(logits):
    x = tg.Tensor(logits, requires_grad=True)
    loss = F.cross_entropy(x, np.full(5, -100))
    assert np.isnan(loss.item())
    loss.backward()
    assert (x.grad.numpy() == 0).all()
    assert np.isnan(F.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)))
    assert F.cross_entropy(np.zeros((0, 3)), np.zeros(0, int), reduction="sum") == 0


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "u8", ">i4"])
@pytest.mark.parametrize("classes", [3, 70])
@pytest.mark.parametrize("lie", [np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2]])
def test_class_numbers_of_any_type_and_logits_of_any_layout(dtype, classes, lie):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((300, classes)), rng.integers(0, classes, 300)
    expected, found = tg.Tensor(x, requires_grad=True), tg.Tensor(lie(x), requires_grad=True)
    losses = [F.cross_entropy(expected, t), F.cross_entropy(found, t.astype(dtype))]
    for loss in losses:
        loss.backward()
    by_hand = np.log(np.exp(x).sum(1)) - x[np.arange(300), t]
    np.testing.assert_allclose([loss.item() for loss in losses], by_hand.mean())
    np.testing.assert_allclose(found.grad.numpy(), expected.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("target", "names"), [([0, 3, 1, 1, 0], r"target\[1\] is 3"), ([0, 1, -1, 1, 0], r"target\[2\] is -1")]
)
def test_class_numbers_out_of_range_raise(logits, target, names):
    for f in (F.cross_entropy, F.nll_loss, lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1)):
        with pytest.raises(IndexError, match=f"{names}.* there are 3 classes, 0 to 2"):
            f(tg.Tensor(logits, requires_grad=True), np.array(target))


def test_cross_entropy_refuses_what_it_cannot_mean(logits):
    with pytest.raises(ValueError, match=r"logits of shape \(5, 3\) and a target of shape \(4,\)"):
        F.cross_entropy(logits, T[:4])
    with pytest.raises(TypeError, match=r"target of floats of shape \(5,\)"):
        F.cross_entropy(logits, T.astype(float))
    with pytest.raises(TypeError, match=r"target of whole numbers of shape \(5, 3\)"):
        F.cross_entropy(logits, np.eye(3, dtype=int)[T])
    with pytest.raises(TypeError, match=r"floats of shape \(5,\).*target\.astype\(int\)"):
        F.cross_entropy(logits, T.astype(float))
    with pytest.raises(TypeError, match=r"target of booleans of shape \(5,\).*target\.astype\(int\)"):
        F.cross_entropy(logits, T > 0)
    with pytest.raises(TypeError, match=r"target\.astype\(float\), or target\.argmax\(1\) for class numbers"):
        F.cross_entropy(logits, np.eye(3, dtype=int)[T])
    with pytest.raises(ValueError, match=r"the logits come first: write cross_entropy\(model\(x\), y\)"):
        F.cross_entropy(T, logits)
    with pytest.raises(ValueError, match="the log-probabilities come first"):
        F.nll_loss(T, logits)
    for loss in (F.cross_entropy, F.nll_loss, F.mse_loss, F.l1_loss, F.huber_loss, F.binary_cross_entropy):
        with pytest.raises(TypeError, match=r"got None for the prediction; does forward\(\) end with `return`"):
            loss(None, logits)
    with pytest.raises(ValueError, match="label_smoothing is a number between 0 and 1"):
        F.cross_entropy(logits, T, label_smoothing=2)
    with pytest.raises(ValueError, match="reduction is"):
        F.cross_entropy(logits, T, reduction="avg")
    with pytest.raises(ValueError, match=r"softmax_cross_entropy\(\(5, 3\), \(4,\).*logits are \(N, classes\)"):
        softmax_cross_entropy(tg.Tensor(logits), T[:4])
    with pytest.raises(ValueError, match="takes log-probabilities \\(N, classes\\)"):
        F.nll_loss(logits, T[:2])
    with pytest.raises(TypeError, match="class numbers, which are whole"):
        F.nll_loss(logits, T.astype(float))


def test_rows_are_left_out_by_default():
    log_p = np.log([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]])
    target = np.array([0, -100, 1])
    expected = -(log_p[0, 0] + log_p[2, 1]) / 2
    for loss in (F.nll_loss, F.cross_entropy, nn.NLLLoss(), nn.CrossEntropyLoss()):
        np.testing.assert_allclose(loss(log_p, target), expected)
        for wrong in (-99, -1):
            with pytest.raises(IndexError, match=rf"target\[1\] is {wrong}"):
                loss(log_p, np.array([0, wrong, 1]))


def test_nll_loss(logits):
    log_p = F.log_softmax(logits)
    w = np.array([1.0, 2.0, 0.5])
    for options in ({}, {"reduction": "sum"}, {"reduction": "none"}, {"ignore_index": 1}):
        for weight in (None, w):
            np.testing.assert_allclose(
                F.nll_loss(log_p, T, weight, **options), F.cross_entropy(logits, T, weight, **options)
            )
            np.testing.assert_allclose(
                np.asarray(nn.NLLLoss(weight, **options)(log_p, T)), F.nll_loss(log_p, T, weight, **options)
            )
    gradcheck(lambda x: F.nll_loss(x, T, w, ignore_index=0), [tg.Tensor(log_p, requires_grad=True)])


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_losses_are_finite_far_out(size):
    x = tg.Tensor(np.array([[size, 0, -size]], np.float32), requires_grad=True)
    for target in (np.array([0]), np.array([2]), np.array([[0.2, 0.3, 0.5]], np.float32)):
        loss = F.cross_entropy(x, target)
        assert loss.dtype == np.float32
        assert np.isfinite(loss.item())
        gradient = tg.grad(loss, x).numpy()
        assert gradient.dtype == np.float32
        assert np.isfinite(gradient).all()
        assert abs(gradient.sum()) < 1e-6
    t = np.array([[1, 0, 0]], np.float32)
    loss = F.binary_cross_entropy_with_logits(x, t)
    assert np.isfinite(loss.item())
    np.testing.assert_allclose(tg.grad(loss, x).numpy(), (F.sigmoid(x.numpy()) - t) / 3)


def test_binary_cross_entropy():
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((4, 3)), rng.uniform(size=(4, 3))
    p = F.sigmoid(x)
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x)):
        np.testing.assert_allclose(F.binary_cross_entropy_with_logits(x, t, reduction=reduction), reduce(expected))
        np.testing.assert_allclose(F.binary_cross_entropy(p, t, reduction=reduction), reduce(expected))
        np.testing.assert_allclose(nn.BCELoss(reduction=reduction)(p, t), reduce(expected))
        np.testing.assert_allclose(nn.BCEWithLogitsLoss(reduction=reduction)(x, t), reduce(expected))
    certain = tg.Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(certain, np.array([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0, 0, 100, 100]
    loss.sum().backward()
    assert np.isfinite(certain.grad.numpy()).all()
    with pytest.raises(ValueError, match="probabilities lie between 0 and 1"):
        F.binary_cross_entropy(np.array([1.5]), np.array([1.0]))
    with pytest.raises(ValueError, match="must be equal"):
        F.binary_cross_entropy(p, t[0])
    # exact where the probability rounds to 1
    assert F.binary_cross_entropy_with_logits(np.float32([20.0]), np.float32([1.0])) == pytest.approx(2.0611537e-9)


def test_the_chapter_s_numbers():
    y = np.array(
        [[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0], [0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]]
    )
    t = np.eye(10)[[2, 2]]
    np.testing.assert_allclose(F.mse_loss(y, t, reduction="none").sum(1) / 2, [0.0975, 0.5975])
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(F.nll_loss(np.log(y), [2, 2], reduction="none"), [0.510825, 2.302585], rtol=2e-6)
    np.testing.assert_allclose(F.softmax(np.array([0.3, 2.9, 4.0])), [0.01821127, 0.24519181, 0.73659691], rtol=1e-6)
    np.testing.assert_allclose(
        F.softmax(np.array([1010.0, 1000.0, 990.0])), [9.9995e-01, 4.5398e-05, 2.0611e-09], rtol=1e-4
    )


def test_losses_of_arrays_are_arrays(logits):
    for loss in (
        F.cross_entropy(logits, T),
        F.cross_entropy(logits, T, label_smoothing=0.1),
        F.nll_loss(logits, T),
        F.mse_loss(logits, logits),
        F.binary_cross_entropy_with_logits(logits, F.sigmoid(logits)),
    ):
        assert isinstance(loss, np.ndarray | np.generic)
        assert loss.shape == ()


def test_the_chapter_s_three_layers():
    weights = [
        ([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]], [0.1, 0.2, 0.3]),
        ([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]], [0.1, 0.2]),
        ([[0.1, 0.3], [0.2, 0.4]], [0.1, 0.2]),
    ]
    layers = []
    for w, b in weights:
        layer = nn.Linear(*np.shape(w), dtype=float)
        layer.load_state_dict({"weight": np.array(w), "bias": np.array(b)})
        layers += [layer, nn.Sigmoid()]
    y = nn.Sequential(*layers[:-1])(np.array([1.0, 0.5]))
    np.testing.assert_allclose(y.numpy(), [0.31682708, 0.69627909], rtol=1e-7)


# -- settings that are none ------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("kind", ["numbers", "smoothed", "probabilities", "nll", "planes"])
def test_a_weight_stands_for_each_class(kind, classes):
    """Weights beyond the classes would be ignored silently, and a single weight broadcast, so both are refused."""
    x, y, weight = np.zeros((4, 2)), np.array([0, 1, 0, 0]), np.ones(classes)
    losses = {
        "numbers": lambda: F.cross_entropy(x, y, weight),
        "smoothed": lambda: F.cross_entropy(x, y, weight, label_smoothing=0.1),
        "probabilities": lambda: F.cross_entropy(x, np.eye(2)[y], weight),
        "nll": lambda: F.nll_loss(x, y, weight),
        "planes": lambda: F.cross_entropy(np.zeros((4, 2, 3)), np.zeros((4, 3), int), weight),
    }
    with pytest.raises(ValueError, match=rf"each of the 2 classes, of shape \(2,\), but got \({classes},\)"):
        losses[kind]()


@pytest.mark.parametrize(
    ("loss", "activation", "takes"),
    [
        (lambda x: F.cross_entropy(x, np.array([0, 1])), tg.softmax, "logits, whose softmax it computes itself"),
        (lambda x: nn.CrossEntropyLoss(label_smoothing=0.1)(x, np.eye(2)), nn.Softmax(), "logits, whose softmax"),
        (lambda x: F.nll_loss(x, np.array([0, 1])), tg.softmax, "log-probabilities: write log_softmax"),
        (lambda x: F.binary_cross_entropy_with_logits(x, np.eye(2)), tg.sigmoid, "logits, whose sigmoid"),
    ],
)
def test_an_activation_that_the_loss_contains_is_told(loss, activation, takes):
    x = tg.Tensor(np.eye(2), requires_grad=True)
    with pytest.warns(UserWarning, match=f"got the result of (softmax|sigmoid), but takes {takes}") as caught:
        loss(activation(x))
    assert [w.filename for w in caught] == [__file__]
    for fine in (x, tg.log_softmax(x), x.numpy(), tg.softmax(x) * 2):  # here a warning would raise
        loss(fine)


def test_without_a_square_smooth_l1_is_l1():
    x = tg.Tensor([0.5, -2.0, 0.0], requires_grad=True)
    t = np.zeros(3)
    assert F.smooth_l1_loss(x, t, beta=0).item() == F.l1_loss(x, t).item()
    assert tg.grad(nn.SmoothL1Loss(beta=0.0)(x, t), x).tolist() == tg.grad(F.l1_loss(x, t), x).tolist()
    with pytest.raises(ValueError, match="beta"):
        F.smooth_l1_loss(x, t, beta=-1.0)


def test_labels_that_are_words_become_numbers():
    with pytest.raises(TypeError, match=r"target of words .*write np\.unique\(target, return_inverse=True\)\[1\]"):
        F.cross_entropy(np.zeros((2, 2)), ["cat", "dog"])
