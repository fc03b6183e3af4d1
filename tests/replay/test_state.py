"""A replay holds for the state it was recorded with: what changes between calls is followed, recorded anew, or refused."""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.program import MOST_RECORDS, replay

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
ONES = np.ones(3)


class Counted:
    """A function, and how often its Python has run."""

    def __init__(self, f):
        self.f, self.runs = f, 0

    def __call__(self, *args, **kwargs):
        self.runs += 1
        return self.f(*args, **kwargs)


def same(a, b):
    """Whether two tensors are equal bit for bit, signs of zeros too."""
    a, b = (np.asarray(t.numpy() if isinstance(t, tg.Tensor) else t) for t in (a, b))
    return (a.dtype, a.shape) == (b.dtype, b.shape) and a.tobytes() == b.tobytes()


def follows(model, change, x=X, f=None):
    """Whether a replay of the model gives what the model gives, before a change, after it, and again."""
    f = model if f is None else f
    counted = Counted(f)
    run = replay(counted)
    run(x), run(x)
    assert counted.runs == 1
    kept = change(model)  # what was there may live on
    results = [same(run(x), f(tg.Tensor(x))) for _ in range(2)]
    del kept
    return all(results)


# -- what a module holds --------------------------------------------------------------------------------


class Net(nn.Module):
    """All kinds of attributes."""

    k = 2.0

    def __init__(self):
        self.a = nn.Linear(3, 3)
        self.act = np.tanh
        self.array = np.array([1.0, 2.0, 3.0], np.float32)
        self.tensor = tg.Tensor(np.array([1.0, 2.0, 3.0], np.float32))
        self.number = np.float32(2.0)
        self.zero = 0.0
        self.nested = [[nn.Linear(3, 3)]]
        self.table = {"b": [1.0, 2.0], "c": ({"d": [3.0]},)}

    def forward(self, x):
        y = self.nested[0][0](self.act(self.a(x)) * self.array + self.tensor) * self.number * self.k
        y = y + np.copysign(y.detach(), self.zero) * sum(self.table["b"]) * self.table["c"][0]["d"][0]
        return y @ self.a.weight


def swap(*path):
    """A change that puts something else at a place inside a model, and returns what was there."""

    def change(model):
        *way, last, new = path
        place = model
        for name in way:
            place = getattr(place, name) if isinstance(name, str) and not isinstance(place, dict) else place[name]
        if isinstance(place, dict | list):
            old, place[last] = place[last], new() if callable(new) else new
        else:
            old = getattr(place, last)
            setattr(place, last, new() if callable(new) else new)
        return old

    return change


CHANGES = {
    "submodule": swap("a", lambda: nn.Linear(3, 3)),
    "parameter of a submodule": swap("a", "weight", lambda: nn.Parameter(np.ones((3, 3), np.float32))),
    "function": swap("act", lambda: F.relu),
    "array": swap("array", np.full(3, 5, np.float32)),
    "tensor": swap("tensor", lambda: tg.Tensor(np.full(3, 5, np.float32))),
    "NumPy number": swap("number", np.float32(5.0)),
    "negative zero": swap("zero", -0.0),
    "instance attribute over a class attribute": swap("k", 5.0),
    "module in nested lists": swap("nested", 0, 0, lambda: nn.Linear(3, 3)),
    "inner list": swap("nested", 0, lambda: [nn.Linear(3, 3)]),
    "number in a nested list": swap("table", "b", 0, 9.0),
    "number in a tuple's dict": swap("table", "c", 0, "d", 0, 9.0),
    "longer list": lambda model: model.table["b"].append(7.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_a_module_holds_is_followed(change):
    assert follows(Net(), change)


def test_numbers_in_an_array_are_followed_without_recording():
    model = Net()
    counted = Counted(model)
    run = replay(counted)
    run(X)
    model.array[0] = model.tensor.data[1] = 7.0
    assert same(run(X), model(tg.Tensor(X)))
    assert counted.runs == 2 - 1


def test_an_entry_moves_between_lists():
    class Two(nn.Module):
        def __init__(self):
            self.first, self.second = [2.0, 3.0], [5.0]

        def forward(self, x):
            return x * sum(self.first) - sum(self.second)

    assert follows(Two(), lambda m: m.second.insert(0, m.first.pop()))


def test_a_deleted_attribute_is_missed():
    model = Net()
    run = replay(model)
    run(X), run(X)
    kept = model.tensor
    del model.tensor
    assert kept.shape == (3,)
    with pytest.raises(AttributeError, match="tensor"):
        run(X)


def test_an_equal_number_is_no_change():
    counted = Counted(Net())
    run = replay(counted)
    run(X)
    counted.f.zero, counted.f.number = float("0"), np.float32(2)
    run(X)
    assert counted.runs == 1


def test_layers_of_a_sequential_are_followed():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    assert follows(model, lambda m: m.append(nn.Linear(2, 2)))
    assert follows(model, swap("_layers", "0", lambda: nn.Linear(3, 2)))


def test_a_generator_that_is_swapped():
    model = nn.Dropout(0.5, generator=np.random.default_rng(1))
    run = replay(model)
    run(np.ones((5, 5)))
    model.generator = np.random.default_rng(7)
    a = run(np.ones((5, 5)))
    model.generator = np.random.default_rng(7)
    assert same(a, model(tg.Tensor(np.ones((5, 5)))))


def test_what_a_function_sets_itself_is_no_change():
    class Caching(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(np.ones(3))
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            self.x, self.shape, self.array, self.parts = x, x.shape, np.zeros(3), [1, 2]
            return x * self.w

    model = Caching()
    counted = Counted(model)
    run = replay(counted)
    for _ in range(3):
        run(ONES)
    assert counted.runs == 1
    for _ in range(3):
        model(tg.Tensor(ONES))  # which sets them too
        run(ONES)
    assert counted.runs == 1
    model.w = nn.Parameter(np.full(3, 4.0))
    assert same(run(ONES), np.full(3, 4.0))


def test_attributes_are_put_back_if_the_function_fails():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    model.extra = 1

    def broken(x):
        model.eval()
        model.extra = 2
        del model.extra
        model.new = 3
        raise KeyError("half-way")

    with pytest.raises(KeyError, match="half-way"):
        replay(broken)(X)
    assert [m.training for m in model.modules()] == [True] * 3
    assert (model.extra, hasattr(model, "new")) == (1, False)


# -- the mode -------------------------------------------------------------------------------------------


class Mode(nn.Module):
    def __init__(self):
        self.a = nn.Linear(3, 3)
        self.k = 1.0

    def forward(self, x):
        return self.a(x) * (2 if self.training else 3) * self.k

    def other(self, x):
        return self.forward(x)

    decorated_forward = replay(forward)

    @replay
    def decorated(self, x):
        return self.forward(x)


def through_an_argument(model):
    run = replay(lambda m, x: m.other(x))
    return lambda x: run(model, x)


def through_a_nested_argument(model):
    run = replay(lambda table, x: table["models"][0].other(x))
    return lambda x: run({"models": [model]}, x)


MODES = {
    "forward": lambda m: replay(m.forward),
    "a bound method": lambda m: replay(m.other),
    "partial": lambda m: replay(functools.partial(Mode.other, m)),
    "partial of a method": lambda m: replay(functools.partial(m.other)),
    "partial by name": lambda m: replay(functools.partial(lambda x, m: m.other(x), m=m)),
    "a closure": lambda m: replay(lambda x: m.other(x)),
    "a wrapped closure": lambda m: replay(tg.no_grad()(lambda x: m.other(x))),
    "the flag alone": lambda m: replay(lambda x: m.a(x) * (2 if m.training else 3) * m.k),
    "an argument": through_an_argument,
    "a nested argument": through_a_nested_argument,
    "a decorated method": lambda m: m.decorated,
    "a decorated forward": lambda m: m.decorated_forward,
}


@pytest.mark.parametrize("make", MODES.values(), ids=MODES)
def test_a_module_that_is_not_called_is_followed(make):
    model = Mode()
    run = make(model)
    for mode in (True, False, True, False):
        model.train(mode)
        assert same(run(X), model.forward(tg.Tensor(X)))
    model.k = 5.0
    assert same(run(X), model.forward(tg.Tensor(X)))
    kept, model.a = model.a, nn.Linear(3, 3)
    assert same(run(X), model.forward(tg.Tensor(X)))
    assert kept is not model.a


class Scaled(nn.Module):
    """A module whose method reads a number, and no mode."""

    def __init__(self):
        self.k = 1.0

    def other(self, x):
        return x * self.k

    forward = other

    @replay
    def decorated(self, x):
        return self.other(x)


SCALED = Scaled()
USES = {name: make for name, make in MODES.items() if name not in ("the flag alone", "a decorated forward")}
USES["a global name"] = lambda m: replay(lambda x: SCALED.other(x))


@pytest.mark.parametrize("make", USES.values(), ids=USES)
def test_the_attributes_of_a_module_that_is_not_called(make, monkeypatch):
    model = Scaled()
    monkeypatch.setitem(globals(), "SCALED", model)
    monkeypatch.setattr(Mode, "other", Scaled.other)
    run = make(model)
    for k in (1.0, 2.0, 5.0):
        model.k = k
        assert [run(ONES).tolist() for _ in range(3)] == [[k] * 3] * 3


def test_a_parameter_that_the_first_call_makes():
    class Lazy(nn.Module):
        def forward(self, x):
            if not hasattr(self, "w"):
                self.w = nn.Parameter(np.ones(3))
            return x * self.w

    assert follows(Lazy(), swap("w", lambda: nn.Parameter(np.full(3, 5.0))), x=ONES)


def test_the_flag_of_a_module_that_holds_nothing_else():
    class Empty(nn.Module):
        pass

    flags = {"model": Empty()}
    run = replay(lambda x: F.dropout(x, 1.0, flags["model"].training))
    for mode in (True, False):
        flags["model"].train(mode)
        assert run(ONES).tolist() == [1.0 - mode] * 3


def test_a_record_for_each_mode():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    counted = Counted(lambda x: model(x))
    run = replay(counted)
    for _ in range(5):
        model.train()
        run(X)
        model.eval()
        run(X)
    assert counted.runs == 2


def test_a_method_whose_object_ends():
    runs = []

    class Scale:
        def __init__(self, k):
            self.k = k

        @replay
        def f(self, x):
            runs.append(None)
            return x * self.k

    for k in range(20):  # each takes, perhaps, the address of the last
        one = Scale(float(k))
        assert one.f(np.ones(1)).tolist() == one.f(np.ones(1)).tolist() == [k]
        del one
    assert len(runs) == 20
    assert len(Scale.f._records) == 1


def test_records_of_what_was_replaced_go():
    model = Net()
    run = replay(model)
    kept = []
    for _ in range(4):
        kept.append(model.a)
        model.a = nn.Linear(3, 3)
        run(X)
        assert len(run._records) == 1
    for _ in range(4):
        kept.append(model.nested[0][0])
        model.nested[0][0] = nn.Linear(3, 3)
        run(X)
        assert len(run._records) == 1


# -- hooks, gradients, freezing -------------------------------------------------------------------------


def test_hooks_are_followed():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        w.grad = None
        (w * x).sum().backward()

    counted = Counted(step)
    run = replay(counted)

    def slopes():
        return [(run(np.ones(2)), w.grad.tolist()[0])[1] for _ in range(3)]

    assert slopes() == [1.0] * 3
    ten = w.register_hook(lambda g: g * 10)
    assert slopes() == [10.0] * 3
    two = w.register_hook(lambda g: g + 2)
    assert slopes() == [12.0] * 3
    ten.remove()
    assert slopes() == [3.0] * 3
    two.remove()
    assert slopes() == [1.0] * 3
    assert counted.runs == 4  # the first record serves again


def test_whether_a_gradient_is_required():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    run = replay(lambda x: (x * w).requires_grad)
    for learns in (True, False, True):
        w.requires_grad_(learns)
        assert [run(np.ones(2)) for _ in range(3)] == [learns] * 3


def test_frozen_parameters_and_thawed_ones():
    made = [nn.Linear(3, 2, generator=np.random.default_rng(0)) for _ in range(2)]
    optimizers = [optim.SGD(m.parameters(), lr=0.1) for m in made]

    def step(i, x):
        loss = np.square(made[i](x)).sum()
        optimizers[i].zero_grad()
        loss.backward()
        optimizers[i].step()
        return loss

    counted = Counted(lambda x: step(1, x))
    run = replay(counted)
    for k in range(8):
        for m in made:
            m.weight.requires_grad_(k % 4 < 2)
        assert same(step(0, tg.Tensor(X)), run(X))
    for p, q in zip(*[m.parameters() for m in made], strict=True):
        assert np.array_equal(p.data, q.data)
    assert counted.runs == 3  # frozen, and not; the weight has then taken fewer steps than the bias


@pytest.mark.filterwarnings("ignore:.*recorded 16 times in a row")
def test_other_memory_is_recorded_anew_and_the_old_record_goes():
    w = tg.Tensor(np.ones(3))
    counted = Counted(lambda x: x * w)
    run = replay(counted)
    for k in range(20):
        w.data = np.full(3, float(k))
        assert run(ONES).tolist() == [k] * 3
    assert counted.runs == 20
    assert len(run._records) == 1


def test_a_rebound_tensor_is_followed_once_the_old_one_has_ended():
    held = {"w": tg.Tensor([2.0])}
    run = replay(lambda x: x * held["w"])
    assert run(np.ones(1)).tolist() == [2.0]
    held["w"] = tg.Tensor([5.0])
    assert run(np.ones(1)).tolist() == [5.0]


def test_a_deleted_parameter_is_missed_by_the_optimizer():
    model = nn.Sequential(nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = np.square(model(x)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = replay(step)
    run(X)
    model._layers["0"] = nn.Linear(3, 2)  # behind the optimizer's back
    with pytest.raises(RuntimeError, match="no longer exists"):
        run(X)


def test_a_tensor_that_was_bound_anew_is_missed_by_the_optimizer():
    held = {"w": tg.Tensor([2.0], requires_grad=True, name="w")}
    optimizer = optim.SGD([held["w"]], lr=0.1)

    def step():
        optimizer.zero_grad()
        (held["w"] * 3.0).sum().backward()
        optimizer.step()

    run = replay(step)
    for _ in range(3):
        run()
    np.testing.assert_allclose(held["w"].numpy(), [1.1])
    held["w"] = tg.Tensor([5.0], requires_grad=True, name="w")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="given 'w', which no longer exists outside it"):
            run()
    assert held["w"].tolist() == [5.0]
    assert held["w"].grad is None


def test_an_optimizer_that_alone_holds_its_parameters_is_replayed():
    optimizer = optim.SGD([tg.Tensor([2.0], requires_grad=True)], lr=0.1)

    def step():
        optimizer.zero_grad()
        (w,) = optimizer.param_groups[0]["params"]
        (w * 3.0).sum().backward()
        optimizer.step()

    counted = Counted(step)
    run = replay(counted)
    for _ in range(4):
        run()
    assert counted.runs == 1
    np.testing.assert_allclose(optimizer.param_groups[0]["params"][0].numpy(), [0.8])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_model_and_optimizer_is_replayed_as_itself(duplicate):
    model = nn.Sequential(nn.Linear(3, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def stepped(model, optimizer):
        def step(x):
            optimizer.zero_grad()
            loss = np.square(model(x)).sum()
            loss.backward()
            optimizer.step()
            return loss

        return step

    run = replay(stepped(model, optimizer))
    run(X), run(X)
    twin, other = duplicate((model, optimizer))
    before = model.state_dict()
    again = replay(stepped(twin, other))
    found = [again(X).item() for _ in range(3)]
    assert all(np.array_equal(array, before[key]) for key, array in model.state_dict().items())
    assert found == [run(X).item() for _ in range(3)]


def test_no_grad_and_the_default_dtype_between_calls():
    w = tg.Tensor([1.0], requires_grad=True)
    run = replay(lambda x: ((x * w).requires_grad, tg.zeros(1)))
    assert run(np.ones(1))[0] is True
    with tg.no_grad():
        assert run(np.ones(1))[0] is False
    assert run(np.ones(1))[1].dtype == np.float32
    tg.set_default_dtype(np.float64)
    try:
        assert run(np.ones(1))[1].dtype == np.float64
    finally:
        tg.set_default_dtype(np.float32)


# -- arguments ------------------------------------------------------------------------------------------


def test_equal_objects_are_not_the_same():
    class Tagged:
        def __init__(self, w):
            self.w = tg.Tensor([w])

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 0

        @replay
        def add(self, x):
            with tg.no_grad():
                self.w += x
            return self.w * 1

    a, b = Tagged(1.0), Tagged(2.0)
    assert (a.add(np.ones(1)).item(), b.add(np.ones(1)).item()) == (2.0, 3.0)
    assert (a.w.item(), b.w.item()) == (2.0, 3.0)


def test_frozen_dataclasses_of_tensors():
    @dataclasses.dataclass(frozen=True)
    class Layer:
        w: tg.Tensor

        @replay
        def add(self, x):
            with tg.no_grad():
                self.w[...] = self.w + x
            return self.w * 1

    w = tg.Tensor([1.0])
    assert [Layer(w).add(np.ones(1)).item() for _ in range(3)] == [2.0, 3.0, 4.0]


PLAIN = [
    0.0, -0.0, np.float64(0.0), np.float64(-0.0), np.float32(0.0), complex(0.0, 0.0), complex(-0.0, -0.0), 0, False, 1, True,
    1.0, np.int64(1), np.bool_(True), float("nan"), "a", b"a", None, slice(1), slice(0, 1), range(0), range(0, 0, 2),
    (1,), (1.0,), (True,), {"a": 1}, {"a": True}, {"a": 1.0}, {1: 2}, {True: 2}, {(1,): 2}, {(True,): 2}, [1], [[1]],
]  # fmt: skip


def test_each_plain_value_has_a_record_of_its_own_and_one_alone():
    def f(x, plain):
        runs.append(repr(plain))
        return x * 2, plain

    for other in PLAIN:
        runs = []
        run = replay(f)
        for value in PLAIN:
            if repr(value) == repr(other) and type(value) is type(other):
                continue
            run.forget()
            runs.clear()
            for _ in range(2):
                for plain in (value, copy.deepcopy(other)):
                    assert repr(run(ONES, plain)[1]) == repr(plain)
            assert runs == [repr(value), repr(other)]


def test_dtypes_and_gradients_of_arguments():
    counted = Counted(lambda x: x * 2)
    run = replay(counted)
    for _ in range(2):
        for dtype in (np.float32, np.float64, np.int32, bool):
            assert run(np.ones(2, dtype)).dtype == (np.ones(2, dtype) * 2).dtype
        run(tg.Tensor([1.0, 2.0], requires_grad=True))
        run(tg.Tensor([1.0, 2.0]))
    assert counted.runs == 5


def test_the_order_of_arguments_by_name():
    counted = Counted(lambda x, a, b: x @ a - b)
    run = replay(functools.wraps(counted.f)(lambda **given: counted(**given)))  # which says what it takes
    x, a, b = np.full(2, 3.0), np.full((2, 1), 5.0), np.full(1, 7.0)
    assert run(x=x, a=a, b=b).tolist() == run(b=b, a=a, x=x).tolist() == [23.0]
    assert counted.runs == 1
    run.profile(x=x, b=b, a=a, runs=1)
    a, b = np.full(2, 5.0), np.full(2, 7.0)
    joined = replay(lambda **parts: np.stack(list(parts.values())))  # to which the order matters
    assert joined(a=a, b=b).tolist() == [[5.0, 5.0], [7.0, 7.0]]
    assert joined(b=b, a=a).tolist() == [[7.0, 7.0], [5.0, 5.0]]


def test_kinds_of_dicts_arrive_as_they_are():
    seen = []

    def f(table):
        seen.append(table)
        return table["a"] * 2

    run = replay(f)
    counts = collections.defaultdict(lambda: 0.0, a=np.ones(2))
    for table in (collections.OrderedDict(a=np.ones(2)), counts, {"a": np.ones(2)}):
        for _ in range(2):
            assert run(table).tolist() == [2.0, 2.0]
        assert type(seen[-1]) is type(table)
    assert len(seen) == 3
    assert seen[1]["missing"] == 0.0
    assert list(counts) == ["a"]


def test_arrays_of_other_kinds():
    run = replay(lambda x: (x, x * 2))
    big = np.arange(3, dtype=">f8")
    for x in (big, big.copy(), np.arange(3.0), np.arange(3.0).view(np.recarray)):
        for y in run(x):
            assert y.dtype.isnative
        assert run(x)[0].tolist() == x.tolist()
    with pytest.raises(TypeError, match="masked"):
        run(np.ma.masked_array(np.arange(3.0), [True, False, False]))


def test_what_changes_inside_is_refused():
    run = replay(lambda x, things: x)
    with pytest.raises(TypeError, match="got set"):
        run(ONES, {1, 2})


@pytest.mark.filterwarnings("ignore:.*recorded 16 times in a row")
def test_the_cache_is_bounded():
    counted = Counted(lambda x: x * 2)
    run = replay(counted)
    for n in range(1, 30):
        run(np.ones(n))
    assert len(run._records) == MOST_RECORDS
    run(np.ones(29))
    assert counted.runs == 29
    run(np.ones(1))  # used longest ago
    assert counted.runs == 30


def test_the_record_used_longest_ago_goes_first():
    counted = Counted(lambda x: x * 2)
    run = replay(counted)
    for n in range(1, 30):
        run(np.ones(n))
        run(np.ones(1))
    assert counted.runs == 29


# -- optimizers -----------------------------------------------------------------------------------------


def test_a_rate_that_is_read_by_hand():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)

    def step(x):
        g = tg.grad((w * x).sum(), w)
        with tg.no_grad():
            w.__isub__(optimizer.param_groups[0]["lr"] * g)

    counted = Counted(step)
    run = replay(counted)
    run(np.ones(2)), run(np.ones(2))
    assert w.tolist() == [-1.0, 0.0]
    optimizer.param_groups[0]["lr"] = 0.5
    run(np.ones(2)), run(np.ones(2))
    assert w.tolist() == [-2.0, -1.0]
    assert counted.runs == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda group: group.__setitem__("lr", 0.5),
        lambda group: group.update(lr=0.5),
        lambda group: group.update({"lr": group["lr"] * 0.5}),
    ],
)
def test_settings_set_inside_are_refused(change):
    w = tg.Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    group = optimizer.param_groups[0]

    @replay
    def step():
        (w * 2).sum().backward()
        optimizer.step()
        change(group)

    with pytest.raises(RuntimeError, match=r"lr of an optimizer was set inside.*test_state.*between calls"):
        step()
    assert (group["lr"], w.item(), w.grad) == (1.0, 1.0, None)


def test_saving_and_loading_inside_is_refused():
    w = tg.Tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([w], lr=1.0)
    with pytest.raises(RuntimeError, match=r"state_dict\(\) of an optimizer was called inside.*save between calls"):
        replay(lambda: optimizer.state_dict() and None)()
    state = optimizer.state_dict()
    with pytest.raises(
        RuntimeError, match=r"load_state_dict\(\) of an optimizer was called inside.*load between calls"
    ):
        replay(lambda: optimizer.load_state_dict(state))()


# -- threads, copies, the rest --------------------------------------------------------------------------


def test_threads_that_call_one_replay():
    run = replay(lambda x: np.square(x).sum())

    def work(k):
        return [run(np.full(i * k % 5 + 1, 2.0)).item() == 4.0 * (i * k % 5 + 1) for i in range(100)]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(right) for right in pool.map(work, range(1, 5)))


def test_threads_that_train():
    w = tg.Tensor([0.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)

    def step():
        optimizer.zero_grad()
        (w * 1).sum().backward()
        optimizer.step()

    run = replay(step)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: [run() for _ in range(50)], range(4)))
    assert w.item() == -200.0  # none is lost


def test_a_thread_inside_that_calls_the_same_replay_is_refused():
    @replay
    def f(x, depth=0):
        if depth == 0:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(f, x, 1).result()
        return x * 2

    with pytest.raises(RuntimeError, match="__wrapped__ in threads"):
        f(ONES)
    assert f(ONES, 1).tolist() == [2.0] * 3  # and nothing stays locked


INTERRUPTED = """
import signal
import sys
import numpy as np
import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.engine.recording import RECORDING, SCOPE

model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
optimizer = optim.Adam(model.parameters())

@tg.replay
def step(x, y):
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

batches = [(np.ones((n, 8), np.float32), np.zeros(n, int)) for n in (4, 5)]
signal.signal(signal.SIGALRM, signal.default_int_handler)
settings, recording = np.geterr(), RECORDING.get()
interrupts = 0
for i in range(int(sys.argv[1])):
    if i % 50 == 0:
        step.forget()
    try:
        # again after a second: Python swallows what strikes where it calls a finalizer
        signal.setitimer(signal.ITIMER_REAL, 1e-5 + i * 7 % 997 * 1e-6, 1.0)
        while True:
            for batch in batches:
                step(*batch)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
        interrupts += 1
    assert not step._lock.locked(), f"the lock is held after {i} interrupts"
    assert RECORDING.get() == recording, f"recording is {RECORDING.get()} after {i} interrupts"
    assert SCOPE.get() is None, f"the scope is {SCOPE.get()} after {i} interrupts"
    assert np.geterr() == settings, f"NumPy's errors are {np.geterr()} after {i} interrupts"
print(interrupts)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer interrupts here")
def test_interrupts_leave_neither_the_lock_nor_the_recording():
    """Ctrl-C at random moments of recordings and of replays: the next call runs as ever."""
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, "1500"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) == 1500


@replay
def doubled(x):
    return x * 2


def test_a_function_of_a_module_is_pickled_by_its_name():
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    assert pickle.loads(pickle.dumps(Mode.decorated)) is Mode.decorated


def test_copies_record_for_themselves():
    model = Mode()
    run = replay(model)
    run(X)
    for other in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert other is not run
        with pytest.raises(RuntimeError, match="not been called"):
            _ = other.source
        other.__wrapped__.k = 4.0
        assert same(other(X), other.__wrapped__(tg.Tensor(X)))
        assert not same(other(X), run(X))
    assert same(run(X), model(tg.Tensor(X)))


def test_a_model_that_holds_its_own_replay_is_copied():
    model = Mode()
    model.step = replay(model.other)
    model.step(X)
    other = copy.deepcopy(model)
    other.k = 7.0
    assert same(other.step(X), other(tg.Tensor(X)))


def test_words_of_errors():
    run = replay(lambda x: x * 2)
    run(ONES)
    with pytest.raises(ValueError, match="runs=0"):
        run.profile(ONES, runs=0)
    run.forget()
    with pytest.raises(RuntimeError, match="call it once"):
        _ = run.source


@pytest.mark.parametrize(
    "write", [lambda a, t: np.add(t, 1, out=a), lambda a, t: np.mean(t, out=a), lambda a, t: a.__iadd__(t)]
)
def test_writing_into_an_array_is_refused(write):
    array = np.zeros(())

    @replay
    def f(x):
        with tg.no_grad():
            write(array, x.sum())
        return x

    with pytest.raises(RuntimeError, match=r"recorded for replay, at .*test_state"):
        f(ONES)
    assert array == 0


def test_replays_that_step_different_parameters():
    made = []
    for _ in range(2):
        u, v = (tg.Tensor([k], requires_grad=True) for k in (1.0, 2.0))
        made.append((u, v, optim.Adam([u, v], lr=0.1)))

    def step(i, which):
        u, v, optimizer = made[i]
        optimizer.zero_grad()
        (u * u if which == "u" else v * v if which == "v" else u * v).sum().backward()
        optimizer.step()

    order = ["u", "v", "both", "both", "u", "both", "v", "both", "both", "v", "u", "both"]
    expected = [(step(0, which), [p.item() for p in made[0][:2]])[1] for which in order]
    runs = {which: replay(lambda which=which: step(1, which)) for which in order}
    assert [(runs[which](), [p.item() for p in made[1][:2]])[1] for which in order] == expected


def test_a_state_that_is_loaded():
    w = tg.Tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)

    def step():
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        return w * 1

    run = replay(step)
    first = [run().item() for _ in range(3)]
    kept, at = optimizer.state_dict(), w.data.copy()
    later = [run().item() for _ in range(3)]
    w.data[...] = at
    optimizer.load_state_dict(kept)
    assert [run().item() for _ in range(3)] == later != first


def test_a_function_that_is_only_ever_recorded_says_so():
    scale = replay(lambda x, rate: x * rate)
    for i in range(15):
        scale(np.ones(2), float(i))
    with pytest.warns(UserWarning, match=r"was recorded 16 times in a row and never replayed.*np\.asarray"):
        scale(np.ones(2), 15.0)
    again = replay(lambda x, rate: x * rate)
    for i in range(20):
        again(np.ones(2), np.asarray(float(i)))
