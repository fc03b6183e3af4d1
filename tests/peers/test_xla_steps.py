"""Steps of training that XLA compiled, beside the same steps called eagerly; and what the state does meanwhile."""

from __future__ import annotations

import copy
import doctest
import functools
import gc
import pickle
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from agreement import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from xla_nets import NETS, Training, at_night

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.memory import aligned
from tinygrad_edu.program import xla

CLOSE = {"float64": (1e-9, 1e-9), "float32": (1e-5, 1e-5)}


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


@functools.cache
def eager(name, dtype):
    """The losses and the state after all steps."""
    training = Training(name, dtype)
    return training.run(training.step), training.state()


def agree(name, dtype, **options):
    training = Training(name, dtype)
    step = tg.replay(training.step, backend="jax", **options)
    losses = training.run(step)
    step.gather()
    expected, state = eager(name, dtype)
    rtol, atol = CLOSE[dtype]
    assert_close(losses, expected, rtol=rtol, atol=atol)
    found = training.state()
    assert found.keys() == state.keys()
    for key, numbers in found.items():
        assert numbers.dtype == state[key].dtype
        if dtype == "float64" or numbers.size == 1 or ".num" in key:
            assert_close(numbers, state[key], rtol=rtol, atol=atol)
    assert "1 of 8" in repr(step)
    return step


@pytest.mark.parametrize("name", NETS)
def test_fifty_steps_as_eagerly(name):
    agree(name, "float64")


@pytest.mark.parametrize("name", at_night(NETS, "convnet", "lstm"))
def test_fifty_steps_in_single_precision(name):
    agree(name, "float32")


# ---------------------------------------------------------------------------------------------------
# Small steps


def small(**options):
    """A weight of two numbers, and a step that moves it."""
    w = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True, name="w")
    optimizer = optim.Adam([w], lr=0.1)

    def step(x):
        loss = np.square(x * w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return w, optimizer, tg.replay(step, backend="jax", **options)


X = np.array([1.0, 2.0])


def test_the_state_is_away_until_it_is_gathered():
    w, optimizer, step = small()
    step(X)
    there = w.numpy().copy()
    step(X)
    away = "on the devices, and were to be read or written here: call step.gather\\(\\), or leave its with block"
    for read in (
        w.numpy, w.tolist, lambda: w * 2, lambda: w.data + 1, lambda: copy.deepcopy(w), lambda: pickle.dumps(w),
        lambda: w[0], lambda: optimizer.state_dict(), lambda: copy.deepcopy(optimizer), lambda: np.asarray(w.detach()),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=away):
            read()
    with tg.no_grad(), pytest.raises(RuntimeError, match=away):
        w -= 1
    assert (w.shape, w.dtype, w.size, w.nbytes) == ((2,), np.dtype(float), 2, 16)
    step.gather()
    assert (w.numpy() != there).all()
    assert optimizer.state_dict()["state"][0]["step"] == 2


def test_what_was_recorded_before_the_state_went_is_stale():
    """Whether its rules read the numbers, as that of a product does, or not."""
    for f in (lambda w: w * w, lambda w: w + 1):
        w, _, step = small()
        step(X)
        loss = f(w).sum()
        step(X)
        with pytest.raises(RuntimeError):
            loss.backward()
        step.gather()
        with pytest.raises(RuntimeError, match="was written after"):
            loss.backward()


def test_leaving_the_block_gathers_also_when_it_raises():
    w, _, step = small()

    def train():
        with step:
            step(X), step(X)
            raise KeyError

    with pytest.raises(KeyError):
        train()
    assert w.numpy().shape == (2,)


def test_a_step_that_is_let_go_brings_its_state_home():
    w, _, step = small()
    for _ in range(3):
        step(X)
    del step
    gc.collect()
    assert np.isfinite(w.numpy()).all()


def test_what_is_written_between_calls_counts():
    w, optimizer, step = small()
    mine, other, eagerly = small()
    for k in range(5):
        assert_close(step(X).numpy(), eagerly.__wrapped__(X).numpy(), rtol=1e-12)
        if k in (1, 3):
            step.gather()
            with tg.no_grad():
                w *= 0.5
                mine *= 0.5
            optimizer.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.05
    step.gather()
    assert_close(w.numpy(), mine.numpy(), rtol=1e-12)
    assert "1 of 8" in repr(step)


def test_the_function_itself_runs_once():
    step, runs = small()[2], []

    def counted(x):
        runs.append(1)
        return step.__wrapped__(x)

    counting = tg.replay(counted, backend="jax")
    for k in range(6):
        counting(X)
        if k == 3:
            counting.gather()
        gc.collect()
    assert len(runs) == 1


def test_what_is_sent_is_a_copy():
    """JAX may read an array late and in place, while the caller or the next step fills it anew."""
    training, aligned = Training("mlp"), None
    for devices in (None, 2):
        step = tg.replay(training.step, backend="jax", devices=devices)
        x, y = training.batches[0]
        step(x, y), step(x, y)
        record = step._records[0][1]
        filled = [array for _, array in record._feeds._fills]
        for part in record._feeds.sent():
            assert not any(np.may_share_memory(np.asarray(part), array) for array in filled)
        put = functools.partial(step._placement.put_argument, awaited=False)
        aligned = put(x) if devices is None else aligned  # which JAX would take as it is
        for array in (aligned, x, x[::2].T, x[:0], y):
            part = put(array)
            assert (np.asarray(part) == array).all()
            for shard in getattr(part, "addressable_shards", ()):
                assert not np.may_share_memory(np.asarray(shard.data), array)
            assert devices is not None or not np.may_share_memory(part, array)
        step.gather()


@pytest.mark.parametrize("returns", [True, False])
def test_an_argument_may_be_used_again_at_once(returns):
    """It is sent as it is where results are waited for, and else copied."""
    total = tg.Tensor(np.zeros(1 << 16, np.float32))

    @tg.no_grad()
    def step(x):
        nonlocal total
        total += np.sin(np.sin(np.sin(x)))
        return total[-1] if returns else None

    batches = [np.full(total.shape, i, np.float32) for i in range(40)]
    expected, step = np.sum([np.sin(np.sin(np.sin(x))) for x in batches], axis=0), tg.replay(step, backend="jax")
    with step:
        x = np.empty_like(batches[0])
        for batch in batches:
            x[:] = batch
            step(x)
            x[:] = np.nan
    np.testing.assert_allclose(total.numpy(), expected, rtol=1e-4)


def test_an_argument_that_becomes_state_is_not_the_caller_s_array():
    """JAX takes memory that begins so as it is."""
    x = aligned(4096).view(np.float32)
    first, second = tg.zeros(x.size), tg.zeros(x.size)

    @tg.no_grad()
    def put(x):
        first[...] = x
        second[...] = x
        return x, x

    put = tg.replay(put, backend="jax")
    with put:
        for i in range(4):
            x[:] = i
            results = put(x)
            x[:] = np.nan
        results[0].data[:] = -1
    assert all((y.numpy() == 3).all() for y in (first, second, results[1]))


def test_the_old_state_is_given_away():
    w, _, step = small()
    step(X), step(X)
    before = w.ndarray.value
    step(X)
    assert before.is_deleted()
    assert not w.ndarray.value.is_deleted()


def test_gradients_are_kept_when_asked_for():
    w, _, step = small()
    step(X), step(X)
    with pytest.raises(RuntimeError, match="keeps no gradients; write replay"):
        w.grad.numpy()
    w, _, step = small(gradients=True)
    mine, _, eagerly = small()
    for _ in range(3):
        step(X), eagerly.__wrapped__(X)
    step.gather()
    assert_close(w.grad.numpy(), mine.grad.numpy(), rtol=1e-12)


def test_gradients_that_are_added_up_over_calls():
    w = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    step = tg.replay(lambda x: (x * w).sum().backward(), backend="jax")
    for _ in range(4):
        step(X)
    step.gather()
    assert w.grad.tolist() == [4.0, 8.0]


def test_training_and_evaluating_share_the_state():
    training = Training("mlp")
    step = tg.replay(training.step, backend="jax")
    evaluate = tg.replay(lambda x: training.model(x), backend="jax")
    x = training.batches[0][0]
    for k, (a, b) in enumerate(training.batches[:4]):
        step(a, b)
        training.model.eval()
        found = evaluate(x)
        training.model.train()
        if k == 3:
            step.gather()
            training.model.eval()
            assert_close(found.numpy(), training.model(x).numpy(), rtol=1e-12, atol=1e-12)
            training.model.train()
    assert "1 of 8" in repr(evaluate)


def test_a_replay_by_numpy_does_not_read_what_is_away():
    w, _, step = small()
    by_numpy = tg.replay(lambda x: x * w)
    by_numpy(X), step(X), step(X)
    with pytest.raises(RuntimeError, match=r"call step.gather\(\)"):
        by_numpy(X)
    step.gather()
    assert by_numpy(X).tolist() == (X * w.numpy()).tolist()


def test_constants_are_sent_again_when_they_were_written():
    c = tg.Tensor(np.array([1.0, 2.0]))
    f = tg.replay(lambda x: x + c, backend="jax")
    f(X)
    assert f(X).tolist() == [2.0, 4.0]
    c[0] = 5.0
    assert f(X).tolist() == [6.0, 4.0]
    c.data = np.array([0.0, 0.0])
    assert f(X).tolist() == [1.0, 2.0]


def test_other_shapes_are_recorded_and_find_the_state():
    training = Training("mlp")
    mine = Training("mlp")
    step = tg.replay(training.step, backend="jax")
    tg.manual_seed(7)
    found = [step(x[: 16 - k % 2 * 6], y[: 16 - k % 2 * 6]).item() for k, (x, y) in enumerate(training.batches[:8])]
    tg.manual_seed(7)
    expected = [mine.step(x[: 16 - k % 2 * 6], y[: 16 - k % 2 * 6]).item() for k, (x, y) in enumerate(mine.batches[:8])]
    assert_close(found, expected, rtol=1e-9)
    assert "2 of 8" in repr(step)


def test_what_a_function_writes_into_views_and_results():
    state = tg.Tensor(np.arange(12.0).reshape(3, 4))
    same = state.detach()

    def f(x):
        view = state[1:, ::2]
        y = x * 2
        before = view.sum()
        with tg.no_grad():
            view += 1
            state[0] = x
            y[1] = 7.0
        return before, view.sum(), y, same.sum(), state.T[0] * 1

    eagerly = tg.Tensor(np.arange(12.0).reshape(3, 4))
    by_xla = tg.replay(f, backend="jax")
    x = np.array([1.0, 2.0, 3.0, 4.0])
    for k in range(3):
        found = [part.tolist() for part in by_xla(x + k)]
    by_xla.gather()
    numbers = state.numpy().copy()
    state[...] = eagerly
    for k in range(3):
        expected = [part.tolist() for part in f(tg.Tensor(x + k))]
    assert found == expected
    assert (numbers == state.numpy()).all()


def test_what_is_drawn_on_devices_is_the_same_for_the_same_seed():
    def f(x):
        return F.dropout(x, 0.25), tg.rand(3, dtype="float32"), tg.randn(1000), F.dropout(x, 0.25)

    f = tg.replay(f, backend="jax", noise="device")
    x = np.ones(4000)
    tg.manual_seed(0)
    f(x)
    runs = []
    for _ in range(2):
        tg.manual_seed(3)
        runs.append([[part.numpy() for part in f(x)] for _ in range(2)])
    for a, b in zip(runs[0], runs[1], strict=True):
        assert all((p == q).all() for p, q in zip(a, b, strict=True))
    (dropped, uniform, normal, other), (again, *_) = runs[0]
    assert (dropped != again).any()
    assert (dropped != other).any()
    assert set(dropped.tolist()) == {0.0, 1 / 0.75}
    assert abs((dropped == 0).mean() - 0.25) < 0.03
    assert uniform.dtype == np.float32
    assert ((uniform >= 0) & (uniform < 1)).all()
    assert abs(normal.mean()) < 0.15
    assert abs(normal.std() - 1) < 0.1


def test_the_block_of_the_readme():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (block,) = [block for _, block in blocks if 'backend="jax"' in block]
    training = Training("mlp")
    x, y = [np.concatenate(parts) for parts in zip(*training.batches, strict=True)]
    before = training.state()
    space = {"tg": tg, "step": training.step, "DataLoader": DataLoader, "x_train": x, "y_train": y}
    exec(block, space)
    assert np.isfinite(space["loss"].item())
    assert (training.state()["0.weight"] != before["0.weight"]).any()


def test_the_example_of_the_docstring():
    with jax.enable_x64(False):
        found = doctest.testmod(xla)
    assert (found.attempted > 5, found.failed) == (True, 0)


def test_what_is_absent_sends_nothing_back():
    """Where a selection drops an element, what is infinite on the way to it counts for nothing, in products too."""
    w = tg.Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)

    def slope(x):
        y = np.sqrt(x)[:, None] * w + x[:, None] @ w[:1]
        return tg.grad(np.where(x[:, None] > 0, y, 0).sum() + ((1 / x)[:, None] @ w[1:])[1:].sum(), w)

    by_xla = tg.replay(slope, backend="jax")
    for x in (np.array([1.0, 4.0]), np.array([0.0, 4.0]), np.array([0.0, 9.0])):
        with np.errstate(all="ignore"):
            found, expected = by_xla(x), slope(tg.Tensor(x))
        assert np.isfinite(expected.numpy()).all()
        assert_close(found.numpy(), expected.numpy(), rtol=1e-12)


# ---------------------------------------------------------------------------------------------------
# What is refused


def refused(f, *args, kind=RuntimeError, match, **options):
    with pytest.raises(kind, match=match):
        tg.replay(f, backend="jax", **options)(*args)


def test_what_depends_on_values_is_refused_with_the_line():
    here = r"test_xla_steps.py:\d+: "
    refused(lambda x: x[x > 1], X, match=rf"getitem.* at .*{here}.*an index of truths.*np.where\(condition, a, b\)")
    unknown = r"how large its result is.* depends on numbers that are not there"
    refused(lambda x: np.argwhere(x), X, match=rf"argwhere.* at .*{here}.*{unknown}")
    refused(lambda x: np.unique(x), X, match=rf"places.* at .*{here}.*{unknown}")
    refused(lambda x: 1 if (x > 1).all() else 2, X, match="recorded for replay")


def test_a_refusal_leaves_all_as_it_was():
    w = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    layer = nn.Dropout(0.5)
    optimizer = optim.SGD([w], lr=0.1)

    def step(x):
        loss = (layer(x) * w)[x > 0].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    before = tg.random.get_state() if hasattr(tg, "random") else None
    refused(step, X, match="index of truths")
    assert w.tolist() == [1.0, 2.0]
    assert w.grad is None
    assert optimizer.state_dict()["state"] == {}
    if before is not None:
        assert tg.random.get_state() == before


def test_double_precision_must_be_asked_for():
    with jax.enable_x64(False):
        refused(lambda x: x * 2, X, kind=TypeError, match="computes in float64.*jax_enable_x64")
        f = tg.replay(lambda x, n: (x * 2, n + 1), backend="jax")
        for _ in range(2):
            y, n = f(X.astype(np.float32), np.array([1 << 40]))
        assert y.dtype == np.float32
        assert n.tolist() == [(1 << 40) + 1]  # integers keep all bits


def test_class_numbers_and_indices_are_checked_before_the_run():
    training = Training("mlp")
    step = tg.replay(training.step, backend="jax")
    x, y = training.batches[0]
    step(x, y), step(x, y)
    draws = tg.manual_seed(1).bit_generator.state
    with pytest.raises(IndexError, match=r"test_xla|xla_nets.py:\d+.*target\[3\] is 5, but there are 5 classes"):
        step(x, np.where(np.arange(16) == 3, 5, y))
    assert tg.manual_seed(1).bit_generator.state == draws
    step.gather()
    table = tg.Tensor(np.eye(3))
    look = tg.replay(lambda i: F.embedding(i, table), backend="jax")
    take = tg.replay(lambda i: table[i.reshape(-1)], backend="jax")
    hot = tg.replay(lambda i: tg.one_hot(i, 3), backend="jax")
    for f in (look, take, hot):
        f(np.array([[0, 2]])), f(np.array([[0, 2]]))
        with pytest.raises(IndexError):
            f(np.array([[0, 3]]))
    computed = tg.replay(lambda x: table[np.astype(x * 2, int)], backend="jax")
    computed(X * 0), computed(X * 0)
    assert np.isnan(computed(X * 5).numpy()).all()


@given(
    arrays(
        st.sampled_from([np.int8, np.int64, np.uint8, np.uint32]), (2, 3), elements=st.integers(0, 6), fill=st.nothing()
    ),
    st.integers(-2, 2),
    st.sampled_from([lambda i: i, lambda i: i.reshape(-1), lambda i: i[:, 1:], lambda i: i + 0]),
)
@settings(max_examples=30, deadline=None)
def test_a_look_refuses_what_the_op_refuses(numbers, below, shown):
    """Numbers in and out of range, of types with and without a sign, as they are given and of views of them."""
    if numbers.dtype.kind == "i":
        numbers = numbers + numbers.dtype.type(below)
    refused = []
    for made in (lambda i: tg.one_hot(shown(i), 5), lambda i: F.embedding(shown(i), tg.Tensor(np.eye(5)))):
        step = tg.replay(made, backend="jax")
        step(numbers * 0)
        for run in (made, step):
            try:
                run(tg.Tensor(numbers))
                refused.append(None)
            except IndexError as error:
                refused.append(str(error).split(": ")[-1])
        assert refused[-2] == refused[-1]


def test_memory_that_is_shared_in_part_is_refused():
    numbers = np.zeros(5)
    a, b = tg.Tensor(numbers[:3]), tg.Tensor(numbers[2:])

    def f(x):
        with tg.no_grad():
            a[...] = x
        return b.sum()

    refused(f, np.ones(3), match="share memory, and one is written")


def test_options_that_do_not_fit():
    with pytest.raises(ValueError, match='"numpy" and "jax", but got \'tpu\''):
        tg.replay(len, backend="tpu")
    with pytest.raises(TypeError, match='devices: an option of backend="jax"'):
        tg.replay(len, devices=2)
    with pytest.raises(ValueError, match='noise= is "host" or "device"'):
        tg.replay(len, backend="jax", noise="gpu")
    with pytest.raises(TypeError, match="gradients= is True or False, but got 'no'"):
        tg.replay(len, backend="jax", gradients="no")
    with pytest.raises(TypeError, match=r"but got ArrayImpl; write np\.asarray\(x\)"):
        tg.replay(len, backend="jax")(jax.numpy.ones(3))
    step = small()[2]
    step(X)
    with pytest.raises(TypeError, match="compiled by XLA"):
        _ = step.plan
    with pytest.raises(TypeError, match=r"jax\.profiler"):
        step.profile(X)
    step(X)
    assert "HloModule" in step.compiled.as_text()
    assert "stablehlo" in step.source


def test_it_goes_on_as_a_method_and_after_forgetting():
    w, _, step = small()
    step(X), step(X)
    step.forget()
    assert w.numpy().shape == (2,)
    assert "0 of 8" in repr(step)
    step(X)
