"""How a tensor is printed."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.elsewhere import HERE


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
