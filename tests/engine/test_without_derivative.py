"""Results without a derivative: comparisons, counts, indices and their graphs."""

import contextlib
import copy
import gc
import pickle
import sys
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.recording import tracing

QUESTIONS = {
    "argmax": lambda h: np.argmax(h, axis=1),
    "argsort": lambda h: np.argsort(h, axis=None),
    "a comparison": lambda h: h > 0.1,
    "a mask of masks": lambda h: ~(h > 0) | np.isnan(h) & (h < 1),
    "a cast": lambda h: h.astype(int),
    "the mean of a mask": lambda h: np.mean(h > 0.1),
    "an accuracy": lambda h: np.mean(np.argmax(h, axis=1) == np.arange(8) % 5),
    "a count in float32": lambda h: np.sum((h > 0).astype("float32") * 2, axis=0) / 3,
    "places": lambda h: np.nonzero(h)[1],
    "rows of an order": lambda h: np.argsort(h, axis=1)[2:, :3].T.reshape(-1),
    "quotient and remainder": lambda h: np.divmod(np.argmax(h, axis=1), 2)[1],
    "parts": lambda h: np.split(np.argsort(h, axis=1), 2)[1],
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
@pytest.mark.parametrize("named", [True, False], ids=["of a named result", "of a temporary"])
def test_what_has_no_derivative_keeps_nothing_alive(ask, named):
    gc.collect()
    gc.disable()
    try:
        x, w = leaf(*np.arange(8.0)), leaf(*np.linspace(-1, 1, 5))
        source = np.outer(x, w)
        seen = weakref.ref(source)
        if named:
            y = ask(source)
            expected = ask(source.numpy())
            del source
        else:
            expected = ask(source.numpy())
            del source
            y = ask(np.outer(x, w))
        assert seen() is None
        assert y.is_leaf
        assert not y.requires_grad
        assert y.op is None
        assert y.inputs == ()
        assert "op=" not in repr(y)
        assert np.array_equal(np.array(y), expected)
        before = sys.getrefcount(x), sys.getrefcount(w)
        with pytest.raises(RuntimeError, match=r"gone.*name that lives on.*tracing\(\)"):
            evaluate(y)
        del y
        assert (sys.getrefcount(x), sys.getrefcount(w)) == before
    finally:
        gc.enable()


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_what_has_no_derivative_is_followed_while_its_source_lives(ask):
    h = Tensor(np.linspace(-2, 3, 40).reshape(8, 5)[:, ::-1], requires_grad=True)
    y = ask(h)
    new = np.random.default_rng(0).standard_normal((8, 5))
    assert np.array_equal(evaluate(y, {h: new}), ask(new))
    z = (np.sum(y) * h).sum()
    assert float(evaluate(z, {h: new})) == pytest.approx(np.sum(ask(new)) * new.sum())


def test_twenty_kept_accuracies_hold_their_numbers_alone():
    x, target = np.ones((2000, 64)), np.arange(2000) % 10
    w = Tensor(np.ones((64, 10)), requires_grad=True)
    for named in (True, False):
        tracemalloc.start()
        kept, count = [], 0
        for _ in range(20):
            if named:
                logits = np.tanh(x @ w)
                hits = np.argmax(logits, axis=1) == target.copy()
            else:
                hits = np.argmax(np.tanh(x @ w), axis=1) == target.copy()
            kept.append(np.mean(hits))
            count = count + hits.sum()
        logits = hits = None
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held < 50_000
        assert (count.item(), kept[0].item()) == (4000, 0.1)


def test_a_long_chain_of_counts_is_followed_and_ends_without_recursion():
    h = leaf(1.0, -1.0) * 2
    count = (h > 0).sum()
    first = weakref.ref(count)
    for _ in range(100_000):
        count = count + 1
    assert evaluate(count) == 100_001
    assert first() is not None
    del h
    assert first() is None
    assert count.item() == 100_001


def test_what_uses_a_mask_holds_what_it_was_computed_from():
    x, w = leaf(1.0, -2.0, 3.0), leaf(1.0, 1.0, 1.0)
    h = x * w
    mask = h > 0
    y, z = np.where(mask, x, 10.0), x * mask
    seen = weakref.ref(h)
    del h
    assert seen() is not None
    new = {x: np.array([-1.0, 2.0, -3.0])}
    assert evaluate([y, z, mask], new)[0].tolist() == [10.0, 2.0, 10.0]
    assert evaluate(z, new).tolist() == [0.0, 2.0, 0.0]
    assert evaluate(mask, new).tolist() == [False, True, False]
    assert y.inputs[0] is z.inputs[1]  # one node for both
    with pytest.raises(ValueError, match="new values for leaves, but the result of greater was computed by greater"):
        evaluate(y, {mask: np.ones(3, bool)})
    del y, z
    assert seen() is None
    with pytest.raises(RuntimeError, match=r"the result of greater, of shape \(3,\), cannot be computed again"):
        evaluate(mask, new)


GONE = {
    "a product in a condition": lambda x, w: np.where(x * w > 0, x * w, 0.0),
    "a mean in a condition": lambda x, w: np.where(x > x.mean(), x, 0.0),
    "an order of something": lambda x, w: np.take_along_axis(x, np.argsort(-x), 0),
    "a mask times a number": lambda x, w: x * ((x * w > 0) * 2.0),
    "made of a mask that is gone": lambda x, w: x * (~(x * w > 0)).astype(float).sum(),
}


@pytest.mark.parametrize("f", GONE.values(), ids=GONE.keys())
def test_a_mask_of_what_is_gone_is_never_computed_with(f):
    x, w = leaf(1.0, -2.0, 3.0), leaf(1.0, 1.0, 2.0)
    new = np.array([-1.0, 2.0, 5.0])
    y = f(x, w)
    assert y.requires_grad
    y.sum().backward()  # the numbers at hand are right
    for values in ({x: new}, {w: new}, {}):
        with pytest.raises(RuntimeError, match="cannot be computed again"):
            evaluate(y, values)
    with tracing():
        y = f(x, w)
    assert np.array_equal(evaluate(y, {x: new}), f(new, w.numpy()))


@pytest.mark.parametrize(
    "write",
    [
        lambda m: m.__setitem__(0, False),
        lambda m: m.__iand__(np.array([False, True, True])),
        lambda m: m[:2].__setitem__(0, False),
        lambda m: setattr(m, "data", np.array([False, True, True])),
    ],
)
def test_a_mask_can_be_written_and_is_then_no_longer_followed(write):
    x = leaf(1.0, -2.0, 3.0)
    mask = x > -5
    before = (x * mask).sum()
    write(mask)
    assert mask.tolist() == [False, True, True]
    y = x * mask
    with pytest.raises(RuntimeError, match="it was written since"):
        evaluate(y, {x: np.zeros(3)})
    with contextlib.suppress(RuntimeError):  # "was written after"; where .data was set, the record has the old array
        before.backward()
        assert x.grad.tolist() == [1.0, 1.0, 1.0]
    x.zero_grad()
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("named", [True, False])
def test_what_a_mask_was_written_into_is_not_computed_with_either(named):
    x = leaf(1.0, -2.0, 3.0)
    count, kept, picked, copied = Tensor(0), Tensor(np.zeros(3)), Tensor(np.zeros(3)), Tensor(np.zeros(3))
    mask = x > 0 if named else x * 1 > 0
    count += mask.sum()
    kept[...] = mask
    picked[mask] = 1.0
    copied.data = mask
    for t in (count, kept, picked, copied):
        assert t.is_leaf
        for y in (x * t, x * (t + 1)):
            with pytest.raises(RuntimeError, match="cannot be computed again"):
                evaluate(y, {x: np.zeros(3)})
    assert evaluate(x * count, {x: np.ones(3), count: 7}).tolist() == [7.0, 7.0, 7.0]


def test_such_a_result_becomes_a_variable_when_told():
    x = leaf(1.0, -2.0)
    share = np.mean(x > 0).requires_grad_()
    y = share * share
    y.backward()
    assert share.grad.item() == 1.0
    assert float(evaluate(y, {share: 3.0})) == 9.0


def test_such_results_convert_copy_and_index_as_leaves_do():
    logits = leaf(0.1, 3.0, -1.0).reshape(3, 1) * np.ones((1, 4))
    guess = np.argmax(logits, axis=0)
    confusion = np.zeros((3, 3), int)
    confusion[guess, np.zeros(4, int)] += 1
    out = np.ones((3, 4))
    out[logits > 0] = 0
    assert out.sum() == 4
    assert confusion[1, 0] == 1
    assert np.array(logits > 0).sum() == np.asarray(logits > 0).sum() == 8
    assert [10, 20, 30][guess[0]] == 20
    assert (float(guess[0]), int(guess[0]), bool(logits[0, 0] > 0)) == (1.0, 1, True)
    assert set(np.array(guess)) == {1}
    for again in (pickle.loads(pickle.dumps(guess)), copy.copy(guess), copy.deepcopy(guess)):
        assert type(again) is Tensor
        assert again.tolist() == [1, 1, 1, 1]
        assert not np.shares_memory(again.data, guess.data)
    assert guess.detach().data is guess.data


def test_in_a_recorded_gradient_masks_are_held():
    x, w = leaf(1.0, -2.0, 3.0), leaf(1.0, 1.0, 2.0)
    for f in (np.max, np.ptp, np.median, lambda t: np.linalg.norm(t, np.inf), lambda t: np.sort(t)[1]):
        (dx,) = grad(f(x * w) ** 2, [x], create_graph=True)
        new = {x: np.array([4.0, 1.0, -3.0])}
        again = grad(f(Tensor(new[x], requires_grad=True) * w) ** 2, [w], create_graph=True, allow_unused=True)
        assert again is not None
        y = leaf(*new[x])
        (expected,) = grad(f(y * w) ** 2, [y])
        assert evaluate(dx, new).tolist() == expected.tolist()


def test_threads_end_sources_of_one_anothers_masks():
    x = leaf(*np.linspace(-1, 1, 50))
    masks = []

    def work(_):
        for _ in range(200):
            h = x * 2
            masks.append((h > 0) & (x > 0))
            y = np.where(masks[-1], h, 0.0)
            assert evaluate(y).tolist() == y.tolist()
            with contextlib.suppress(RuntimeError):
                evaluate(masks[len(masks) // 2])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))  # raises what one of them raised
    assert len(masks) == 800
