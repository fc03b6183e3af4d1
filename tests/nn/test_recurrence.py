"""Recurrent layers: one op is the unrolled graph, masks leak nothing, packed is masked, replayed is eager; and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
import viz
from tinygrad_edu import nn, optim
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.utils import rnn as packing
from tinygrad_edu.testing import gradcheck

KINDS = ["RNN", "LSTM", "GRU"]
PROJECTED = "projected LSTM"
kinds = pytest.mark.parametrize("kind", KINDS)
kinds_and_projected = pytest.mark.parametrize("kind", [*KINDS, PROJECTED])


def layer(kind, inputs, hidden, *sizes, **settings):
    if kind == PROJECTED:
        kind, settings = "LSTM", {**settings, "proj_size": hidden - 1}
    return getattr(nn, kind)(inputs, hidden, *sizes, **settings, dtype=float, generator=np.random.default_rng(0))


def flat(results):
    if not isinstance(results, tuple | list):
        return [results]
    return [part for y in results for part in flat(y)]


def outcome(model, x, *args, seed=5, **kwargs):
    """Results, and the gradients of the input and of the parameters by random cotangents."""
    rng = np.random.default_rng(seed)
    x = tg.Tensor(x, requires_grad=True)
    ys = flat(model(x, *args, **kwargs))
    vs = [rng.standard_normal(y.shape) for y in ys]
    return [y.numpy() for y in ys] + [g.numpy() for g in tg.grad(ys, [x, *model.parameters()], vs)]


def same(got, expected, **tolerance):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-10, "atol": 1e-12, **tolerance})


@kinds_and_projected
@given(
    steps=st.integers(1, 4), rows=st.integers(1, 3), inputs=st.integers(1, 3), hidden=st.integers(1, 3),
    layers=st.integers(1, 2), both=st.booleans(), bias=st.booleans(), masked=st.booleans(),
)  # fmt: skip
def test_a_layer_is_its_unrolled_graph(kind, steps, rows, inputs, hidden, layers, both, bias, masked):
    rng = np.random.default_rng(steps)
    model = layer(kind, inputs, hidden, layers, bidirectional=both, bias=bias)
    x = rng.standard_normal((steps, rows, inputs))
    mask = rng.random((steps, rows)) < 0.6 if masked else None
    got = outcome(model, x, mask=mask)
    model.unroll = True
    same(outcome(model, x, mask=mask), got)


@kinds
def test_batches_of_no_example(kind):
    model = layer(kind, 2, 3, 2, bidirectional=True)
    x = tg.Tensor(np.zeros((4, 0, 2)), requires_grad=True)
    y, states = model(x)
    assert y.shape == (4, 0, 6)
    assert all(part.shape == (4, 0, 3) for part in flat(states))
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert not any(p.grad.numpy().any() for p in model.parameters())


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("function", [F.rnn, F.lstm, F.gru])
def test_a_sequence_has_a_step(function, unroll):
    state = np.zeros((2, 1))
    state = (state, state) if function is F.lstm else state
    for x in (np.zeros((0, 2, 3)), np.zeros((2, 3))):
        with pytest.raises(
            ValueError, match=rf"\(T, N, features\), of one step or more, but got x of shape \({x.shape[0]}, "
        ):
            function(x, state, np.zeros((3, 4)), np.zeros((1, 4)), unroll=unroll)


@kinds
def test_a_layer_is_its_cell(kind):
    model, x = layer(kind, 3, 4), np.random.default_rng(0).standard_normal((5, 2, 3))
    cell = getattr(nn, f"{kind}Cell")(3, 4, dtype=float)
    cell.load_state_dict({name.removesuffix("_l0"): array for name, array in model.state_dict().items()})
    states, found = None, []
    for part in x:
        states = cell(part, states)
        found.append((states[0] if kind == "LSTM" else states).numpy())
    same(found, model(x)[0].numpy())


@kinds_and_projected
def test_a_long_sequence_is_few_records(kind):
    x = np.zeros((100, 2, 3))
    short = len(topological([layer(kind, 3, 4)(x)[0].sum()], leaves=False))
    assert short < 15
    assert len(topological([layer(kind, 3, 4, unroll=True)(x)[0].sum()], leaves=False)) > 500


@kinds_and_projected
@given(data=st.data())
def test_masks_leak_nothing(kind, data):
    """Whatever stands where the mask is false, also NaN, changes nothing, and gets no gradient."""
    steps, rows = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    mask = np.array(
        data.draw(st.lists(st.lists(st.booleans(), min_size=rows, max_size=rows), min_size=steps, max_size=steps))
    )
    both, unroll = data.draw(st.booleans()), data.draw(st.booleans())
    model = layer(kind, 2, 3, 2, bidirectional=both, unroll=unroll)
    x = np.random.default_rng(0).standard_normal((steps, rows, 2))
    spoiled = np.where(mask[..., None], x, data.draw(st.sampled_from([np.nan, np.inf, 1e30, -7.0])))
    expected = outcome(model, np.where(mask[..., None], x, 0), mask=mask)
    got = outcome(model, spoiled, mask=mask)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not got[0][~mask].any()
    by_x = got[len(got) - 1 - len(list(model.parameters()))]
    assert not by_x[~mask].any()


@kinds_and_projected
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_packed_is_masked_is_alone(kind, lengths):
    rng = np.random.default_rng(len(lengths))
    parts = [rng.standard_normal((n, 2)) for n in lengths]
    model = layer(kind, 2, 3, 2, bidirectional=True)
    packed, last = model(packing.pack_sequence(parts, enforce_sorted=False))
    padded = packing.pad_sequence(parts)
    mask = np.arange(len(padded))[:, None] < lengths
    masked, last_masked = model(padded, mask=mask)
    filled, found = packing.pad_packed_sequence(packed)
    assert found.tolist() == lengths
    same([filled.numpy(), *[s.numpy() for s in flat(last)]], [masked.numpy(), *[s.numpy() for s in flat(last_masked)]])
    for k, part in enumerate(parts):
        y, states = model(part)
        same([masked.numpy()[: len(part), k]], [y.numpy()])
        same([s.numpy()[:, k] for s in flat(last)], [s.numpy() for s in flat(states)])


@kinds_and_projected
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True, "num_layers": 2}], ids=str)
def test_gradients(kind, settings):
    model = layer(kind, 2, 3, **settings)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((3, 2, 2)), requires_grad=True)
    gradcheck(lambda t: model(t)[0], [x], order=2)
    mask = np.array([[True, True], [True, False], [False, True]])
    gradcheck(lambda t: model(t, mask=mask)[0], [x], order=2)


def test_third_derivatives():
    """The third derivatives of h² through two steps are those of the unrolled graph."""
    found = []
    for unroll in (False, True):
        model = layer("GRU", 1, 2, unroll=unroll)
        x = tg.Tensor(np.full((2, 1, 1), 0.3), requires_grad=True)
        y = (model(x)[0] ** 2).sum()
        for _ in range(3):
            y = tg.grad(y, x, create_graph=True).sum()
        found.append(y.item())
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert abs(found[0]) > 1e-6


@kinds_and_projected
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_replayed_is_eager(kind, masked):
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((4, 3, 2)), rng.random((4, 3)) < 0.7

    def trained(replayed):
        model = layer(kind, 2, 3, 2, bidirectional=True)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x, mask):
            optimizer.zero_grad()
            loss = np.square(model(x, mask=mask if masked else None)[0]).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = tg.replay(step) if replayed else step
        losses = [run(x * k, mask).item() for k in (1.0, 2.0, 0.5)]
        return losses, list(model.state_dict().values())

    (losses, state), (expected, other) = trained(True), trained(False)
    assert losses == pytest.approx(expected, rel=1e-12)
    same(state, other)


@kinds_and_projected
def test_a_penalty_on_gradients_is_replayed(kind):
    """Second derivatives, recorded once and run again, are those of the eager step."""
    x = np.random.default_rng(0).standard_normal((3, 2, 2))

    def trained(replayed):
        model = layer(kind, 2, 3)

        def step(x):
            model.zero_grad()
            slopes = tg.grad(np.square(model(x)[0]).sum(), list(model.parameters()), create_graph=True)
            penalty = sum(np.square(g).sum() for g in slopes)
            penalty.backward()
            return penalty

        run = tg.replay(step) if replayed else step
        return [run(x * k).item() for k in (1.0, 2.0)], [p.grad.numpy() for p in model.parameters()]

    (losses, slopes), (expected, others) = trained(True), trained(False)
    assert losses == pytest.approx(expected, rel=1e-12)
    same(slopes, others)


@kinds
def test_figures_show_one_op_or_every_step(kind):
    x = np.ones((2, 1, 2))
    assert f"{kind} takes" in viz.draw(layer(kind, 2, 3)(x)[0].sum(), collapse=None).text()
    text = viz.draw(layer(kind, 2, 3, unroll=True)(x)[0].sum(), collapse=None).text()
    assert text.count("tanh takes") == (4 if kind == "LSTM" else 2)
    assert text.count("sigmoid takes") == {"RNN": 0, "LSTM": 6, "GRU": 4}[kind]


def test_a_projected_layer_is_one_record_for_each_direction_and_layer():
    model = layer(PROJECTED, 3, 4, 2, bidirectional=True)
    short, long = [
        [node.op.name for node in topological(flat(model(np.zeros((n, 2, 3)))), leaves=False)] for n in (2, 50)
    ]
    assert short == long
    assert long.count("projected_lstm") == 4
    assert not {"tanh", "sigmoid", "lstm"} & set(long)


def test_a_projected_layer_on_no_example():
    model = layer(PROJECTED, 2, 3, bidirectional=True)
    y, (h, c) = model(np.zeros((4, 0, 2)))
    assert (y.shape, h.shape, c.shape) == ((4, 0, 4), (2, 0, 2), (2, 0, 3))
    y.sum().backward()
    assert not any(p.grad.numpy().any() for p in model.parameters())


@pytest.mark.parametrize(
    "part", [lambda y, h, c: y[1], lambda y, h, c: h[0], lambda y, h, c: c[0]], ids=["y", "h", "c"]
)
def test_one_result_of_a_projected_layer(part):
    """Where something is made of some results alone, the gradients are those of the unrolled graph."""
    model, found = layer(PROJECTED, 2, 3), []
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2, 2)), requires_grad=True)
    for model.unroll in (False, True):
        y, states = model(x)
        loss = np.square(part(y, *states)).sum()
        found.append([g.numpy() for g in tg.grad(loss, [x, *model.parameters()])])
    same(*found)


def test_dropout_is_between_layers_and_in_training_alone():
    model = nn.GRU(2, 50, 2, dropout=0.5, generator=np.random.default_rng(0))
    x = np.ones((3, 4, 2), np.float32)
    assert not np.array_equal(model(x)[0].numpy(), model(x)[0].numpy())
    np.testing.assert_array_equal(model(x)[1].numpy()[0, 0], model(x)[1].numpy()[0, 1])  # the first layer has none
    model.eval()
    np.testing.assert_array_equal(model(x)[0].numpy(), model(x)[0].numpy())


def test_a_sequence_in_parts_is_the_whole():
    """States taken along give the same results; detached, they end the graph."""
    model, x = layer("LSTM", 2, 3, 2), np.random.default_rng(0).standard_normal((6, 2, 2))
    whole, state, parts = model(x)[0].numpy(), None, []
    for part in np.split(x, 3):
        y, state = model(part, state)
        parts.append(y.numpy())
        state = tuple(s.detach() for s in state)
    same([np.concatenate(parts)], [whole])
    assert all(s.op is None for s in state)


def test_types():
    """float32 stays float32, and float16 is computed in float32 on the way."""
    for kind in (*KINDS, PROJECTED):
        for dtype, tolerance in ((np.float32, 1e-5), (np.float16, 5e-3)):
            model = layer(kind, 2, 3)
            x = np.random.default_rng(0).standard_normal((4, 2, 2))
            expected = outcome(model, x)
            got = outcome(model.to(dtype), x.astype(dtype))
            assert {a.dtype for a in got} == {np.dtype(dtype)}
            same(got, expected, rtol=10 * tolerance, atol=tolerance * 10)


def test_names_shapes_and_counts():
    model = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    shapes = {name: p.shape for name, p in model.named_parameters()}
    assert shapes["weight_ih_l0"] == (3, 16)
    assert shapes["weight_hh_l1_reverse"] == (2, 16)
    assert shapes["weight_ih_l1"] == (4, 16)
    assert shapes["weight_hr_l0"] == (4, 2)
    assert list(shapes)[:5] == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"]
    bound = 1 / np.sqrt(4)
    tg.manual_seed(0)
    assert all(0.5 * bound < np.abs(p.numpy()).max() <= bound for p in nn.GRU(30, 4).parameters())
    made = nn.summary(nn.GRU(3, 4), (5, 2, 3))
    assert made.parameters == 3 * 12 + 4 * 12 + 24
    assert made.multiply_adds == 5 * 2 * (3 + 4) * 12
    for unroll in (False, True):
        made = nn.summary(nn.LSTM(3, 4, proj_size=2, unroll=unroll), (5, 2, 3))
        assert made.multiply_adds == 5 * 2 * ((3 + 2) * 16 + 4 * 2)
    assert nn.init.fans(nn.GRU(3, 4).weight_ih_l0.shape) == (3, 12)


class Net(nn.Module):
    def __init__(self, kind="LSTM", **settings):
        self.rnn = getattr(nn, kind)(3, 4, **settings)

    def forward(self, *args, **kwargs):
        return self.rnn(*args, **kwargs)


ZERO = np.zeros((1, 2, 4), np.float32)
BAD = [
    ({}, (np.zeros((0, 2, 3)),), ValueError, r"Net\.rnn: LSTM\(3, 4\) takes sequences of at least one step, but got x of shape \(0, 2, 3\)"),
    ({}, (np.zeros((5, 2, 2)),), ValueError, r"Net\.rnn: LSTM\(3, 4\) takes x of shape \(T, N, 3\) or \(T, 3\), but got \(5, 2, 2\)"),
    ({"batch_first": True}, (np.zeros((5,)),), ValueError, r"takes x of shape \(N, T, 3\) or \(T, 3\), but got \(5,\)"),
    ({}, (np.zeros((5, 2, 3)), ZERO), TypeError, r"begins with a pair of states, \(h_0, c_0\), but got ndarray"),
    ({}, (np.zeros((5, 2, 3)), (ZERO, ZERO[:, :1])), ValueError, r"takes c_0 of shape \(1, 2, 4\) for this input, but got \(1, 1, 4\)"),
    ({}, (np.zeros((5, 2, 3)), (ZERO,)), TypeError, r"begins with a pair of states, \(h_0, c_0\), but got 1 in a tuple"),
    ({"kind": "GRU"}, (np.zeros((5, 2, 3)), (ZERO, ZERO)), TypeError, r"Net\.rnn: GRU\(3, 4\) begins with one state, h_0, but got 2 in a tuple"),
    ({"kind": "GRU"}, (np.zeros((5, 2, 3)), ZERO[0]), ValueError, r"Net\.rnn: GRU.* takes h_0 of shape \(1, 2, 4\) for this input, but got \(2, 4\)"),
    ({"kind": "GRU"}, (np.zeros((5, 3)), ZERO), ValueError, r"takes h_0 of shape \(1, 4\) for this input, but got \(1, 2, 4\)"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "args", "kind", "words"), BAD)
def test_bad_input(settings, args, kind, words):
    """The layer's path, what it got and what it takes; nothing has changed."""
    model = Net(**settings)
    before = model.state_dict()
    with pytest.raises(kind, match=words):
        model(*args)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_bad_masks_and_settings():
    model = nn.GRU(3, 4)
    with pytest.raises(
        ValueError, match=r"takes a mask of truths of shape \(5, 2\), one for each step, but got bool \(2, 5\)"
    ):
        model(np.zeros((5, 2, 3), np.float32), mask=np.ones((2, 5), bool))
    with pytest.raises(ValueError, match="but got int64"):
        model(np.zeros((5, 2, 3), np.float32), mask=np.ones((5, 2), int))
    with pytest.raises(ValueError, match=r"RNN's nonlinearity is 'tanh' or 'relu', but got 'elu'"):
        nn.RNN(3, 4, nonlinearity="elu")
    with pytest.raises(ValueError, match="dropout is between layers"):
        nn.LSTM(3, 4, dropout=0.5)
    with pytest.raises(ValueError, match="proj_size is below hidden_size=4"):
        nn.LSTM(3, 4, proj_size=4)
    with pytest.raises(ValueError, match="at least one feature"):
        nn.GRUCell(0, 4)
    with pytest.raises(ValueError, match=r"LSTMCell\(3, 4\) takes x of shape \(N, 3\) or \(3,\), but got \(2, 4\)"):
        nn.LSTMCell(3, 4)(np.zeros((2, 4)))


def test_bad_lengths():
    x = np.zeros((3, 2, 1))
    with pytest.raises(ValueError, match=r"lengths\[1\] is 0, but a sequence has between 1 and 3"):
        packing.pack_padded_sequence(x, [3, 0])
    with pytest.raises(ValueError, match=r"lengths\[0\] is 4"):
        packing.pack_padded_sequence(x, [4, 1])
    with pytest.raises(ValueError, match="enforce_sorted=False"):
        packing.pack_padded_sequence(x, [1, 3])
    with pytest.raises(ValueError, match="2 whole numbers, one for each sequence"):
        packing.pack_padded_sequence(x, [1, 3, 2])
    with pytest.raises(ValueError, match="total_length is at least 3"):
        packing.pad_packed_sequence(packing.pack_padded_sequence(x, [3, 1]), total_length=2)
    with pytest.raises(ValueError, match="steps of one shape"):
        packing.pad_sequence([np.zeros((2, 1)), np.zeros((2, 2))])


def test_packing_is_differentiated():
    parts = [tg.Tensor(np.arange(n + 0.0), requires_grad=True) for n in (2, 3)]
    packed = packing.pack_sequence(parts, enforce_sorted=False)
    (packed.data * np.arange(1.0, 6.0)).sum().backward()
    assert [x.grad.tolist() for x in parts] == [[2.0, 4.0], [1.0, 3.0, 5.0]]


def test_functions_on_arrays_give_arrays():
    rng = np.random.default_rng(0)
    x, h = rng.standard_normal((3, 2, 2)), np.zeros((2, 2))
    for y in flat([F.rnn(x, h, np.eye(2), np.eye(2)), F.gru(x, h, np.ones((2, 6)), np.ones((2, 6)))]):
        assert type(y) is np.ndarray
    y, (h, c) = F.lstm(x, (h, h), np.ones((2, 8)), np.ones((2, 8)))
    assert type(y) is type(h) is type(c) is np.ndarray
    np.testing.assert_array_equal(y[-1], h)
