"""Modules, layers, losses and initial weights."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import math
import operator
import pickle
import textwrap
import threading
import warnings
import weakref

import joblib
import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim
from tinygrad_edu.engine import graph
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import SCOPE, tracing
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.function import Function
from tinygrad_edu.ops.losses import softmax_cross_entropy
from tinygrad_edu.testing import gradcheck, gradgradcheck


class Net(nn.Module):
    def __init__(self, rng=None):
        self.hidden = nn.Linear(4, 3, generator=rng)
        self.output = nn.Linear(3, 2, generator=rng)

    def forward(self, x):
        self.x = x
        self.out = self.output(F.relu(self.hidden(x)))
        return self.out


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
        ("to", "in the memory of this computer: leave it out; .* tg.set_default_dtype"),
        ("cuda", "in the memory of this computer: leave it out"),
        ("double", r"write tg\.set_default_dtype\(np\.float64\) before making it"),
        ("load_state", r"write model\.load_state_dict\(state\)"),
        ("register_buffer", r"write self\.name = nn\.Buffer\(array\)"),
        ("fit", "write the loop"),
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
        (nn, "ModuleList", r"a list will do: self\.layers = \["),
        (nn, "ModuleDict", "a dict will do"),
        (nn, "utils", r"for clip_grad_norm_, write\n    ps = "),
        (nn, "LSTM", "it is not here yet; write it as a Module"),
        (nn, "Conv2d", "it is not here yet"),
        (nn, "Relu", r"did you mean ReLU\?"),
        (nn, "something", "it has BCELoss, "),
        (init, "xavier_uniform_", r"write w\.data = nn\.init\.xavier_uniform\(w\.shape\)"),
        (init, "ones_", r"write w\.data = nn\.init\.constant\(w\.shape, 1\.0\)"),
        (data, "DistributedSampler", r"write SubsetRandomSampler\("),
        (optim, "LBFGS", "write a subclass of Optimizer"),
        (optim.lr_scheduler, "ReduceLROnPlateau", r'group\["lr"\] \*= 0\.1'),
        (optim.lr_scheduler, "OneCycleLR", r"LambdaLR\(optimizer, lambda t: \.\.\.\)"),
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


def test_the_cures_work():
    w = nn.Parameter(np.zeros((2, 3)))
    w.data = nn.init.xavier_uniform(w.shape)
    w.data = nn.init.constant(w.shape, 1.0)
    model, limit = nn.Linear(2, 2), 0.5
    model(np.full((3, 2), 9.0, np.float32)).sum().backward()
    with pytest.raises(AttributeError) as caught:
        nn.utils  # noqa: B018
    exec(textwrap.dedent(str(caught.value).partition("write\n")[2]), {"model": model, "limit": limit})
    norm = sum((p.grad.numpy() ** 2).sum() for p in model.parameters()) ** 0.5
    np.testing.assert_allclose(norm, limit, rtol=1e-4)
    assert model.weight.grad.dtype == np.float32


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


def test_repr_is_a_tree():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2, bias=False), nn.Softmax()))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(4, 3)\n"
        "  (1): ReLU()\n"
        "  (2): Sequential(\n"
        "    (0): Linear(3, 2, bias=False)\n"
        "    (1): Softmax(axis=-1)\n"
        "  )\n"
        ")"
    )

    class Named(nn.Module):
        def __init__(self):
            self.inner = nn.ReLU()

        def extra_repr(self):
            return "width=3"

    assert repr(Named()) == "Named(\n  width=3\n  (inner): ReLU()\n)"


# -- state -------------------------------------------------------------------------------------------


def test_state_is_copied_both_ways():
    a, b = Net(), Net()
    state = a.state_dict()
    before = state["hidden.weight"].copy()
    a.hidden.weight.data[...] = 7
    assert np.array_equal(state["hidden.weight"], before)
    b.load_state_dict(state)
    state["hidden.weight"][...] = 9
    assert np.array_equal(b.hidden.weight.numpy(), before)


def test_tied_weights_stay_tied():
    class Tied(nn.Module):
        def __init__(self):
            self.a = nn.Linear(2, 2)
            self.b = nn.Linear(2, 2)
            self.b.weight = self.a.weight

    model, other = Tied(), Tied()
    assert list(model.state_dict()) == ["a.weight", "a.bias", "b.bias"]
    model.load_state_dict(other.state_dict())
    assert model.b.weight is model.a.weight
    assert np.array_equal(model.b.weight.numpy(), other.a.weight.numpy())
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model.b))):
        assert all(isinstance(p, nn.Parameter) for p in copied.parameters())
    copied = copy.deepcopy(model)
    assert copied.b.weight is copied.a.weight
    assert copied.a.weight is not model.a.weight


def test_a_state_that_does_not_fit_changes_nothing_and_names_every_fault():
    net = Net()
    before = net.state_dict()
    state = net.state_dict()
    del state["output.bias"]
    state["hidden.weight"] = np.ones((9, 9))
    state["hidden.bias"] = np.ones(3, complex)
    state["extra"] = np.ones(1)
    with pytest.raises(ValueError, match="does not fit Net, which is unchanged") as caught:
        net.load_state_dict(state)
    for fault in (
        r"missing: output.bias (2,)",
        r"not expected: extra (1,)",
        r"hidden.weight: expected shape (4, 3), but got (9, 9)",
        r"hidden.bias: expected float32, but got complex128",
    ):
        assert fault in str(caught.value)
    assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())
    with pytest.raises(TypeError, match="takes a mapping"):
        net.load_state_dict("model.npz")
    with pytest.raises(ValueError, match="but got object"):
        net.load_state_dict({**before, "output.bias": np.array([None, None])})


def test_a_weight_in_pytorch_s_layout_is_called_transposed():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3))
    state = {key: array.T for key, array in model.state_dict().items()}
    with pytest.raises(
        ValueError,
        match=r"0\.weight: expected shape \(4, 3\), but got \(3, 4\), which is transposed, as PyTorch keeps it: write state\['0\.weight'\] = state\['0\.weight'\]\.T$",
    ):
        model.load_state_dict(state)
    state["0.weight"] = state["0.weight"].T
    model.load_state_dict(state)  # a square one cannot be seen
    with pytest.raises(ValueError, match=r"but got \(5, 4\)$"):
        model.load_state_dict({**state, "0.weight": np.ones((5, 4))})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_model_that_holds_ops_is_copied_and_pickled(duplicate):
    model = nn.Sequential(nn.Linear(2, 2), F.relu, functools.partial(F.softmax, axis=0), np.tanh, twice)
    model.act = tg.exp
    twin = duplicate(model)
    assert (twin[1], twin[2].func, twin[4], twin.act) == (F.relu, tg.softmax, twice, tg.exp)
    x = np.ones((3, 2), np.float32)
    assert np.array_equal(twin(x).numpy(), model(x).numpy())


def test_every_op_and_composite_is_pickled_by_its_name():
    for name, f in {**OPS, **COMPOSITES}.items():
        for duplicate in (copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))):
            assert duplicate(f) is f, name
    other = copy.copy(F.relu)  # one to change
    other.rules = ()
    assert F.relu.rules


@op(symbol="2·", vjp=(lambda g, y, x: 2 * g,))
def twice(x):
    """y = 2x."""
    return 2 * x


thrice = op(vjp=(lambda g, y, x: 3 * g,))(lambda x: 3 * x)
mine = op(vjp=(lambda g, y, x: g,), name="relu")(lambda x: x)


def test_an_op_of_one_s_own_is_pickled_by_its_name_in_its_module():
    assert pickle.loads(pickle.dumps([twice, thrice, mine])) == [twice, thrice, mine]

    @op(vjp=(lambda g, y, x: g,))
    def inside(x):
        return x

    with pytest.raises(
        pickle.PicklingError, match=r"<op inside> is pickled by its name, .* declare it at the top of a module"
    ):
        pickle.dumps(inside)
    assert copy.deepcopy([inside])[0] is inside


def test_an_op_that_is_not_there_when_it_is_unpickled_is_named(monkeypatch):
    packed = pickle.dumps(twice)
    monkeypatch.delitem(globals(), "twice")
    with pytest.raises(pickle.UnpicklingError, match="the op 'twice' was pickled by its name, and is not in"):
        pickle.loads(packed)
    packed = pickle.dumps(F.relu)
    monkeypatch.delitem(OPS, "relu")
    with pytest.raises(pickle.UnpicklingError, match="no op 'relu' is declared"):
        pickle.loads(packed)


def test_models_pass_to_joblib_s_workers():
    model = nn.Sequential(nn.Linear(2, 2), F.relu)
    x = np.ones((3, 2), np.float32)
    with joblib.Parallel(n_jobs=2, backend="loky") as workers:
        results = workers(joblib.delayed(F.relu)(x * i) for i in (-1, 1))
        (twin,) = workers([joblib.delayed(operator.itemgetter(slice(None)))(model)])
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    assert np.array_equal(results, [0 * x, x])
    assert twin[1] is F.relu
    assert np.array_equal(twin(x).numpy(), model(x).numpy())


def test_loading_is_a_write_that_graphs_notice():
    net = Net()
    loss = net(np.ones((1, 4), np.float32)).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="was written after"):
        loss.backward()


def test_members_of_one_name_are_refused():
    module = Net()
    module.tables = {"a.b": nn.Parameter([1.0]), "a": {"b": nn.Parameter([2.0])}}
    with pytest.raises(ValueError, match=r"both called 'tables\.a\.b'"):
        module.state_dict()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copying_after_a_call_leaves_the_graph_behind(duplicate):
    net = Net()
    y = net(tg.Tensor(np.ones((2, 4), np.float32)))
    y.sum().backward()
    copied = duplicate(net)
    assert copied.out.op is None
    assert net.out.op is not None
    assert np.array_equal(copied.out.numpy(), y.numpy())
    assert np.array_equal(copied(np.ones((2, 4), np.float32)).numpy(), y.numpy())
    assert not np.shares_memory(copied.hidden.weight.data, net.hidden.weight.data)
    assert np.array_equal(copied.hidden.bias.grad.numpy(), net.hidden.bias.grad.numpy())


# -- calls -------------------------------------------------------------------------------------------


def test_nodes_know_the_call_they_were_made_in():
    net = Net()
    model = nn.Sequential(net, nn.ReLU())
    x = np.ones((2, 4), np.float32)
    y = model(x)
    assert (y.scope.kind, y.scope.path, repr(y.scope)) == ("ReLU", "1", "Sequential.1")
    add = y.inputs[0]
    assert (add.scope.kind, add.scope.path, add.scope.module) == ("Linear", "0.output", net.output)
    assert add.scope.parent.module is net
    assert add.scope.parent.parent.module is model
    assert add.scope.parent.parent.parent is None
    assert repr(add.scope.parent.parent) == "Sequential"
    assert add.inputs[0].scope is add.scope  # both ops of one call
    assert net(x).scope.parent.parent is None
    assert net.hidden(x).scope is not net.hidden(x).scope  # two calls are two boxes
    assert (tg.Tensor(1.0, requires_grad=True) * 2).scope is None


def test_a_call_keeps_how_ops_are_recorded():
    with tg.no_grad():
        assert not Net()(np.ones((1, 4), np.float32)).requires_grad
    with tracing():
        assert nn.ReLU()(tg.ones(2)).scope.kind == "ReLU"


def test_a_call_that_raises_ends_its_scope():
    with pytest.raises(ValueError, match="takes x of shape"):
        Net()(np.ones((1, 5), np.float32))
    assert SCOPE.get() is None


def test_scopes_are_of_a_thread():
    seen = []

    class Wait(nn.Module):
        def forward(self):
            thread = threading.Thread(target=lambda: seen.append(SCOPE.get()))
            thread.start()
            thread.join()

    Wait()()
    assert seen == [None]


def test_a_model_that_keeps_its_results_is_no_cycle():
    gc.collect()
    gc.disable()
    try:
        net = Net()
        y = net(np.ones((1, 4), np.float32))
        gone = weakref.ref(net)
        del net
        assert gone() is None
        assert y.scope.module is None
        assert y.scope.path == ""
    finally:
        gc.enable()


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
    inputs = len(inspect.signature(kind.forward).parameters) - 1
    given = {name: 1 for name, default in options.items() if default is inspect.Parameter.empty}
    layer = kind(**given)
    assert vars(layer) == options | given
    options.pop("inplace", None)  # which is not passed on
    assert options == {p.name: p.default for p in takes[inputs:] if p.name != "inplace"}
    shown = {**options, **given}
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


# -- initial weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "std"),
    [
        (init.xavier_uniform, math.sqrt(2 / 500)),
        (init.xavier_normal, math.sqrt(2 / 500)),
        (init.kaiming_uniform, math.sqrt(2 / 400)),
        (init.kaiming_normal, math.sqrt(2 / 400)),
        (lambda shape, **how: init.normal(shape, 0.0, 0.01, **how), 0.01),
        (lambda shape, **how: init.uniform(shape, -1, 1, **how), 1 / math.sqrt(3)),
    ],
)
def test_spread_of_initial_weights(make, std):
    w = make((400, 100), generator=np.random.default_rng(0))
    assert w.dtype == np.float32
    assert abs(w.mean()) < 0.02 * std
    assert abs(w.std() / std - 1) < 0.02
    assert make((2, 2), dtype="float64").dtype == np.float64
    assert np.array_equal(w, make((400, 100), generator=np.random.default_rng(0)))


def test_constant_weights_and_fans():
    assert init.zeros((2,)).tolist() == [0, 0]
    assert init.constant((2,), 0.5).tolist() == [0.5, 0.5]
    assert init.fans((16, 3, 5, 5)) == (75, 400)
    with pytest.raises(ValueError, match="two axes or more"):
        init.xavier_normal((3,))
    with pytest.raises(TypeError, match="Generator"):
        init.normal((3,), generator=3)


@pytest.mark.parametrize(
    ("activation", "std", "low", "high"),
    [
        (lambda x: 1 / (1 + np.exp(-x)), 1.0, 0.35, 0.5),  # saturated at 0 and 1
        (lambda x: 1 / (1 + np.exp(-x)), 0.01, 0.0, 0.02),  # all alike
        (np.tanh, math.sqrt(1 / 100), 0.3, 0.7),  # Xavier: kept
        (F.relu, math.sqrt(2 / 100), 0.5, 1.2),  # He: kept
        (F.relu, 0.01, 0.0, 1e-3),  # died out
    ],
)
def test_hidden_activations_by_initialization(activation, std, low, high):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 100))
    for _ in range(5):
        x = activation(x @ init.normal((100, 100), 0, std, generator=rng, dtype=float))
    assert low <= x.std() <= high


# -- losses of numbers -------------------------------------------------------------------------------

NUMBERS = [
    (F.mse_loss, nn.MSELoss, {}, lambda d: d**2),
    (F.l1_loss, nn.L1Loss, {}, np.abs),
    (F.huber_loss, nn.HuberLoss, {"delta": 0.5}, lambda d: np.where(abs(d) <= 0.5, d * d / 2, 0.5 * (abs(d) - 0.25))),
    (F.smooth_l1_loss, nn.SmoothL1Loss, {"beta": 0.5}, lambda d: np.where(abs(d) < 0.5, d * d, abs(d) - 0.25)),
]


@pytest.mark.parametrize(("function", "module", "options", "formula"), NUMBERS)
def test_losses_of_numbers(function, module, options, formula):
    rng = np.random.default_rng(0)
    y, t = rng.standard_normal((2, 4, 3))
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x)):
        loss = function(y, t, reduction=reduction, **options)
        np.testing.assert_allclose(loss, reduce(formula(y - t)))
        assert np.array_equal(module(reduction=reduction, **options)(y, t), loss)
    gradcheck(
        lambda a, b: function(a, b, **options), [tg.Tensor(y, requires_grad=True), tg.Tensor(t, requires_grad=True)]
    )
    with pytest.raises(ValueError, match=r"prediction of shape \(4, 3\) and a target of shape \(4,\)"):
        function(y, t[:, 0])
    with pytest.raises(ValueError, match=r"reduction is 'mean', 'sum' or 'none', but got 'max'"):
        function(y, t, reduction="max")
    for name in options:
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            function(y, t, **{name: 0.0})
    assert function(y.astype("f"), t.astype("f"), **options).dtype == np.float32


@pytest.mark.parametrize("far", [np.inf, -np.inf])
def test_losses_at_infinity(far):
    for f in (F.huber_loss, F.smooth_l1_loss, F.l1_loss):
        x = tg.Tensor([far, 0.0], requires_grad=True)
        loss = f(x, np.zeros(2))
        assert loss.item() == np.inf
        assert tg.grad(loss, x).tolist() == [np.sign(far) / 2, 0]
    for target, cost in ((far > 0, 0.0), (far < 0, np.inf), (0.5, np.inf)):
        x = tg.Tensor([far, 0.0], requires_grad=True)
        loss = F.binary_cross_entropy_with_logits(x, np.array([float(target), 1.0]), reduction="none")
        assert loss.tolist() == [cost, pytest.approx(np.log(2))]
        assert tg.grad(loss.sum(), x).tolist() == [(far > 0) - float(target), -0.5]
    assert np.isnan(F.huber_loss(np.array([np.nan]), np.zeros(1)))
    assert np.isnan(F.binary_cross_entropy_with_logits(np.array([np.nan]), np.ones(1)))


def test_huber_s_second_derivative():
    x = np.array([-2.0, -0.7, 0.0, 0.4, 1.5])
    curvature = tg.hessian(lambda x: F.huber_loss(x, np.zeros(5), reduction="sum"), x)
    assert np.array_equal(curvature.numpy(), np.diag([0.0, 1, 1, 1, 0]))


def test_mse_of_a_column_against_a_row_raises():
    with pytest.raises(ValueError, match="reshape or squeeze"):
        F.mse_loss(tg.zeros(5, 1), tg.zeros(5))


# -- losses of probabilities -------------------------------------------------------------------------


def naive_cross_entropy(x, t):
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return -np.log(p[np.arange(len(t)), t])


@pytest.fixture
def logits():
    return np.random.default_rng(0).standard_normal((5, 3))


T = np.array([0, 2, 1, 1, 0])


def test_cross_entropy_by_its_definition(logits):
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x)):
        np.testing.assert_allclose(
            F.cross_entropy(logits, T, reduction=reduction), reduce(naive_cross_entropy(logits, T))
        )
        x = tg.Tensor(logits, requires_grad=True)
        gradcheck(lambda x, how=reduction: F.cross_entropy(x, T, reduction=how), [x])
        gradgradcheck(lambda x, how=reduction: F.cross_entropy(x, T, reduction=how), [x])


def test_cross_entropy_s_gradient_is_softmax_minus_target(logits):
    x = tg.Tensor(logits, requires_grad=True)
    F.cross_entropy(x, T).backward()
    np.testing.assert_allclose(x.grad.numpy(), (F.softmax(logits) - np.eye(3)[T]) / 5, rtol=1e-12)


def test_class_numbers_one_hot_and_soft_targets_agree(logits):
    one_hot = np.eye(3)[T]
    for options in ({}, {"label_smoothing": 0.2}, {"reduction": "sum"}, {"reduction": "none"}):
        by_number, by_row = (tg.Tensor(logits, requires_grad=True) for _ in range(2))
        a, b = F.cross_entropy(by_number, T, **options), F.cross_entropy(by_row, one_hot, **options)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
        a.sum().backward()
        b.sum().backward()
        np.testing.assert_allclose(by_number.grad.numpy(), by_row.grad.numpy(), rtol=1e-9, atol=1e-15)
    soft = F.softmax(np.random.default_rng(1).standard_normal((5, 3)))
    np.testing.assert_allclose(F.cross_entropy(logits, soft), -(soft * F.log_softmax(logits)).sum(1).mean())
    gradcheck(F.cross_entropy, [tg.Tensor(logits, requires_grad=True), tg.Tensor(soft, requires_grad=True)])


def test_cross_entropy_of_weighted_classes(logits):
    w = np.array([1.0, 2.0, 0.5])
    losses = naive_cross_entropy(logits, T)
    np.testing.assert_allclose(F.cross_entropy(logits, T, w), (w[T] * losses).sum() / w[T].sum())
    np.testing.assert_allclose(F.cross_entropy(logits, T, w, reduction="none"), w[T] * losses)
    np.testing.assert_allclose(F.cross_entropy(logits, np.eye(3)[T], w), (w[T] * losses).mean())
    smooth = {"label_smoothing": 0.3, "reduction": "sum"}
    np.testing.assert_allclose(
        F.cross_entropy(logits, T, w, **smooth), F.cross_entropy(logits, np.eye(3)[T], w, **smooth)
    )
    gradcheck(lambda x: F.cross_entropy(x, T, w, label_smoothing=0.1), [tg.Tensor(logits, requires_grad=True)])
    loss = nn.CrossEntropyLoss(w, label_smoothing=0.1)
    assert np.array_equal(loss(logits, T).numpy(), F.cross_entropy(logits, T, w, label_smoothing=0.1))
    assert list(loss.state_dict()) == ["weight"]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, np.ones(3), np.array([2.0, 0.5, 0.0])])
@pytest.mark.parametrize("soft", [False, True])
def test_an_impossible_class_costs_nothing_where_it_is_not_the_target(reduction, weight, soft):
    """−∞ leaves a class out: as if there were two."""
    logits = np.array([[1.0, 2.0, -np.inf], [0.5, -1.0, -np.inf]])
    target = np.array([0, 1])
    options = {"reduction": reduction}
    fewer = weight if weight is None else weight[:2]
    right = F.cross_entropy(logits[:, :2], np.eye(2)[target] if soft else target, fewer, **options)
    given = np.eye(3)[target] if soft else target
    step = tg.replay(
        lambda x: (lambda loss: (loss, tg.grad(loss.sum(), x)))(F.cross_entropy(x, given, weight, **options))
    )
    for _ in range(2):
        x = tg.Tensor(logits, requires_grad=True)
        loss = F.cross_entropy(x, given, weight, **options)
        np.testing.assert_allclose(loss.numpy(), right)
        slope = tg.grad(loss.sum(), x).numpy()
        assert np.isfinite(slope).all()
        assert not slope[:, 2].any()
        replayed, again = step(x)
        np.testing.assert_array_equal(replayed.numpy(), loss.numpy())
        np.testing.assert_allclose(again.numpy(), slope)
    module = nn.CrossEntropyLoss(weight, **options)
    np.testing.assert_allclose(module(tg.Tensor(logits), given).numpy(), right)
    images = np.stack([logits, logits], axis=-1)  # (N, C, d)
    targets = np.stack([given, given], axis=-1)
    losses = F.cross_entropy(images, targets, weight, reduction="none")
    np.testing.assert_allclose(losses[:, 0], F.cross_entropy(logits, given, weight, reduction="none"))


def test_an_impossible_class_that_is_smoothed_or_asked_for_costs_infinitely_much():
    logits = np.array([[1.0, 2.0, -np.inf]])
    assert F.cross_entropy(logits, np.array([0]), label_smoothing=0.1) == np.inf
    with np.errstate(divide="ignore"):
        assert F.cross_entropy(logits, np.array([2]), np.ones(3)) == np.inf
    assert F.cross_entropy(logits, np.array([0]), np.array([1.0, 1.0, 0.0]), label_smoothing=0.1) < np.inf


def test_a_tensor_of_targets_keeps_float32():
    logits, target = np.zeros((4, 3), np.float32), tg.Tensor(np.array([0, 1, 2, -100]))
    for options in ({}, {"label_smoothing": 0.1}, {"weight": np.ones(3, np.float32)}):
        assert F.cross_entropy(tg.Tensor(logits), target, **options).dtype == np.float32
    assert F.nll_loss(tg.Tensor(logits), target).dtype == np.float32


def test_cross_entropy_of_images_and_of_one_row(logits):
    images = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    target = np.random.default_rng(1).integers(3, size=(2, 4, 5))
    losses = F.cross_entropy(images, target, reduction="none")
    assert losses.shape == (2, 4, 5)
    rows = np.moveaxis(images, 1, -1).reshape(-1, 3)
    np.testing.assert_allclose(losses.ravel(), naive_cross_entropy(rows, target.ravel()))
    np.testing.assert_allclose(F.cross_entropy(images, np.moveaxis(np.eye(3)[target], -1, 1)), losses.mean())
    w = np.array([1.0, 2.0, 0.5])
    soft = F.cross_entropy(images, np.moveaxis(np.eye(3)[target], -1, 1), w, reduction="none")
    np.testing.assert_allclose(soft, losses * w[target])
    np.testing.assert_allclose(F.cross_entropy(logits[0], 2), naive_cross_entropy(logits[:1], T[1:2])[0])
    np.testing.assert_allclose(F.cross_entropy(logits[0], [0.0, 0.0, 1.0]), naive_cross_entropy(logits[:1], T[1:2])[0])
    assert F.cross_entropy(logits[0], 2, reduction="none").shape == ()


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"reduction": "sum"}, {"reduction": "none"}])
@pytest.mark.parametrize("ignore_index", [-100, 1, 7])
def test_rows_left_out_leak_nothing(logits, options, ignore_index):
    target = np.where([False, True, False, True, False], ignore_index, [0, 0, 2, 0, 0])
    poisoned = logits.copy()
    poisoned[1], poisoned[3] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        x, clean = tg.Tensor(poisoned, requires_grad=True), tg.Tensor(logits[::2], requires_grad=True)
        loss = F.cross_entropy(x, target, ignore_index=ignore_index, **options)
        kept = F.cross_entropy(clean, target[::2], **options)
        np.testing.assert_allclose(loss.numpy()[::2] if loss.ndim else loss.numpy(), kept.numpy(), rtol=1e-12)
        if loss.ndim:
            assert (loss.numpy()[1::2] == 0).all()
        loss.sum().backward()
        kept.sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[::2], clean.grad.numpy(), rtol=1e-9, atol=1e-15)
    assert (x.grad.numpy()[1::2] == 0).all()


def test_a_mean_over_no_rows_is_nan(logits):
    x = tg.Tensor(logits, requires_grad=True)
    loss = F.cross_entropy(x, np.full(5, -100))
    assert np.isnan(loss.item())
    loss.backward()
    assert (x.grad.numpy() == 0).all()
    assert np.isnan(F.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)))
    assert F.cross_entropy(np.zeros((0, 3)), np.zeros(0, int), reduction="sum") == 0


@pytest.mark.parametrize(
    ("target", "names"), [([0, 3, 1, 1, 0], r"target\[1\] is 3"), ([0, 1, -1, 1, 0], r"target\[2\] is -1")]
)
def test_class_numbers_out_of_range_raise(logits, target, names):
    for f in (F.cross_entropy, F.nll_loss, lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1)):
        with pytest.raises(IndexError, match=f"{names}.* there are 3 classes, 0 to 2"):
            f(tg.Tensor(logits, requires_grad=True), np.array(target))


def test_cross_entropy_refuses_what_it_cannot_mean(logits):
    with pytest.raises(ValueError, match=r"logits of shape \(5, 3\) and a target of shape \(4,\)"):
        F.cross_entropy(logits, T[:4])
    with pytest.raises(TypeError, match=r"target of floats of shape \(5,\)"):
        F.cross_entropy(logits, T.astype(float))
    with pytest.raises(TypeError, match=r"target of whole numbers of shape \(5, 3\)"):
        F.cross_entropy(logits, np.eye(3, dtype=int)[T])
    with pytest.raises(TypeError, match=r"floats of shape \(5,\).*target\.astype\(int\)"):
        F.cross_entropy(logits, T.astype(float))
    with pytest.raises(TypeError, match=r"target of booleans of shape \(5,\).*target\.astype\(int\)"):
        F.cross_entropy(logits, T > 0)
    with pytest.raises(TypeError, match=r"target\.astype\(float\), or target\.argmax\(1\) for class numbers"):
        F.cross_entropy(logits, np.eye(3, dtype=int)[T])
    with pytest.raises(ValueError, match=r"the logits come first: write cross_entropy\(model\(x\), y\)"):
        F.cross_entropy(T, logits)
    with pytest.raises(ValueError, match="the log-probabilities come first"):
        F.nll_loss(T, logits)
    for loss in (F.cross_entropy, F.nll_loss, F.mse_loss, F.l1_loss, F.huber_loss, F.binary_cross_entropy):
        with pytest.raises(TypeError, match=r"got None for the prediction; does forward\(\) end with `return`"):
            loss(None, logits)
    with pytest.raises(ValueError, match="label_smoothing is a number between 0 and 1"):
        F.cross_entropy(logits, T, label_smoothing=2)
    with pytest.raises(ValueError, match="reduction is"):
        F.cross_entropy(logits, T, reduction="avg")
    with pytest.raises(ValueError, match=r"softmax_cross_entropy\(\(5, 3\), \(4,\).*logits are \(N, classes\)"):
        softmax_cross_entropy(tg.Tensor(logits), T[:4])
    with pytest.raises(ValueError, match="takes \\(N, classes\\)"):
        F.nll_loss(logits, T[:2])
    with pytest.raises(TypeError, match="class numbers, which are whole"):
        F.nll_loss(logits, T.astype(float))


def test_rows_are_left_out_by_default():
    log_p = np.log([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]])
    target = np.array([0, -100, 1])
    expected = -(log_p[0, 0] + log_p[2, 1]) / 2
    for loss in (F.nll_loss, F.cross_entropy, nn.NLLLoss(), nn.CrossEntropyLoss()):
        np.testing.assert_allclose(loss(log_p, target), expected)
        for wrong in (-99, -1):
            with pytest.raises(IndexError, match=rf"target\[1\] is {wrong}"):
                loss(log_p, np.array([0, wrong, 1]))


def test_nll_loss(logits):
    log_p = F.log_softmax(logits)
    w = np.array([1.0, 2.0, 0.5])
    for options in ({}, {"reduction": "sum"}, {"reduction": "none"}, {"ignore_index": 1}):
        for weight in (None, w):
            np.testing.assert_allclose(
                F.nll_loss(log_p, T, weight, **options), F.cross_entropy(logits, T, weight, **options)
            )
            np.testing.assert_allclose(
                np.asarray(nn.NLLLoss(weight, **options)(log_p, T)), F.nll_loss(log_p, T, weight, **options)
            )
    gradcheck(lambda x: F.nll_loss(x, T, w, ignore_index=0), [tg.Tensor(log_p, requires_grad=True)])


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_losses_are_finite_far_out(size):
    x = tg.Tensor(np.array([[size, 0, -size]], np.float32), requires_grad=True)
    for target in (np.array([0]), np.array([2]), np.array([[0.2, 0.3, 0.5]], np.float32)):
        loss = F.cross_entropy(x, target)
        assert loss.dtype == np.float32
        assert np.isfinite(loss.item())
        gradient = tg.grad(loss, x).numpy()
        assert gradient.dtype == np.float32
        assert np.isfinite(gradient).all()
        assert abs(gradient.sum()) < 1e-6
    t = np.array([[1, 0, 0]], np.float32)
    loss = F.binary_cross_entropy_with_logits(x, t)
    assert np.isfinite(loss.item())
    np.testing.assert_allclose(tg.grad(loss, x).numpy(), (F.sigmoid(x.numpy()) - t) / 3)


def test_binary_cross_entropy():
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((4, 3)), rng.uniform(size=(4, 3))
    p = F.sigmoid(x)
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x)):
        np.testing.assert_allclose(F.binary_cross_entropy_with_logits(x, t, reduction=reduction), reduce(expected))
        np.testing.assert_allclose(F.binary_cross_entropy(p, t, reduction=reduction), reduce(expected))
        np.testing.assert_allclose(nn.BCELoss(reduction=reduction)(p, t), reduce(expected))
        np.testing.assert_allclose(nn.BCEWithLogitsLoss(reduction=reduction)(x, t), reduce(expected))
    certain = tg.Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(certain, np.array([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0, 0, 100, 100]
    loss.sum().backward()
    assert np.isfinite(certain.grad.numpy()).all()
    with pytest.raises(ValueError, match="probabilities lie between 0 and 1"):
        F.binary_cross_entropy(np.array([1.5]), np.array([1.0]))
    with pytest.raises(ValueError, match="must be equal"):
        F.binary_cross_entropy(p, t[0])
    # exact where the probability rounds to 1
    assert F.binary_cross_entropy_with_logits(np.float32([20.0]), np.float32([1.0])) == pytest.approx(2.0611537e-9)


def test_the_chapter_s_numbers():
    y = np.array(
        [[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0], [0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]]
    )
    t = np.eye(10)[[2, 2]]
    np.testing.assert_allclose(F.mse_loss(y, t, reduction="none").sum(1) / 2, [0.0975, 0.5975])
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(F.nll_loss(np.log(y), [2, 2], reduction="none"), [0.510825, 2.302585], rtol=2e-6)
    np.testing.assert_allclose(F.softmax(np.array([0.3, 2.9, 4.0])), [0.01821127, 0.24519181, 0.73659691], rtol=1e-6)
    np.testing.assert_allclose(
        F.softmax(np.array([1010.0, 1000.0, 990.0])), [9.9995e-01, 4.5398e-05, 2.0611e-09], rtol=1e-4
    )


def test_losses_of_arrays_are_arrays(logits):
    for loss in (
        F.cross_entropy(logits, T),
        F.cross_entropy(logits, T, label_smoothing=0.1),
        F.nll_loss(logits, T),
        F.mse_loss(logits, logits),
        F.binary_cross_entropy_with_logits(logits, logits),
    ):
        assert isinstance(loss, np.ndarray | np.generic)
        assert loss.shape == ()


def test_the_chapter_s_three_layers():
    weights = [
        ([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]], [0.1, 0.2, 0.3]),
        ([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]], [0.1, 0.2]),
        ([[0.1, 0.3], [0.2, 0.4]], [0.1, 0.2]),
    ]
    layers = []
    for w, b in weights:
        layer = nn.Linear(*np.shape(w), dtype=float)
        layer.load_state_dict({"weight": np.array(w), "bias": np.array(b)})
        layers += [layer, nn.Sigmoid()]
    y = nn.Sequential(*layers[:-1])(np.array([1.0, 0.5]))
    np.testing.assert_allclose(y.numpy(), [0.31682708, 0.69627909], rtol=1e-7)


# -- settings that are none ------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("kind", ["numbers", "smoothed", "probabilities", "nll", "planes"])
def test_a_weight_stands_for_each_class(kind, classes):
    """Of too many, those beyond the classes would be left out; one would be broadcast: both silently."""
    x, y, weight = np.zeros((4, 2)), np.array([0, 1, 0, 0]), np.ones(classes)
    losses = {
        "numbers": lambda: F.cross_entropy(x, y, weight),
        "smoothed": lambda: F.cross_entropy(x, y, weight, label_smoothing=0.1),
        "probabilities": lambda: F.cross_entropy(x, np.eye(2)[y], weight),
        "nll": lambda: F.nll_loss(x, y, weight),
        "planes": lambda: F.cross_entropy(np.zeros((4, 2, 3)), np.zeros((4, 3), int), weight),
    }
    with pytest.raises(ValueError, match=rf"each of the 2 classes, of shape \(2,\), but got \({classes},\)"):
        losses[kind]()


def test_labels_that_are_words_become_numbers():
    with pytest.raises(TypeError, match=r"target of words .*write np\.unique\(target, return_inverse=True\)\[1\]"):
        F.cross_entropy(np.zeros((2, 2)), ["cat", "dog"])


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
