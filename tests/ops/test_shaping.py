"""Moves of elements: NumPy's values under each of its names, gradients as adjoints, views and joins, errors."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_edu as tg
from tinygrad_edu import Tensor
from tinygrad_edu.ops.types import array

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def leaf(shape, rng, name=None):
    return Tensor(rng.standard_normal(shape), requires_grad=True, name=name)


def parts(y):
    return list(y) if isinstance(y, tuple | list) else [y]


def check_linear(f, *shapes, rng):
    """f on tensors is f on arrays; and as f is linear, ⟨f(x), g⟩ = ⟨x, fᵀg⟩, with fᵀ by the rules, exactly so in order 2."""
    xs = [leaf(shape, rng) for shape in shapes]
    ys, expected = parts(f(*xs)), parts(f(*[x.numpy() for x in xs]))
    assert len(ys) == len(expected)
    for y, e in zip(ys, expected, strict=True):
        assert isinstance(y, Tensor)
        assert y.dtype == e.dtype
        np.testing.assert_array_equal(y.numpy(), e, strict=True)
    gs = [leaf(y.shape, rng) for y in ys]
    transposed = tg.grad(ys, xs, gs, create_graph=True)
    left = sum(np.vdot(y.numpy(), g.numpy()) for y, g in zip(ys, gs, strict=True))
    right = sum(np.vdot(x.numpy(), z.numpy()) for x, z in zip(xs, transposed, strict=True))
    np.testing.assert_allclose(left, right, atol=1e-12)
    back = tg.grad(transposed, gs, [x.detach() for x in xs])  # the transpose of the transpose is f
    for y, again in zip(ys, back, strict=True):
        np.testing.assert_allclose(again.numpy(), y.numpy(), atol=1e-12)


def axes_of(shape):
    return st.integers(-len(shape), len(shape) - 1)


# ---------------------------------------------------------------------------------------------------
# Random shapes


@given(SHAPES, st.randoms(use_true_random=False), st.data())
def test_reshape_to_any_shape_of_as_many_elements(shape, random, data):
    n = int(np.prod(shape))
    divisors = [k for k in range(1, n + 1) if n % k == 0] or [3]
    k = data.draw(st.sampled_from(divisors))
    to = data.draw(st.sampled_from([(k, n // k), [k, n // k], (k, 1, -1) if n else (k, 0), n, (n,)]))
    check_linear(lambda x: np.reshape(x, to), shape, rng=np.random.default_rng(0))


@given(SHAPES, st.randoms(use_true_random=False))
def test_transposing_by_any_order_of_axes(shape, random):
    axes = list(range(len(shape)))
    random.shuffle(axes)
    axes = [a - len(shape) if random.random() < 0.5 else a for a in axes]
    check_linear(lambda x: np.transpose(x, axes), shape, rng=np.random.default_rng(1))
    x = leaf(shape, np.random.default_rng(1))
    np.testing.assert_array_equal(x.transpose(*axes).numpy(), x.permute(axes).numpy())


@given(SHAPES.filter(bool), st.data())
def test_moving_and_swapping_axes(shape, data):
    a, b = data.draw(axes_of(shape)), data.draw(axes_of(shape))
    rng = np.random.default_rng(2)
    check_linear(lambda x: np.moveaxis(x, a, b), shape, rng=rng)
    check_linear(lambda x: np.swapaxes(x, a, b), shape, rng=rng)
    start = data.draw(st.integers(-len(shape), len(shape)))
    check_linear(lambda x: np.rollaxis(x, a, start), shape, rng=rng)


@given(SHAPES, st.data())
def test_adding_and_removing_axes_of_length_one(shape, data):
    ndim = len(shape)
    axes = data.draw(st.lists(st.integers(0, ndim + 1), max_size=2, unique=True).map(tuple))
    if len(axes) < 2:
        axes = tuple(a for a in axes if a < ndim + len(axes))
    negative = tuple(a - ndim - len(axes) for a in axes)
    rng = np.random.default_rng(3)
    check_linear(lambda x: np.expand_dims(x, negative), shape, rng=rng)
    check_linear(lambda x: np.squeeze(np.expand_dims(x, axes), axes), shape, rng=rng)
    check_linear(lambda x: np.squeeze(np.expand_dims(x, axes)), shape, rng=rng)


@given(SHAPES, st.data())
def test_flipping_and_rolling(shape, data):
    axes = st.none() if not shape else st.none() | axes_of(shape)
    axis, shift = data.draw(axes), data.draw(st.integers(-7, 7))
    rng = np.random.default_rng(4)
    check_linear(lambda x: np.flip(x, axis), shape, rng=rng)
    check_linear(lambda x: np.roll(x, shift, axis), shape, rng=rng)
    if len(shape) > 1:
        k = data.draw(st.integers(-5, 5))
        turn = data.draw(st.permutations(range(len(shape))))[:2]
        check_linear(lambda x: np.rot90(x, k, turn), shape, rng=rng)
        check_linear(lambda x: np.roll(x, (shift, 1), (0, -1)), shape, rng=rng)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
def test_broadcasting_is_the_adjoint_of_summing(shapes):
    a, b = shapes.input_shapes
    rng = np.random.default_rng(5)
    check_linear(lambda x: np.broadcast_to(x, shapes.result_shape), a, rng=rng)
    check_linear(lambda x, y: np.broadcast_arrays(x, y), a, b, rng=rng)


@given(SHAPES, st.data())
def test_tiling_and_repeating(shape, data):
    rng = np.random.default_rng(6)
    reps = data.draw(st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=5).map(tuple))
    check_linear(lambda x: np.tile(x, reps), shape, rng=rng)
    axis = data.draw(st.none() if not shape else st.none() | axes_of(shape))
    check_linear(lambda x: np.repeat(x, 2, axis), shape, rng=rng)
    n = int(np.prod(shape)) if axis is None else shape[axis]
    times = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    check_linear(lambda x: np.repeat(x, np.array(times, int), axis), shape, rng=rng)


@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4), st.data())
def test_padding_in_every_mode(shape, data):
    widths = data.draw(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=len(shape), max_size=len(shape))
    )
    mode = data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    check_linear(lambda x: np.pad(x, widths, mode=mode), shape, rng=np.random.default_rng(7))


@given(SHAPES.filter(bool), st.data())
def test_joining_and_splitting_undo_each_other(shape, data):
    axis = data.draw(axes_of(shape))
    rng = np.random.default_rng(8)
    n = shape[axis]
    cuts = sorted(data.draw(st.lists(st.integers(0, n + 1), max_size=4)))
    check_linear(lambda x: np.split(x, cuts, axis), shape, rng=rng)
    check_linear(lambda x: np.concatenate(np.split(x, cuts, axis), axis), shape, rng=rng)
    check_linear(lambda x: np.array_split(x, 3, axis), shape, rng=rng)
    check_linear(lambda x, y: np.concatenate([x, y, x], axis), shape, shape, rng=rng)
    check_linear(lambda x, y: np.stack([x, y, x], axis), shape, shape, rng=rng)
    if n:
        check_linear(lambda x: np.unstack(x, axis=axis), shape, rng=rng)
        check_linear(lambda x: np.stack(np.unstack(x, axis=axis), axis), shape, rng=rng)
    x = leaf(shape, rng)
    np.testing.assert_array_equal(np.concatenate(np.split(x, cuts, axis), axis).numpy(), x.numpy())


# ---------------------------------------------------------------------------------------------------
# Under each of NumPy's names


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.ravel(x),
        lambda x: np.permute_dims(x, (1, 0)),
        lambda x: np.matrix_transpose(x),
        lambda x: np.linalg.matrix_transpose(x),
        lambda x: np.fliplr(x),
        lambda x: np.flipud(x),
        lambda x: np.rot90(x),
        lambda x: np.atleast_1d(x, x),
        lambda x: np.atleast_2d(x),
        lambda x: np.atleast_3d(x),
        lambda x: np.concat((x, x)),
        lambda x: np.concatenate(x),  # a tensor is a sequence of its rows
        lambda x: np.concatenate([x, x], axis=None),
        lambda x: np.concatenate([x, np.zeros((1, 4)), [[0.0, 0.0, 0.0, 0.0]]]),
        lambda x: np.vstack([x, x[0]]),
        lambda x: np.hstack([x, x]),
        lambda x: np.hstack([x[0], x[1]]),
        lambda x: np.dstack([x, x]),
        lambda x: np.column_stack([x[:, 0], x]),
        lambda x: np.hsplit(x, 2),
        lambda x: np.vsplit(x, [1]),
        lambda x: np.dsplit(np.reshape(x, (1, 2, 4)), 4),
        lambda x: np.append(x, x),
        lambda x: np.append(x, [[0.0, 0.0, 0.0, 0.0]], axis=0),
        lambda x: np.append(x, 0.0),
        lambda x: np.block([[x, x], [x, x]]),
        lambda x: np.block([x, 0 * x]),
        lambda x: np.block([[[x]], [[x]]]),
        lambda x: np.delete(x, 1, axis=1),
        lambda x: np.delete(x, [0, 0, -1], axis=-1),
        lambda x: np.delete(x, slice(1, None, 2)),
        lambda x: np.delete(x, np.array([True, False, True, False]), axis=1),
        lambda x: np.tile(x, 2),
        lambda x: np.pad(x, 1),
        lambda x: np.pad(x, ((1, 2),), mode="edge"),
        lambda x: np.pad(x, {-1: (0, 2), 0: 1}),
        lambda x: np.expand_dims(x, axis=[0, -1]),
        lambda x: np.moveaxis(x, [0, 1], [1, 0]),
        lambda x: np.roll(x, [1, 2], [0, 1]),
        lambda x: np.broadcast_to(x, [3, 2, 4]),
        lambda x: np.reshape(x, shape=(4, 2)),
        lambda x: np.split(x, indices_or_sections=2, axis=-1),
    ],
)
def test_numpys_names(call, rng):
    check_linear(call, (2, 4), rng=rng)


def test_methods_are_the_functions(rng):
    x = leaf((2, 3, 4), rng)
    for got, expected in [
        (x.T, x.numpy().T),
        (x.mT, x.numpy().mT),
        (x.reshape(4, -1), x.numpy().reshape(4, -1)),
        (x.reshape((6, 4)), x.numpy().reshape(6, 4)),
        (x.ravel(), x.numpy().ravel()),
        (x.flatten(), x.numpy().flatten()),
        (x.transpose(), x.numpy().transpose()),
        (x.transpose(2, 0, 1), x.numpy().transpose(2, 0, 1)),
        (x.permute(2, 0, 1), x.numpy().transpose(2, 0, 1)),
        (x.swapaxes(0, 2), x.numpy().swapaxes(0, 2)),
        (x[:1].squeeze(0), x.numpy()[0]),
        (x.unsqueeze(-1), x.numpy()[..., None]),
        (x.repeat(2, axis=1), x.numpy().repeat(2, axis=1)),
    ]:
        np.testing.assert_array_equal(got.numpy(), expected)
        assert got.requires_grad


def test_functions_on_arrays_give_arrays_and_take_lists():
    assert tg.concatenate([[1.0], [2.0, 3.0]]).tolist() == [1.0, 2.0, 3.0]
    assert tg.reshape([1, 2], (2, 1)).tolist() == [[1], [2]]
    assert [part.tolist() for part in tg.split([1, 2], 2)] == [[1], [2]]
    assert tg.pad([1, 2], 1).tolist() == [0, 1, 2, 0]
    assert tg.atleast_1d(3.0).tolist() == [3.0]
    assert tg.repeat([1, 2], 2).tolist() == [1, 1, 2, 2]
    assert type(tg.transpose(np.ones((2, 3)))) is np.ndarray


# ---------------------------------------------------------------------------------------------------
# Joins and parts


def test_a_part_that_is_not_used_has_the_gradient_zero(rng):
    x = leaf((4,), rng)
    first, second = np.split(x, 2)
    (second * np.array([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 2.0, 3.0]
    assert first.requires_grad


def test_one_tensor_joined_several_times_counts_each_time(rng):
    x = leaf((2,), rng)
    (np.concatenate([x, x, x]) * np.arange(6.0)).sum().backward()
    assert x.grad.tolist() == [0.0 + 2 + 4, 1.0 + 3 + 5]


def test_joining_promotes_and_gradients_keep_the_dtype_of_each_part(rng):
    a = Tensor(np.ones(2, np.float32), requires_grad=True)
    b = leaf((2,), rng)
    for y in (np.concatenate([a, b]), np.stack([a, b])):
        assert y.dtype == np.float64
        ga, gb = tg.grad((y * y).sum(), [a, b])
        assert (ga.dtype, gb.dtype) == (np.float32, np.float64)


def test_numbers_joined_are_weak():
    a = Tensor(np.float32(2), requires_grad=True)
    y = np.stack([a, 1.0, np.float64(3)])
    assert y.dtype == np.float32
    assert tg.autograd.evaluate(y, {a: np.float32(5)}).dtype == np.float32


def test_many_parts_are_joined_and_split_in_linear_time(rng):
    x = leaf((500,), rng)
    np.concatenate(np.unstack(np.reshape(x, (500, 1)))).sum().backward()
    assert x.grad.tolist() == [1.0] * 500


def test_symbols_of_figures():
    assert tg.transpose.symbol(axes=None) == "ᵀ"
    assert tg.transpose.symbol(axes=(0, 2, 1)) == "transpose"
    assert tg.concatenate.symbol(axis=0) == "concat"


# ---------------------------------------------------------------------------------------------------
# Views

VIEWS = [
    lambda x: np.reshape(x, (4, 2)),
    lambda x: np.ravel(x),
    lambda x: np.transpose(x),
    lambda x: np.matrix_transpose(x),
    lambda x: np.swapaxes(x, 0, 1),
    lambda x: np.moveaxis(x, 0, 1),
    lambda x: np.expand_dims(x, 0),
    lambda x: np.squeeze(x),
    lambda x: np.flip(x),
    lambda x: np.split(x, 2)[0],
    lambda x: np.unstack(x)[0],
]


@pytest.mark.parametrize("view", VIEWS)
def test_writing_a_view_makes_records_of_the_original_stale(view, rng):
    x = leaf((2, 4), rng, name="x")
    y = (x * x).sum()
    with tg.no_grad():
        v = view(x)
        assert np.shares_memory(v.data, x.data)
        v += 1.0
    with pytest.raises(RuntimeError, match="written after"):
        y.backward()


def test_what_had_to_be_copied_is_not_a_view(rng):
    x = leaf((2, 4), rng)
    y = (x * x).sum()
    with tg.no_grad():
        np.ravel(x.T).data += 1.0
        np.concatenate([x]).data += 1.0
        np.roll(x, 1).data += 1.0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.numpy())


def test_a_broadcast_tensor_cannot_be_written(rng):
    with tg.no_grad():
        y = np.broadcast_to(leaf((3,), rng), (2, 3))
        with pytest.raises(ValueError, match="read-only"):
            y += 1.0


# ---------------------------------------------------------------------------------------------------
# Padding, tiling, blocks


def test_the_constant_of_padding_has_no_gradient_and_keeps_the_dtype():
    x = Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    y = np.pad(x, ((0, 1), (2, 0)), constant_values=7.5)
    assert y.dtype == np.float32
    assert y.numpy()[-1].tolist() == [7.5] * 4
    y.sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_padding_with_infinity():
    y = np.pad(Tensor([1.0, 2.0]), 1, constant_values=-np.inf)
    assert y.tolist() == [-np.inf, 1.0, 2.0, -np.inf]


def test_atleast_leaves_what_is_enough_alone(rng):
    x = leaf((2, 3, 1), rng)
    assert np.atleast_1d(x) is x
    assert np.atleast_3d(x) is x
    scalar, vector = np.atleast_2d(leaf((), rng), leaf((3,), rng))
    assert (scalar.shape, vector.shape) == ((1, 1), (1, 3))


def test_blocks_of_different_shapes(rng):
    A, b, c = leaf((2, 2), rng), leaf((2, 1), rng), leaf((), rng)
    y = np.block([[A, b], [b.T, c]])
    (y * np.arange(9.0).reshape(3, 3)).sum().backward()
    assert A.grad.tolist() == [[0.0, 1.0], [3.0, 4.0]]
    assert b.grad.tolist() == [[2.0 + 6.0], [5.0 + 7.0]]
    assert c.grad.item() == 8.0


# ---------------------------------------------------------------------------------------------------
# Errors

W = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True, name="W")

ERRORS = [
    (lambda: np.reshape(W, (4, 2)), ValueError, r"reshape\(W \(2, 3\), shape=\(4, 2\)\): cannot reshape"),
    (lambda: np.reshape(W, (3, 2), order="F"), ValueError, r"row by row.*give it x\.T"),
    (lambda: np.reshape(W, (3, 2), copy=True), TypeError, r"write x\.clone\(\)"),
    (lambda: np.ravel(W, order="K"), ValueError, "row by row"),
    (lambda: np.reshape(W, 2.5), TypeError, "float"),
    (lambda: np.squeeze(W, 0), ValueError, r"squeeze\(W \(2, 3\), axis=0\)"),
    (lambda: np.expand_dims(W, 7), np.exceptions.AxisError, r"expand_dims\(W \(2, 3\), axis=7\): axis 7 is out of bounds"),
    (lambda: np.expand_dims(W, (0, 0)), ValueError, "repeated axis"),
    (lambda: np.transpose(W, (0, 0)), ValueError, r"transpose\(W \(2, 3\), axes=\(0, 0\)\): a transpose names all 2 axes, each once"),
    (lambda: np.swapaxes(W, 0, 2), np.exceptions.AxisError, "axis 2 is out of bounds|axis2: axis 2"),
    (lambda: np.moveaxis(W, 0, 5), np.exceptions.AxisError, "destination: axis 5"),
    (lambda: np.rollaxis(W, 0, 3), np.exceptions.AxisError, "start=3"),
    (lambda: np.flip(W, 2), np.exceptions.AxisError, r"flip\(W \(2, 3\), axis=2\)"),
    (lambda: np.fliplr(W[0]), ValueError, r"two axes or more, but got \(3,\)"),
    (lambda: np.flipud(W[0, 0]), ValueError, r"one axis or more, but got \(\)"),
    (lambda: np.rot90(W, axes=(0, 0)), ValueError, "repeated axis"),
    (lambda: np.roll(W, 1, axis=5), np.exceptions.AxisError, r"roll\(W \(2, 3\), shift=1, axis=5\)"),
    (lambda: np.broadcast_to(W, (3, 3)), ValueError, r"broadcast_to\(W \(2, 3\), shape=\(3, 3\)\)"),
    (lambda: np.concatenate([W, W.T]), ValueError, r"concatenate\(W \(2, 3\), \(3, 2\), axis=0\): all the input array"),
    (lambda: np.concatenate([W, W], axis=2), np.exceptions.AxisError, "axis 2 is out of bounds"),
    (lambda: np.concatenate([W, W], dtype=int), TypeError, r"concatenate\(\) does not cast float64 to int64; write casting="),
    (lambda: tg.concatenate([]), ValueError, "at least one array"),
    (lambda: np.stack([W, W.T]), ValueError, r"stack\(W \(2, 3\), \(3, 2\), axis=0\): all input arrays must have the same shape"),
    (lambda: np.split(W, 4), ValueError, r"split of W \(2, 3\): axis 0 does not divide into 4 equal parts; np\.array_split"),
    (lambda: np.split(W, 2, axis=3), np.exceptions.AxisError, r"split of W \(2, 3\): axis 3 is out of bounds"),
    (lambda: np.split(W, [2, 1], axis=1), ValueError, "not in order"),
    (lambda: np.array_split(W, 0), ValueError, "one part or more"),
    (lambda: np.vsplit(W[0], 1), ValueError, "two axes or more"),
    (lambda: np.dsplit(W, 1), ValueError, r"third axis, but got W \(2, 3\)"),
    (lambda: np.unstack(W, axis=2), np.exceptions.AxisError, r"unstack\(W \(2, 3\), axis=2\)"),
    (lambda: np.repeat(W, -1, axis=0), ValueError, r"repeat of W \(2, 3\) takes one number that is not negative"),
    (lambda: np.repeat(W, [1, 2, 3], axis=0), ValueError, r"or 2 of them for axis 0, but got \[1, 2, 3\]"),
    (lambda: np.tile(W, -1), ValueError, "non-negative"),
    (lambda: np.pad(W, -1), ValueError, r"pad of W \(2, 3\) takes whole numbers that are not negative.*pad_width=-1"),
    (lambda: np.pad(W, ((1, 1),) * 3), ValueError, r"\(before, after\) for each axis"),
    (lambda: np.pad(W, 1.5), ValueError, "whole numbers"),
    (lambda: np.pad(W, 1, mode="mean"), ValueError, "'symmetric' or 'wrap', but got 'mean'"),
    (lambda: np.pad(W, 1, constant_values=(1, 2)), ValueError, r"takes one constant, but got \[1, 2\]"),
    (lambda: np.pad(W, 1, mode="reflect", reflect_type="odd"), TypeError, "no reflect_type="),
    (lambda: np.block([[W], W]), ValueError, "nested to one depth"),
    (lambda: np.block([[W, W], [W]]), ValueError, "must match exactly"),
    (lambda: tg.broadcast_to(W), TypeError, r"broadcast_to\(\) needs shape"),
    (lambda: np.transpose(W, (0, 1, 2)), ValueError, r"names all 2 axes, each once, in their new order; two are exchanged by np\.swapaxes"),
    (lambda: tg.Tensor(np.ones((2, 3, 4))).transpose(1, 2), ValueError, "names all 3 axes"),
    (lambda: tg.stack(W, W), TypeError, r"joined stand in one list, as in np.stack\(\[a, b\]\)"),
    (lambda: np.concatenate(W, W), TypeError, "joined stand in one list"),
    (lambda: tg.hstack(W, W), TypeError, r"hstack\(\) takes 1 argument by position, but got 2|joined stand in one list"),
    (lambda: tg.flip(W, 0, 1), TypeError, r"flip\(\) takes 2 arguments by position, but got 3"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_errors_name_the_op_the_tensor_and_the_cure(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_an_array_takes_what_it_is_given():
    for x in (Tensor([1.0]), np.ones(2)):
        assert array(x) is x
    assert array([1, 2]).tolist() == [1, 2]


def test_every_order_of_turning(rng):
    x = leaf((2, 3), rng)
    for k, axes in itertools.product(range(-4, 5), [(0, 1), (1, 0), (-1, 0)]):
        np.testing.assert_array_equal(np.rot90(x, k, axes).numpy(), np.rot90(x.numpy(), k, axes))
