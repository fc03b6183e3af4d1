"""Interpolation, shuffled pixels, borders and normalization of images beside PyTorch's."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from agreement import assert_close
from beside import agree

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

SIZE = (8, 7, 6)


def image(dimensions):
    return np.random.default_rng(0).standard_normal((2, 3, *SIZE[:dimensions]))


OF = {1: ("linear",), 2: ("bilinear", "bicubic"), 3: ("trilinear",)}
ASKED = [
    *[{"size": n} for n in (1, 3, 5, 11, 16)],
    *[{"scale_factor": s, "recompute_scale_factor": r} for s in (0.4, 1, 1.3, 2, 2.7) for r in (None, True)],
]


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_interpolation(dimensions):
    x = image(dimensions)
    for mode, asked in itertools.product(("nearest", "nearest-exact", "area", *OF[dimensions]), ASKED):
        for corners in (None, False, True) if mode in OF[dimensions] else (None,):
            settings = {**asked, "mode": mode, "align_corners": corners}
            ours, theirs = nn.Upsample(**settings), torch.nn.Upsample(**settings)
            agree(lambda x, f=ours: f(x) ** 2, lambda x, f=theirs: f(x) ** 2, x)


def test_interpolation_in_float32():
    x = np.random.default_rng(0).standard_normal((1, 1, 97)).astype(np.float32)
    for mode, size in itertools.product(("nearest", "nearest-exact", "linear"), (31, 64, 150, 333)):
        theirs = torch.nn.functional.interpolate(torch.tensor(x), size, mode=mode).numpy()
        y = F.interpolate(x, size, mode=mode)
        assert y.dtype == np.float32
        assert_close(y, theirs, atol=1e-5)


def test_shuffled_pixels():
    x = np.random.default_rng(0).standard_normal((2, 3, 18, 4, 6))
    for r in (1, 3):
        agree(nn.PixelShuffle(r), torch.nn.PixelShuffle(r), x)
    for r in (1, 2):
        agree(nn.PixelUnshuffle(r), torch.nn.PixelUnshuffle(r), x)
    for r, shape in ((2, (4, 3, 3)), (2, (1, 8, 2, 5)), (3, (2, 9, 1, 1)), (1, (3, 2, 2))):
        y = np.random.default_rng(1).standard_normal(shape)
        agree(nn.PixelShuffle(r), torch.nn.PixelShuffle(r), y)
        agree(nn.PixelUnshuffle(r), torch.nn.PixelUnshuffle(r), F.pixel_shuffle(y, r))
    assert np.array_equal(F.pixel_unshuffle(F.pixel_shuffle(x, 3), 3), x)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_borders(dimensions):
    x = image(dimensions)
    for kind, padding in itertools.product(
        ("Zero", "Constant", "Reflection", "Replication", "Circular"), (0, 2, (1, 2, 0, 3, 2, 1)[: 2 * dimensions])
    ):
        name, more = f"{kind}Pad{dimensions}d", (7.0,) if kind == "Constant" else ()
        ours, theirs = getattr(nn, name)(padding, *more), getattr(torch.nn, name)(padding, *more)
        agree(lambda x, f=ours: f(x) ** 2, lambda x, f=theirs: f(x) ** 2, x)
        agree(lambda x, f=ours: f(x) ** 2, lambda x, f=theirs: f(x) ** 2, x[0])


NORMS = [
    {}, {"affine": True}, {"affine": False}, {"track_running_stats": True, "momentum": 0.3}, {"eps": 0.1},
    {"affine": True, "track_running_stats": True},
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "dimensions"), [("BatchNorm", 2), ("BatchNorm", 3), *[("InstanceNorm", n) for n in (1, 2, 3)]]
)
def test_normalization(kind, dimensions):
    for settings in NORMS:
        name = f"{kind}{dimensions}d"
        ours, theirs = getattr(nn, name)(3, **settings), getattr(torch.nn, name)(3, **settings).double()
        ours.to(np.float64)
        if ours.weight is not None:
            ours.weight.data = np.array([0.5, 2.0, -1.0])
            with torch.no_grad():
                theirs.weight.copy_(torch.tensor(ours.weight.numpy()))
        for _ in range(2):
            agree(lambda x, f=ours: f(x) ** 3, lambda x, f=theirs: f(x) ** 3, image(dimensions))
        if kind == "InstanceNorm":
            agree(lambda x, f=ours: f(x) ** 3, lambda x, f=theirs: f(x) ** 3, image(dimensions)[0])
        for (a, ours_value), (b, value) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
            assert a == b
            if "batches" not in a:
                assert_close(ours_value, value.numpy(), rtol=1e-10)
        ours.eval(), theirs.eval()
        agree(lambda x, f=ours: f(x) ** 3, lambda x, f=theirs: f(x) ** 3, image(dimensions))


def test_lazy_layers_become_what_their_name_says():
    for d in (1, 2, 3):
        x = image(d).astype(np.float32)
        for kind, args in (("Conv", (6, 3)), ("ConvTranspose", (6, 3)), ("BatchNorm", ()), ("InstanceNorm", ())):
            name = f"{kind}{d}d"
            settings = {"groups": 3} if args else {"affine": True}
            lazy = getattr(nn, f"Lazy{name}")(*args, **settings)
            parameters = list(lazy.parameters())
            y = lazy(x)
            assert type(lazy) is getattr(nn, name)
            assert all(a is b for a, b in zip(parameters, lazy.parameters(), strict=True))
            theirs = getattr(torch.nn, f"Lazy{name}")(*args, **settings)
            theirs(torch.tensor(x))
            assert [(k, v.shape) for k, v in lazy.state_dict().items()] == [
                (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
            ]
            again = getattr(nn, name)(3, *args, **settings, **({} if args else {"track_running_stats": True}))
            again.load_state_dict(lazy.state_dict())
            assert again(x).shape == y.shape


def test_dropout_of_channels():
    for d, shape in (
        (1, (5, 40, 3)),
        (1, (40, 3)),
        (2, (5, 40, 3, 3)),
        (2, (5, 40, 3)),
        (3, (5, 40, 2, 2, 2)),
        (3, (40, 2, 2, 2)),
    ):
        ours, theirs = getattr(nn, f"Dropout{d}d")(0.3), getattr(torch.nn, f"Dropout{d}d")(0.3)
        with warnings.catch_warnings(action="ignore"):
            z = theirs(torch.ones(shape, dtype=float)).numpy()
        y = ours(np.ones(shape))
        for made in (y, z):  # a channel as a whole
            lead = len(shape) - (d if (d, len(shape)) != (2, 3) else 1)
            rows = made.reshape(-1, int(np.prod(shape[lead:])))
            assert (rows == rows[:, :1]).all()
            assert set(np.unique(rows).round(9)) == {0.0, round(1 / 0.7, 9)}
        assert ours.eval()(y) is y


def test_instance_norm_is_replayed():
    layer = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)
    twin = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)
    run = tg.replay(lambda x: (layer(x) ** 2).sum())
    for k in range(3):
        x = np.random.default_rng(k).standard_normal((2, 3, 4, 5)).astype(np.float32)
        assert_close(run(x).numpy(), (twin(x) ** 2).sum().numpy(), rtol=1e-6)
        assert_close(layer.running_var.numpy(), twin.running_var.numpy(), rtol=1e-6)
