"""Linear, Sequential, Flatten and the activations, with their options."""

from __future__ import annotations

import inspect
import math
import warnings

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.testing import gradcheck

# -- layers ------------------------------------------------------------------------------------------


def test_linear():
    rng = np.random.default_rng(0)
    layer = nn.Linear(3, 2, generator=rng, dtype="float64")
    x = rng.standard_normal((4, 5, 3))
    y = layer(tg.Tensor(x))
    np.testing.assert_allclose(y.numpy(), x @ layer.weight.numpy() + layer.bias.numpy())
    x = x.astype(np.float32)
    assert nn.Linear(3, 2, bias=False)(x).shape == (4, 5, 2)
    assert nn.Linear(3, 2)(x[0, 0]).shape == (2,)
    assert [op.name for op in (y.op, y.inputs[0].op)] == ["add", "matmul"]


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.BatchNorm1d(3)])
def test_float64_data_and_float32_weights_are_told_once_a_line(layer):
    data = np.arange(12.0).reshape(4, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            layer(data)
        nn.Sequential(layer, nn.ReLU())(tg.Tensor(data))
    assert [w.filename for w in caught] == [__file__] * 2
    assert "write x.astype(np.float32), or tg.set_default_dtype(np.float64)" in str(caught[0].message)
    layer(data.astype(np.float32))  # here a warning would raise
    double = type(layer)(*([3, 2] if isinstance(layer, nn.Linear) else [3]), dtype=float)
    double(data)
    double(data.astype(np.float32))


def test_linear_begins_within_one_over_root_n():
    layer = nn.Linear(100, 300, generator=np.random.default_rng(0))
    assert layer.weight.dtype == np.float32
    for p in layer.parameters():
        assert 0.09 < np.abs(p.numpy()).max() <= 0.1
    same = nn.Linear(100, 300, generator=np.random.default_rng(0))
    assert np.array_equal(layer.weight.numpy(), same.weight.numpy())
    assert [tg.manual_seed(3), nn.Linear(2, 2).weight.tolist()][1] == [
        tg.manual_seed(3),
        nn.Linear(2, 2).weight.tolist(),
    ][1]


def test_linear_refuses_sizes_that_are_none():
    with pytest.raises(ValueError, match="at least one input and one output, but got 0 and 2"):
        nn.Linear(0, 2)
    with pytest.raises(TypeError):
        nn.Linear(2.5, 2)


def test_sequential():
    first, second = nn.Linear(3, 4), nn.Linear(4, 2)
    model = nn.Sequential(first, np.tanh, second)
    x = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(model(x).numpy(), second(np.tanh(first(x))).numpy())
    assert (len(model), model[0], model[-1], list(model)[2]) == (3, first, second, second)
    assert len(model[1:]) == 2
    assert model.append(nn.ReLU()) is model
    assert len(model) == 4
    assert nn.Sequential()(x) is x
    named = nn.Sequential({"in": first, "out": second})
    assert [name for name, _ in named.named_parameters()] == ["in.weight", "in.bias", "out.weight", "out.bias"]
    same = nn.ReLU()
    assert len(nn.Sequential(same, same)) == 2
    for make in (lambda: nn.Sequential(3), lambda: model.append(3)):
        with pytest.raises(TypeError, match="modules and functions"):
            make()
    for make in (
        lambda: nn.Sequential([first]),
        lambda: nn.Sequential(x for x in [first]),
        lambda: model.append([first]),
    ):
        with pytest.raises(TypeError, match=r"(list|generator): write Sequential\(\*layers\)"):
            make()
    for make in (lambda: nn.Sequential(first, nn.ReLU), lambda: model.append(nn.ReLU)):
        with pytest.raises(TypeError, match=r"the class ReLU: write ReLU\(\)"):
            make()


def test_a_layer_without_a_result_is_named():
    class Forgot(nn.Module):
        def forward(self, x):
            x * 2

    with pytest.raises(TypeError, match="layer 1 of Sequential, Forgot, returned None; end its forward with `return`"):
        nn.Sequential(nn.ReLU(), Forgot(), nn.ReLU())(np.ones(2))


def test_a_sequential_may_have_further_members():
    class More(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 2))
            self.scale = nn.Parameter(2.0)

    assert [name for name, _ in More().named_parameters()] == ["0.weight", "0.bias", "scale"]


ACTIVATIONS = [
    (nn.ReLU(), lambda x: np.maximum(x, 0)),
    (nn.LeakyReLU(0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    (nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    (nn.GELU(), lambda x: np.array([t * (1 + math.erf(t / math.sqrt(2))) / 2 for t in x])),
    (nn.GELU("tanh"), lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
    (nn.SiLU(), lambda x: x / (1 + np.exp(-x))),
    (nn.Softplus(), lambda x: np.log1p(np.exp(x))),
    (nn.Softplus(2.0), lambda x: np.log1p(np.exp(2 * x)) / 2),
    (nn.Softplus(2.0, threshold=0.5), lambda x: np.where(2 * x > 0.5, x, np.log1p(np.exp(2 * x)) / 2)),
    (nn.Step(), lambda x: (x > 0) * 1.0),
    (nn.ReLU6(), lambda x: np.minimum(np.maximum(x, 0), 6)),
    (nn.Hardtanh(-1.0, 0.4), lambda x: np.clip(x, -1, 0.4)),
    (nn.Hardsigmoid(), lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    (nn.Hardswish(), lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    (nn.SELU(), lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    (nn.Mish(), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    (nn.Softsign(), lambda x: x / (1 + abs(x))),
    (nn.GLU(), lambda x: x[:2] / (1 + np.exp(-x[2:]))),
    (nn.PReLU(init=0.3, dtype=float), lambda x: np.where(x > 0, x, 0.3 * x)),
    (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    (nn.LogSigmoid(), lambda x: -np.log1p(np.exp(-x))),
    (nn.Tanh(), np.tanh),
    (nn.Softmax(0), lambda x: np.exp(x) / np.exp(x).sum()),
    (nn.LogSoftmax(0), lambda x: x - np.log(np.exp(x).sum())),
    (nn.Identity(), lambda x: x),
]


@pytest.mark.parametrize(
    ("module", "formula"), ACTIVATIONS, ids=lambda value: repr(value) if isinstance(value, nn.Module) else ""
)
def test_activations(module, formula):
    x = np.array([-2.0, -0.5, 0.3, 1.5])
    np.testing.assert_allclose(np.asarray(getattr(module(x), "data", module(x))), formula(x), rtol=1e-12)
    t = tg.Tensor(x, requires_grad=True)
    np.testing.assert_allclose(module(t).numpy(), formula(x), rtol=1e-12)
    gradcheck(module, [t])


FUNCTIONS = [kind for kind in vars(nn).values() if isinstance(kind, type) and issubclass(kind, Function)]


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_layer_has_the_options_of_its_function(kind):
    options = {p.name: p.default for p in inspect.signature(kind).parameters.values()}
    takes = list(inspect.signature(kind.function).parameters.values())
    given_to_forward = list(inspect.signature(kind.forward).parameters)[1:]
    named = [p for p in takes if p.name in given_to_forward]  # the others go by place
    takes = [p for p in takes if p not in named]
    inputs = len(given_to_forward) - len(named)
    given = {name: 1 for name, default in options.items() if default is inspect.Parameter.empty}
    given |= {"scale_factor": 2} if kind is nn.Upsample else {}  # which needs one of two
    layer = kind(**given)
    assert vars(layer) == options | given
    options.pop("inplace", None)  # which is not passed on
    assert options == {p.name: p.default for p in takes[inputs:] if p.name != "inplace"}
    shown = given if kind.__module__.endswith("pooling") else {**options, **given}  # which shows what is not as usual
    assert all(f"{name}={value!r}" in repr(layer) for name, value in shown.items() if value is not None)


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "leaky_relu", "elu", "selu", "silu", "mish", "hardtanh", "hardsigmoid", "hardswish"]
)
def test_in_place_is_accepted_and_changes_nothing(name):
    kind = next(kind for kind in FUNCTIONS if kind.function is getattr(F, name))
    for x in (np.array([-2.0, 0.5, 7.0]), tg.Tensor([-2.0, 0.5, 7.0], requires_grad=True)):
        before = np.array(getattr(x, "data", x))
        for y in (getattr(F, name)(x, inplace=True), kind(inplace=True)(x)):
            assert type(y) is type(x)
            assert np.array_equal(getattr(y, "data", y), kind()(before))
            assert y is not x
        assert np.array_equal(getattr(x, "data", x), before)
    assert "inplace" not in repr(kind(inplace=True))
    with pytest.raises(TypeError):
        getattr(F, name)(x, in_place=True)


def test_an_option_may_be_set_later_and_a_layer_of_one_s_own_keeps_its_way_to_be_made():
    layer = nn.LeakyReLU()
    layer.negative_slope = 0.5
    assert layer(np.array([-2.0])).tolist() == [-1.0]
    assert repr(layer) == "LeakyReLU(negative_slope=0.5)"
    for weight in (None, np.ones(3)):  # state, which repr leaves out
        loss = nn.CrossEntropyLoss(weight, reduction="sum")
        assert repr(loss) == "CrossEntropyLoss(reduction='sum', ignore_index=-100, label_smoothing=0.0)"

    class Wide(nn.HuberLoss):
        width: tg.Tensor

        def __init__(self, delta):
            self.delta = 2 * delta

    d = np.array([3.0])
    assert Wide(1.0)(d, 0 * d) == F.huber_loss(d, 0 * d, delta=2.0)

    class Power(Function):
        function = np.power
        exponent: float = 2.0

        def forward(self, x):
            return self.function(x, self.exponent)

    assert (Power(3.0)(2.0), repr(Power())) == (8.0, "Power(exponent=2.0)")


def test_flatten():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(tg.Tensor(x)).shape == (6, 4)
    assert nn.Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)
    with pytest.raises(ValueError, match="earlier to a later axis"):
        F.flatten(x, 2, 1)


def test_settings_of_layers_that_are_no_numbers():
    for make, words in (
        (lambda: nn.Linear("3", 2), r"Linear\(\) takes a whole number for in_features, but got '3'"),
        (lambda: nn.Linear(3, 2.0), r"Linear\(\) takes a whole number for out_features, but got 2\.0"),
        (lambda: nn.BatchNorm1d("3"), r"BatchNorm1d\(\) takes a whole number for num_features, but got '3'"),
        (lambda: nn.Dropout("a"), "Dropout's p is a number, but got str 'a'"),
        (lambda: F.dropout(np.ones(2), None), "dropout's p is a number, but got NoneType None"),
        (lambda: F.huber_loss(np.ones(2), np.ones(2), delta="1"), "delta is a number, but got str '1'"),
        (lambda: F.cross_entropy(np.ones((2, 2)), np.eye(2), label_smoothing="1"), "label_smoothing is a number"),
        (lambda: nn.Sequential(nn.Linear), r"the class Linear: write Linear\(in_features, out_features\)"),
        (lambda: nn.Sequential(nn.Dropout), r"the class Dropout: write Dropout\(\)"),
    ):
        with pytest.raises(TypeError, match=words):
            make()
