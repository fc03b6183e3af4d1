"""Layers of images: what they refuse, and say; their types, derivatives and replays; convolution and its adjoint."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.convolution import routes
from tinygrad_edu.testing import gradcheck


def ones(*shape):
    return np.ones(shape, np.float32)


BAD = [
    (lambda: nn.BatchNorm2d(3)(ones(2, 3)), r"BatchNorm2d\(3, .*\) takes x of shape \(N, 3, H, W\), but got \(2, 3\)"),
    (lambda: nn.BatchNorm2d(3)(ones(2, 4, 5)), r"but got \(2, 4, 5\); write x\[:, None\] for images of one channel"),
    (lambda: nn.BatchNorm3d(3)(ones(2, 4, 5, 5, 5)), r"\(N, 3, D, H, W\), but got"),
    (lambda: nn.InstanceNorm2d(3)(ones(4, 5, 5)), r"\(N, 3, H, W\) or \(3, H, W\), but got \(4, 5, 5\)"),
    (lambda: nn.InstanceNorm2d(3)(ones(2, 3, 1, 1)), "more than one value a channel"),
    (lambda: nn.InstanceNorm2d(0), "InstanceNorm2d needs at least one feature"),
    (lambda: F.instance_norm(ones(2, 3)), r"takes x of shape \(N, C, …\)"),
    (lambda: nn.LazyConv2d(4, 3)(ones(5, 5)), r"LazyConv2d\(0, 4, kernel_size=3\) takes x of shape \(N, n, H, W\), .*got \(5, 5\)"),
    (lambda: nn.LazyBatchNorm2d()(ones(5, 5)), r"takes x of shape \(N, n, H, W\), and is made for that n, but got"),
    (lambda: nn.LazyConv2d(4, 0), "kernel_size is a number of at least 1"),
    (lambda: nn.Dropout2d()(ones(5, 5)), r"dropout2d takes x of 4 or 3 axes, but got \(5, 5\)"),
    (lambda: nn.Dropout2d(2), "Dropout2d's p is a number between 0 and 1"),
    (lambda: nn.ZeroPad2d((1, 2)), "padding is a number of at least 0, or 4 of them"),
    (lambda: nn.ZeroPad2d(-1), "at least 0"),
    (lambda: nn.ZeroPad2d(1)(ones(5, 5)), r"ZeroPad2d\(1\) takes x of shape"),
    (lambda: nn.ReflectionPad2d(5)(ones(1, 5, 5)), "makes a border of what x has"),
    (lambda: F.interpolate(ones(1, 1, 4)), "takes either size"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, 2), "takes either size"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, mode="cubic"), "mode is one of nearest, nearest-exact, area, linear"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, mode="bilinear"), r"takes x of shape \(N, C, H, W\), but got \(1, 1, 4\)"),
    (lambda: F.interpolate(ones(1, 4), 2), r"takes x of shape \(N, C, L\), \(N, C, H, W\) or"),
    (lambda: F.interpolate(ones(1, 1, 4), 2, align_corners=True), "align_corners is for the modes linear"),
    (lambda: F.interpolate(ones(1, 1, 4), (2, 2)), "one number for all, or 1"),
    (lambda: F.interpolate(ones(1, 1, 4), 0), "at least one place"),
    (lambda: F.interpolate(ones(1, 1, 4), scale_factor=-1), "scale_factor is positive"),
    (lambda: F.pixel_shuffle(ones(1, 3, 2, 2), 2), r"takes x of shape \(…, C·4, H, W\), but got \(1, 3, 2, 2\)"),
    (lambda: F.pixel_unshuffle(ones(1, 3, 3, 2), 2), r"takes x of shape \(…, C, 2·H, 2·W\)"),
    (lambda: F.adaptive_avg_pool2d(ones(1, 3, 4, 4), 0), "at least one place"),
    (lambda: F.adaptive_avg_pool2d(ones(4, 4), 1), "takes x of shape"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sizes_are_whole_numbers():
    with pytest.raises(TypeError, match="output_size is a whole number or None, or 2 of them"):
        F.adaptive_avg_pool2d(ones(1, 3, 4, 4), (1, 2, 3))


def test_lazy_layers_draw_as_others_and_are_copied_before():
    for lazy, plain in (
        (nn.LazyConv2d(4, 3, groups=2, generator=np.random.default_rng(3), dtype=float), nn.Conv2d),
        (nn.LazyConvTranspose2d(4, 3, groups=2, generator=np.random.default_rng(3), dtype=float), nn.ConvTranspose2d),
    ):
        for layer in (pickle.loads(pickle.dumps(copy.deepcopy(lazy))), lazy):
            assert layer.in_channels == 0
            layer(np.ones((1, 6, 5, 5)))
            expected = plain(6, 4, 3, groups=2, generator=np.random.default_rng(3), dtype=float).state_dict()
            assert all(np.array_equal(array, expected[name]) for name, array in layer.state_dict().items())


def test_lazy_layers_leave_the_generator_alone_until_they_are_called():
    tg.manual_seed(0)
    first = tg.rand(3).numpy()
    tg.manual_seed(0)
    nn.LazyConv2d(4, 3)
    assert np.array_equal(tg.rand(3).numpy(), first)


def test_what_was_asked_is_shown():
    shown = {
        "AdaptiveAvgPool2d(output_size=1)": nn.AdaptiveAvgPool2d(1),
        "MaxPool2d(kernel_size=2, stride=2)": nn.MaxPool2d(2, 2),
        "Upsample(scale_factor=2, mode='nearest')": nn.Upsample(scale_factor=2),
        "ZeroPad2d((1, 2, 3, 4))": nn.ZeroPad2d((1, 2, 3, 4)),
        "ConstantPad1d(1, value=2.0)": nn.ConstantPad1d(1, 2.0),
        "LazyConv2d(0, 4, kernel_size=3, padding=1)": nn.LazyConv2d(4, 3, padding=1),
        "PixelShuffle(upscale_factor=2)": nn.PixelShuffle(2),
        "Dropout2d(p=0.5)": nn.Dropout2d(),
    }
    for text, layer in shown.items():
        assert repr(layer) == text


def test_batches_of_no_image():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Upsample(scale_factor=2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(2),
        nn.AdaptiveMaxPool2d(3), nn.InstanceNorm2d(4), nn.ZeroPad2d(1), nn.Upsample(size=4, mode="bicubic"),
    )  # fmt: skip
    x = tg.Tensor(ones(0, 3, 8, 8), requires_grad=True)
    y = net(x)
    assert y.shape == (0, 4, 4, 4)
    y.sum().backward()
    assert x.grad.shape == x.shape


LAYERS = [
    nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2), nn.LPPool2d(2, 2), nn.AdaptiveAvgPool2d(3),
    nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(5), nn.Upsample(scale_factor=2), nn.Upsample(size=5), nn.ZeroPad2d(1),
    nn.Upsample(scale_factor=1.7, mode="bilinear"), nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True),
    nn.Upsample(size=3, mode="area"), nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ReflectionPad2d(2), nn.BatchNorm2d(4),
    nn.BatchNorm2d(4).eval(), nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.InstanceNorm2d(4), nn.Dropout2d(),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_the_type_of_x_is_kept(layer, dtype):
    layer = copy.deepcopy(layer).to(dtype)
    x = tg.Tensor(np.random.default_rng(0).random((2, 4, 8, 6)).astype(dtype), requires_grad=True)
    y = layer(x)
    assert y.dtype == dtype
    (y * y).sum().backward()
    assert x.grad.dtype == dtype
    assert np.isfinite(x.grad.numpy()).all()


def test_dropout_of_channels_drops_the_same_on_every_way_back():
    x = tg.Tensor(np.ones((4, 6, 3, 3)), requires_grad=True)
    y = nn.Dropout2d(0.5)(x)
    first, second = tg.grad(y.sum(), x), tg.grad(y.sum(), x)
    assert np.array_equal(first, second)
    assert np.array_equal(first.numpy(), y.numpy())
    assert not nn.Dropout2d(1.0)(np.ones((2, 3, 2, 2))).any()


def test_batch_statistics_of_images():
    layer, x = (
        nn.BatchNorm2d(3, momentum=1.0),
        np.random.default_rng(0).standard_normal((4, 3, 5, 5)).astype(np.float32),
    )
    layer(x)
    np.testing.assert_allclose(layer.running_var.numpy(), x.var(axis=(0, 2, 3), ddof=1), rtol=1e-5)
    layer.eval()(x * 3)
    np.testing.assert_allclose(layer.running_var.numpy(), x.var(axis=(0, 2, 3), ddof=1), rtol=1e-5)
    with pytest.raises(ValueError, match="more than one value a channel to train on"):
        layer.train()(ones(1, 3, 1, 1))


def test_padding_is_less_than_all_numbers_and_means_say_whether_it_counts():
    x = np.full((1, 1, 2, 2), -8.0)
    assert (nn.MaxPool2d(2, padding=1)(x) == -8).all()
    assert (nn.AvgPool2d(2, padding=1)(x) == -2).all()
    assert (nn.AvgPool2d(2, padding=1, count_include_pad=False)(x) == -8).all()


SMOOTH = [
    nn.Conv2d(4, 2, 3, padding=1, groups=2), nn.Conv2d(4, 3, 2, padding="same", padding_mode="circular", dilation=2),
    nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1), *[layer for layer in LAYERS if not isinstance(layer, nn.Dropout2d)],
]  # fmt: skip


@pytest.mark.parametrize("layer", SMOOTH, ids=repr)
def test_derivatives_of_both_orders(layer):
    layer = copy.deepcopy(layer).double()
    x = np.random.default_rng(0).permutation(48).reshape(1, 4, 4, 3) / 12.0 + 0.1  # no ties, and no two that are near
    if isinstance(layer, nn.PixelUnshuffle):
        x = np.concatenate([x, x[..., :1]], axis=3)
    gradcheck(layer, [x], order=2)


@pytest.mark.parametrize("layer", [*SMOOTH, nn.Dropout2d(0.3)], ids=repr)
@pytest.mark.parametrize("fast", [True, False], ids=["as installed", "without numba"])
def test_replayed_as_eager(layer, fast, monkeypatch):
    if not fast:
        monkeypatch.setattr(routes, "fast", lambda: False)

    def made(run):
        tg.manual_seed(0)
        net = nn.Sequential(copy.deepcopy(layer), nn.Identity())
        step = run(lambda x: (net(x), tg.grad((net[0](x) ** 2).sum(), [x, *net.parameters()], allow_unused=True)))
        images = [np.random.default_rng(k).random((2, 4, 8, 6)).astype(np.float32) for k in range(3)]
        found = [step(tg.Tensor(x, requires_grad=True)) for x in images]
        return [a.numpy() for y, gradients in found for a in (y, *gradients)], net.state_dict()

    (eager, state), (replayed, other) = made(lambda f: f), made(tg.replay)
    for a, b in zip([*eager, *state.values()], [*replayed, *other.values()], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 3), st.data())
def test_convolution_and_its_transpose_are_adjoint(dimensions, data):
    """⟨conv(x), g⟩ = ⟨x, convᵀ(g)⟩ with the same weights, for any size, stride, padding, dilation and groups."""

    def each(low, high):
        return tuple(data.draw(st.lists(st.integers(low, high), min_size=dimensions, max_size=dimensions)))

    kernel, stride, padding, dilation = each(1, 3), each(1, 3), each(0, 2), each(1, 2)
    groups, more, channels = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = [max(r - 2 * p, 1) + n for r, p, n in zip(reach, padding, each(0, 5), strict=True)]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.standard_normal((data.draw(st.integers(0, 2)), groups * channels, *size))
    w = rng.standard_normal((groups * more, channels, *kernel))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = getattr(F, f"conv{dimensions}d")(x, w, **how)
    rest = [(n + 2 * p - r) % s for n, p, r, s in zip(size, padding, reach, stride, strict=True)]
    g = rng.standard_normal(y.shape)
    back = getattr(F, f"conv_transpose{dimensions}d")(g, w, output_padding=tuple(rest), **how)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(y * g), np.sum(x * back), atol=1e-9)
