"""A Tensor as a student meets it: made, asked, converted, printed, copied, written, and given to NumPy and Python."""

import array
import collections
import copy
import io
import math
import operator
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, no_grad
from tinygrad_edu.engine.elsewhere import HERE
from tinygrad_edu.engine.protocols import ASKS
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.registry import ANSWERS


def leaf(*values, name=None, dtype=float):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True, name=name)


@pytest.fixture
def x():
    return leaf(1.0, -2.0, 3.0, name="x")


# ---------------------------------------------------------------------------------------------------
# Making one


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float64"),
        (2, "int64"),
        (True, "bool"),
        ([1, 2], "int64"),
        ([[1.0, 2], [3, 4]], "float64"),
        ((), "float64"),
        (np.float32(1.5), "float32"),
        (np.ones(2, "float16"), "float16"),
        (np.arange(3, dtype="uint8"), "uint8"),
        (range(3), "int64"),
        (1j, "complex128"),
        ([np.float32(1), np.float32(2)], "float32"),
    ],
)
def test_numbers_keep_numpys_type(data, dtype):
    t = Tensor(data)
    assert t.dtype == dtype
    assert np.array_equal(t.numpy(), np.array(data))
    assert type(t.data) is np.ndarray
    assert t.is_leaf
    assert not t.requires_grad
    assert t.grad is None
    assert t.name is None


def test_the_signature():
    t = Tensor([1, 2], True, dtype="float32", name="weight")
    assert t.requires_grad
    assert t.dtype == "float32"
    assert t.name == "weight"
    with pytest.raises(TypeError):
        Tensor([1.0], False, "float32")
    t.name = "bias"
    assert t.name == "bias"


def test_an_array_is_shared_and_a_list_is_not():
    a = np.zeros(3)
    t = Tensor(a)
    assert t.data is a
    with no_grad():
        t += 1
    assert a.tolist() == [1.0, 1.0, 1.0]
    assert tg.tensor(a).data is not a
    assert Tensor(a, dtype="float32").data.base is None


def test_a_matrix_or_another_kind_of_array_becomes_a_plain_array():
    class Kind(np.ndarray):
        pass

    t = Tensor(np.eye(2).view(Kind))
    assert type(t.data) is np.ndarray
    assert (t * t).tolist() == np.eye(2).tolist()


def test_byte_swapped_numbers_from_a_file_become_native():
    t = Tensor(np.array([1.0, 2.0], ">f4"), requires_grad=True)
    assert t.dtype.isnative
    assert t.dtype == "float32"
    (t * t).sum().backward()
    assert t.grad.dtype == t.dtype


def test_a_tensor_of_a_tensor_shares_its_numbers():
    a = Tensor([1.0, 2.0])
    b = Tensor(a, requires_grad=True)
    assert np.shares_memory(a.numpy(), b.numpy())
    assert b.requires_grad
    assert not a.requires_grad


def test_a_tensor_has_no_other_attributes(x):
    for name in ("typo", "requires_gard", "grads"):
        with pytest.raises(AttributeError):
            setattr(x, name, 1)
        with pytest.raises(AttributeError):
            getattr(x, name)
    for name in ("shape", "dtype", "is_leaf", "T"):
        with pytest.raises(AttributeError):
            setattr(x, name, 1)


# ---------------------------------------------------------------------------------------------------
# Asking it


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0, 4)])
def test_attributes_are_those_of_its_array(shape):
    a = np.ones(shape, "float32")
    t = Tensor(a)
    for name in ("shape", "ndim", "size", "dtype", "nbytes", "itemsize"):
        assert getattr(t, name) == getattr(a, name)
    assert np.array_equal(t.T.numpy(), a.T)
    if t.ndim > 1:
        assert np.array_equal(t.mT.numpy(), a.mT)
    if t.ndim:
        assert len(t) == len(a)
    assert list(t.flat) == list(a.flat)


def test_transposes_are_recorded():
    m = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    weights = np.arange(6.0).reshape(3, 2)
    (m.T * weights).sum().backward()
    assert np.array_equal(m.grad.numpy(), weights.T)
    m.zero_grad()
    (m.mT * weights).sum().backward()
    assert np.array_equal(m.grad.numpy(), weights.T)


def test_leaves_and_results(x):
    y = x * 2
    assert x.is_leaf
    assert not y.is_leaf
    assert y.requires_grad
    assert y.detach().is_leaf
    assert (Tensor([1.0]) * 2).is_leaf


def test_requires_grad_can_be_set_and_unset_on_a_leaf():
    t = Tensor([1.0])
    assert t.requires_grad_() is t
    assert t.requires_grad
    t.requires_grad = False
    assert not t.requires_grad
    t.requires_grad = True
    assert (t * 2).requires_grad
    assert t.requires_grad_(False) is t
    assert (t * 2).is_leaf


def test_a_gradient_can_be_set_and_is_checked():
    x = leaf(1.0, 2.0, dtype="float32")
    x.grad = np.array([3.0, 4.0], "float32")
    assert isinstance(x.grad, Tensor)
    x.grad = Tensor(np.ones(2, "float32"))
    with pytest.raises(ValueError, match=r"shape \(2,\) and dtype float32, but got \(3,\) and float32"):
        x.grad = np.ones(3, "float32")
    with pytest.raises(ValueError, match="float64"):
        x.grad = np.ones(2)
    assert x.grad.tolist() == [1.0, 1.0]
    x.grad = None
    assert x.grad is None


# ---------------------------------------------------------------------------------------------------
# Leaving the graph


def test_numpy_is_a_read_only_view_of_every_tensor(x):
    for t in (x, x * 2, x.detach(), x > 0):
        view = t.numpy()
        assert type(view) is np.ndarray
        assert np.shares_memory(view, t.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
    assert x.data.flags.writeable


def test_the_data_of_a_recorded_tensor_cannot_be_written(x):
    y = x * 2
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        y.data *= 2
    assert y.tolist() == [2.0, -4.0, 6.0]


def test_single_numbers():
    for t in (Tensor(2.5), Tensor([2.5]), Tensor([[2.5]]), Tensor(2.5, requires_grad=True) * 1):
        assert t.item() == 2.5
        assert type(t.item()) is float
        assert float(t) == 2.5
        assert int(t) == 2
        assert complex(t) == 2.5 + 0j
        assert bool(t)
        assert math.exp(t) == math.exp(2.5)
        assert f"{t:.4f}" == "2.5000"
    assert not Tensor(0.0)
    assert type(Tensor(2).item()) is int
    assert type(Tensor(True).item()) is bool
    assert Tensor(1j).item() == 1j


def test_only_single_numbers_are_numbers(x):
    with pytest.raises(ValueError, match=r"item\(\).*'x' has shape \(3,\)"):
        x.item()
    for convert in (float, int, complex):
        with pytest.raises(ValueError, match="one number"):
            convert(x)
    for empty in (Tensor([]), Tensor(np.zeros((2, 0)))):
        with pytest.raises(ValueError, match="one number"):
            empty.item()


def test_the_truth_of_several_numbers_is_refused(x):
    with pytest.raises(ValueError, match=r"truth.*\(3,\).*\.any\(\) or \.all\(\)"):
        bool(x > 0)
    with pytest.raises(ValueError, match="truth"):
        _ = 1 if Tensor([]) else 0
    with pytest.raises(ValueError, match=r"the truth of a Tensor of shape \(2,\) is ambiguous"):
        bool(Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"the truth of 'w', of shape \(2,\), is ambiguous"):
        bool(Tensor([1.0, 2.0], name="w"))
    assert (x > -5).all()
    assert not (x > 5).any()


def test_the_size_is_a_number_and_says_so_when_it_is_called(x):
    assert x.size == 3
    assert isinstance(x.size, int)
    assert type(pickle.loads(pickle.dumps(x.size))) is int
    with pytest.raises(TypeError, match=r"number of elements, 3, and not called; write t\.shape\[0\]"):
        x.size(0)
    with pytest.raises(TypeError, match=r"write t\.shape$"):
        x.size()


def test_a_gradient_of_what_was_computed_is_missed_aloud(x):
    y = Tensor([1.0], requires_grad=True) * 2
    with pytest.warns(UserWarning, match="it was computed by multiply"):
        assert y.grad is None
    y.retain_grad()
    assert y.grad is None  # it has only not been computed yet
    assert (x.detach() * 2).grad is None


def test_integers_can_index():
    i = Tensor(2)
    assert [10, 20, 30][i] == 30
    assert operator.index(i) == 2
    assert list(range(i)) == [0, 1]
    assert np.arange(5.0)[i] == 2.0
    for wrong in (Tensor(2.0), Tensor([1, 2]), leaf(1.0)):
        with pytest.raises(TypeError):
            operator.index(wrong)


def test_tolist():
    assert Tensor([[1.0, 2.0], [3.0, 4.0]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert Tensor(3.0).tolist() == 3.0
    assert Tensor([True, False]).tolist() == [True, False]


def test_plain_tensors_become_arrays_and_tensors_in_a_graph_do_not(x):
    plain = Tensor([1.0, 2.0])
    assert np.asarray(plain) is plain.data
    assert np.array(plain).tolist() == [1.0, 2.0]
    assert not np.shares_memory(np.array(plain), plain.data)
    assert np.asarray(plain, dtype="float32").dtype == "float32"
    assert np.array([plain, plain]).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert np.stack([plain, plain]).shape == (2, 2)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(plain, dtype="float32", copy=False)
    with no_grad():
        assert np.asarray(x * 2).tolist() == [2.0, -4.0, 6.0]
    assert np.array(x > 0).tolist() == [True, False, True]
    assert np.asarray(x.argmax()) == 2
    for t in (x, x * 2):
        with pytest.raises(RuntimeError, match=r"write \.numpy\(\) to leave the graph, or np\.stack"):
            np.asarray(t)
    with tracing():
        y = plain * 2
    with pytest.raises(RuntimeError, match="the result of multiply is part of a graph"):
        np.asarray(y)


def test_detach_shares_numbers_and_clone_copies_them(x):
    d, c = (x * 2).detach(), x.clone()
    assert d.is_leaf
    assert not d.requires_grad
    assert np.shares_memory(x.detach().numpy(), x.numpy())
    assert x.detach().name == "x"
    assert not np.shares_memory(c.numpy(), x.numpy())
    (c * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]
    assert x.copy().requires_grad


def test_astype_is_recorded_and_gives_the_gradient_its_own_dtype_back():
    x = leaf(1.0, 2.0, dtype="float32")
    y = x.astype("float64")
    assert y.dtype == "float64"
    (y * y).sum().backward()
    assert x.grad.dtype == "float32"
    assert x.grad.tolist() == [2.0, 4.0]
    n = x.astype(int)
    assert n.dtype == int
    assert not n.requires_grad
    assert x.astype(np.float32).requires_grad
    assert Tensor([1, 2]).astype(float).dtype == float


def test_astype_to_its_own_dtype_does_not_share_what_can_be_written():
    x = Tensor([1.0, 2.0])
    y = x.astype(float)
    with no_grad():
        y += 1
    assert (x.tolist() == [1.0, 2.0]) or y.data is x.data  # a copy, or the same numbers seen as one storage
    w = leaf(1.0, 1.0)
    z = (w * x).sum()
    y[0] = 50.0
    if x[0].item() == 50.0:
        with pytest.raises(RuntimeError, match="written"):
            z.backward()


# ---------------------------------------------------------------------------------------------------
# Printing


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Tensor(1.5), "Tensor(1.5)"),
        (lambda: Tensor([1, 2]), "Tensor([1, 2])"),
        (lambda: Tensor([True]), "Tensor([ True])"),
        (lambda: Tensor([1.0], dtype="float32"), "Tensor([1.], dtype=float32)"),
        (lambda: Tensor([]), "Tensor([])"),
        (lambda: leaf(1.0, 2.0), "Tensor([1., 2.], requires_grad=True)"),
        (lambda: leaf(1.0, name="w"), "Tensor([1.], requires_grad=True, name='w')"),
        (lambda: leaf(1.0, name="w") * 2, "Tensor([2.], op=multiply)"),
        (lambda: Tensor([1.0], name="c"), "Tensor([1.], name='c')"),
        (lambda: Tensor([[1.0, 2.0], [3.0, 4.0]]), "Tensor([[1., 2.],\n        [3., 4.]])"),
        (lambda: Tensor(np.float32(0.5)), "Tensor(0.5, dtype=float32)"),
    ],
)
def test_a_tensor_shows_its_values_type_name_and_operation(make, text):
    assert repr(make()) == text
    assert str(make()) == text
    assert f"{make()}" == text


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (Tensor(np.zeros((0, 3))), "Tensor([], shape=(0, 3))"),
        (Tensor(np.zeros((2, 0), "float32"), name="e"), "Tensor([], shape=(2, 0), dtype=float32, name='e')"),
        (Tensor([]), "Tensor([])"),
        (Tensor(0.1, dtype="float32"), "Tensor(0.1, dtype=float32)"),
        (Tensor(1 / 3, dtype="float16"), "Tensor(0.3333, dtype=float16)"),
        (Tensor(1 / 3), "Tensor(0.3333333333333333)"),
        (Tensor(np.array(True)), "Tensor(True)"),
        (Tensor(1 - 2j), "Tensor((1-2j), dtype=complex128)"),
    ],
)
def test_empty_tensors_show_their_shape_and_numbers_the_digits_they_have(t, text):
    assert repr(t) == text


def test_printing_many_numbers_is_short():
    assert len(repr(Tensor(np.zeros((1000, 1000))))) < 2000
    assert len(repr(tg.Tensor(np.zeros((100, 100)), requires_grad=True) @ np.zeros((100, 1)))) < 5000


def test_a_result_can_be_given_a_name(x):
    y = x * 2
    y.name = "twice"
    assert repr(y) == "Tensor([ 2., -4.,  6.], op=multiply, name='twice')"


def test_formatting_takes_one_number(x):
    loss = (x * x).mean()
    assert f"{loss:.3f}" == "4.667"
    assert f"{loss:8.2e}" == "4.67e+00"
    assert f"{Tensor(7):03d}" == "007"
    assert f"{Tensor([0.25]):.0%}" == "25%"
    with pytest.raises(TypeError, match=r"format '\.3f' takes one number, but 'x' has shape \(3,\)"):
        f"{x:.3f}"


@pytest.mark.parametrize(
    ("habit", "cure"),
    [
        (lambda t: t.view(3, 1), r"write t\.reshape\(shape\)"),
        (lambda t: t.to("float32"), r"write t\.astype\(dtype\)"),
        (lambda t: t.float(), r"write t\.astype\(np\.float32\)"),
        (lambda t: t.masked_fill(t > 1, 0.0), r"write np\.where\(mask, value, t\)"),
        (lambda t: t.chunk(3), r"write np\.array_split\(t, n\)"),
        (lambda t: t.norm(), r"write np\.linalg\.norm\(t\)"),
        (lambda t: t.numel(), r"write t\.size"),
        (lambda t: t.mul(2), r"write t \* other"),
        (lambda t: t.flip(0), r"write np\.flip\(t, …\)"),
        (lambda t: t.floor(), r"write np\.floor\(t\)"),
        (lambda t: t.outer(t), r"write np\.outer\(t, …\)"),
        (lambda t: t.isnan(), r"write np\.isnan\(t\)"),
        (lambda t: t.add_(1), r"with no_grad\(\):.*t \+= …"),
        (lambda t: t.zero_(), r"with no_grad\(\):.*t\[\.\.\.\] = …"),
        (lambda t: t.fill(0), r"with no_grad\(\):.*t\[\.\.\.\] = …"),
        (lambda t: t.cuda(), "leave it out"),
        (lambda t: t.contiguous(), "leave it out"),
        (lambda t: t.strides, r"write t\.numpy\(\)\.strides"),
    ],
)
def test_a_habit_from_elsewhere_is_told_what_it_is_called_here(habit, cure, x):
    with pytest.raises(AttributeError, match=f"a Tensor has no .*{cure}"):
        habit(x)


@pytest.mark.parametrize("name", sorted(HERE))
def test_what_a_habit_is_told_to_write_is_there(name):
    assert not hasattr(Tensor, name)
    written = HERE[name]
    t, other = leaf([1.0, 2.0], [3.0, 4.0]), leaf([1.0, 2.0], [3.0, 4.0])
    given = {
        "mask": t > 1,
        "condition": t > 1,
        "value": 0.0,
        "n": 2,
        "parts": 2,
        "shape": (4,),
        "axis": 1,
        "dtype": float,
    }
    given |= {"indices": np.array([[0], [1]]), "index": 0, "values": 1.0, "min": 0, "max": 1}
    given["shape"] = (2, 2, 2) if "broadcast" in written else (4,)
    eval(written, {"np": np, "tg": tg, "t": t, "other": other, **given})


def test_attributes_that_nobody_has_are_pythons_error(x):
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'shpae'") as caught:
        x.shpae  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("shpae", x)
    assert not hasattr(x, "_repr_html_")
    assert not hasattr(x, "__array_interface__")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.softmax(dim=1), r"softmax\(\) on a Tensor takes axis, not dim=; write axis="),
        (lambda t: t.log_softmax(dim=1), r"not dim=; write axis="),
        (lambda t: t.logsumexp(dim=1, keepdim=True), r"not dim=; write axis="),
        (lambda t: t.squeeze(dim=0), r"not dim=; write axis="),
        (lambda t: t.unsqueeze(dim=0), r"not dim=; write axis="),
        (lambda t: t.cumsum(dim=0), r"takes axis, dtype, out, not dim=; write axis="),
        (
            lambda t: t.sum(axis=0, keepdim=True),
            r"sum\(\) on a Tensor takes axis, dtype, out, keepdims, not keepdim=; write keepdims=",
        ),
        (lambda t: t.max(initial=0), r"not initial="),
        (lambda t: t.flatten(1), r"write t\.reshape\(len\(t\), -1\)"),
        (lambda t: t.flatten(start_dim=1), r"write t\.reshape\(len\(t\), -1\)"),
        (lambda t: t.clip(low=1), r"^clip\(\) on a Tensor takes a_min, a_max, .*, not low="),
        (lambda t: pow(t, 2, 5), r"t\*\*n % m"),
        (lambda t: t.__delitem__(0), r"np\.delete\(t, index, axis\)"),
    ],
)
def test_what_a_method_does_not_take_says_what_to_write(call, message, x):
    with pytest.raises(TypeError, match=message):
        call(x)


def test_methods_take_what_numpys_take(x):
    assert x.sum(dtype=np.float32).dtype == np.float32
    assert x.mean(dtype="float32").dtype == np.float32
    assert x.astype(np.float32, copy=False).dtype == np.float32
    assert x.flatten("C").tolist() == x.tolist()


def test_rounding(x):
    assert round(Tensor(2.567), 1).item() == 2.6
    assert round(Tensor(2.567)).item() == 3.0
    assert math.floor(Tensor(2.567)) == 2
    assert isinstance(round(x, 1), Tensor)


# ---------------------------------------------------------------------------------------------------
# In Python's own hands


def test_tensors_are_told_apart_by_identity_in_sets_and_dictionaries():
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    assert len({a, b, a}) == 2
    table = {a: "a", b: "b"}
    assert table[a] == "a"
    assert table[b] == "b"
    assert a in table
    assert a.detach() not in table
    assert hash(a) == hash(a)
    assert collections.Counter([a, b, a])[a] == 2
    assert dict.fromkeys([b, a, b]) == {b: None, a: None}


def test_equality_is_elementwise_and_identity_is_is():
    a = Tensor([1.0, 2.0])
    assert (a == a).tolist() == [True, True]
    assert (a == np.array([1.0, 3.0])).tolist() == [True, False]
    assert (a != 1).tolist() == [False, True]
    assert (a == [1.0, 3.0]).tolist() == [True, False]


@pytest.mark.parametrize("other", [None, "a", object(), {}, print])
def test_a_tensor_equals_nothing_but_numbers(other):
    t = Tensor(1.0)
    assert (t == other) is False
    assert (other == t) is False
    assert (t != other) is True
    assert t in [other, t]
    assert [other, t].index(t) == 1


def test_membership():
    t = Tensor([1.0, 2.0])
    assert 2.0 in t
    assert 3.0 not in t
    assert Tensor(1.0) in t
    scalars = [Tensor(1.0), Tensor(2.0)]
    assert Tensor(2.0) in scalars  # by value, as Python's floats
    with pytest.raises(ValueError, match="truth"):
        _ = Tensor([1.0, 2.0]) in [t]


def test_python_functions(x):
    a, b = Tensor(2.0, requires_grad=True), Tensor(5.0, requires_grad=True)
    total = sum([a, b, a])
    assert total.item() == 9.0
    total.backward()
    assert a.grad.item() == 2.0
    assert max(a, b) is b
    assert min([a, b]) is a
    assert sorted([b, a]) == [a, b]
    assert max(x).item() == 3.0
    assert abs(x).tolist() == [1.0, 2.0, 3.0]
    assert pow(a, 3).item() == 8.0
    assert [t.item() for t in divmod(b, a)] == [2.0, 1.0]
    assert math.prod([a, b]).item() == 10.0
    assert any(x > 2)
    assert not all(x > 2)
    assert [t.item() for t in reversed(x)] == [3.0, -2.0, 1.0]
    assert [(i, t.item()) for i, t in enumerate(x)] == [(0, 1.0), (1, -2.0), (2, 3.0)]


def test_iterating_and_unpacking_is_recorded(x):
    a, b, c = x
    (a * 2 + b * 3 + c * 5).backward()
    assert x.grad.tolist() == [2.0, 3.0, 5.0]
    m = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    assert [row.tolist() for row in m] == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    sum(row * k for k, row in enumerate(m)).sum().backward()
    assert m.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
    assert list(Tensor(np.zeros((0, 2)))) == []
    (first, *rest) = m
    assert len(rest) == 2
    assert first.shape == (2,)


def test_a_single_number_has_no_length_and_no_parts():
    t = Tensor(3.0, name="loss")
    with pytest.raises(TypeError, match="'loss' is a single number, and has no length"):
        len(t)
    with pytest.raises(TypeError, match="'loss' is a single number, and cannot be iterated"):
        iter(t)
    assert not np.iterable(t)
    assert np.iterable(Tensor([1.0]))


# ---------------------------------------------------------------------------------------------------
# Operators, with a tensor on either side

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "other", [np.array([3.0, 1.0, 2.0]), [3.0, 1.0, 2.0], 2, 2.5, np.float64(2.5), np.int64(2), np.array(2.0), True]
)
def test_binary_operators_take_arrays_lists_and_numbers_on_both_sides(f, other):
    a = np.array([1.0, 2.0, 4.0])
    t = leaf(*a)
    y, z = f(t, other), f(other, t)
    assert type(y) is type(z) is Tensor
    np.testing.assert_allclose(y.numpy(), f(a, np.asarray(other)))
    np.testing.assert_allclose(z.numpy(), f(np.asarray(other), a))
    assert y.dtype == f(a, 1.0).dtype
    assert y.is_leaf == z.is_leaf == (y.dtype == bool)


def test_an_array_on_the_left_gives_a_recorded_tensor():
    a, t = np.array([[1.0, 2.0], [3.0, 4.0]]), leaf(1.0, 2.0)
    for y in (a * t, a @ t, a + t, a - t, a / t, a**t):
        assert type(y) is Tensor
        assert y.requires_grad
        assert y.numpy().dtype == float
    (a @ t).sum().backward()
    assert t.grad.tolist() == [4.0, 6.0]
    b = np.ones(2)
    b = b * t
    assert isinstance(b, Tensor)


def test_unary_operators(x):
    assert (-x).tolist() == [-1.0, 2.0, -3.0]
    assert (+x).tolist() == x.tolist()
    assert abs(x).tolist() == [1.0, 2.0, 3.0]
    assert (~(x > 0)).tolist() == [False, True, False]


def test_masks_combine(x):
    a, b = x > 0, x < 2
    assert (a & b).tolist() == [True, False, False]
    assert (a | b).tolist() == [True, True, True]
    assert (a ^ b).tolist() == [False, True, True]
    assert (True & a).tolist() == a.tolist()
    assert (a & b).is_leaf
    assert not (a & b).requires_grad


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("scalar", [np.float64(2), np.float64(2).astype("float32"), np.int64(2), 2, 2.0, np.sqrt(3)])
def test_numpys_scalars_are_as_weak_as_pythons(dtype, scalar):
    h = Tensor(np.ones(3, dtype), requires_grad=True)
    for y in (
        h * scalar,
        scalar * h,
        h / scalar,
        scalar / h,
        h - scalar,
        h**scalar,
        scalar + h,
        np.multiply(scalar, h),
    ):
        assert y.dtype == dtype
        assert type(y) is Tensor
    with no_grad():
        h /= scalar
    assert h.dtype == dtype


def test_arrays_promote_as_in_numpy():
    h = Tensor(np.ones(3, "float32"), requires_grad=True)
    assert (h * np.ones(3)).dtype == "float64"
    assert (h * np.array(2.0)).dtype == "float64"
    assert (h * Tensor(2.0)).dtype == "float64"
    assert (h * np.arange(3)).dtype == "float64"
    assert (h * np.arange(3, dtype="int8")).dtype == "float32"
    assert (Tensor([1, 2]) * 2).dtype == "int64"
    assert (Tensor([1, 2]) / 2).dtype == "float64"
    assert (Tensor([1, 2]) * 2.5).dtype == "float64"


def test_one_tensor_with_a_list_of_tensors_raises_and_says_stack(x):
    with pytest.raises(RuntimeError, match=r"'x' is part of a graph.*np\.stack"):
        np.add(Tensor([1.0, 2.0]), [x, x])


# ---------------------------------------------------------------------------------------------------
# Methods


METHODS = {
    "sum": ("sum", {}), "sum of rows": ("sum", {"axis": 1}), "sum kept": ("sum", {"axis": (0, 1), "keepdims": True}),
    "prod": ("prod", {"axis": 0}), "mean": ("mean", {"axis": -1}), "max": ("max", {"axis": 0}), "min": ("min", {}),
    "var": ("var", {"axis": 0}), "std": ("std", {}), "argmax": ("argmax", {"axis": 1}), "argmin": ("argmin", {}),
    "cumsum": ("cumsum", {"axis": 0}), "cumprod": ("cumprod", {}), "ravel": ("ravel", {}), "flatten": ("flatten", {}),
    "trace": ("trace", {}), "diagonal": ("diagonal", {}), "round": ("round", {"decimals": 1}),
    "clip": ("clip", {"min": -0.5, "max": 0.5}), "repeat": ("repeat", {"repeats": 2, "axis": 1}),
    "take": ("take", {"indices": [0, 2], "axis": 1}), "any": ("any", {"axis": 0}), "all": ("all", {}),
    "argsort": ("argsort", {"axis": 0}), "copy": ("copy", {}), "squeeze": ("squeeze", {}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), METHODS.values(), ids=METHODS.keys())
def test_methods_are_those_of_an_array(name, settings, rng):
    a = rng.standard_normal((3, 3))
    t = Tensor(a, requires_grad=True)
    y, expected = getattr(t, name)(**settings), getattr(a, name)(**settings)
    assert type(y) is Tensor
    assert np.array_equal(y.numpy(), expected)
    assert y.dtype == expected.dtype
    assert y.is_leaf is not y.requires_grad


def test_methods_that_move_axes(rng):
    a = rng.standard_normal((2, 3, 4))
    t = Tensor(a, requires_grad=True)
    for y, expected in (
        (t.reshape(6, 4), a.reshape(6, 4)),
        (t.reshape((6, -1)), a.reshape(6, 4)),
        (t.reshape(-1), a.reshape(-1)),
        (t.transpose(), a.transpose()),
        (t.transpose(1, 0, 2), a.transpose(1, 0, 2)),
        (t.transpose((2, 0, 1)), a.transpose(2, 0, 1)),
        (t.permute(2, 0, 1), a.transpose(2, 0, 1)),
        (t.swapaxes(0, -1), a.swapaxes(0, -1)),
        (t.unsqueeze(1), a[:, None]),
        (t[:1].squeeze(0), a[0]),
    ):
        assert np.array_equal(y.numpy(), expected)
        assert y.requires_grad


def test_methods_of_networks_and_numbers(rng):
    a = np.abs(rng.standard_normal((2, 3))) + 0.5
    t = Tensor(a, requires_grad=True)
    for y, expected in (
        (t.exp(), np.exp(a)),
        (t.log(), np.log(a)),
        (t.sqrt(), np.sqrt(a)),
        (t.sin(), np.sin(a)),
        (t.cos(), np.cos(a)),
        (t.tanh(), np.tanh(a)),
        ((-t).abs(), a),
        (t.pow(2), a**2),
        (t.relu(), a),
        (t.sigmoid(), 1 / (1 + np.exp(-a))),
        (t.softmax(), np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)),
        (t.softmax(axis=0), np.exp(a) / np.exp(a).sum(axis=0)),
        (t.log_softmax(), a - np.log(np.exp(a).sum(axis=-1, keepdims=True))),
        (t.logsumexp(axis=1), np.log(np.exp(a).sum(axis=1))),
        (t.dot(a.T), a @ a.T),
        (t.matmul(a.T), a @ a.T),
    ):
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
        assert y.requires_grad
    assert [i.tolist() for i in Tensor([0, 3, 4]).nonzero()] == [[1, 2]]


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


# ---------------------------------------------------------------------------------------------------
# Copying and saving


def make_leaf():
    t = leaf(1.0, 2.0, name="w", dtype="float32")
    (t * t).sum().backward()
    return t


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t)), lambda t: pickle.loads(pickle.dumps(t, 2))],
    ids=["copy", "deepcopy", "pickle", "pickle 2"],
)
class TestCopies:
    def test_have_the_same_everything_in_memory_of_their_own(self, duplicate):
        t = make_leaf()
        c = duplicate(t)
        assert type(c) is Tensor
        assert c is not t
        assert c.tolist() == t.tolist()
        assert c.dtype == t.dtype
        assert c.name == "w"
        assert c.requires_grad
        assert c.is_leaf
        assert c.grad.tolist() == [2.0, 4.0]
        assert not np.shares_memory(c.numpy(), t.numpy())
        assert not np.shares_memory(c.grad.numpy(), t.grad.numpy())
        with no_grad():
            c += 1
            c.grad += 1
        assert t.tolist() == [1.0, 2.0]
        assert t.grad.tolist() == [2.0, 4.0]
        assert hash(c) != hash(t)

    def test_of_plain_integers_and_numbers(self, duplicate):
        for t in (Tensor([1, 2]), Tensor(3.5), Tensor(True), Tensor(np.zeros((0, 2)))):
            c = duplicate(t)
            assert c.tolist() == t.tolist()
            assert c.dtype == t.dtype
            assert c.shape == t.shape
            assert not c.requires_grad

    def test_of_results_raise(self, duplicate):
        h = make_leaf() * 2
        with pytest.raises(RuntimeError, match=r"the result of multiply was computed.*\.detach\(\).*\.clone\(\)"):
            duplicate(h)
        assert duplicate(h.detach()).tolist() == [2.0, 4.0]

    def test_of_a_gradient_that_was_recorded_keep_its_numbers(self, duplicate):
        t = leaf(2.0)
        (t**3).sum().backward(create_graph=True)
        c = duplicate(t)
        assert c.grad.tolist() == [12.0]
        assert c.grad.is_leaf

    def test_of_tied_tensors_stay_tied(self, duplicate):
        if duplicate is copy.copy:
            return
        t = make_leaf()
        pair = duplicate({"a": t, "b": [t]})
        assert pair["a"] is pair["b"][0]


def test_copies_do_not_recurse():
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + 1.0
    assert copy.deepcopy(y.detach()).tolist() == [5001.0]
    assert "5001" in repr(y)
    with pytest.raises(RuntimeError, match="only leaves"):
        copy.deepcopy(y)
    with pytest.raises(RuntimeError, match="only leaves"):
        pickle.dumps({"model": [y]})


def test_a_subclass_is_copied_as_one():
    class Special(Tensor):
        __slots__ = ()

    globals()["Special"] = Special
    Special.__qualname__ = "Special"
    try:
        t = Special([1.0], requires_grad=True, name="s")
        for c in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
            assert type(c) is Special
            assert c.requires_grad
        assert repr(t).startswith("Special(")
        assert type(t * 2) is Tensor
        with no_grad():
            t += 1
        assert type(t) is Special
    finally:
        del globals()["Special"]


# ---------------------------------------------------------------------------------------------------
# Public names


def test_the_public_names():
    for name in [
        "Tensor",
        "tensor",
        "zeros",
        "ones",
        "full",
        "arange",
        "linspace",
        "eye",
        "rand",
        "randn",
        "manual_seed",
        "no_grad",
        "grad",
        "value_and_grad",
        "jacobian",
        "hessian",
        "jvp",
        "vjp",
        "set_default_dtype",
    ]:
        assert hasattr(tg, name), name
    for name in [
        "no_grad",
        "enable_grad",
        "is_grad_enabled",
        "grad",
        "value_and_grad",
        "vjp",
        "jvp",
        "jacobian",
        "hessian",
        "hvp",
        "detect_anomaly",
        "checkpoint",
        "evaluate",
    ]:
        assert hasattr(tg.autograd, name), name
    assert [name for name in tg.__all__ if not hasattr(tg, name)] == []


def test_random_numbers_come_from_the_packages_generator():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 (the legacy state must not be touched)
    generator = tg.manual_seed(3)
    a = tg.rand(4).tolist()
    tg.manual_seed(3)
    assert tg.rand(4).tolist() == a
    assert isinstance(generator, np.random.Generator)
    tg.manual_seed(4)
    assert tg.rand(4).tolist() != a
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    with pytest.raises(TypeError, match=r"default_rng\(seed\)"):
        tg.rand(2, generator=7)
    from tinygrad_edu import random

    tg.manual_seed(5)
    state = random.get_state()
    first = tg.randn(3).tolist()
    own = random.generator()
    between = tg.randn(2).tolist()
    assert random.replaying(own, state, tg.randn, 3).tolist() == first
    second = tg.randn(3).tolist()
    random.set_state(state)
    assert [tg.randn(3).tolist(), tg.randn(2).tolist(), tg.randn(3).tolist()] == [first, between, second]
    with pytest.raises(ZeroDivisionError):
        random.replaying(own, state, lambda: [tg.randn(3), 1 / 0])
    assert random.get_state() != state


# -- as ndarray has it


def test_methods_take_what_ndarrays_take():
    x = Tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
    a = x.numpy()
    assert x.std(ddof=1).item() == pytest.approx(a.std(ddof=1))
    assert x.item(2) == a.item(2)
    assert x.item(1, 1) == a.item(1, 1)
    assert x.compress([False, True], axis=1).tolist() == a.compress([False, True], axis=1).tolist()
    assert x.conj().tolist() == x.conjugate().tolist() == a.tolist()
    assert Tensor([1, 0]).choose([x[0], x[1]]).tolist() == [2.0, 1.0]
    assert round(x * 1.23, 1).tolist() == np.round(a * 1.23, 1).tolist()
    assert a.clip(x.detach() - 1, 3).tolist() == a.clip(a - 1, 3).tolist()


def test_iterating_goes_back_in_linear_time():
    x = Tensor(np.ones((7, 2)), requires_grad=True)
    rows = list(x)
    assert len({id(row.inputs[0]) for row in rows}) == 1  # one node gives all rows
    sum(i * row.sum() for i, row in enumerate(rows)).backward()
    assert x.grad.tolist() == [[float(i)] * 2 for i in range(7)]


class Tagged(Tensor):
    """A tensor with attributes."""


def test_a_subclass_keeps_its_attributes_when_copied():
    t = Tagged([1.0, 2.0], requires_grad=True)
    t.tags = ["a"]
    for copied in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t)):
        assert type(copied) is Tagged
        assert (copied.tags, copied.tolist(), copied.requires_grad) == (["a"], [1.0, 2.0], True)
        assert copied.tags is not t.tags


def test_flatten_is_a_copy_that_may_be_written_as_numpy_s_is():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x.flatten()
    y *= 0
    assert x.tolist() == [[1, 2], [3, 4]]
    z = x.ravel()  # which shows the same memory
    z *= 2
    assert x.tolist() == [[2, 4], [6, 8]]
    w = leaf([1.0, 2.0], [3.0, 4.0])
    assert tg.grad((w.flatten() ** 2).sum(), w).tolist() == [[2, 4], [6, 8]]
