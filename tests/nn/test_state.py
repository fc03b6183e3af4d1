"""The state of modules: shown, copied, loaded, pickled, and the calls that results were made in."""

from __future__ import annotations

import copy
import functools
import gc
import operator
import pickle
import threading
import weakref

import joblib
import numpy as np
import pytest

import tinygrad_edu as tg
from tests.nn.nets import Net
from tinygrad_edu import nn
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import SCOPE, tracing
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.nn import functional as F


def test_repr_is_a_tree():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2, bias=False), nn.Softmax()))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(4, 3)\n"
        "  (1): ReLU()\n"
        "  (2): Sequential(\n"
        "    (0): Linear(3, 2, bias=False)\n"
        "    (1): Softmax(axis=-1)\n"
        "  )  # 6 parameters\n"
        ")  # 21 parameters"
    )

    class Named(nn.Module):
        def __init__(self):
            self.inner = nn.ReLU()

        def extra_repr(self):
            return "width=3"

    assert repr(Named()) == "Named(\n  width=3\n  (inner): ReLU()\n)"


def test_repr_shows_the_shapes_of_what_a_module_holds_itself():
    class Own(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.zeros((300, 4)))
            self.layer = nn.Linear(4, 1)
            self.layer.weight = nn.Parameter(np.zeros((4, 1)))
            self.mean = nn.Buffer(np.zeros(4))
            self.again = self.weight

    assert repr(Own()) == (
        "Own(\n  (weight): Parameter (300, 4)\n  (mean): Buffer (4,)\n  (layer): Linear(4, 1)\n)  # 1,205 parameters"
    )


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
