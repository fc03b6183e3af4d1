"""Modules: their members, names, modes, and what they say of what they do not have."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.nn.nets import Net
from tinygrad_edu import data, nn, optim
from tinygrad_edu.engine import graph
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init

# -- what a module finds -----------------------------------------------------------------------------


class Everything(nn.Module):
    """Members in every place that is looked at, some twice."""

    def __init__(self):
        self.first = nn.Linear(2, 2)
        self.scale = nn.Parameter(1.0)
        self.layers = [nn.Linear(2, 2, bias=False), (nn.ReLU(), {"deep": nn.Parameter([2.0, 3.0])})]
        self.shared = self.first
        self.again = self.scale
        self.mean = nn.Buffer([0.0])
        self.plain = tg.Tensor(1.0, requires_grad=True)
        self.number, self.text, self.strings = 3, "x", {"a", "b"}


def test_members_are_found_in_the_order_of_definition_each_once():
    module = Everything()
    assert [name for name, _ in module.named_parameters()] == [
        "first.weight", "first.bias", "scale", "layers.0.weight", "layers.1.1.deep",
    ]  # fmt: skip
    assert [name for name, _ in module.named_buffers()] == ["mean"]
    assert [name for name, _ in module.named_modules()] == ["", "first", "layers.0", "layers.1.0"]
    assert [name for name, _ in module.named_children()] == ["first", "layers.0", "layers.1.0"]
    assert list(module.children()) == [module.first, module.layers[0], module.layers[1][0]]
    assert next(module.modules()) is module
    assert list(module.parameters())[2] is module.scale
    assert list(module.buffers()) == [module.mean]


def test_children_are_direct():
    model = nn.Sequential(Net(), nn.ReLU())
    assert [name for name, _ in model.named_children()] == ["0", "1"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "0.hidden", "0.output", "1"]


def test_a_member_that_holds_its_parent_or_itself_ends():
    net = Net()
    net.hidden.parent = net
    net.list = [net.hidden]
    net.list.append(net.list)
    assert len(list(net.parameters())) == 4


def test_a_set_of_modules_has_no_order():
    module = Net()
    module.layers = {nn.ReLU()}
    with pytest.raises(TypeError, match="layers is a set, which has no order"):
        list(module.parameters())


def test_parameters_are_called_by_their_path():
    net = Net()
    assert net.hidden.weight.name is None
    list(net.parameters())
    assert net.hidden.weight.name == "hidden.weight"
    model = nn.Sequential(net)
    list(model.parameters())
    assert net.hidden.weight.name == "0.hidden.weight"
    own = nn.Parameter([1.0], name="W")
    net.own = own
    list(model.parameters())
    assert own.name == "W"
    assert copy.deepcopy(net.hidden.weight).name is None  # a copy has another place
    assert copy.deepcopy(own).name == "W"


def test_errors_name_the_parameter_and_the_module():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(2, 2))
    list(model.parameters())
    with pytest.raises(
        ValueError, match=r"^Sequential\.2: Linear\(2, 2\) takes x of shape \(…, 2\), but got \(5, 3\)"
    ) as caught:
        model(np.ones((5, 4), np.float32))
    assert caught.value.raised_in == "Sequential.2"
    assert "2.weight" in str(caught.value.__context__)
    with pytest.raises(ValueError, match=r"^Linear\(4, 3\) takes x"):  # which the caller called itself
        model[0](np.ones((5, 3), np.float32))
    loss = model[0](np.ones((5, 4), np.float32)).sum()
    with tg.no_grad():
        model[0].weight *= 2
    with pytest.raises(RuntimeError, match=r"'0\.weight' was written"):
        loss.backward()


def test_parameter_and_buffer():
    assert nn.Parameter([1.0]).requires_grad
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
    assert not nn.Buffer([1.0]).requires_grad
    assert not nn.Buffer([1.0]).requires_grad_(False).requires_grad
    with pytest.raises(TypeError, match="buffer, which is not learnt"):
        nn.Buffer([1.0]).requires_grad_()
    with pytest.raises(TypeError, match="only floating numbers"):
        nn.Parameter([1, 2])
    recorded = nn.Parameter([1.0]) * 2
    assert type(recorded) is tg.Tensor
    with pytest.raises(RuntimeError, match="part of a graph"):
        nn.Parameter(recorded)


def test_a_parameter_is_not_lost_to_a_plain_tensor():
    layer = nn.Linear(2, 2)
    with pytest.raises(
        TypeError, match=r"Linear.weight is a Parameter, and a plain ndarray in its place would drop out"
    ):
        layer.weight = layer.weight.numpy() * 2
    with pytest.raises(TypeError, match=r"Linear.weight is a Parameter, and a plain Tensor"):
        layer.weight = layer.weight - 0.1
    layer.weight = nn.Parameter(np.zeros((2, 2)))
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_an_unknown_attribute_names_the_near_ones():
    with pytest.raises(AttributeError, match=r"Linear has no attribute 'wieght'; did you mean weight\?"):
        nn.Linear(2, 2).wieght  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'qqqqq'$"):
        nn.Linear(2, 2).qqqqq  # noqa: B018
    assert not hasattr(nn.Linear(2, 2), "__nothing__")


def test_a_property_that_fails_says_why():
    class Net(nn.Module):
        @property
        def width(self):
            return self.hidden.out_features

    with pytest.raises(AttributeError, match="no attribute 'hidden'"):
        Net().width  # noqa: B018


def test_forward_must_be_written():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        Empty()(1.0)


METHODS = [name for name in dir(nn.Module) if name[0] != "_" and name != "training"]


def test_the_methods_of_a_module_are_known():
    assert {"modules", "parameters", "children", "forward", "train", "eval", "state_dict", "apply"} <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_not_lost_to_an_attribute(name):
    net = Net()
    for value in ([nn.Linear(2, 2)], nn.Linear(2, 2), nn.Parameter([1.0]), tg.Tensor(1.0), 3, {}, None):
        with pytest.raises(
            TypeError, match=rf"Net\.{name} is a method of every Module.* call the attribute otherwise: self\."
        ):
            setattr(net, name, value)
        with pytest.raises(TypeError, match=rf"Layer\.{name} is a method of every Module"):
            type("Layer", (nn.Module,), {name: [value]})
    assert len(list(net.parameters())) == 4
    function = getattr(net, name)
    setattr(net, name, lambda *args: function(*args))  # replaced on purpose
    assert type("Layer", (nn.Module,), {name: lambda self: None})


def test_the_message_names_what_to_call_it():
    with pytest.raises(TypeError, match=r"self\.layers = \.\.\."):
        Net().modules = []
    with pytest.raises(TypeError, match=r"self\.weights = \.\.\."):
        Net().parameters = []


def test_the_mode_is_not_lost_to_an_attribute():
    net = Net()
    for value in ([1], nn.ReLU(), "yes", None, tg.Tensor(1.0)):
        with pytest.raises(TypeError, match="training is the mode of every module, True or False"):
            net.training = value
    net.training = np.bool_(False)
    assert not net.training


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: nn.MSELoss("sum"), r"MSELoss\(\) takes reduction by name: write nn\.MSELoss\(reduction='sum'\)"),
        (lambda x: nn.HuberLoss("sum"), r"write nn\.HuberLoss\(reduction='sum'\)"),
        (lambda x: nn.CrossEntropyLoss("none"), r"write nn\.CrossEntropyLoss\(reduction='none'\)"),
        (lambda x: nn.BCELoss(size_average=False), "write reduction='mean', 'sum' or 'none'"),
        (lambda x: nn.Softmax(dim=1), r"takes axis=, not dim=: write nn\.Softmax\(axis=1\)"),
        (lambda x: nn.LogSoftmax(dim=0), r"write nn\.LogSoftmax\(axis=0\)"),
        (lambda x: nn.Tanh(inplace=True), "takes no inplace=: leave it out"),
        (lambda x: nn.ReLU(inplace=1), "ReLU's inplace is True or False, but got int 1"),
        (lambda x: nn.Dropout(0.5, "yes"), "Dropout's inplace is True or False, but got str 'yes'"),
        (lambda x: nn.Linear(2, 2, device="cpu"), "takes no device=: leave it out"),
        (
            lambda x: nn.RNN(4, 5, proj_size=3),
            r"RNN\(\) takes no proj_size=: only LSTM .* write nn\.LSTM\(…, proj_size=…\)",
        ),
        (lambda x: nn.GRU(4, 5, proj_size=3), r"GRU\(\) takes no proj_size=: only LSTM projects its states"),
        (lambda x: nn.Sigmoid(3), r"Sigmoid\(\) takes no arguments: write nn\.Sigmoid\(\)"),
        (lambda x: nn.ReLU(x), r"makes a layer, and takes no tensors; .* nn\.ReLU\(\)\(x\)"),
        (lambda x: nn.Softmax(x), r"nn\.Softmax\(\)\(x\)"),
        (lambda x: nn.Linear(x.numpy(), 3), r"nn\.Linear\(\)\(x\)"),
        (lambda x: nn.Sequential(x), r"nn\.Sequential\(\)\(x\)"),
        (lambda x: nn.MSELoss(x, x), r"nn\.MSELoss\(\)\(prediction, target\)"),
        (lambda x: nn.CrossEntropyLoss(x, [1, 0]), r"nn\.CrossEntropyLoss\(\)\(prediction, target\)"),
        (lambda x: type("Own", (nn.Module,), {})(3), r"Own\(\) takes no arguments: write Own\(\)"),
    ],
)
def test_what_a_layer_is_not_made_with_is_answered_with_what_to_write(make, message):
    with pytest.raises(TypeError, match=message):
        make(tg.Tensor(np.ones((2, 2))))


def test_what_a_layer_is_made_with_is_seen_from_its_signature():
    assert list(inspect.signature(nn.Linear).parameters)[:3] == ["in_features", "out_features", "bias"]
    assert not inspect.signature(nn.Tanh).parameters
    assert nn.CrossEntropyLoss(np.ones(3)).weight.shape == (3,)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'out_features'"):
        nn.Linear(2)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("cuda", "in the memory of this computer: leave it out"),
        ("load_state", r"write model\.load_state_dict\(state\)"),
        ("register_backward_hook", r"write model\.register_full_backward_hook\(hook\)"),
        ("summary", r"write nn\.summary\(model, shape_of_x\)"),
        ("fit", "write train.Trainer"),
    ],
)
def test_what_other_libraries_models_have_is_answered_with_what_to_write(name, cure):
    model = nn.Sequential(Net())
    with pytest.raises(AttributeError, match=f"Sequential has no attribute '{name}'; .*{cure}"):
        getattr(model, name)
    assert not hasattr(model, name)


@pytest.mark.parametrize(
    ("module", "name", "cure"),
    [
        (nn.utils, "clip_grad_norm", r"write clip_grad_norm_\(parameters, max_norm\)"),
        (nn, "CELU", "it is not here; Sequential takes functions too"),
        (nn, "Relu", r"did you mean ReLU\?"),
        (nn, "something", "it has .*BCELoss, "),
        (init, "he_normal", r"write kaiming_normal\(shape\)"),
        (init, "xavier_unifrom_", r"did you mean xavier_uniform"),
        (data, "DistributedSampler", r"write SubsetRandomSampler\("),
        (optim, "Muon", "write a subclass of Optimizer"),
        (F, "one_hot", r"write tg\.one_hot\(labels, classes\)"),
        (F, "mse_los", r"did you mean mse_loss"),
    ],
)
def test_what_is_called_otherwise_here_is_answered_with_what_to_write(module, name, cure):
    with pytest.raises(AttributeError, match=f"{module.__name__} has no {name}: .*{cure}"):
        getattr(module, name)
    with pytest.raises(ImportError, match=cure):
        exec(f"from {module.__name__} import {name}", {})
    assert not hasattr(module, name)


def test_modes_gradients_and_apply():
    net = nn.Sequential(Net(), nn.ReLU())
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    net(np.ones((1, 4), np.float32)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert net.requires_grad_(False) is net
    assert not net(np.ones((1, 4), np.float32)).requires_grad
    met = []
    net.apply(met.append)
    assert met == list(net.modules())


def test_a_layer_of_sequential_is_replaced():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    model[0] = nn.Linear(3, 4)
    model[-1] = nn.Tanh()
    assert [type(layer).__name__ for layer in model] == ["Linear", "Tanh"]
    assert [(name, p.shape) for name, p in model.named_parameters()] == [("0.weight", (3, 4)), ("0.bias", (4,))]
    with pytest.raises(IndexError):
        model[2] = nn.ReLU()
    with pytest.raises(TypeError, match="layer 0 is the class ReLU"):
        model[0] = nn.ReLU


# -- names of what outlives its module -------------------------------------------------------------------


def test_parameters_keep_the_names_that_they_had_in_a_module_that_is_gone():
    def leaves(y):
        return [x.name for node in graph.topological([y]) for x in node.inputs if isinstance(x, nn.Parameter)]

    x = np.ones((1, 3), np.float32)
    y = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))(x)
    assert leaves(y) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_layer_called_alone_keeps_the_name_that_the_model_gave():
    x, model = np.ones((1, 3), np.float32), nn.Sequential(nn.Linear(3, 2))
    model(x)
    layer = model[0]
    layer(x)
    assert layer.weight.name == "0.weight"
    twin = copy.deepcopy(layer)
    assert twin.weight.name is None
    twin(x)
    assert twin.weight.name == "weight"


def test_naming_records_nothing_anew():
    model, x = nn.Sequential(nn.Linear(3, 2)), np.ones((1, 3), np.float32)
    runs = []

    @tg.replay
    def step(x):
        runs.append(1)
        return model(x).sum()

    for _ in range(3):
        step(x)
        model[0](x)
        nn.Identity().edited = True  # so that the step looks whether its own model was
        step(x)
    assert len(runs) == 1
