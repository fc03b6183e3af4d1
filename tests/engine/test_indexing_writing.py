"""Indexing a tensor in every form, and writing into it."""

import operator

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor, no_grad
from tinygrad_edu.engine.recording import tracing

# ---------------------------------------------------------------------------------------------------
# Indexing, in every form


@pytest.mark.parametrize(
    "key",
    [
        0, -1, slice(None), slice(1, None), slice(None, None, -1), slice(None, None, 2), None, ..., (), (0, 1),
        (slice(None), 0), (..., 0), (0, ...), (None, 0), (slice(None), None, 1), [0, 2], [0, 0, -1], np.array([1, 0]),
        (slice(None), [0, 1]), ([0, 1], [1, 2]), ([[0], [1]], [0, 2]), (0, [0, 0]), ([0, 1], slice(None), [0, 1]),
        np.array([True, False, True]), [True, True, False], np.ones((3, 4), bool), (slice(None), np.array([True, False, True, True])),
        True, False, np.int64(1), np.array(1), (slice(-1, 0, -1), slice(2, 0, -1)), [], (np.array([], int),), slice(5, 9),
        (1, 2, 0), (1, 2, [0, 1]),
    ],
    ids=repr,
)  # fmt: skip
def test_indexing_is_numpys(key):
    a = np.arange(24.0).reshape(3, 4, 2)
    t = Tensor(a.copy(), requires_grad=True)
    y = t[key]
    assert type(y) is Tensor
    assert np.array_equal(y.numpy(), a[key])
    assert y.shape == a[key].shape
    weights = np.arange(1.0, y.size + 1).reshape(y.shape)
    (y * weights).sum().backward()
    expected = np.zeros_like(a)
    np.add.at(expected, key, weights)
    assert np.array_equal(t.grad.numpy(), expected)


@pytest.mark.parametrize("key", [5, (0, 0, 0, 0), [7], np.ones(2, bool), 1.5, "a", (slice(None), 9)], ids=repr)
def test_a_wrong_index_raises_numpys_error_naming_the_tensor(key):
    t = Tensor(np.zeros((3, 4, 2)), requires_grad=True, name="image")
    with pytest.raises(IndexError) as caught:
        t[key]
    assert "image" in str(caught.value) or "getitem" in str(caught.value)


def test_indexing_by_tensors_is_recorded():
    x, i = leaf(1.0, 2.0, 3.0), Tensor([2, 0, 2])
    y = x[i]
    assert any(part is i for part in y.inputs)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 2.0]
    assert x[x > 1.5].tolist() == [2.0, 3.0]
    assert x[Tensor(1)].item() == 2.0
    assert x[x.argmax()].item() == 3.0


def test_empty_and_0d_tensors_are_indexed():
    t = Tensor(3.0, requires_grad=True)
    assert t[()].item() == 3.0
    assert t[...].shape == ()
    assert t[None].shape == (1,)
    assert Tensor(np.zeros((0, 3)))[:, 1].shape == (0,)


# ---------------------------------------------------------------------------------------------------
# Writing

IN_PLACE = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv, "//=": operator.ifloordiv,
    "%=": operator.imod, "**=": operator.ipow,
}  # fmt: skip


@pytest.mark.parametrize("f", IN_PLACE.values(), ids=IN_PLACE.keys())
@pytest.mark.parametrize("other", [2.0, np.array([2.0, 3.0, 4.0]), [1.0, 2.0, 3.0], Tensor([2.0, 1.0, 1.0])])
class TestInPlaceOperators:
    def test_write_a_leaf_under_no_grad(self, f, other):
        w = leaf(5.0, 7.0, 9.0)
        memory = w.data
        expected = f(w.data.copy(), np.asarray(other))
        with no_grad():
            v = f(w, other)
        assert v is w
        assert w.data is memory
        assert np.array_equal(w.numpy(), expected)
        assert w.requires_grad

    def test_refuse_a_leaf_that_requires_a_gradient(self, f, other):
        w = leaf(5.0, 7.0, 9.0, name="w")
        with pytest.raises(RuntimeError, match=r"in-place \w+ on 'w'.*no_grad\(\)"):
            f(w, other)
        assert w.tolist() == [5.0, 7.0, 9.0]

    def test_rebind_a_result(self, f, other):
        w = leaf(5.0, 7.0, 9.0)
        h = w * 1
        before = h
        h = f(h, other)
        assert h is not before
        assert before.tolist() == [5.0, 7.0, 9.0]
        assert np.array_equal(h.numpy(), f(np.array([5.0, 7.0, 9.0]), np.asarray(other)))
        assert not h.is_leaf

    def test_write_a_plain_tensor_for_all_its_names(self, f, other):
        t = u = Tensor([5.0, 7.0, 9.0])
        rows = Tensor([[5.0, 7.0, 9.0], [1.0, 1.0, 1.0]])
        row = rows[0]
        t, row = f(t, other), f(row, other)
        expected = f(np.array([5.0, 7.0, 9.0]), np.asarray(other))
        assert t is u
        assert np.array_equal(u.numpy(), expected)
        assert np.array_equal(rows.numpy(), [expected, np.ones(3)])


@pytest.mark.parametrize("make", [Tensor, tg.tensor, tg.nn.Parameter])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (([1.0, 2.0], np.float32), "dtype=float32"),
        (([1.0, 2.0], "float32"), "dtype=float32"),
        (([1.0, 2.0], float), "dtype=float"),
        (([1.0, 2.0], np.dtype("float32")), "dtype=float32"),
        ((2, 3), r"int 3; .*tg\.zeros\(\(2, 3\)\)"),
        ((2.0, 3.0), r"Tensor\(\[2\.0, 3\.0\]\)"),
        (([1.0, 2.0], [3.0, 4.0]), "numbers go into one list"),
        (([1.0, 2.0], None), "NoneType.*requires_grad=False"),
        (([1.0, 2.0], 1), "int 1; write requires_grad=True"),
        (([1.0, 2.0], np.ones(2)), "ndarray"),
    ],
)
def test_the_second_place_takes_true_or_false_alone(make, args, words):
    with pytest.raises(TypeError, match=r"takes True or False in the second place, but got .*" + words):
        make(*args)
    with pytest.raises(TypeError, match=words):
        make(args[0], requires_grad=args[1])


def test_numpys_truth_is_as_good_as_pythons():
    assert Tensor([1.0], np.True_).requires_grad is True
    assert tg.tensor([1.0], False).requires_grad is False


class TestInPlaceOutsideAnyGraph:
    """As NumPy writes an array: for all its names and views."""

    def test_all_names_and_views_see_it(self):
        x = Tensor(np.ones((3, 2)))
        y, row, column = x, x[1], x.T[0]
        y += 1
        row *= 0
        column -= [1, 1, 1]
        assert x.tolist() == [[1.0, 2.0], [-1.0, 0.0], [1.0, 2.0]]
        velocities = [Tensor([1.0, 2.0]), Tensor([3.0])]
        for v in velocities:
            v *= 0.5
        assert [v.tolist() for v in velocities] == [[0.5, 1.0], [1.5]]
        for row in x:
            row -= row.max()
        assert x.tolist() == [[-1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]]

    def test_an_argument_is_the_callers(self):
        def centre(t):
            t -= t.mean()
            return t

        a = np.array([1.0, 3.0])
        t = Tensor(a)
        assert centre(t) is t
        assert t.tolist() == a.tolist() == [-1.0, 1.0]

    def test_a_number_out_of_an_array_is_a_copy(self):
        x = Tensor([1.0, 2.0])
        first = x[0]
        first += 5
        assert (first.item(), x.tolist()) == (6.0, [1.0, 2.0])

    @pytest.mark.parametrize("recorded", [lambda w: w, lambda w: w * 1, lambda w: (w * 1)[:3]])
    def test_a_recorded_right_side_rebinds(self, recorded):
        w = leaf(1.0, 2.0, 3.0)
        x = before = Tensor([1.0, 1.0, 1.0])
        x += recorded(w)
        assert x.requires_grad
        assert before.tolist() == [1.0, 1.0, 1.0]
        x -= 1
        x *= x
        (dw,) = tg.grad(x.sum(), [w])
        assert dw.tolist() == [2.0, 4.0, 6.0]

    def test_a_recorded_right_side_of_a_part_raises(self):
        w = leaf(1.0, 2.0, 3.0)
        x = Tensor(np.zeros((2, 3)))
        h = x * w
        for part in (x[0], x[:, 1:], x.T[:2], h[0], np.split(h, 2)[1], h[:, 0], next(iter(h))):
            with pytest.raises(
                RuntimeError, match=r"in-place multiply on .*a part of another tensor.*tg\.index_update"
            ):
                part *= w[0]
        with pytest.raises(RuntimeError, match=r"index_update"):
            x[0] += w
        part = x[0]
        with tracing(), pytest.raises(RuntimeError, match="index_update"):
            part += 1
        assert x.tolist() == [[0.0] * 3] * 2

    def test_what_is_whole_or_alone_is_rebound(self):
        w, a = leaf(1.0, 2.0, 3.0), np.zeros((2, 3))
        u, s, vh = np.linalg.svd(np.outer(w, [1.0, 2.0]), full_matrices=False)
        alone = Tensor(a[0])  # of an array that is no tensor
        for t in (Tensor(a)[0], alone, (w * 1).reshape(3, 1), (w * 1)[::-1], w[[0, 2]], u, s, vh, (w * 1).detach()):
            before = t.numpy().copy()
            t += w[0]
            assert t.requires_grad
            assert np.array_equal(t.numpy(), before + 1)
        assert not a.any()

    def test_a_write_between_two_uses_is_seen(self):
        w, t = leaf(2.0), Tensor(0.5, name="t")
        loss = w * t
        t += 0.5
        loss += w * t
        with pytest.raises(RuntimeError, match=r"'t' was written after multiply had used it.*t = t \+ dt"):
            loss.backward()
        t = Tensor(0.5)
        loss = w * t
        t = t + 0.5
        loss += w * t
        loss.backward()
        assert w.grad.item() == 1.5

    @pytest.mark.parametrize(
        ("make", "other", "kind", "words"),
        [
            (
                lambda: Tensor([1, 2], name="n"),
                0.5,
                TypeError,
                r"on 'n', int64 of shape.*write n = n \+.*n\.astype\(float\)",
            ),
            (lambda: Tensor([True, False]), 1, TypeError, "bool of shape"),
            (lambda: Tensor(1.0), np.ones(3), ValueError, r"of shape \(\).*write t = t \+"),
            (lambda: Tensor([1.0, 2.0]), np.ones((3, 2)), ValueError, r"write t = t \+"),
            (lambda: Tensor(np.broadcast_to(1.0, (3,))), 1.0, ValueError, r"read-only.*t = t \+.*array\.copy\(\)"),
            (lambda: Tensor([1.0]), "a", TypeError, "in-place add"),
            (lambda: Tensor([1.0]), None, TypeError, "in-place add"),
        ],
    )
    def test_what_numpy_refuses_names_the_cure(self, make, other, kind, words):
        t = make()
        before = t.tolist()
        with pytest.raises(kind, match=words):
            t += other
        assert t.tolist() == before

    @pytest.mark.parametrize(
        "f",
        [operator.iadd, operator.isub, operator.imul, operator.ifloordiv, operator.imod, operator.ipow, operator.iand,
         operator.ior, operator.ixor, operator.ilshift, operator.irshift],
    )  # fmt: skip
    def test_integers_and_bits(self, f):
        a = np.array([[1, 2], [3, 4]])
        t = view = Tensor(a.copy())
        t = f(t, np.array([2, 1]))
        assert t is view
        assert np.array_equal(t.numpy(), f(a.copy(), np.array([2, 1])))

    def test_a_list_does_not_lose_the_graph_of_its_parts(self):
        w, t = leaf(1.0, 2.0), Tensor([0.0, 0.0])
        for write in (
            lambda: t.__iadd__([w[0], 1.0]),
            lambda: t.__setitem__(0, [w[0]]),
            lambda: t.__setitem__(0, w[0]),
        ):
            with pytest.raises(RuntimeError, match=r"graph.*\.numpy\(\)"):
                write()
        t += [Tensor(1.0), 2]
        t[1:] = [Tensor(5.0)]
        assert t.tolist() == [1.0, 5.0]

    def test_numpys_scalars_are_as_weak_as_pythons(self):
        a = np.linspace(0.1, 3.0, 50, dtype="float32")  # a product in float64 would round some of these otherwise
        t = Tensor(a.copy())
        t *= np.float64(1 / 3)
        assert np.array_equal(t.numpy(), a * (1 / 3))

    def test_in_replay(self):
        count, rows = Tensor(0.0), Tensor(np.zeros((2, 2)))

        def step(x):
            global_count = count
            global_count += 1
            row = rows[1]
            row += x * 2
            z = x * 3
            z -= 1  # its own
            return z * count

        replayed = tg.replay(step)
        for k in range(1, 5):
            assert replayed(np.array([1.0, 2.0])).tolist() == [2.0 * k, 5.0 * k]
        assert count.item() == 4
        assert rows.tolist() == [[0.0, 0.0], [8.0, 16.0]]

        @tg.replay
        def centre(x):
            x -= x.mean()
            return x

        with pytest.raises(RuntimeError, match=r"an argument.*write x = x"):
            centre(Tensor([1.0, 2.0]))

    def test_a_buffer_is_written_where_it_is(self):
        class Ema(tg.nn.Module):
            def __init__(self):
                self.mean = tg.nn.Buffer(np.zeros(2))

            def forward(self, x):
                self.mean *= 0.5
                self.mean += 0.5 * np.mean(x.numpy(), axis=0)
                return x - self.mean

        layer = Ema()
        memory = layer.mean.data
        layer(Tensor(np.ones((3, 2)), requires_grad=True))
        assert layer.mean.data is memory
        assert layer.state_dict()["mean"].tolist() == [0.5, 0.5]


def test_in_place_matrix_product_and_bits():
    m = Tensor(np.eye(2) * 2)
    with no_grad():
        m @= np.array([[0.0, 1.0], [1.0, 0.0]])
    assert m.tolist() == [[0.0, 2.0], [2.0, 0.0]]
    mask = Tensor([True, False])
    with no_grad():
        mask &= np.array([True, True])
        mask |= np.array([False, True])
        mask ^= np.array([True, False])
    assert mask.tolist() == [False, True]


def test_in_place_keeps_shape_and_dtype_or_raises():
    w, n = leaf(1.0, 2.0, dtype="float32"), Tensor([1, 2])
    with no_grad():
        w += np.ones(2)
        assert w.dtype == "float32"
        w *= np.float64(2)
        assert w.dtype == "float32"
        with pytest.raises(ValueError, match="broadcast"):
            w += np.ones((3, 2))
        with pytest.raises(TypeError):
            n += 0.5
        with pytest.raises(TypeError):
            w += 1j
    assert w.tolist() == [4.0, 6.0]
    assert n.tolist() == [1, 2]


def test_the_two_ways_to_take_a_step():
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    for w in (a, b):
        (w * w).sum().backward()
    with no_grad():
        a -= 0.5 * a.grad
    b.data -= 0.5 * b.grad
    assert a.tolist() == b.tolist() == [0.0, 0.0]
    assert a.requires_grad
    assert b.requires_grad
    assert a.is_leaf
    assert b.is_leaf


def test_a_running_total_of_results_is_recorded():
    w = leaf(2.0)
    total = 0.0
    for k in range(3):
        total += (w * k).sum()
    total.backward()
    assert w.grad.item() == 3.0


def test_assigning_into_a_tensor():
    t = Tensor(np.zeros((2, 3)))
    t[0] = 1.0
    t[:, 1] = [5.0, 6.0]
    t[t > 5.5] = -1.0
    t[Tensor(1), Tensor([0])] = Tensor([9.0])
    assert t.tolist() == [[1.0, 5.0, 1.0], [9.0, -1.0, 0.0]]
    t[1] += 1.0
    assert t[1].tolist() == [10.0, 0.0, 1.0]
    t[...] = np.ones((2, 3), "float32")
    assert t.dtype == float
    with pytest.raises(ValueError, match="broadcast"):
        t[0] = np.ones(5)
    with pytest.raises(IndexError):
        t[7] = 1.0
    w = leaf(1.0, 2.0)
    with no_grad():
        w[0] = 5.0
        w[0] += 1.0
    assert w.tolist() == [6.0, 2.0]
    assert w.requires_grad


def test_assigning_into_what_is_recorded_or_live_raises_with_the_cure(x):
    h = x * 2
    with pytest.raises(RuntimeError, match=r"the result of multiply.*np\.where.*index_update"):
        h[0] = 1.0
    with no_grad(), pytest.raises(RuntimeError, match="index_update"):
        h[0] = 1.0
    with pytest.raises(RuntimeError, match=r"assigning into 'x'.*no_grad\(\)"):
        x[0] = 1.0
    t = Tensor([0.0, 0.0])
    with pytest.raises(RuntimeError, match=r"the result of sum.*cut it from its graph.*index_update.*\.numpy\(\)"):
        t[0] = x.sum()
    with pytest.raises(RuntimeError, match=r"assigning \.data to the result of multiply"):
        h.data = np.zeros(3)
    assert t.tolist() == [0.0, 0.0]
    assert h.tolist() == [2.0, -4.0, 6.0]
    with no_grad():
        t[0] = x.sum()
    assert t.tolist() == [2.0, 0.0]


def test_the_cure_for_assignment_works(x):
    y = tg.index_update(x * 2, 0, 10.0)
    assert y.tolist() == [10.0, -4.0, 6.0]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 2.0]


def test_assigning_data():
    w = leaf(1.0, 2.0, name="w")
    w.data = [3, 4.5]
    assert w.tolist() == [3.0, 4.5]
    w.data = Tensor([5.0, 6.0, 7.0])
    assert w.shape == (3,)
    with pytest.raises(TypeError, match=r"'w' requires a gradient.*int64.*numbers with a point"):
        w.data = [1, 2]
    with pytest.raises(TypeError, match="holds numbers"):
        w.data = "abc"
    with pytest.raises(TypeError, match="holds numbers"):
        Tensor([1.0]).data = None
    assert w.tolist() == [5.0, 6.0, 7.0]
    w.sum().backward()
    for wrong in (np.ones(2), np.ones(3, "float32")):
        with pytest.raises(ValueError, match=r"'w' has a gradient of shape \(3,\) and dtype float64.*zero_grad"):
            w.data = wrong
    w.zero_grad()
    w.data = np.ones(2)
    assert w.shape == (2,)
