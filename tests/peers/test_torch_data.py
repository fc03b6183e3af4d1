"""Data beside torch.utils.data: what is visited, in which batches, how splits and sets of sets are counted, how pictures turn."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
import torch.utils.data as theirs
from agreement import assert_close
from hypothesis import assume, given
from hypothesis import strategies as st

from tinygrad_edu import data as ours
from tinygrad_edu.data.transforms import rotate, shift

ROOMS = pytest.mark.parametrize("room", [ours, theirs], ids=["ours", "torch"])


def plain(batch):
    return np.asarray(batch).tolist()


@given(st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_batches_are_cut_alike(n, size, drop_last):
    x = np.arange(n)
    found = []
    for room, made in ((ours, x), (theirs, torch.from_numpy(x))):
        loader = room.DataLoader(room.TensorDataset(made, made * 2), batch_size=size, drop_last=drop_last)
        batches = [[plain(part) for part in batch] for batch in loader]
        sampler = room.BatchSampler(room.SequentialSampler(x), size, drop_last)
        assert len(loader) == len(batches) == len(sampler)
        found.append((batches, list(sampler)))
    assert found[0] == found[1]


@given(st.integers(1, 30), st.none() | st.integers(1, 70), st.booleans())
def test_random_samplers_visit_as_often(n, count, replacement):
    for room in (ours, theirs):
        sampler = room.RandomSampler(range(n), replacement=replacement, num_samples=count)
        visits = np.bincount(list(sampler), minlength=n)
        assert len(sampler) == visits.sum() == (n if count is None else count)
        assert replacement or visits.max() - visits.min() <= 1


def test_weighted_samplers_agree_in_distribution():
    weights = [0.0, 1.0, 2.0, 5.0]
    for replacement, count in ((True, 3), (False, 3)):
        table = []
        for room, rng in ((ours, np.random.default_rng(0)), (theirs, torch.Generator().manual_seed(0))):
            sampler = room.WeightedRandomSampler(weights, count, replacement, generator=rng)
            drawn = np.array([list(sampler) for _ in range(3000)])
            table.append([np.bincount(column, minlength=4) / 3000 for column in drawn.T])
        assert np.abs(np.subtract(*table)).max() < 5 * np.sqrt(2 * 0.25 / 3000)


@pytest.mark.filterwarnings("ignore:Length of split")
@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(1, 60))
def test_parts_of_random_splits_are_as_long(shares, n):
    fractions = [share / sum(shares) for share in shares]
    assume(sum(fractions) <= 1)  # PyTorch refuses a last bit more
    lengths = [[len(part) for part in room.random_split(range(n), fractions)] for room in (ours, theirs)]
    assert lengths[0] == lengths[1]
    counts = lengths[0]
    if sum(counts) != 1:  # which is a fraction too
        assert [[len(part) for part in room.random_split(range(n), counts)] for room in (ours, theirs)] == [counts] * 2


@given(st.lists(st.lists(st.integers(), max_size=4), min_size=1, max_size=4), st.data())
def test_sets_of_sets_give_the_same_samples(parts, drawn):
    n = sum(map(len, parts))
    both = [room.ConcatDataset(parts) for room in (ours, theirs)]
    assert both[0].cumulative_sizes == both[1].cumulative_sizes
    assert [both[0][i] for i in range(-n, n)] == [both[1][i] for i in range(-n, n)]
    if n:
        indices = drawn.draw(st.lists(st.integers(-n, n - 1), max_size=6))
        subsets = [room.Subset(list(chain(*parts)), indices) for room in (ours, theirs)]
        assert [subsets[0][i] for i in range(len(indices))] == [subsets[1][i] for i in range(len(indices))]


@ROOMS
def test_streams_chain_and_are_batched(room):
    class Stream(room.IterableDataset):
        def __iter__(self):
            return iter(range(5))

    loader = room.DataLoader(Stream() + Stream(), batch_size=4)
    assert [plain(batch) for batch in loader] == [[0, 1, 2, 3], [4, 0, 1, 2], [3, 4]]
    with pytest.raises(ValueError, match="IterableDataset"):
        room.DataLoader(Stream(), shuffle=True)
    with pytest.raises(TypeError):
        len(loader)


@ROOMS
def test_what_a_loader_takes_and_refuses(room):
    x = torch.arange(6) if room is theirs else np.arange(6)
    dataset = room.TensorDataset(x)
    assert [plain(b[0]) for b in room.DataLoader(dataset, batch_sampler=[[5, 0], [1]])] == [[5, 0], [1]]
    assert [plain(b[0]) for b in room.DataLoader(dataset, 2, sampler=[3, 3, 1])] == [[3, 3], [1]]
    assert list(room.DataLoader([1, 2, 3], 2, collate_fn=sum)) == [3, 3]
    assert list(room.DataLoader([1, 2, 3], None)) == [1, 2, 3]
    for options in (
        {"sampler": [1], "shuffle": True},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_sampler": [[1]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"num_workers": -1},
        {"prefetch_factor": 2},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            room.DataLoader(dataset, **options)


SAMPLES = [
    [1, 2, 3],
    [0.5, 1.5],
    ["a", "b"],
    [(1, 2.0), (3, 4.0)],
    [{"x": 1, "y": [2, 3]}, {"x": 4, "y": [5, 6]}],
    [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)],
    [(np.arange(2), {"a": (1, "t")}), (np.arange(2), {"a": (2, "u")})],
]


@pytest.mark.parametrize("samples", SAMPLES, ids=repr)
def test_samples_collate_alike(samples):
    def listed(batch):
        if isinstance(batch, dict):
            return {key: listed(part) for key, part in batch.items()}
        if isinstance(batch, list | tuple):
            return [listed(part) for part in batch]
        return batch if isinstance(batch, str) else batch.tolist()

    assert listed(ours.default_collate(samples)) == listed(theirs.default_collate(samples))


@given(st.floats(-180, 180), st.sampled_from(["nearest", "bilinear"]), st.integers(2, 9), st.integers(0, 99))
def test_rotation_is_a_sampled_grid(degrees, interpolation, side, seed):
    """PyTorch samples at places between −1 and 1, so the angle is that of the same matrix on a square."""
    x = np.random.default_rng(seed).random((2, 3, side, side))
    angle = np.deg2rad(degrees)
    matrix = torch.tensor([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]).expand(2, 2, 3)
    grid = torch.nn.functional.affine_grid(matrix, list(x.shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(
        torch.from_numpy(x), grid, mode=interpolation, padding_mode="zeros", align_corners=False
    ).numpy()
    found = rotate(x, degrees, interpolation)
    if interpolation == "bilinear":
        assert_close(found, expected, atol=1e-10)
    else:  # where a place is halfway between two pixels, the last bit of it decides
        assert (found != expected).mean() <= (0.25 if degrees % 45 == 0 else 0.02)


@given(st.integers(-4, 4), st.integers(-4, 4))
def test_shifting_is_padding_and_cutting(down, right):
    x = np.random.default_rng(0).random((2, 5, 4))
    padded = torch.nn.functional.pad(torch.from_numpy(x), (4 + right, 4 - right, 4 + down, 4 - down))
    np.testing.assert_array_equal(shift(x, down, right), padded[:, 4:9, 4:8].numpy())
