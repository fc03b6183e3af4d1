"""NumPy's functions given tensors: what is answered, what is refused, what would lose a graph or a mask unseen."""

import array
import io
import math
import operator

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor, no_grad
from tinygrad_edu.engine.protocols import ASKS
from tinygrad_edu.engine.registry import ANSWERS

# ---------------------------------------------------------------------------------------------------
# NumPy's protocols


def test_numpy_code_that_was_already_written_records_and_differentiates():
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    x = leaf(0.0, 1.0)
    y = sigmoid(x)
    assert isinstance(y, Tensor)
    y.sum().backward()
    s = sigmoid(x.numpy())
    np.testing.assert_allclose(x.grad.numpy(), s * (1 - s))
    assert isinstance(sigmoid(np.zeros(2)), np.ndarray)


@pytest.mark.parametrize(
    "f",
    [
        lambda t: np.sum(t), lambda t: np.add.reduce(t), lambda t: np.add.reduce(t, axis=0, keepdims=True),
        lambda t: np.max(t), lambda t: np.amax(t), lambda t: np.maximum.reduce(t), lambda t: np.min(t), lambda t: np.amin(t),
        lambda t: np.minimum.reduce(t), lambda t: np.prod(t), lambda t: np.multiply.reduce(t), lambda t: np.cumsum(t),
        lambda t: np.add.accumulate(t), lambda t: np.abs(t), lambda t: np.absolute(t), lambda t: np.fabs(t),
        lambda t: np.mod(t, 2), lambda t: np.remainder(t, 2), lambda t: np.divide(t, 2), lambda t: np.true_divide(t, 2),
        lambda t: np.concatenate([t, t]), lambda t: np.concat([t, t]), lambda t: np.transpose(t[None]),
        lambda t: np.permute_dims(t[None]), lambda t: np.pow(t, 2), lambda t: np.power(t, 2), lambda t: np.acos(t * 0.1),
        lambda t: np.arccos(t * 0.1), lambda t: np.round(t), lambda t: np.around(t), lambda t: np.logical_or.reduce(t > 0),
        lambda t: np.matmul(t, t), lambda t: np.linalg.matmul(t[None], t[:, None]), lambda t: np.degrees(t),
        lambda t: np.stack([t, t.numpy()]), lambda t: np.where(t > 0, t, 0.0), lambda t: np.clip(t, 0, 1),
    ],
)  # fmt: skip
def test_functions_are_found_by_each_of_their_names(f, x):
    a = x.numpy()

    y = f(x)
    assert isinstance(y, Tensor)
    assert y.is_leaf is not y.requires_grad
    expected = f(_WithNumpy(a))
    np.testing.assert_allclose(y.numpy(), np.asarray(expected))


class _WithNumpy(np.ndarray):
    """An array with the one method that the examples use of a tensor."""

    def __new__(cls, a):
        return np.asarray(a).view(cls)

    def numpy(self):
        return np.asarray(self)


UNSUPPORTED = {
    "np.cov": lambda t: np.cov(t),
    "np.fft.fft": lambda t: np.fft.fft(t),
    "np.frexp": lambda t: np.frexp(t),
    "np.linalg.eig": lambda t: np.linalg.eig(t[None] * t[:, None]),
    "np.apply_along_axis": lambda t: np.apply_along_axis(sum, 0, t),
    "np.spacing": lambda t: np.spacing(t),
    "np.packbits": lambda t: np.packbits(t > 0),
    "np.polyfit": lambda t: np.polyfit(t, t, 1),
    "np.add.reduceat": lambda t: np.add.reduceat(t, [0, 1]),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
@pytest.mark.parametrize("make", [lambda: leaf(1.0, 2.0, 3.0), lambda: Tensor([1.0, 2.0, 3.0])])
def test_an_unsupported_function_raises_and_says_numpy(name, make):
    with pytest.raises(TypeError, match=rf"{name.replace('.', '[.]')}\b.*not an operation.*\.numpy\(\)"):
        UNSUPPORTED[name](make())


@pytest.mark.parametrize(
    "write",
    [
        lambda t: np.add.at(t, [0], 1.0),
        lambda t: np.copyto(t, 1.0),
        lambda t: np.put(t, [0], 1.0),
        lambda t: np.fill_diagonal(t[None], 0.0),
        lambda t: np.put_along_axis(t, np.array([0]), 1.0, 0),
        lambda t: np.place(t, [True, False, False], [1.0]),
        lambda t: np.putmask(t, [True, False, False], [1.0]),
    ],
)
def test_functions_that_write_into_their_argument_raise(write):
    for t in (leaf(1.0, 2.0, 3.0), Tensor([1.0, 2.0, 3.0])):
        with pytest.raises(TypeError, match=r"writes|not an operation"):
            write(t)
        assert t.tolist() == [1.0, 2.0, 3.0]


def test_options_that_an_operation_does_not_take_raise(x):
    for call in (
        lambda: np.add(x, 1, where=np.array([True, False, True])),
        lambda: np.add(x, 1, dtype="int32"),
        lambda: np.sum(x, dtype="float32", where=np.array([True, False, True])),
        lambda: np.exp(x, casting="safe", dtype="float32"),
    ):
        with pytest.raises(TypeError, match=r"not where=|write t\.astype\(dtype\), or casting='unsafe'"):
            call()


def test_out_writes_into_an_array_where_nothing_is_recorded(x):
    out = np.zeros(3)
    with no_grad():
        assert np.add(x, 1.0, out=out) is out
        assert out.tolist() == [2.0, -1.0, 4.0]
        assert np.multiply(np.ones(3), x, out) is out
        assert np.sum(x, axis=0, out=np.zeros(())) == 2.0
        out += x
        assert out.tolist() == [2.0, -4.0, 6.0]
        assert np.exp(Tensor([0.0] * 3), out=out) is out
    plain = Tensor([1.0, 2.0, 3.0])
    assert np.add(plain, 1.0, out=out) is out
    out -= plain
    assert out.tolist() == [1.0, 1.0, 1.0]


def test_out_refuses_to_lose_a_record(x):
    out = np.zeros(3)
    for write in (
        lambda: np.add(x, 1.0, out=out),
        lambda: np.cumsum(x, out=out),
        lambda: operator.iadd(out, x),
        lambda: operator.imul(out, x),
    ):
        with pytest.raises(RuntimeError, match=r"out=.*(leave out out=|no_grad)"):
            write()
        assert out.tolist() == [0.0, 0.0, 0.0]


def test_out_onto_a_tensor_raises(x):
    for target in (leaf(0.0, 0.0, 0.0, name="t"), Tensor([0.0] * 3, name="t"), x * 0):
        for write in (
            lambda target=target: np.add(np.ones(3), 1.0, out=target),
            lambda target=target: np.add(x, 1.0, out=target),
            lambda target=target: np.cumsum(np.ones(3), out=target),
        ):
            with pytest.raises(TypeError, match=r"out=.*a tensor is not written.*write t = np\.(add|cumsum)\("):
                write()
            with no_grad(), pytest.raises(TypeError, match="a tensor is not written"):
                write()
        assert target.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(TypeError, match="no out="):
        np.divmod(x, 2.0, out=(np.zeros(3), np.zeros(3)))


QUESTIONS = {
    "shape": lambda t, a: np.shape(t), "ndim": lambda t, a: np.ndim(t), "size": lambda t, a: np.size(t),
    "result_type": lambda t, a: np.result_type(t, np.float32(1)), "can_cast": lambda t, a: np.can_cast(t, "float64"),
    "min_scalar_type": lambda t, a: np.min_scalar_type(t), "common_type": lambda t, a: np.common_type(t),
    "iscomplexobj": lambda t, a: np.iscomplexobj(t), "isrealobj": lambda t, a: np.isrealobj(t),
    "isreal": lambda t, a: np.isreal(t), "iscomplex": lambda t, a: np.iscomplex(t),
    "allclose": lambda t, a: np.allclose(t, a), "allclose on the left": lambda t, a: np.allclose(a, t),
    "array_equal": lambda t, a: np.array_equal(t, a), "array_equiv": lambda t, a: np.array_equiv(t, a),
    "zeros_like": lambda t, a: np.zeros_like(t), "ones_like": lambda t, a: np.ones_like(t),
    "full_like": lambda t, a: np.full_like(t, 7), "empty_like": lambda t, a: np.empty_like(t).shape,
    "shares_memory": lambda t, a: np.shares_memory(t, a), "may_share_memory": lambda t, a: np.may_share_memory(a, t),
    "isin": lambda t, a: np.isin(t, [1.0]),
    "histogram2d": lambda t, a: np.histogram2d(t, a, bins=2, range=[[-2, 3], [-2, 3]])[0], "digitize": lambda t, a: np.digitize(t, [0.0, 2.0]),
    "searchsorted": lambda t, a: np.searchsorted(np.sort(a), t), "array2string": lambda t, a: np.array2string(t),
    "array_repr": lambda t, a: np.array_repr(t), "array_str": lambda t, a: np.array_str(t),
    "lexsort": lambda t, a: np.lexsort((t, a)), "argpartition": lambda t, a: np.argpartition(t, 1),
    "isneginf": lambda t, a: np.isneginf(t), "isposinf": lambda t, a: np.isposinf(t),
    "matrix_rank": lambda t, a: np.linalg.matrix_rank(t[None].detach() if isinstance(t, Tensor) else t[None]),
}  # fmt: skip


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
@pytest.mark.parametrize("make", ["a leaf", "a result", "a plain tensor"])
def test_functions_that_only_ask_are_answered_on_the_numbers(ask, make):
    a = np.array([1.0, -2.0, 3.0])
    t = {"a leaf": leaf(*a), "a result": leaf(*a) * 1.0, "a plain tensor": Tensor(a)}[make]
    answer, expected = ask(t, t.numpy()), ask(t.numpy(), t.numpy())
    assert not isinstance(answer, Tensor)
    assert type(answer) is type(expected)
    if isinstance(expected, tuple):
        assert all(np.array_equal(p, q) for p, q in zip(answer, expected, strict=True))
    else:
        assert np.all(answer == expected)


def test_every_function_that_only_asks_is_tested():
    tested = {name.split()[0] for name in QUESTIONS}
    written = {"save", "savez", "savez_compressed", "savetxt"}
    below = {
        "bincount", "histogramdd", "ix_", "unravel_index", "ravel_multi_index",
        "diag_indices_from", "tril_indices_from", "triu_indices_from",
    }  # fmt: skip
    assert {f.__name__ for f in ASKS if f not in ANSWERS} - tested - written == below
    n, square = Tensor([1, 2, 2]), Tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    assert [i.tolist() for i in np.unravel_index(n, (2, 2))] == [[0, 1, 1], [1, 0, 0]]
    assert np.ravel_multi_index((n, n), (3, 3)).tolist() == [4, 8, 8]
    assert square[np.ix_(n, Tensor([0]))].tolist() == [[3.0], [6.0], [6.0]]
    assert square[np.diag_indices_from(square)].tolist() == [0.0, 4.0, 8.0]
    assert square[np.tril_indices_from(square, -1)].tolist() == [3.0, 6.0, 7.0]
    assert square[np.triu_indices_from(square, 1)].tolist() == [1.0, 2.0, 5.0]
    assert np.bincount(n).tolist() == [0, 1, 2]
    assert np.histogramdd(Tensor(np.ones((4, 2))), bins=2)[0].sum() == 4


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda t: np.histogram2d(t, t.numpy()), "histogram2d"),
        (lambda t: np.histogram2d(t.numpy(), t, bins=[3, np.arange(4.0)]), "histogram2d"),
        (lambda t: np.histogram2d(t.numpy(), t.numpy(), bins=[t, t]), "histogram2d"),
        (lambda t: np.histogramdd((t, t.numpy())), "histogramdd"),
        (lambda t: np.histogramdd(t[:, None], bins=2), "histogramdd"),
        (lambda t: np.histogramdd(sample=t[:, None], bins=2), "histogramdd"),
    ],
)
def test_edges_that_would_lose_a_gradient_are_refused(ask, name):
    t = leaf(1.0, 2.0, 4.0)
    with pytest.raises(TypeError, match=rf"np\.{name} computes the edges.*t\.numpy\(\)"):
        ask(t)
    ask(t.detach())
    assert np.histogram2d(t, t, bins=[np.arange(6.0)] * 2)[0].sum() == 3  # edges that were given lose nothing
    assert np.histogramdd((t,), bins=2, range=[(0, 5)])[0].sum() == 3


@pytest.mark.parametrize(
    "store",
    [
        lambda a, t: np.fromiter(t, float),
        lambda a, t: np.fromiter((2 * x for x in t), float),
        lambda a, t: a.fill(t.sum()),
        lambda a, t: (1.0, a.fill(t[0])),
        lambda a, t: operator.setitem(a, 0, t[0]),
        lambda a, t: a.__setitem__(0, t[0]),
    ],
)
def test_what_stores_in_an_array_without_an_assignment_is_refused(store):
    t = leaf(1.0, 2.0, 4.0)
    with pytest.raises(
        ValueError, match="setting an array element"
    ) as caught:  # NumPy's own, which ours is the cause of
        store(np.zeros(3), t)
    assert "would cut it silently; write .item()" in str(caught.value.__cause__)
    store(np.zeros(3), t.detach())


def test_what_is_explicitly_a_number_may_be_stored():
    t, a = leaf(1.0, 2.0, 4.0), np.zeros(3)
    a.fill(float(t[2]))
    assert np.fromiter((float(x) for x in t), float).tolist() == [1, 2, 4]
    assert np.fromiter([t[0].item()], float).tolist() == [1]
    assert (a.tolist(), float(t[0]), int(t[1])) == ([4, 4, 4], 1.0, 2)


REORDERING = {
    "sort": (lambda t: t.sort(), np.sort),
    "sort along an axis": (lambda t: t.sort(0), lambda a: np.sort(a, 0)),
    "sort, stable": (lambda t: t.sort(axis=0, kind="stable"), lambda a: np.sort(a, 0)),
    "partition": (lambda t: t.partition(1), lambda a: np.partition(a, 1)),
    "partition along an axis": (lambda t: t.partition([0, 1], axis=0), lambda a: np.partition(a, [0, 1], 0)),
}


@pytest.mark.parametrize("name", REORDERING)
def test_sort_and_partition_write_in_place_as_those_of_arrays(name, rng):
    reorder, function = REORDERING[name]
    a = rng.standard_normal((3, 4))
    t = Tensor(a.copy())
    view, used = t[1:], leaf(*[1.0] * 4)
    y = (t * used).sum()
    assert reorder(t) is None
    np.testing.assert_array_equal(t.numpy(), function(a))
    np.testing.assert_array_equal(view.numpy(), function(a)[1:])
    with pytest.raises(RuntimeError, match="was written after"):
        y.backward()
    x = Tensor(a.copy(), requires_grad=True)
    for recorded in (x, x * 2):
        with pytest.raises(
            RuntimeError, match=rf"writes in place.*part of a graph; write y = np\.{name.split()[0].strip(',')}\(t"
        ):
            reorder(recorded)
    np.testing.assert_array_equal(x.numpy(), a)
    with no_grad():
        reorder(x)
    np.testing.assert_array_equal(x.numpy(), function(a))
    assert function(x).requires_grad


def test_sort_in_place_is_replayed():
    t, x = Tensor(np.zeros(3)), Tensor([3.0, 1.0, 2.0])

    @tg.replay
    def sorted_into(x):
        with no_grad():
            t[...] = x
            t.sort()
        return t * 1

    assert sorted_into(x).tolist() == t.tolist() == [1, 2, 3]
    assert sorted_into(x + 4).tolist() == t.tolist() == [5, 6, 7]


def test_saving_writes_the_numbers(x, tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, x)
    buffer.seek(0)
    assert np.load(buffer, allow_pickle=False).tolist() == x.tolist()
    np.savez(tmp_path / "a.npz", w=x, y=x * 2)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["y"].tolist() == (x * 2).tolist()
    np.savez_compressed(tmp_path / "b.npz", x)
    np.savetxt(tmp_path / "c.txt", x)
    assert np.loadtxt(tmp_path / "c.txt").tolist() == x.tolist()


# Code that turns tensors into arrays unseen


@pytest.mark.parametrize(
    "cut",
    [
        lambda x, a: np.array([x, x]),
        lambda x, a: np.array([x[0], x[1]]),
        lambda x, a: np.sum([x, x]),
        lambda x, a: np.mean([x[0], x[1]]),
        lambda x, a: np.random.default_rng(0).normal(x),
        lambda x, a: np.full(3, x[0]),
        lambda x, a: np.asarray([[x[0]], [x[1]]]),
        lambda x, a: a.__setitem__(slice(None), x),
        lambda x, a: a.__setitem__([0, 1, 2], x),
        lambda x, a: np.frompyfunc(math.exp, 1, 1)(np.array(x)),
        lambda x, a: Tensor(x),
        lambda x, a: Tensor([x, x]),
        lambda x, a: tg.tensor(x),
    ],
)
def test_turning_a_recorded_tensor_into_an_array_unseen_raises_with_the_cure(cut, x):
    a = np.zeros(3)
    with pytest.raises(RuntimeError, match=r"is part of a graph.*\.numpy\(\) to leave the graph, or np\.stack"):
        cut(x, a)
    assert a.tolist() == [0.0, 0.0, 0.0]


def test_storing_by_a_call_raises_with_the_cure(x):
    a, others = np.zeros(3), array.array("d", [0.0])
    for store in (
        lambda t: a.fill(t),
        lambda t: a.fill(t * 2 if t.size else None),
        lambda t: a.fill(np.where(t > 0, t, 0.0)),
        lambda t: operator.setitem(a, 0, t.sum()),
        lambda t: a.__setitem__(0, np.maximum(t, t)),
        lambda t: others.append(t),
        lambda t: others.insert(0, (t - 1).sum()),
    ):
        with pytest.raises((RuntimeError, ValueError)) as caught:
            store(x[0])
        assert "in an array would cut it silently; write .item()" in str(caught.value.__cause__ or caught.value)
    assert a.tolist() == [0.0, 0.0, 0.0]
    assert len(others) == 1


def test_numbers_taken_on_purpose_are_stored(x):
    a, t, kept = np.zeros(3), x[0], []
    a.fill(float(t))
    operator.setitem(a, 1, float(t) + int(t * 2))
    kept.append(float(t))
    kept.append(max(float(t), 0))
    kept.append(t)
    kept.insert(0, f"{t:.1f}")
    kept.extend([math.exp(t), complex(t)])
    a[2] = t.item()
    assert a.tolist() == [1.0, 3.0, 1.0]
    assert len(kept) == 6


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "complex128"])
def test_storing_a_recorded_tensor_in_an_array_raises_with_the_cure(x, dtype):
    losses = np.zeros(3, dtype)
    with pytest.raises((RuntimeError, ValueError)) as caught:
        losses[0] = (x * x).sum()
    ours = str(caught.value.__cause__ or caught.value)  # under some dtypes NumPy lays words of its own over ours
    assert "the result of sum, which is part of a graph" in ours
    assert "write .item()" in ours
    with pytest.raises((RuntimeError, ValueError)):
        losses[1] += x[0]
    assert losses.tolist() == [0, 0, 0]
    losses[0] = (x * x).sum().item()
    losses[1] = float(x[2])
    losses[2] = (x * x).sum().detach()
    assert losses.tolist() == [14, 3, 14]
    kept = [0.0]
    kept[0] = x[0]
    assert kept[0].requires_grad


# ---------------------------------------------------------------------------------------------------
# Masked arrays: a tensor has no mask, so none is lost to one


MASKED = np.ma.masked_array([10.0, 20.0, 30.0], mask=[False, True, False])


@pytest.mark.parametrize(
    "lose",
    [
        lambda t: Tensor(MASKED),
        lambda t: Tensor(MASKED, dtype="float32"),
        lambda t: Tensor([MASKED, MASKED]),
        lambda t: Tensor([[MASKED]]),
        lambda t: Tensor(np.ma.masked),
        lambda t: tg.tensor(MASKED),
        lambda t: tg.full(3, MASKED),
        lambda t: tg.zeros_like(MASKED),
        lambda t: t + MASKED,
        lambda t: t * np.ma.masked,
        lambda t: t**MASKED,
        lambda t: t @ MASKED,
        lambda t: t < MASKED,
        lambda t: np.add(t, MASKED),
        lambda t: np.add(MASKED, t),
        lambda t: np.where(MASKED > 1, t, 0),
        lambda t: np.clip(t, MASKED, 40),
        lambda t: np.concatenate([t, MASKED]),
        lambda t: np.stack([MASKED, t]),
        lambda t: np.allclose(t, MASKED),
        lambda t: t[MASKED > 15],
        lambda t: t.detach().__setitem__(slice(None), MASKED),
        lambda t: t.detach().__setitem__(MASKED > 15, 0),
        lambda t: setattr(t.clone().detach(), "data", MASKED),
        lambda t: setattr(t, "grad", MASKED),
        lambda t: no_grad()(t.__iadd__)(MASKED),
        lambda t: t.requires_grad_().backward(MASKED),
        lambda t: tg.evaluate(t, {t: MASKED}),
        lambda t: tg.nn.functional.mse_loss(t, MASKED),
    ],
)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_mask_is_not_lost_unseen(lose, requires_grad):
    t = Tensor([1.0, 2.0, 3.0], requires_grad=requires_grad)
    with pytest.raises(TypeError, match=r"masked array.*\.filled\(0\).*np\.where"):
        lose(t)
    assert t.tolist() == [1.0, 2.0, 3.0]
    assert t.grad is None


@pytest.mark.parametrize(
    "cut",
    [
        lambda t: MASKED + t,
        lambda t: MASKED * t,
        lambda t: operator.eq(MASKED, t),
        lambda t: MASKED.copy().__iadd__(t),
        lambda t: MASKED.copy().__setitem__(0, t[0]),
        lambda t: np.ma.exp(t),
        lambda t: np.ma.asarray(t),
        lambda t: np.ma.masked_invalid(t),
        lambda t: np.ma.where(MASKED > 1, t, MASKED),
        lambda t: np.ma.concatenate([t, MASKED]),
    ],
)
def test_masked_arithmetic_does_not_cut_a_tensor_from_its_graph(cut, x):
    for t in (x, x * 1.0):
        with pytest.raises(RuntimeError, match=r"is part of a graph.*\.numpy\(\) to leave the graph"):
            cut(t)


def test_the_cures_for_a_masked_array_work_and_a_plain_tensor_is_numbers_to_numpy_ma(x):
    assert (x + MASKED.filled(0)).tolist() == [11.0, -2.0, 33.0]
    assert np.where(np.ma.getmaskarray(MASKED), 0, x * MASKED.filled(0)).tolist() == [10.0, 0.0, 90.0]
    product = MASKED * x.detach()
    assert product.tolist() == [10.0, None, 90.0]
    assert np.ma.asarray(x.detach()).tolist() == x.tolist()
