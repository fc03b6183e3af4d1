"""Indexing, writing out of place, sorting: what the examples of the ops cannot say for every index."""

import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.ops.indexing import index_of, key_and_arrays
from tinygrad_edu.testing import strategies


def numbers(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(shape, seed=0, **options):
    return tg.Tensor(numbers(shape, seed), requires_grad=True, **options)


@st.composite
def shapes_and_indices(draw):
    shape = draw(strategies.shapes(max_dims=4))
    return shape, draw(strategies.indices(shape))


# ---------------------------------------------------------------------------------------------------
# x[...]


@given(shapes_and_indices())
def test_getitem_is_numpys_and_its_gradient_scatters(case):
    shape, index = case
    x = leaf(shape)
    y = x[index]
    expected = x.numpy()[index]
    assert np.array_equal(y.numpy(), expected)
    assert y.dtype == expected.dtype
    assert np.may_share_memory(y.numpy(), x.numpy()) == np.may_share_memory(expected, x.numpy())
    g = numbers(y.shape, 1)
    scattered = np.zeros(shape)
    np.add.at(scattered, index, g)
    np.testing.assert_allclose(tg.grad(y, x, g).numpy(), scattered, rtol=1e-14, atol=1e-14)


@given(shapes_and_indices())
def test_the_gradient_of_scattering_is_getitem(case):
    shape, index = case
    x, v = leaf(shape), numbers(shape, 2)
    g = leaf(x[index].shape, 1)
    dx = tg.grad(x[index], x, g, create_graph=True)
    assert np.array_equal(tg.grad(dx, g, v).numpy(), v[index])


@given(shapes_and_indices())
def test_a_key_says_which_index_it_was(case):
    shape, index = case
    key, arrays = key_and_arrays(index)
    hash(key)
    x = numbers(shape)
    assert np.array_equal(x[index_of(key, arrays)], x[index])


@pytest.mark.parametrize(
    "index",
    [True, False, np.True_, np.int8(1), np.array(1), [[True, False, True], [False, True, False]], [[0, 1], [1, 0]],
     ([0, 1], [2, 2]), [], (), None, (None, ..., None), slice(np.int64(2), None, np.int32(-1)), [[]]],
    ids=repr,
)  # fmt: skip
def test_getitem_of_unusual_indices(index):
    x = leaf((2, 3))
    assert np.array_equal(x[index].numpy(), x.numpy()[index])
    assert operator.getitem(x, index).shape == x.numpy()[index].shape


def test_a_single_number_is_indexed():
    x = tg.Tensor(2.0, requires_grad=True)
    for index in [(), ..., None, True, (None, ...)]:
        y = x[index]
        assert y.shape == x.numpy()[index].shape
        assert tg.grad(y, x, np.ones(y.shape)).numpy() == 1


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
def test_a_repeated_row_adds_up(dtype):
    table = leaf((200, 3))
    rows = np.array([[100, 0, 100], [7, 100, 0]], dtype=dtype)
    g = numbers((2, 3, 3))
    expected = np.zeros((200, 3))
    np.add.at(expected, rows, g)
    assert expected[100].tolist() == pytest.approx((g[0, 0] + g[0, 2] + g[1, 1]).tolist())
    np.testing.assert_allclose(tg.grad(table[rows], table, g).numpy(), expected, rtol=1e-15)


def test_negative_and_positive_names_of_a_row_add_up():
    table = leaf((3, 2))
    dx = tg.grad(table[[2, -1, 0]], table, np.ones((3, 2)))
    assert dx.tolist() == [[1, 1], [0, 0], [2, 2]]


def test_an_embedding_keeps_float32():
    table = tg.Tensor(numbers((5, 3)).astype(np.float32), requires_grad=True)
    y = table[[1, 1, 4]]
    y.backward(np.ones((3, 3), np.float32))
    assert y.dtype == table.grad.dtype == np.float32


def test_a_tensor_as_index_is_an_input():
    x, rows = leaf((3, 2)), tg.Tensor([2, 2, 0], name="rows")
    y = x[rows]
    assert y.inputs == (x, rows)
    assert np.array_equal(evaluate(y, {rows: [0, 1, 1]}), x.numpy()[[0, 1, 1]])


def test_a_mask_is_recorded():
    x = tg.Tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x[x > 0]
    assert evaluate(y, {x: [-1.0, 5.0, 6.0]}).tolist() == [5.0, 6.0]
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]


def test_an_array_may_be_indexed_by_a_tensor():
    rows = tg.Tensor([1, 1])
    assert np.array_equal(tg.take(np.eye(2), rows, axis=0).numpy(), [[0, 1], [0, 1]])


def test_writing_into_what_a_view_shows_is_noticed():
    x = leaf((3,))
    y = (x[1:] ** 2).sum()
    with tg.no_grad():
        x[2] = 5.0
    with pytest.raises(RuntimeError, match="was written after"):
        y.backward()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (7, r"getitem\(weights \(2, 3\), \[7\]\): index 7 is out of bounds for axis 0 with size 2"),
        ((0, 0, 0), "too many indices"),
        (1.5, r"getitem of weights \(2, 3\).*indexed by integers.*but got float 1.5"),
        ("a", "indexed by integers.*but got str 'a'"),
        ([0.0, 1.0], r"but got list \[0.0, 1.0\]"),
        ((slice(None), [5]), "index 5 is out of bounds for axis 1"),
        (tg.Tensor([0.5]), "must be of integer"),
        (np.ones((3, 2), bool), "boolean index did not match"),
    ],
)
def test_a_wrong_index_is_named(index, message):
    with pytest.raises(IndexError, match=message):
        leaf((2, 3), name="weights")[index]


# ---------------------------------------------------------------------------------------------------
# Writing, out of place


@st.composite
def writes(draw):
    """A shape, an index, and values of a shape that broadcasts to what is indexed."""
    shape, index = draw(shapes_and_indices())
    target = np.empty(shape)[index].shape
    kept = target[draw(st.integers(0, len(target))) :]
    return shape, index, tuple([1 if n == 1 or draw(st.booleans()) else n for n in kept])


@given(writes())
def test_index_update_assigns(case):
    shape, index, given_shape = case
    x, values = leaf(shape), leaf(given_shape, 1)
    y = tg.index_update(x, index, values)
    expected = x.numpy().copy()
    expected[index] = values.numpy()
    assert np.array_equal(y.numpy(), expected)
    # the output is linear in both, so ⟨∂L/∂x, dx⟩ + ⟨∂L/∂values, dv⟩ = ⟨g, y(dx, dv)⟩
    g, dx, dv = numbers(shape, 2), numbers(shape, 3), numbers(given_shape, 4)
    moved = dx.copy()
    moved[index] = dv
    by_x, by_values = tg.grad(y, [x, values], g)
    assert (by_x.numpy() * dx).sum() + (by_values.numpy() * dv).sum() == pytest.approx((g * moved).sum())


@given(writes())
def test_scatter_add_adds(case):
    shape, index, given_shape = case
    x, values = leaf(shape), leaf(given_shape, 1)
    y = tg.scatter_add(x, index, values)
    expected = x.numpy().copy()
    np.add.at(expected, index, values.numpy())
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-13, atol=1e-13)
    g, dv = numbers(shape, 2), numbers(given_shape, 4)
    moved = np.zeros(shape)
    np.add.at(moved, index, dv)
    by_x, by_values = tg.grad(y, [x, values], g)
    assert np.array_equal(by_x.numpy(), g)
    assert (by_values.numpy() * dv).sum() == pytest.approx((g * moved).sum())


def test_of_repeated_writes_the_last_stays_and_has_the_gradient():
    x, values = tg.Tensor(np.zeros(3), requires_grad=True), tg.Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = tg.index_update(x, [0, 2, 0, -1], values)
    assert y.tolist() == [3.0, 0.0, 4.0]
    by_x, by_values = tg.grad(y, [x, values], [10.0, 20.0, 30.0])
    assert by_x.tolist() == [0.0, 20.0, 0.0]
    assert by_values.tolist() == [0.0, 0.0, 10.0, 30.0]


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_the_last_write_does_not_depend_on_the_layout_of_the_index(order, layout):
    rows = np.zeros((2, 2), int, order=layout)[order, order]
    values = tg.Tensor(np.array([[1.0, 2.0], [3.0, 4.0]], order=layout)[order, order], requires_grad=True)
    last = values.numpy()[-1, -1]
    y = tg.index_update(tg.Tensor([0.0]), rows, values)
    assert y.item() == last
    assert tg.grad(y, values).numpy().tolist() == (values.numpy() == last).astype(float).tolist()


def test_second_derivatives_pass_through_a_write():
    x, v = leaf((3,)), leaf((2,), 1)
    y = (tg.index_update(x**2, [0, 0], v**3) ** 2).sum()
    dx, dv = tg.grad(y, [x, v], create_graph=True)
    second = tg.grad(dv.sum(), v)
    np.testing.assert_allclose(second.numpy(), [0, 30 * v.numpy()[1] ** 4])
    np.testing.assert_allclose(tg.grad(dx.sum(), x).numpy(), [0, *12 * x.numpy()[1:] ** 2])


def test_writes_leave_their_arguments_alone():
    x, values = np.zeros(3), np.ones(2)
    assert tg.index_update(x, [0, 1], values) is not x
    tg.scatter_add(x, [0, 1], values)
    assert x.tolist() == [0, 0, 0]
    assert isinstance(tg.index_update(x, 0, 1.0), np.ndarray)


def test_a_write_keeps_the_dtype_of_what_it_writes_into():
    x = tg.Tensor(np.zeros(3, np.float32), requires_grad=True)
    values = tg.Tensor(np.ones(2), requires_grad=True)
    y = tg.index_update(x, [0, 1], values)
    assert y.dtype == np.float32
    assert [g.dtype for g in tg.grad(y, [x, values], np.ones(3))] == [np.float32, np.float64]
    assert tg.index_update(x, 0, 5).dtype == np.float32


@pytest.mark.parametrize("write", [tg.index_update, tg.scatter_add])
def test_values_that_do_not_fit_raise(write):
    with pytest.raises(TypeError, match="float64 values do not fit into int64; convert one with astype"):
        write(tg.Tensor([1, 2]), 0, 0.5)
    with pytest.raises(ValueError, match=rf"{write.name}\(w \(2,\), \(3,\)"):
        write(tg.Tensor([1.0, 2.0], name="w"), slice(None), np.ones(3))
    with pytest.raises(IndexError, match="index 2 is out of bounds"):
        write(tg.Tensor([1.0, 2.0]), 2, 0.0)
    with pytest.raises(TypeError, match=rf"{write.name}\(\) missing 1 required positional argument: 'values'"):
        write(tg.Tensor([1.0, 2.0]), 2)


@pytest.mark.parametrize(
    "write",
    [
        lambda t: np.put(t, [0], 1.0),
        lambda t: np.place(t, np.array([True, False]), 1.0),
        lambda t: np.putmask(t, np.array([True, False]), 1.0),
        lambda t: np.put_along_axis(t, np.array([0]), 1.0, 0),
        lambda t: np.copyto(t, 1.0),
        lambda t: np.fill_diagonal(np.stack([t, t]), 1.0),
        lambda t: np.add.at(t, [0], 1.0),
    ],
)
def test_numpys_writes_are_refused_with_a_cure(write):
    t = tg.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"writes into its argument.*tg\.index_update"):
        write(t)
    assert t.tolist() == [1.0, 2.0]


# ---------------------------------------------------------------------------------------------------
# Taking, choosing


@given(shapes_and_indices(), st.data())
def test_take_along_axis_undoes_argsort(case, data):
    shape, _ = case
    if not shape:
        return
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = leaf(shape)
    y = np.take_along_axis(x, np.argsort(x, axis=axis), axis=axis)
    assert np.array_equal(y.numpy(), np.sort(x.numpy(), axis=axis))
    g = numbers(shape, 1)
    assert np.array_equal(tg.grad(y, x, g).numpy(), tg.grad(np.sort(x, axis=axis), x, g).numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: np.take(t, 9), IndexError, "index 9 is out of bounds"),
        (lambda t: np.take(t, [0], axis=2), np.exceptions.AxisError, "axis 2 is out of bounds"),
        (lambda t: np.take(t, [0], mode="round"), ValueError, "'raise', 'wrap' or 'clip'"),
        (lambda t: np.take_along_axis(t, np.array([0]), 0), ValueError, "needs indices of 2 axes"),
        (lambda t: np.take_along_axis(t, t.numpy(), 0), IndexError, "takes integer indices"),
        (lambda t: np.take_along_axis(t, np.zeros((2, 3), int), 2), np.exceptions.AxisError, "axis 2"),
        (lambda t: np.compress(t.numpy() > 0, t), ValueError, "a condition of one axis"),
        (lambda t: np.choose(np.array([0, 2]), [t[0, :2], t[1, :2]]), ValueError, "by the integers 0 to 1"),
        (lambda t: np.select([t.numpy() > 0], [t, t]), ValueError, "a choice for each condition"),
        (lambda t: np.piecewise(t, [t.numpy() > 0], []), ValueError, "needs 1 functions, or one more"),
        (lambda t: np.diag(np.stack([t, t])), ValueError, "takes a vector or a matrix"),
        (lambda t: np.nonzero(t[0, 0]), ValueError, "np.atleast_1d"),
        (lambda t: np.meshgrid(t[0], indexing="yx"), ValueError, "'xy' or 'ij'"),
        (lambda t: np.sort(t, axis=2), np.exceptions.AxisError, r"sort\(weights \(2, 3\)"),
        (lambda t: np.sort(t, order="a"), TypeError, r"sort\(\) on a Tensor takes axis, kind, stable, not order="),
    ],
)
def test_errors_say_what_is_wanted(call, error, message):
    with pytest.raises(error, match=message):
        call(leaf((2, 3), name="weights"))


def test_piecewise_keeps_functions_to_their_places():
    x = tg.Tensor([-1.0, 0.0, 4.0], requires_grad=True)
    y = np.piecewise(x, [x.numpy() < 0, x.numpy() > 0], [lambda t: -t, np.log, 7.0])
    assert y.tolist() == [1.0, 7.0, np.log(4.0)]
    assert tg.grad(y.sum(), x).tolist() == [-1.0, 0.0, 0.25]


def test_nonzero_is_recorded():
    x = tg.Tensor([0.0, 2.0, 3.0], requires_grad=True)
    y = x[np.nonzero(x)].sum()
    assert y.item() == 5
    assert evaluate(y, {x: [4.0, 0.0, 5.0]}) == 9


def test_one_hot():
    assert tg.one_hot(tg.Tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert tg.one_hot([1], 2).dtype == np.float32
    assert tg.one_hot([1], 2, dtype=float).dtype == np.float64
    assert tg.one_hot(np.zeros((0, 2), int), 4).shape == (0, 2, 4)
    for wrong in ([3], [-1]):
        with pytest.raises(IndexError, match="one_hot: classes run from 0 to 2, but got"):
            tg.one_hot(wrong, 3)
    with pytest.raises(
        TypeError, match=r"one_hot counts classes by integers, but got float64; write labels\.astype\(int\)"
    ):
        tg.one_hot([1.0], 3)


# ---------------------------------------------------------------------------------------------------
# Sorting


@given(
    hnp.arrays(float, strategies.shapes(min_dims=1), elements=st.sampled_from([0.0, -0.0, 1.0, 2.0, np.inf, np.nan]))
)
def test_sort_puts_nan_last_and_moves_gradients_where_the_values_came_from(array):
    x = tg.Tensor(array, requires_grad=True)
    y = np.sort(x)
    assert np.array_equal(y.numpy(), np.sort(array), equal_nan=True)
    g = numbers(array.shape)
    order = np.argsort(array, axis=-1, stable=True)
    assert np.array_equal(np.take_along_axis(tg.grad(y, x, g).numpy(), order, -1), g)


def test_equal_elements_keep_their_order():
    x = tg.Tensor([1.0, 0.0, 1.0, 0.0], requires_grad=True)
    assert tg.grad(np.sort(x), x, [1.0, 2.0, 3.0, 4.0]).tolist() == [3.0, 1.0, 4.0, 2.0]


def test_second_derivative_through_sort():
    x = tg.Tensor([3.0, 1.0, 2.0], requires_grad=True)
    y = (np.sort(x, axis=None) ** 3 * [1.0, 10.0, 100.0]).sum()
    dx = tg.grad(y, x, create_graph=True)
    assert dx.tolist() == [2700.0, 3.0, 120.0]
    assert tg.grad(dx.sum(), x).tolist() == [1800.0, 6.0, 120.0]


def test_sort_is_ordered_anew_when_evaluated_again():
    x = tg.Tensor([3.0, 1.0, 2.0], requires_grad=True)
    dx = tg.grad((np.sort(x) * [1.0, 10.0, 100.0]).sum(), x, create_graph=True)
    assert evaluate(dx, {x: [1.0, 2.0, 3.0]}).tolist() == [1.0, 10.0, 100.0]


@pytest.mark.parametrize("kind", ["quicksort", "heapsort", "stable", None])
def test_argsort_is_numpys_of_every_kind(kind):
    x = np.random.default_rng(0).integers(0, 5, 100)
    assert np.array_equal(np.argsort(tg.Tensor(x), kind=kind).numpy(), np.argsort(x, kind=kind))
    assert np.array_equal(np.sort(tg.Tensor(x), kind=kind).numpy(), np.sort(x))


def test_functions_of_indices_are_answered_on_the_numbers():
    x = tg.Tensor(np.eye(3), requires_grad=True)
    for ask in (np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
        for got, expected in zip(ask(x), ask(np.eye(3)), strict=True):
            assert np.array_equal(got, expected)
    assert np.unravel_index(tg.Tensor(5), (2, 3)) == (1, 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("width", [2, 40])
def test_gradients_of_slices_taken_along_an_axis_add_up(axis, width):
    shape = [width, width, width]
    shape[axis] = 4
    x = tg.Tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    places = np.array([2, 0, -1, 2, 2])
    y = np.take(x, places, axis=axis)
    g = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(g)
    expected = np.zeros(shape)
    np.add.at(expected, (slice(None),) * axis + (places,), g)
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("index", [[0, 1, 2, 3, 4], [4, -1, 0, 0, 2, 3, 1, 4], [0, 0, -5, 3], [], [2]])
def test_a_row_of_places_along_one_axis(axis, index):
    """Each place has many numbers, so slices are taken and added: in any order, twice, from the end, not all."""
    rng = np.random.default_rng(0)
    x = tg.Tensor(np.moveaxis(rng.standard_normal((5, 16, 16, 40)), 0, axis).copy(), requires_grad=True)
    places = np.array(index, int)
    key = (slice(None),) * axis + (places,)
    y = x[key]
    np.testing.assert_array_equal(y.numpy(), x.numpy()[key])
    assert y.numpy().flags.c_contiguous
    g = rng.standard_normal(y.shape)
    for begun, found in (
        (np.zeros(x.shape), tg.grad(y, x, g).numpy()),
        (x.numpy().copy(), tg.scatter_add(x.numpy(), key, g)),
    ):
        np.add.at(begun, key, g)
        np.testing.assert_array_equal(found, begun)
    for beyond in (5, -6):
        with pytest.raises(IndexError, match=f"index {beyond} is out of bounds for axis"):
            x[(slice(None),) * axis + (np.append(places, beyond),)]
        with pytest.raises(IndexError, match="out of bounds"):
            tg.scatter_add(x.numpy(), (slice(None),) * axis + (np.append(places, beyond),), 1.0)
