"""Transforms: what they keep, what they change, and that what is random follows from the generator alone."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.data import DataLoader, IterableDataset, WeightedRandomSampler
from tinygrad_edu.data.transforms import (
    CenterCrop,
    Compose,
    Cutout,
    GaussianNoise,
    MixUp,
    Normalize,
    OneHot,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
    RandomVerticalFlip,
    SaltAndPepper,
    SampleGenerators,
    Standardize,
    Transform,
    crop,
    hflip,
    rotate,
    shift,
    vflip,
)

TRANSFORMS = [
    Normalize(0.3, 0.5),
    Standardize(np.linspace(0, 1, 10)),
    GaussianNoise(0.1, 0.2),
    GaussianNoise(clip=False),
    SaltAndPepper(0.4),
    RandomRotation(40),
    RandomRotation((10, 30), "bilinear", 0.5),
    RandomShift(2),
    RandomShift((0, 3), fill=0.5),
    RandomHorizontalFlip(),
    RandomVerticalFlip(0.9),
    RandomCrop((6, 5), padding=2),
    RandomErasing(0.9),
    Cutout(3),
    Compose([RandomShift(1), GaussianNoise(), lambda x, *rest: (x * x.dtype.type(2), *rest)]),
]
WHOLE = (RandomRotation, RandomShift, RandomHorizontalFlip, RandomVerticalFlip, RandomCrop, RandomErasing, Cutout)


def called(transform):
    return type(transform).__name__


RANDOM = [t for t in TRANSFORMS if not isinstance(t, Normalize)]
shapes = st.sampled_from([(6, 5), (1, 6, 5), (3, 6, 5)])
seeds = st.integers(0, 2**32)


def images(shape, dtype="float32", seed=0):
    x = np.random.default_rng(seed).random(shape)
    return (x * 255).astype(dtype) if np.dtype(dtype).kind == "u" else x.astype(dtype)


# -- what all of them keep ---------------------------------------------------------------------------


@pytest.mark.parametrize("transform", TRANSFORMS, ids=called)
@given(st.integers(0, 5), shapes, st.sampled_from(["float16", "float32", "float64", "uint8"]), st.booleans(), seeds)
def test_shape_type_input_and_numbers(transform, n, shape, dtype, each, seed):
    if dtype == "uint8" and not isinstance(transform, WHOLE):
        return
    x = images((n, *shape), dtype)
    before = x.copy()

    def draw(batch=x, numbers=range(n)):
        rng = SampleGenerators(seed, list(numbers), epoch=3) if each else np.random.default_rng(seed)
        return transform(batch, generator=rng)

    y = draw()
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert np.array_equal(x, before)
    assert not np.shares_memory(x, y)
    assert np.all(np.isfinite(y))
    assert np.array_equal(draw(), y)
    assert np.array_equal(draw(np.asfortranarray(x)), y)
    if each and n > 1:  # a sample's noise is its own, whatever batch it is in
        some = [n - 1, 0]
        assert np.array_equal(draw(x[some], some), y[some])
    labels = np.arange(n)
    rng = SampleGenerators(seed, range(n), epoch=3) if each else np.random.default_rng(seed)
    both, same = transform(x, labels, generator=rng)
    assert np.array_equal(both, y)
    assert same is labels


@pytest.mark.parametrize("transform", RANDOM, ids=called)
def test_each_sample_is_drawn_for(transform):
    x = np.broadcast_to(images((6, 5)), (50, 6, 5))
    for rng in (np.random.default_rng(0), SampleGenerators(0, range(50))):
        y = transform(x, generator=rng)
        assert len({row.tobytes() for row in y}) > (
            1 if isinstance(transform, RandomHorizontalFlip | RandomVerticalFlip) else 5
        )


@pytest.mark.parametrize("transform", [*TRANSFORMS[:-1], MixUp(num_classes=3), OneHot(3), CenterCrop(2)], ids=called)
def test_transforms_are_copied_pickled_and_shown(transform):
    x, y = images((4, 6, 5)), np.array([0, 1, 2, 1])
    expected = transform(x, y, generator=np.random.default_rng(0))
    for again in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        for a, b in zip(again(x, y, generator=np.random.default_rng(0)), expected, strict=True):
            assert np.array_equal(a, b)
    assert repr(transform).startswith(type(transform).__name__)


def test_tensors_and_lists():
    x = images((2, 4, 4))
    y = hflip(x)
    flip = RandomHorizontalFlip(1.0)
    assert type(flip(tg.Tensor(x))) is tg.Tensor
    assert np.array_equal(flip(tg.Tensor(x)).numpy(), y)
    assert np.array_equal(flip(x.tolist()), y)
    with pytest.raises(ValueError, match=r"RandomHorizontalFlip is not differentiated, .* write x\.detach\(\)"):
        flip(tg.Tensor(x, requires_grad=True))


def test_without_a_generator_the_seed_decides():
    x = images((5, 8, 8))
    for transform in RANDOM:
        if isinstance(transform, Compose):
            continue
        drawn = [(tg.manual_seed(5), transform(images((5, 6, 5))))[1] for _ in range(2)]
        assert np.array_equal(*drawn)
    assert not np.array_equal(GaussianNoise()(x), GaussianNoise()(x))


# -- a stream for each sample ------------------------------------------------------------------------


@given(seeds, st.integers(0, 1000), st.integers(0, 1000))
def test_streams_differ_by_seed_epoch_and_sample(seed, epoch, index):
    def numbers(*args):
        generators = SampleGenerators(*args)
        first = generators.draw(lambda rng, n: rng.random((n, 3)))[0]
        return [*first, *generators.draw(lambda rng, n: rng.random((n, 2)))[0], *generators[0].random(2)]

    streams = [
        numbers(seed, [index], epoch),
        numbers(seed + 1, [index], epoch),
        numbers(seed, [index + 1], epoch),
        numbers(seed, [index], epoch + 1),
    ]
    assert streams[0] == numbers(seed, [index], epoch)
    assert len({number for stream in streams for number in stream}) == 28


def test_streams_are_independent():
    u = SampleGenerators(0, range(2000)).draw(lambda rng, n: rng.random((n, 4)))
    assert abs(u.mean() - 0.5) < 0.02
    correlation = np.corrcoef(np.concatenate([u[:-1].T, u[1:].T]))
    assert np.abs(correlation - np.eye(8)).max() < 0.1


# -- geometry ----------------------------------------------------------------------------------------


@given(st.integers(1, 3), st.integers(1, 9), st.integers(-9, 9), st.sampled_from(["nearest", "bilinear"]), seeds)
def test_turning_by_right_angles_is_exact(channels, side, quarters, interpolation, seed):
    x = images((2, channels, side, side), "float64", seed)
    assert np.array_equal(rotate(x, 90 * quarters, interpolation), np.rot90(x, quarters, axes=(2, 3)))


@given(st.integers(1, 7), st.integers(1, 7), st.sampled_from(["nearest", "bilinear"]), st.integers(-3, 3))
def test_half_and_whole_turns_are_exact_for_any_shape(height, width, interpolation, turns):
    x = images((3, height, width))
    assert np.array_equal(rotate(x, 360 * turns, interpolation), x)
    assert np.array_equal(rotate(x, 360 * turns + 180, interpolation), x[:, ::-1, ::-1])
    by_each = rotate(x, [0, 180, 360], interpolation)
    assert np.array_equal(by_each, [x[0], x[1, ::-1, ::-1], x[2]])


@given(st.floats(-180, 180), st.sampled_from(["nearest", "bilinear"]))
def test_a_turned_picture_shows_the_same_thing(degrees, interpolation):
    """Of a smooth picture f, the turned one is f at the places turned back."""
    i, j = np.meshgrid(np.arange(41) - 20.0, np.arange(41) - 20.0, indexing="ij")

    def f(down, right):
        return np.exp(-((down - 3) ** 2 + (right + 5) ** 2) / 40)

    angle = np.deg2rad(degrees)
    expected = f(np.cos(angle) * i + np.sin(angle) * j, np.cos(angle) * j - np.sin(angle) * i)
    found = rotate(f(i, j)[None], degrees, interpolation)[0]
    assert np.abs(found - expected).max() < (0.02 if interpolation == "bilinear" else 0.12)
    y, x = 5.0, 0.0  # a spot below the centre goes to the right, counter-clockwise
    spot = rotate(np.exp(-((i - y) ** 2 + (j - x) ** 2))[None], 90)[0]
    assert np.unravel_index(spot.argmax(), spot.shape) == (20, 25)


def test_what_comes_in_from_outside_is_the_fill():
    x = np.ones((1, 9, 9))
    turned = rotate(x, 45, "bilinear", fill=-1.0)
    assert turned[0, 4, 4] == 1
    assert turned[0, 0, 0] == -1
    assert np.all((turned >= -1) & (turned <= 1))
    assert rotate((x * 7).astype("uint8"), 45, "bilinear", fill=3)[0, 0, 0] == 3


@given(st.integers(-7, 7), st.integers(-7, 7), st.sampled_from([(), (2,)]))
def test_shifting_is_slicing(down, right, channels):
    x = images((2, *channels, 5, 4))
    y = shift(x, down, [right, 0], fill=9.0)
    for k, (i, j) in enumerate([(down, right), (down, 0)]):
        expected = np.full_like(x[k], 9)
        if abs(i) < 5 and abs(j) < 4:
            expected[..., max(i, 0) : 5 + min(i, 0), max(j, 0) : 4 + min(j, 0)] = x[
                k, ..., max(-i, 0) : 5 + min(-i, 0), max(-j, 0) : 4 + min(-j, 0)
            ]
        assert np.array_equal(y[k], expected)


@given(shapes, seeds)
def test_flips_twice_are_nothing(shape, seed):
    x = images((3, *shape), seed=seed)
    for function, kind, axis in ((hflip, RandomHorizontalFlip, -1), (vflip, RandomVerticalFlip, -2)):
        assert np.array_equal(function(x), np.flip(x, axis))
        assert np.array_equal(function(function(x)), x)
        assert np.array_equal(kind(1.0)(x), np.flip(x, axis))
        assert np.array_equal(kind(0.0)(x), x)
        y = kind()(x, generator=np.random.default_rng(seed))
        assert all(any(np.array_equal(b, c) for c in (a, np.flip(a, axis))) for a, b in zip(x, y, strict=True))


@given(st.integers(0, 3), st.integers(1, 6), st.integers(1, 5), seeds)
def test_a_random_crop_is_a_part_of_the_padded_picture(padding, height, width, seed):
    x = np.arange(2 * 3 * 6 * 5).reshape(2, 3, 6, 5) + 1.0
    y = RandomCrop((height, width), padding, fill=-1)(x, generator=np.random.default_rng(seed))
    assert y.shape == (2, 3, height, width)
    framed = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=-1)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(2, 3))
    for a, b in zip(windows, y, strict=True):
        assert (a == b[:, None, None]).all(axis=(0, 3, 4)).any()


def test_crops_come_from_everywhere():
    x = np.arange(9.0).reshape(1, 3, 3).repeat(500, 0)
    corners = RandomCrop(2)(x, generator=np.random.default_rng(0))[:, 0, 0]
    assert np.all(np.abs(np.bincount(corners.astype(int), minlength=5)[[0, 1, 3, 4]] - 125) < 50)
    assert CenterCrop((1, 3))(x[:1]).tolist() == [[[3, 4, 5]]]
    assert CenterCrop(2)(x[:1]).tolist() == [[[0, 1], [3, 4]]]
    assert crop(x[:2], [0, 1], 1, 2, 2).tolist() == [[[1, 2], [4, 5]], [[4, 5], [7, 8]]]
    moved = RandomShift((1, 0))(x, generator=np.random.default_rng(0))
    assert {tuple(row) for row in moved[:, :, 0].astype(int).tolist()} == {(0, 3, 6), (3, 6, 0), (0, 0, 3)}


# -- noise and hiding --------------------------------------------------------------------------------


def test_noise_has_the_mean_and_deviation_that_it_says():
    x = np.full((100, 10, 10), 0.25, np.float32)
    noise = GaussianNoise(0.5, 0.2, clip=False)(x, generator=np.random.default_rng(0)) - x
    assert abs(noise.mean() - 0.5) < 0.01
    assert abs(noise.std() - 0.2) < 0.01
    clipped = GaussianNoise(0.5, 2.0)(x, generator=np.random.default_rng(0))
    assert (clipped.min(), clipped.max()) == (0, 1)


@given(st.floats(0, 1), st.floats(0, 1), seeds)
def test_salt_and_pepper_are_as_many_as_they_should_be(amount, salt, seed):
    x = np.full((40, 2, 16, 16), 0.5, np.float32)
    y = SaltAndPepper(amount, salt, low=-1, high=2)(x, generator=np.random.default_rng(seed))
    assert np.array_equal(y[:, 0], y[:, 1])  # all channels of a pixel
    n = y[:, 0].size
    for value, p in ((2, amount * salt), (-1, amount * (1 - salt)), (0.5, 1 - amount)):
        assert abs((y[:, 0] == value).sum() - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1
    flat = SaltAndPepper(0.5)(np.full((1000, 2), 0.5), generator=np.random.default_rng(seed))
    assert abs((flat[:, 0] == flat[:, 1]).mean() - 0.375) < 0.1  # ¼ + ¹⁄₁₆ + ¹⁄₁₆: by themselves


def rectangle(mask):
    """The height and width of the rectangle that a mask is; None if it is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0
    whole = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return whole.shape if whole.all() and whole.sum() == mask.sum() else None


@given(st.floats(0.05, 0.5), st.floats(0.5, 2), seeds)
def test_what_is_erased_is_a_rectangle_of_the_size_asked_for(scale, ratio, seed):
    x = np.ones((20, 2, 30, 25))
    erase = RandomErasing(1.0, (scale, scale + 0.05), (ratio, ratio * 1.2), value=-1)
    y = erase(x, generator=np.random.default_rng(seed))
    assert np.array_equal(y[:, 0], y[:, 1])
    for picture in y[:, 0]:
        height, width = rectangle(picture == -1)
        if height == 0:  # no rectangle fitted
            assert np.sqrt((scale + 0.05) * 750 * ratio * 1.2) > 29 or np.sqrt((scale + 0.05) * 750 / ratio) > 24
            continue
        area, shape = height * width, height / width
        slack = (height + width + 1) / 2  # of rounding to pixels
        assert scale * 750 - slack <= area <= (scale + 0.05) * 750 + slack
        assert (height - 0.5) / (width + 0.5) <= ratio * 1.2
        assert (height + 0.5) / (width - 0.5) >= ratio
        assert shape > 0


def test_how_often_and_where_is_erased():
    x = np.ones((2000, 8, 8))
    y = RandomErasing(0.3, scale=(0.25, 0.25), ratio=(1, 1))(x, generator=np.random.default_rng(0))
    assert abs((y.min(axis=(1, 2)) == 0).mean() - 0.3) < 0.05
    hidden = (1 - RandomErasing(1.0, (0.25, 0.25), (1, 1))(x, generator=np.random.default_rng(0))).mean(0)
    assert np.all(np.abs(hidden[3:5, 3:5] - 16 / 25) < 0.06)
    assert np.all(np.abs(hidden[[0, 0, -1, -1], [0, -1, 0, -1]] - 1 / 25) < 0.03)
    assert np.array_equal(RandomErasing(1.0, (1, 1), (2, 2))(x[:3]), x[:3])  # never fits
    assert not RandomErasing(1.0, (1, 1), (1, 1))(x[:3]).any()  # all of the picture


@given(st.integers(1, 12), seeds)
def test_cutout_hides_a_square_that_may_reach_out(size, seed):
    x = np.ones((30, 8, 9))
    y = Cutout(size, value=0.5)(x, generator=np.random.default_rng(seed))
    for picture in y:
        height, width = rectangle(picture == 0.5)
        assert 1 <= height <= min(size, 8)
        assert 1 <= width <= min(size, 9)
        assert size // 2 <= height + 1
    centres = Cutout(1)(np.ones((4000, 2, 2)), generator=np.random.default_rng(seed))
    assert np.all(np.abs((1 - centres).mean(0) - 0.25) < 0.05)


# -- values and labels -------------------------------------------------------------------------------


@given(shapes, st.sampled_from(["float32", "float64"]), seeds)
def test_normalizing_and_back(shape, dtype, seed):
    x = images((7, *shape), dtype, seed)
    channels = shape[0] if len(shape) == 3 else 1
    mean, std = np.linspace(0.1, 0.5, channels), np.linspace(0.2, 0.9, channels)
    y = Normalize(mean, std)(x)
    beside = (channels, 1, 1) if len(shape) == 3 else 1
    np.testing.assert_allclose(y, (x - mean.reshape(beside)) / std.reshape(beside), rtol=1e-4, atol=1e-6)
    back = Normalize(mean, std).inverse(y)
    assert back.dtype == x.dtype
    np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-6)
    own = Standardize(x)(x)
    assert own.dtype == x.dtype
    axes = (0, 2, 3) if len(shape) == 3 else None
    np.testing.assert_allclose(own.mean(axes), 0, atol=1e-4)
    np.testing.assert_allclose(own.std(axes), 1, atol=1e-4)


def test_standardizing_columns():
    x = np.random.default_rng(0).normal([1, 1e6, 5], [1, 10, 0], (100, 3)).astype(np.float32)
    scale = Standardize(x)
    y = scale(x)
    np.testing.assert_allclose(y.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(y.std(0), [1, 1, 0], atol=0.01)
    assert np.all(y[:, 2] == 0)
    assert Standardize(np.full((3, 1), 0.1))(np.array([[1.1]])) == pytest.approx(1)  # not divided by a rounding error
    np.testing.assert_allclose(scale.inverse(scale(x[:5] + 1)), x[:5] + 1, rtol=1e-5)
    assert Standardize(tg.Tensor(x)).mean.tolist() == scale.mean.tolist()


def test_one_hot_labels():
    y = np.array([2, 0, 1])
    x, hot = OneHot(3)(images((3, 2, 2)), y)
    assert np.array_equal(x, images((3, 2, 2)))
    assert hot.dtype == np.float32
    assert np.array_equal(hot, np.eye(3)[y])
    assert OneHot(3)(y[:0]).shape == (0, 3)


@given(
    st.integers(0, 8), st.floats(0.1, 5), st.booleans(), st.booleans(), st.sampled_from(["float32", "float64"]), seeds
)
def test_mixed_samples_and_labels_go_together(n, alpha, each, soft, dtype, seed):
    """With samples that are their one-hot labels, what is mixed of both must be equal."""
    labels = np.random.default_rng(seed).integers(4, size=n)
    x = np.eye(4, dtype=dtype)[labels].reshape(n, 1, 2, 2)
    y = np.eye(4, dtype=dtype)[labels] if soft else labels
    rng = SampleGenerators(seed, range(n)) if each else np.random.default_rng(seed)
    mixed, target = MixUp(alpha, None if soft else 4)(x, y, generator=rng)
    assert (mixed.dtype, target.dtype, mixed.shape, target.shape) == (x.dtype, x.dtype, x.shape, (n, 4))
    np.testing.assert_allclose(target.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(mixed.reshape(n, 4), target)
    assert np.all(target >= 0)
    assert np.all((target > 0).sum(1) <= 2)


@pytest.mark.parametrize("make", [np.random.default_rng, lambda seed: SampleGenerators(seed, range(3))])
def test_each_partner_is_equally_likely(make):
    partners = []
    for seed in range(400):
        _, target = MixUp()(np.ones((3, 1)), np.eye(3), generator=make(seed))
        others = [set(np.flatnonzero(row)) - {i} or {i} for i, row in enumerate(target)]
        partners.append([other.pop() for other in others])
    for column in np.transpose(partners):
        assert np.all(np.abs(np.bincount(column, minlength=3) - 400 / 3) < 5 * np.sqrt(400 * 2 / 9))


def test_the_shares_of_mixed_samples():
    x = np.arange(4000.0).reshape(2000, 2)
    shares, targets = MixUp(0.4, 2)(x[:, :1] * 0 + 1, np.arange(2000) % 2, generator=np.random.default_rng(0))
    assert np.allclose(shares, 1)
    own = targets[np.arange(2000), np.arange(2000) % 2]
    # a partner of the same class, half of them, leaves all to the class; else λ ~ Beta(α, α), of variance 1 / (4 (2α + 1))
    other = own[own < 1]
    assert abs(len(other) - 1000) < 120
    assert abs(other.mean() - 0.5) < 0.05
    assert abs(other.var() - 1 / (4 * 1.8)) < 0.02


# -- in a loader -------------------------------------------------------------------------------------

AUGMENT = Compose([RandomShift(1), RandomRotation(20), GaussianNoise(), RandomErasing()])


def passes(seed=0, n=20, epochs=2, **options):
    x = images((n, 6, 6))
    loader = DataLoader((x, np.arange(n)), generator=np.random.default_rng(seed), transform=AUGMENT, **options)
    return [[(a.copy(), b.copy()) for a, b in loader] for _ in range(epochs)]


@given(st.integers(1, 8), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_what_a_loader_draws_depends_on_neither_threads_nor_batch_size(size, workers, shuffle, seed):
    one = passes(seed, batch_size=size, num_workers=workers, shuffle=shuffle)
    other = passes(seed, batch_size=20, shuffle=shuffle)
    for a, b in zip(one, other, strict=True):
        for part in (0, 1):
            assert np.array_equal(np.concatenate([batch[part] for batch in a]), b[0][part])
    assert not any(np.array_equal(*pair) for pair in zip(one[0][0][0], one[1][0][0], strict=True))  # another epoch


@given(st.integers(0, 7), st.integers(0, 1))
def test_a_pass_that_is_gone_on_with_equals_one_that_never_stopped(stop, epoch):
    """The state of the generator when the pass began, and the number of batches, are all that need be kept."""
    x = images((20, 6, 6))
    rng = np.random.default_rng(1)
    loader = DataLoader((x, np.arange(20)), 3, True, generator=rng, transform=AUGMENT)
    states = []
    whole = []
    for _ in range(2):
        states.append(rng.bit_generator.state)
        whole.append([(a.copy(), b.copy()) for a, b in loader])
    rng.bit_generator.state = states[epoch]
    batches = iter(loader)
    for _ in range(stop):
        next(batches)
    rest = [(a.copy(), b.copy()) for a, b in batches]
    assert len(rest) == 7 - stop
    for (a, b), (c, d) in zip(rest, whole[epoch][stop:], strict=True):
        assert np.array_equal(a, c)
        assert np.array_equal(b, d)


def test_a_sample_that_comes_twice_in_a_pass_is_drawn_for_twice():
    sampler = WeightedRandomSampler([1, 0], 6)
    (batch,) = DataLoader(images((2, 6, 6)), 6, sampler=sampler, transform=GaussianNoise())
    assert len({row.tobytes() for row in batch}) == 6


def test_transforms_of_streams_functions_and_batches_of_any_make():
    class Stream(IterableDataset):
        def __iter__(self):
            return ((np.full((2, 2), 0.5), i) for i in range(5))

    def noisy(size, workers):
        loader = DataLoader(
            Stream(), size, transform=GaussianNoise(), num_workers=workers, generator=np.random.default_rng(0)
        )
        return np.concatenate([x for x, _ in loader])

    assert np.array_equal(noisy(2, 0), noisy(5, 1))
    assert len(np.unique(noisy(2, 0))) == 20
    x, y = np.arange(4.0), np.arange(4)
    assert [batch.tolist() for batch in DataLoader(x, 2, transform=lambda x: x + 1)] == [[1, 2], [3, 4]]
    ((a, b),) = DataLoader((x, y), 4, transform=lambda x, y: (-x, y + 1))
    assert (a.tolist(), b.tolist()) == ([0, -1, -2, -3], [1, 2, 3, 4])
    ((a, b),) = DataLoader(x, 4, transform=lambda x: (x, x))
    assert a.tolist() == b.tolist() == x.tolist()
    (batch,) = DataLoader([{"x": 1.0}], 1, transform=lambda batch: {"x": batch["x"] * 2})
    assert batch["x"].tolist() == [2]
    rng = [np.random.default_rng(0) for _ in range(2)]
    random_function = [list(DataLoader(x, 2, transform=lambda x: x + tg.rand(2).numpy(), generator=r)) for r in rng]
    assert np.array_equal(*random_function)
    with pytest.raises(ValueError, match="leave drop_last and transform out"):
        DataLoader(x, None, transform=hflip)


def test_threads_for_arrays_are_advised_against():
    with pytest.warns(UserWarning, match="num_workers=2 makes nothing faster here: the data are arrays in memory"):
        DataLoader((np.arange(3), np.arange(3)), num_workers=2)
    DataLoader(np.arange(3), num_workers=2, transform=GaussianNoise())
    DataLoader([1, 2], num_workers=2)


# -- what is refused ---------------------------------------------------------------------------------


def test_transforms_refuse():
    x = images((2, 4, 4))
    for make, kind, message in (
        (
            lambda: rotate(np.ones((2, 784)), 3),
            ValueError,
            r"pictures \(N, C, H, W\) .* got shape \(2, 784\); write x\.resh",
        ),
        (lambda: rotate(x, [1, 2, 3]), ValueError, "broadcast"),
        (lambda: rotate(x, np.nan), ValueError, "angles in degrees, but one is nan"),
        (lambda: rotate(x, 3, "cubic"), ValueError, "'nearest' or 'bilinear', but got 'cubic'"),
        (lambda: shift(x, 0.5, 0), TypeError, "whole pixels, but got 0.5"),
        (lambda: crop(x, 3, 0, 2, 2), ValueError, r"crop\(\) of 2×2 pixels from \(3, 0\) leaves the picture of 4×4"),
        (lambda: crop(x, -1, 0, 2, 2), ValueError, "leaves the picture"),
        (lambda: hflip(np.ones(3)), ValueError, r"hflip\(\) takes pictures"),
        (lambda: RandomCrop(5)(x), ValueError, r"at least 5×5 pixels, but got shape \(2, 4, 4\)"),
        (lambda: CenterCrop(5)(x), ValueError, "at least 5×5"),
        (lambda: RandomCrop(0), ValueError, "size as a whole number from 1 up"),
        (lambda: RandomShift((1, 2, 3)), ValueError, "pixels as a whole number from 0 up, or two"),
        (lambda: RandomShift(1.5), TypeError, ""),
        (lambda: RandomRotation(-1), ValueError, "an angle from 0 up"),
        (lambda: RandomHorizontalFlip(1.5), ValueError, "RandomHorizontalFlip's p is a probability, .* got 1.5"),
        (lambda: RandomErasing(-0.1), ValueError, "RandomErasing's p"),
        (lambda: RandomErasing(scale=(0.5, 0.1)), ValueError, "scale as two growing numbers"),
        (lambda: RandomErasing(scale=(0.5, 1.1)), ValueError, "scale as two growing numbers"),
        (lambda: RandomErasing(ratio=(0, 1)), ValueError, "ratio as two growing numbers above 0"),
        (lambda: Cutout(0), ValueError, "from 1 up, but got 0"),
        (lambda: SaltAndPepper(2), ValueError, "amount is a probability"),
        (lambda: GaussianNoise(sigma=-1), ValueError, "sigma, from 0 up, but got -1"),
        (lambda: GaussianNoise()(np.ones((1, 2), int)), TypeError, r"write x\.astype\(np\.float32\) / 255"),
        (lambda: GaussianNoise()(3.0), ValueError, r"write x\[None\]"),
        (lambda: GaussianNoise()(x, generator=SampleGenerators(0, [1])), ValueError, "2 samples, but generators for 1"),
        (lambda: Normalize(0, 0), ValueError, "above 0, but got 0"),
        (
            lambda: Normalize([1, 2], 1)(np.ones((1, 3, 4, 4))),
            ValueError,
            r"mean of shape \(2,\), which does not fit",
        ),
        (lambda: Normalize(0, np.ones(4))(x), ValueError, r"std of shape \(4,\), which does not fit"),
        (lambda: Normalize(0, 1)(np.ones((1, 2), int)), TypeError, "numbers with a fraction, but got int64"),
        (lambda: Standardize(np.ones((0, 3))), ValueError, r"got shape \(0, 3\)"),
        (lambda: OneHot(2)(np.array([2])), IndexError, "classes run from 0 to 1, but got 2"),
        (
            lambda: OneHot(2)(np.array([0.5])),
            TypeError,
            "counts classes by integers, but got float64; write labels.astype",
        ),
        (lambda: MixUp(0), ValueError, "alpha above 0, but got 0"),
        (lambda: MixUp()(x), TypeError, r"it takes \(x, y\), but got 1 parts"),
        (lambda: MixUp()(x, np.array([0, 1])), ValueError, r"write MixUp\(num_classes=…\)"),
        (lambda: MixUp(num_classes=1)(x, np.array([0, 1])), IndexError, "classes run from 0 to 0"),
        (lambda: Compose([GaussianNoise]), TypeError, r"write GaussianNoise\(\)"),
        (lambda: Compose([3]), TypeError, "one is 3"),
        (lambda: Transform()(x), NotImplementedError, "give it def apply"),
    ):
        with pytest.raises(kind, match=message or None):
            make()
