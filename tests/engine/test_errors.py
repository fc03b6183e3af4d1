"""Bad input: each error has the type that NumPy and PyTorch users expect, names the operation, the tensors by name,
their shapes, and says what to type; and it changes nothing."""

import functools
import inspect
import os
import pickle
import re
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from numpy.exceptions import AxisError
from numpy.linalg import LinAlgError

import tinygrad_edu as tg
from tinygrad_edu import Tensor, data, nn, no_grad, optim, train
from tinygrad_edu.engine import elsewhere, graph
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import is_grad_enabled, tracing
from tinygrad_edu.ops.network.softmax import softmax


@pytest.fixture
def tensors():
    """Named tensors with gradients already there, which every error must leave as they are."""
    made = {
        "x": Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True, name="x"),
        "w": Tensor(np.ones((4, 5)), requires_grad=True, name="w"),
        "v": Tensor([1.0, 2.0, 3.0], requires_grad=True, name="v"),
        "n": Tensor([1, 2], name="n"),
    }
    for t in made.values():
        if t.requires_grad:
            t.grad = np.full(t.shape, 7.0)
    before = {name: t.tolist() for name, t in made.items()}
    yield type("Tensors", (), made)
    for name, t in made.items():
        assert t.tolist() == before[name]
        assert t.grad is None or np.all(t.grad.numpy() == 7.0)
    assert is_grad_enabled()


# (what is written, the exception, what its message holds)
FORWARD = {
    "shapes that do not broadcast": (lambda s: s.x + s.w, ValueError, ["add", "x (2, 3)", "w (4, 5)", "broadcast"]),
    "an array that does not broadcast": (lambda s: s.x * np.ones(4), ValueError, ["multiply", "x (2, 3)", "(4,)"]),
    "an array on the left": (lambda s: np.ones(4) - s.x, ValueError, ["subtract", "(4,)", "x (2, 3)"]),
    "powers that do not broadcast": (lambda s: s.x**s.w, ValueError, ["power", "x (2, 3)", "w (4, 5)"]),
    "matrices that do not fit": (lambda s: s.x @ s.w, ValueError, ["matmul", "x (2, 3)", "w (4, 5)"]),
    "a matrix times a number": (lambda s: s.x @ 2.0, ValueError, ["matmul", "x (2, 3)"]),
    "dot": (lambda s: np.dot(s.x, s.w), ValueError, ["x (2, 3)", "w (4, 5)"]),
    "einsum": (lambda s: np.einsum("ij,jk", s.x, s.w), ValueError, ["einsum", "x (2, 3)", "w (4, 5)", "ij,jk"]),
    "tensordot": (lambda s: np.tensordot(s.x, s.w), ValueError, ["tensordot", "x (2, 3)", "w (4, 5)"]),
    "an axis that is not there": (lambda s: np.sum(s.x, axis=5), AxisError, ["sum", "x (2, 3)", "axis=5"]),
    "an axis of a mean": (lambda s: s.x.mean(axis=-3), AxisError, ["mean", "x (2, 3)", "axis=-3"]),
    "an axis twice": (lambda s: np.sum(s.x, axis=(0, 0)), ValueError, ["sum", "x (2, 3)", "duplicate"]),
    "an axis of a maximum": (lambda s: s.x.max(axis=7), AxisError, ["max", "x (2, 3)", "axis=7"]),
    "an axis of a variance": (lambda s: np.var(s.x, axis=4), AxisError, ["var", "x (2, 3)", "axis=4"]),
    "an axis of a product": (lambda s: np.prod(s.x, axis=4), AxisError, ["prod", "x (2, 3)", "axis=4"]),
    "an axis of a running sum": (lambda s: np.cumsum(s.x, axis=3), AxisError, ["cumsum", "x (2, 3)", "axis=3"]),
    "an axis of a sort": (lambda s: np.sort(s.x, axis=3), AxisError, ["sort", "x (2, 3)", "axis=3"]),
    "an axis of a softmax": (lambda s: softmax(s.x, axis=4), AxisError, ["softmax", "x (2, 3)", "axis=4"]),
    "the maximum of nothing": (lambda s: np.max(s.v[:0]), ValueError, ["max", "(0,)", "zero-size"]),
    "a shape of another size": (lambda s: s.x.reshape(7), ValueError, ["reshape", "x (2, 3)", "size 6"]),
    "two unknown lengths": (lambda s: s.x.reshape(-1, -1), ValueError, ["reshape", "x (2, 3)", "unknown"]),
    "axes for another rank": (lambda s: np.transpose(s.x, (0,)), ValueError, ["transpose", "x (2, 3)", "axes"]),
    "concatenated shapes": (lambda s: np.concatenate([s.x, s.w]), ValueError, ["concatenate", "x (2, 3)", "w (4, 5)"]),
    "stacked shapes": (lambda s: np.stack([s.x, s.w]), ValueError, ["stack", "x (2, 3)", "w (4, 5)"]),
    "an unequal split": (lambda s: np.split(s.x, 5), ValueError, ["split", "x (2, 3)", "equal"]),
    "squeezing a long axis": (lambda s: np.squeeze(s.x, 0), ValueError, ["squeeze", "x (2, 3)"]),
    "broadcasting to another shape": (lambda s: np.broadcast_to(s.x, (5,)), ValueError, ["broadcast_to", "x (2, 3)", "(5,)"]),
    "an index out of bounds": (lambda s: s.x[5], IndexError, ["getitem", "x (2, 3)", "5"]),
    "too many indices": (lambda s: s.x[0, 0, 0], IndexError, ["getitem", "x (2, 3)", "too many indices"]),
    "an array of indices out of bounds": (lambda s: s.v[[0, 9]], IndexError, ["getitem", "v (3,)", "9"]),
    "a mask of another shape": (lambda s: s.v[np.array([True, False])], IndexError, ["getitem", "v (3,)"]),
    "where": (lambda s: np.where(s.x > 0, s.x, s.w), ValueError, ["where", "x (2, 3)", "w (4, 5)"]),
    "bits of floating numbers": (lambda s: s.x & s.x, TypeError, ["bitwise_and", "x (2, 3)"]),
    "not of floating numbers": (lambda s: ~s.x, TypeError, ["invert", "x (2, 3)"]),
    "a matrix that is not square": (lambda s: np.linalg.inv(s.x), LinAlgError, ["inv", "x (2, 3)", "square"]),
    "a singular matrix": (lambda s: np.linalg.inv(s.w[:2, :2] * 0), LinAlgError, ["inv", "(2, 2)", "ingular"]),
    "a string": (lambda s: s.v + "a", TypeError, ["add", "str 'a'"]),
    "None": (lambda s: s.v * None, TypeError, ["multiply", "NoneType"]),
    "a set": (lambda s: s.v * {1, 2}, TypeError, ["multiply", "set {1, 2}"]),
    "no inputs": (lambda s: tg.exp(), TypeError, ["exp", "1 input", "0"]),
    "too few inputs": (lambda s: tg.multiply(s.x), TypeError, ["multiply", "2 inputs", "1"]),
    "too many inputs": (lambda s: tg.multiply(s.x, s.x, None, 1), TypeError, ["multiply", "3 arguments", "4"]),
    "an unknown option": (lambda s: tg.sum(s.x, axes=1), TypeError, ["sum", "axis, dtype, out, keepdims", "not axes=", "write axis="]),
    "a mean along dim": (lambda s: s.x.mean(dim=0), TypeError, ["mean", "not dim=", "write axis="]),
    "a variance along dim": (lambda s: s.x.std(dim=0), TypeError, ["std", "dim", "axis="]),
    "keepdims where ndarray has dtype": (lambda s: s.x.sum(0, True), TypeError, ["sum()", "dtype=True", "write keepdims=True by name"]),
    "a join along dim": (lambda s: tg.concatenate([s.x, s.x], dim=1), TypeError, ["concatenate()", "not dim=", "write axis="]),
    "an unbiased variance": (lambda s: s.x.var(unbiased=True), TypeError, ["var()", "not unbiased=", "correction=1"]),
    "axes of a product": (lambda s: np.matmul(s.x, s.x, axes=[(0, 1)] * 3), TypeError, ["matmul()", "not axes=", "np.moveaxis"]),
    "a join of nothing": (lambda s: tg.concatenate(), TypeError, ["concatenate()", "arrays"]),
    "an option of another function": (lambda s: np.linalg.pinv(s.x, hermitian=True), TypeError, ["pinv()", "rcond", "not hermitian="]),
    "what to do about matrices": (lambda s: s.x @ s.w, ValueError, ["last axis of the first (3)", "second (4)", ".mT"]),
    "what to do about shapes": (lambda s: s.x + s.w, ValueError, ["equal or 1, counted from the last axis", "expand_dims"]),
    "an index as it is written": (lambda s: s.x[1:, None, 0, 0], IndexError, ["getitem(x (2, 3), [1:, None, 0, 0])"]),
    "an index of words": (lambda s: s.v["a"], IndexError, ["getitem of v (3,)", "str 'a'"]),
    "an element of the ravelled tensor": (lambda s: s.x.take(9), IndexError, ["take of x (2, 3)", "index 9"]),
    "columns first": (lambda s: s.x.flatten("F"), ValueError, ["row by row", "order='F'", "x.T"]),
    "weights of a histogram": (lambda s: np.histogram([0, 1, 1], weights=s.v), TypeError, ["np.histogram", "'v'", "tg.scatter_add"]),
    "weights of a count, by position": (lambda s: np.bincount([0, 1, 1], s.v), TypeError, ["np.bincount", "'v'", "tg.scatter_add"]),
    "a hook that is no function": (lambda s: s.v.register_hook(3), TypeError, ["register_hook", "int 3"]),
    "no such method": (lambda s: s.x.relu6(), AttributeError, ["relu6"]),
    "a type that is none": (lambda s: s.x.astype("float33"), TypeError, ["float33"]),
    "a type of no numbers": (lambda s: s.x.astype(str), TypeError, ["astype", "x (2, 3)", "numbers"]),
    "a complex type": (lambda s: s.x.astype(complex), TypeError, ["astype", "complex"]),
}  # fmt: skip


@pytest.mark.parametrize(("f", "exception", "words"), FORWARD.values(), ids=FORWARD.keys())
def test_an_error_going_forward_names_the_operation_the_tensors_and_their_shapes(f, exception, words, tensors):
    with pytest.raises(exception) as caught:
        f(tensors)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("f", [f for f, _, _ in FORWARD.values()], ids=FORWARD.keys())
def test_plain_tensors_raise_the_same_types(f, tensors):
    recorded, plain = _exception(f, tensors), type("Plain", (), {})
    for name in "xwvn":
        setattr(plain, name, getattr(tensors, name).detach())
    if not any(word in str(recorded) for word in ("complex", "weights", "register_hook")):  # which plain tensors may
        assert type(_exception(f, plain)) is type(recorded)


def _exception(f, tensors):
    try:
        f(tensors)
    except Exception as error:
        return error
    raise AssertionError("no error")


BACKWARD = {
    "several numbers": (
        lambda s: (s.x * 2).backward(),
        RuntimeError,
        r"backward\(\) starts from a single number, but the result of multiply has shape \(2, 3\); write \.mean\(\) or \.sum\(\) first, or pass a gradient",
    ),
    "several numbers by name": (lambda s: s.x.backward(), RuntimeError, r"but 'x' has shape \(2, 3\)"),
    "no numbers": (lambda s: s.v[:0].backward(), RuntimeError, r"single number.*\(0,\)"),
    "several numbers in grad": (lambda s: grad(s.x * 2, s.x), RuntimeError, r"grad\(\) starts from a single number.*\(2, 3\)"),
    "a gradient of another shape": (
        lambda s: (s.v * 2).backward(np.ones(2)),
        ValueError,
        r"gradient passed to backward\(\) has shape \(2,\), but the result of multiply has shape \(3,\)",
    ),
    "a gradient that would broadcast": (lambda s: s.v.backward(1.0), ValueError, r"shape \(\), but 'v' has shape \(3,\)"),
    "a complex gradient": (lambda s: s.v.backward(np.ones(3) * 1j), TypeError, r"gradient passed to backward\(\) holds complex128, but 'v' holds float64"),
    "a gradient of words": (lambda s: s.v.sum().backward("one"), TypeError, r"gradient passed to backward\(\) holds <U3"),
    "a gradient of another shape in grad": (lambda s: grad(s.v * 2, s.v, np.ones(2)), ValueError, r"passed to grad\(\) has shape \(2,\)"),
    "a plain tensor": (lambda s: s.n.sum().backward(), RuntimeError, r"plain tensor: make the leaves with requires_grad=True"),
    "a plain tensor by name": (lambda s: s.n.backward(), RuntimeError, r"backward\(\) got 'n', which does not depend"),
    "a detached tensor": (lambda s: s.v.detach().sum().backward(), RuntimeError, r"requires_grad=True, and compute it outside no_grad\(\)"),
    "a mask": (lambda s: (s.v > 1).any().backward(), RuntimeError, r"result of any, which does not depend.*any has no derivative"),
    "an index": (lambda s: s.v.argmax().backward(), RuntimeError, r"argmax has no derivative"),
    "an order": (lambda s: s.v.argsort()[0].backward(), RuntimeError, r"does not depend on a tensor that requires a gradient"),
    "whole numbers": (lambda s: s.v.astype(int).sum().backward(), RuntimeError, r"does not depend on a tensor that requires a gradient"),
    "complex numbers": (lambda s: np.abs(s.v * 1j).sum().backward(), TypeError, r"multiply made complex numbers of 'v'.*real and imaginary parts"),
    "a gradient by a plain tensor": (lambda s: grad(s.v.sum(), s.n), RuntimeError, r"'n', which does not require one; write requires_grad=True"),
    "a gradient by an array": (lambda s: grad(s.v.sum(), np.ones(3)), TypeError, r"by tensors, but got ndarray.*requires_grad=True"),
    "a gradient by a number": (lambda s: grad(s.v.sum(), 3.0), TypeError, r"by tensors, but got float"),
    "a gradient of a number": (lambda s: grad(3.0, s.v), TypeError, r"differentiates tensors, but got float"),
    "a gradient of an array": (lambda s: grad([s.v.sum(), np.ones(1)], s.v), TypeError, r"differentiates tensors, but got ndarray"),
    "an unused tensor": (lambda s: grad(s.v.sum(), s.x), RuntimeError, r"no path from the outputs to 'x'; pass allow_unused=True"),
    "grad_outputs of another number": (lambda s: grad([s.v.sum()], s.v, [1.0, 2.0]), ValueError, r"1 outputs and 2 grad_outputs"),
}  # fmt: skip


@pytest.mark.parametrize(("f", "exception", "pattern"), BACKWARD.values(), ids=BACKWARD.keys())
def test_an_error_going_backward_says_what_was_seen_and_what_to_type(f, exception, pattern, tensors):
    with pytest.raises(exception, match=pattern):
        f(tensors)


def test_backward_inside_no_grad_on_what_was_not_recorded(tensors):
    with no_grad():
        loss = (tensors.x * 2).sum()
        with pytest.raises(RuntimeError, match=r"outside no_grad\(\)"):
            loss.backward()


LEAVES = {
    "a whole number": (lambda: Tensor(100, requires_grad=True), TypeError, r"int64; write 100\. with a point, or dtype=float"),
    "whole numbers by name": (lambda: Tensor([1, 2], requires_grad=True, name="k"), TypeError, r"'k' is int64; write numbers with a point"),
    "a truth": (lambda: Tensor(True, requires_grad=True), TypeError, r"only floating numbers.*bool; write numbers with a point"),
    "a truth asked later": (lambda: Tensor([True]).requires_grad_(), TypeError, r"only floating numbers.*bool"),
    "whole numbers asked later": (lambda: setattr(Tensor([1], name="k"), "requires_grad", True), TypeError, r"'k' is int64"),
    "complex numbers": (lambda: Tensor(1j, requires_grad=True), TypeError, r"complex numbers are not differentiated.*complex128.*real and imaginary"),
    "words": (lambda: Tensor("abc"), TypeError, r"a Tensor holds numbers, but got an array of <U3 from str 'abc'"),
    "nothing": (lambda: Tensor(None), TypeError, r"holds numbers.*object from NoneType"),
    "objects": (lambda: Tensor([None, 1.0]), TypeError, r"holds numbers.*object from list"),
    "a dictionary": (lambda: Tensor({}), TypeError, r"holds numbers.*dict"),
    "a date": (lambda: Tensor(np.array(["2020-01-01"], "M8[D]")), TypeError, r"holds numbers.*datetime64"),
    "a record": (lambda: Tensor(np.zeros(2, [("a", float)])), TypeError, r"holds numbers"),
    "rows of different lengths": (lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, r"inhomogeneous"),
    "no data": (lambda: Tensor(), TypeError, r"data"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "exception", "pattern"), LEAVES.values(), ids=LEAVES.keys())
def test_what_cannot_be_a_leaf_raises_and_says_why(make, exception, pattern):
    with pytest.raises(exception, match=pattern):
        make()


def test_only_leaves_are_told_whether_to_require_a_gradient(tensors):
    h = tensors.v * 2
    assert h.requires_grad_() is h
    with pytest.raises(RuntimeError, match=r"the result of multiply was computed.*only a leaf.*\.detach\(\)"):
        h.requires_grad_(False)
    with tracing(), pytest.raises(RuntimeError, match="only a leaf"):
        (tensors.v.argmax() * 1.0).requires_grad_()


def test_errors_keep_numpys_own_as_their_context(tensors):
    with pytest.raises(ValueError, match="add") as caught:
        _ = tensors.x + tensors.w
    assert type(caught.value.__context__) is ValueError
    assert "could not be broadcast" in str(caught.value.__context__)
    assert caught.value.__suppress_context__  # it says nothing more


def test_an_error_whose_type_takes_no_message_is_raised_as_it_is():
    class Picky(Exception):
        def __init__(self, a, b):
            super().__init__(a, b)

    @op(symbol="f", vjp=(lambda g, y, x: g,))
    def picky(x):
        raise Picky(1, 2)

    with pytest.raises(Picky):
        picky(Tensor([1.0]))


def test_a_leaf_without_a_name_is_called_by_its_shape():
    with pytest.raises(RuntimeError, match=r"no path from the outputs to a Tensor of shape \(2, 2\)"):
        grad(Tensor(1.0, requires_grad=True) * 1, Tensor(np.ones((2, 2)), requires_grad=True))


# -- rules at fault: an op of one's own


def faulty(rule, **declaration):
    @op(symbol="f", vjp=(rule,), **declaration)
    def f(x):
        return x * 2

    return f


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_of_the_wrong_shape_raises_and_names_the_op(create_graph):
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    for f, words in (
        (
            faulty(lambda g, y, x: np.sum(g)),
            r"rule 0 of f returned shape \(\) for an input of shape \(2, 3\).*broadcasts=True",
        ),
        (faulty(lambda g, y, x: g.T), r"rule 0 of f returned shape \(3, 2\)"),
        (
            faulty(lambda g, y, x: np.sum(g), broadcasts=True),
            r"rule 0 of f returned shape \(\) for an input of shape \(2, 3\)",
        ),
    ):
        with pytest.raises(RuntimeError, match=words):
            f(x).sum().backward(create_graph=create_graph)
        assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_of_the_wrong_dtype_raises_instead_of_being_cast(create_graph):
    x = Tensor(np.ones(2, "float32"), requires_grad=True)
    wide = faulty(lambda g, y, x: g * np.array([2.0, 2.0]))
    with pytest.raises(RuntimeError, match="rule 0 of f returned float64 for an input of float32"):
        wide(x).sum().backward(create_graph=create_graph)
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_that_returns_no_array_or_takes_other_arguments_is_named(create_graph):
    x = Tensor([1.0, 2.0], requires_grad=True)
    for rule, words in (
        (lambda g, y, x: [g], r"rule 0 of f returned list .*a rule returns an array.*shape \(2,\)"),
        (lambda g, y, x: None, "rule 0 of f returned NoneType None"),
        (lambda g, y: g, r"rule 0 of f is called with g, y, 1 input; but .*takes 2 positional arguments but 3"),
    ):
        with pytest.raises(TypeError, match=words):
            faulty(rule)(x).sum().backward(create_graph=create_graph)
        assert x.grad is None


def test_an_error_inside_a_rule_says_which_rule_and_where():
    A = Tensor(np.zeros((2, 2)), requires_grad=True, name="A")
    with pytest.raises(LinAlgError) as caught:
        np.linalg.slogdet(A)[1].backward()
    assert "rule 0 of slogdet: the gradient of 'A', shape (2, 2)" in caught.value.__notes__[0]
    with tg.detect_anomaly(), pytest.raises(LinAlgError) as caught:
        np.linalg.slogdet(A)[1].backward()
    assert "test_errors.py" in caught.value.__notes__[0]


def test_a_faulty_declaration_raises_at_once():
    for vjp in (3, (3,), "g"):
        with pytest.raises(TypeError, match="vjp= takes a tuple"):
            op(vjp=vjp)(lambda x: x)
    with pytest.raises(TypeError, match="declared over a function, but got int"):
        op(vjp=None)(3)


def test_a_forward_that_gives_no_array_is_named():
    rule = (lambda g, y, *inputs: g,)
    x = Tensor([1.0, 2.0], requires_grad=True)
    given = {"a list": lambda x: [1.0, 2.0], "nothing": lambda x: None, "words": lambda x: "x"}
    for forward in given.values():
        forward.__name__ = "wrong"
        with pytest.raises(
            TypeError, match=r"the forward function of wrong returns an array, but got (list|NoneType|str)"
        ):
            op(vjp=rule)(forward)(x)

    def times(x, k):
        return x * k

    with pytest.raises(
        TypeError, match="of times computed a Tensor, from a setting that is one; vjp= has a rule for each input"
    ):
        op(vjp=rule)(times)(x, x)
    assert op(vjp=rule)(times)(x, 3.0).tolist() == [3.0, 6.0]


def test_a_partial_function_and_one_of_no_module_are_declared():
    def scale(x, k):
        return x * k

    x = Tensor([1.0, 2.0], requires_grad=True)
    thrice = op(vjp=(lambda g, y, x, *, k: g * k,))(functools.partial(scale, k=3))
    thrice(x).sum().backward()
    assert (thrice.name, x.grad.tolist()) == ("scale", [3.0, 3.0])
    scale.__module__ = None
    assert op(vjp=(lambda g, y, x, *, k: g * k,))(scale)(x, k=2).tolist() == [2.0, 4.0]


def test_one_of_several_results_is_called_by_the_op_that_gave_them(tensors):
    values = np.linalg.eigh(tensors.x @ tensors.x.T)[0]
    assert "op=eigh" in repr(values)
    with pytest.raises(RuntimeError, match="but the result of eigh has shape"):
        values.backward()


def test_a_shape_is_said_once():
    """A leaf without a name is called by its shape, so that the shape is not said again."""
    leaf = Tensor([1.0, 2.0], requires_grad=True)
    for ask in (leaf.item, leaf.backward, lambda: float(leaf), lambda: f"{leaf:.2f}", lambda: grad(leaf, leaf)):
        with pytest.raises(
            (ValueError, RuntimeError, TypeError), match=r", but got a Tensor of shape \(2,\); "
        ) as caught:
            ask()
        assert str(caught.value).count("(2,)") == 1


def test_a_result_of_several_that_was_freed_is_called_by_its_shape():
    values = np.linalg.eigh(Tensor(np.eye(2), requires_grad=True))[0].sum()
    largest = np.linalg.eigh(Tensor(np.eye(2), requires_grad=True))[0]
    (values + largest.sum()).backward(retain_graph=False)
    with pytest.raises(RuntimeError, match=r"the graph of a Tensor of shape \(2,\) was freed"):
        largest.backward(np.ones(2))


def test_what_a_function_without_return_gives_is_no_tensor():
    with pytest.raises(TypeError, match="NoneType None; does the function that made it end with `return`"):
        Tensor(None)
    for several in ({1, 2}, (x for x in range(3)), {"a": 1}.keys()):
        with pytest.raises(TypeError, match=r"; write list\(…\)$"):
            Tensor(several)


def test_writing_a_leaf_names_it():
    v = Tensor([1.0, 2.0], requires_grad=True, name="v")
    with no_grad():
        with pytest.raises(IndexError, match=r"assigning into 'v', shape \(2,\): index 7"):
            v[7] = 1.0
        with pytest.raises(
            ValueError, match=r"in-place add on 'v', float64 of shape \(2,\).*broadcast.*write v = v \+"
        ):
            v += np.ones((3, 3))
    assert v.tolist() == [1.0, 2.0]


def test_what_evaluate_and_value_and_grad_take(tensors):
    for call, words in (
        (lambda: evaluate(3.0), "a tensor or a list of them, but got float 3.0"),
        (lambda: evaluate(tensors.v * 2, tensors.v), r"as \{tensor: array\}, but got Tensor"),
        (lambda: tg.value_and_grad(np.sin, argnums="b"), "position of an argument, or a tuple, but got 'b'"),
        (lambda: tg.hessian(np.sum, [1.0, 2.0]), r"hessian\(\) takes one input.*np.array"),
        (lambda: tg.hvp(np.sum, [tensors.v], [tensors.v]), r"hvp\(\) takes one input"),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_a_derivative_that_has_become_constant():
    x = Tensor(3.0, requires_grad=True, name="x")
    second = grad(grad(x**2, x, create_graph=True), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"has become constant, its own derivative is 0: pass allow_unused=True"):
        grad(second, x)
    assert grad(second, x, allow_unused=True) is None
    assert grad([second, x * 5], x, allow_unused=True).item() == 5.0


def test_a_forward_that_fails_leaves_nothing_behind(tensors):
    @op(symbol="f", vjp=(lambda g, y, x: g,))
    def fails(x):
        raise ArithmeticError("too hard")

    with pytest.raises(ArithmeticError, match=r"fails\(v \(3,\)\): too hard"):
        fails(tensors.v)


# -- freed and stale graphs, and evaluating, by name


def test_a_freed_graph_is_named(tensors):
    loss = (tensors.v * tensors.v).sum()
    loss.name = "loss"
    kept, tensors.v.grad = tensors.v.grad, None
    loss.backward(retain_graph=False)
    tensors.v.grad = kept
    for again in (loss.backward, lambda: grad(loss, tensors.v), lambda: evaluate(loss)):
        with pytest.raises(
            RuntimeError, match=r"graph of 'loss' was freed.*compute it again, or leave out retain_graph=False"
        ):
            again()  # fmt: skip


def test_a_stale_graph_is_named_before_anything_is_freed_or_written():
    w, x = Tensor([2.0], requires_grad=True, name="w"), Tensor([3.0], requires_grad=True, name="x")
    y = (w * x).sum()
    with no_grad():
        w += 1.0
    for retain in (False, True):
        with pytest.raises(RuntimeError, match="'w' was written after multiply had used it"):
            y.backward(retain_graph=retain)
        assert y.inputs
        assert w.grad is None
        assert x.grad is None


@pytest.mark.parametrize("call", [
    lambda t: t.numpy().__setitem__(0, 1.0), lambda t: (t * 1).data.__setitem__(0, 1.0),
])  # fmt: skip
def test_what_is_read_only_stays_as_it_was(call, tensors):
    with pytest.raises(ValueError, match="read-only"):
        call(tensors.v)


# -- declaring an op, and names that are not here -------------------------------------------------------


def test_an_op_without_its_parentheses_and_a_rule_without_its_comma():
    with pytest.raises(TypeError, match=r"write @op\(vjp=\(lambda g, y, x: …,\)\) above cube"):

        @op
        def cube(x):
            return x**3

    with pytest.raises(
        TypeError, match=r"vjp= of cube is a single rule, not a tuple of them; write vjp=\(rule,\), with a comma"
    ):

        @op(vjp=lambda g, y, x: g * 3 * x**2)
        def cube(x):
            return x**3

    @op(vjp=lambda i, g, y, *xs: g)
    def total(*xs):
        return sum(xs)


MISSING = {
    "cat": r"write tg\.concatenate\(tensors, axis\)", "mm": "write tg.matmul", "clamp": r"write tg\.clip\(x, min, max\)",
    "float32": r"write np\.float32", "long": r"write np\.int64", "from_numpy": r"write tg\.Tensor\(array\)",
    "save": "write train.save_checkpoint", "load": "write train.load_checkpoint", "cuda": "leave it out", "device": "leave it out",
    "softmx": "did you mean softmax", "add_": "with no_grad", "bincount": r"^tinygrad_edu has no bincount", "view": "reshape",
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_a_name_that_the_package_does_not_have_says_what_to_write(name):
    with pytest.raises(AttributeError, match=MISSING[name]) as caught:
        getattr(tg, name)
    assert caught.value.name == name


@pytest.mark.parametrize("name", elsewhere.NAMES)
def test_what_it_says_to_write_is_there(name):
    """Each name of the package, of NumPy and of its generators that an answer names exists."""
    assert name not in tg.__all__
    for path in re.findall(
        r"\b(?:tg|np|nn)\.[\w.]+", elsewhere.NAMES[name].replace("random.default_rng()", "random.Generator")
    ):
        thing = {"tg": tg, "np": np, "nn": tg.nn}[path.partition(".")[0]]
        for part in path.removesuffix(".").split(".")[1:]:
            thing = getattr(thing, part)


def called_like_a_class():
    """Each module of the rooms that answer for missing names, whose own name is that of a class in lower case."""
    for room in (nn, optim, data, data.transforms, train, train.callbacks):
        for name in sorted(vars(room)):
            thing, known = getattr(room, name), [x for x in room.__all__ if x.lower() == name != x]
            if inspect.ismodule(thing) and thing.__name__ == f"{room.__name__}.{name}" and known:
                yield pytest.param(room, thing, known, id=thing.__name__)


@pytest.mark.parametrize(("room", "page", "known"), [*called_like_a_class()])
def test_a_module_that_is_called_names_the_class_that_was_meant(room, page, known):
    written = " or ".join(f"{room.__name__.rpartition('.')[2]}.{name}(…)" for name in known)
    with pytest.raises(TypeError, match=re.escape(f"{page.__name__} is a module; write {written}")):
        page([], lr=0.1)
    assert all(getattr(room, name).__name__.lower() == page.__name__.rpartition(".")[2] for name in known)


def test_attributes_that_python_asks_for_are_missing_as_ever():
    assert not hasattr(tg, "__wrapped__")
    assert not hasattr(tg, "_repr_html_")


# -- figures from the package's own name ----------------------------------------------------------------


def test_draw_is_found_when_it_is_named():
    import viz

    assert tg.draw is viz.draw
    assert tg.draw_backward is viz.draw_backward
    assert "draw" in dir(tg)
    loaded = "import sys, tinygrad_edu; assert 'viz' not in sys.modules"
    subprocess.run([sys.executable, "-c", loaded], check=True)


@pytest.mark.parametrize("name", ["viz.py", "viz/__init__.py", "viz/other.py"])
def test_another_viz_in_the_way_is_named(tmp_path, name):
    """A file of the user's called viz, and a package of that name whose files lie about."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("", encoding="utf-8")
    code = "import sys; sys.path.insert(0, sys.argv[1])\nimport tinygrad_edu as tg\ntg.draw"
    root = str(Path(tg.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment)
    if name == "viz/other.py":  # no package: ours is found behind it
        assert ran.returncode == 0, ran.stderr
        return
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tg.draw is in the package viz that tinygrad_edu brings")
    assert str(file) in last
    assert "rename that file" in last


# -- tracebacks ------------------------------------------------------------------------------------------

SHAPES = """
import sys
import numpy as np
import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn


class Net(nn.Module):
    def __init__(self):
        self.body = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x):
        return self.body(x)


model, x = Net(), np.ones((4, 3), np.float32)
a, b = tg.Tensor(x, requires_grad=True), tg.Tensor(x)
{}
"""
MISTAKES = {
    "model(x)": "ValueError: Net.body.2: Linear(4, 2) takes x of shape (…, 4), but got (4, 5)",
    "nn.Linear(3, 2)(np.ones((4, 7), np.float32))": "ValueError: Linear(3, 2) takes x of shape (…, 3), but got (4, 7)",
    "a @ b": "ValueError: matmul((4, 3), (4, 3)): ",
    "np.matmul(a, b)": "ValueError: matmul((4, 3), (4, 3)): ",
    "a + np.ones(5)": "ValueError: add((4, 3), (5,)): ",
    "a.reshape(5)": "ValueError: reshape((4, 3), shape=5): ",
    "np.concatenate([a, b.T])": "ValueError: concatenate((4, 3), (3, 4), axis=0): ",
    "np.einsum('ij,jk->ik', a, b)": "ValueError: einsum((4, 3), (4, 3), equation='ij,jk->ik'): ",
    "a.sum(axis=7)": "numpy.exceptions.AxisError: sum((4, 3), axis=7, keepdims=False): ",
    "a[9]": "IndexError: getitem((4, 3), [9]): ",
    "F.mse_loss(a, np.ones(3))": "ValueError: mse_loss got a prediction of shape (4, 3) and a target of shape (3,)",
    "F.cross_entropy(a, np.array([0, 1, 2, 5]))": "IndexError: softmax_cross_entropy((4, 3), (4,)",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_shape_error_is_short_and_ends_in_the_answer(mistake):
    assert_short(mistake, MISTAKES[mistake])


def assert_short(mistake, answer):
    """The traceback of a mistake is short, ends in the answer, and tells of no other error."""
    ran = subprocess.run([sys.executable, "-c", SHAPES.format(mistake)], capture_output=True, text=True)
    lines = ran.stderr.rstrip().splitlines()
    assert lines[-1].startswith(answer)
    assert len(lines) <= 15
    assert "During handling" not in ran.stderr
    assert "direct cause" not in ran.stderr


class Wrong(tg.nn.Module):
    def __init__(self, f):
        self.f = f

    def forward(self, x):
        return self.f(x)


def test_a_mistake_in_the_reader_s_own_forward_shows_their_lines_alone():
    def mine(x):
        return x.missing_name

    with pytest.raises(AttributeError) as caught:
        tg.nn.Sequential(Wrong(mine))(np.ones(3, np.float32))
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert files.count(__file__) == 3  # this test, forward, mine
    assert caught.value.__notes__[0].startswith("raised in Sequential.0: Wrong")


def test_a_mistake_of_the_package_keeps_its_frames(monkeypatch):
    monkeypatch.setattr("tinygrad_edu.nn.linear.F.linear", eval(compile("lambda *a: None + 1", graph.__file__, "eval")))
    with pytest.raises(TypeError) as caught:
        tg.nn.Sequential(tg.nn.Linear(3, 2))(np.ones(3, np.float32))
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any(file.endswith("linear.py") for file in files)


def test_all_frames_on_request(monkeypatch):
    monkeypatch.setenv("TINYGRAD_EDU_TRACEBACK", "full")
    with pytest.raises(ValueError, match=r"^Sequential\.0: ") as caught:
        tg.nn.Sequential(tg.nn.Linear(3, 2))(np.ones(4, np.float32))
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any(file.endswith("linear.py") for file in files)


# -- blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [tg.no_grad, tg.enable_grad, tg.autograd.tracing, tg.detect_anomaly])
def test_a_block_without_its_parentheses(block):
    name = block.__name__
    with pytest.raises(TypeError, match=rf"write `with {name}\(\):`, with parentheses"), block:
        pass
    with block():
        pass
    assert block(lambda: 3)() == block()(lambda: 3)() == 3
    assert pickle.loads(pickle.dumps(block)) is block
    assert inspect.signature(block.__wrapped__).parameters == {}
    assert repr(block) == f"<{name}>"


def test_no_grad_decorates_with_and_without_parentheses():
    x = Tensor([1.0], requires_grad=True)

    @tg.no_grad
    def f(x):
        return x * 2

    assert not f(x).requires_grad
    assert (x * 2).requires_grad


# -- what other libraries take ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tg.zeros, tg.ones, tg.rand, tg.randn, tg.eye, tg.tensor, tg.arange, tg.zeros_like])
def test_where_numbers_are_is_left_out(make):
    with pytest.raises(TypeError, match=rf"{make.__name__}\(\) takes no device=: leave it out"):
        make(3, device="cpu")
    with pytest.raises(TypeError, match="unexpected keyword argument 'divice'"):
        make(3, divice="cpu")


def test_an_import_of_another_library_s_name_says_what_to_write():
    with pytest.raises(ImportError, match=r"tinygrad_edu has no cat; write tg\.concatenate"):
        from tinygrad_edu import cat  # noqa: F401
    with pytest.raises(AttributeError):
        tg.cat  # noqa: B018
    assert not hasattr(tg, "cat")


def test_grad_of_a_function_says_how_a_function_is_differentiated():
    with pytest.raises(TypeError, match=r"got function; write grad\(f\(x\), x\), or value_and_grad\(f\)\(x\)"):
        grad(lambda x: x, Tensor(1.0, requires_grad=True))


@pytest.mark.parametrize("value", [3, "no", None, [1.0]])
def test_what_requires_a_gradient_is_told_by_a_truth(value):
    t = Tensor(1.0)
    for ask in (lambda: setattr(t, "requires_grad", value), lambda: t.requires_grad_(value)):
        with pytest.raises(TypeError, match="requires_grad is True or False, but got"):
            ask()
    assert not t.requires_grad
    t.requires_grad = np.True_
    assert t.requires_grad


def test_uneven_lists_are_told_what_to_do():
    for make in (tg.Tensor, tg.tensor):
        with pytest.raises(ValueError, match="rows of an array have one length: fill the short ones up"):
            make([[1.0], [1.0, 2.0]])


def test_a_written_weight_is_told_when_to_read_the_graph():
    """A weight is called by its place, which cannot be typed: no advice is made of it."""
    model = tg.nn.Sequential(tg.nn.Linear(3, 2))
    loss = model(np.ones((4, 3), np.float32)).sum()
    with no_grad():
        model[0].weight[...] = 0.0
    with pytest.raises(RuntimeError, match=r"or go backward and draw before the write") as caught:
        loss.backward()
    assert "0.weight =" not in str(caught.value)


BACKWARD_MISTAKES = {
    "import pandas as pd; tg.data.DataLoader((pd.DataFrame({'a': ['u']}), x[:1]))": "TypeError: TensorDataset: column 'a' holds str 'u'",
    "(a * 2).backward()": "RuntimeError: backward() starts from a single number",
    "b.sum().backward()": "RuntimeError: backward() got a Tensor of shape ()",
    "y = (a * a).sum(); y.backward(retain_graph=False); y.backward()": "RuntimeError: the graph of the result of sum was freed",
    "y = (a * a).sum(); tg.no_grad().run(a.__setitem__, 0, 1.0); y.backward()": "RuntimeError: a Tensor of shape (4, 3) was written",
    "tg.hessian(lambda x: x * x, a)": "RuntimeError: the derivative starts from a single number",
    "tg.value_and_grad(lambda x: x * x)(a)": "RuntimeError: ",
    "tg.jacobian(lambda x: x @ x, a)": "ValueError: matmul((4, 3), (4, 3)): ",
}


@pytest.mark.parametrize("mistake", BACKWARD_MISTAKES)
def test_a_mistake_going_backward_or_in_data_is_short_and_ends_in_the_answer(mistake):
    assert_short(mistake, BACKWARD_MISTAKES[mistake])
