"""Stale graphs: what was written after it was recorded is noticed, whatever wrote it."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import enable_grad, no_grad
from tinygrad_edu.engine.registry import COMPOSITES, OPS


@op(symbol="halves", outputs=2, view=True, vjp=(lambda g, y, x: np.concatenate([g[0], g[1]]),))
def halves(x):
    """The two halves of a vector, as views."""
    n = x.shape[0] // 2
    return x[:n], x[n:]


def _add_in_place(w):
    with no_grad():
        w += 1.0


def _in_place_of_a_view(w):
    v = w.detach()[1:]
    v[0] = 5.0


def _in_place_of_a_view_in_no_grad(w):
    with no_grad():
        v = w.reshape(1, 3)
        v *= 2.0


def _assign_item(w):
    with no_grad():
        w[0] = 7.0


def _assign_masked(w):
    with no_grad():
        w[w > 0] = 7.0


def _assign_data(w):
    w.data = np.array([7.0, 8.0, 9.0])


def _subtract_from_data(w):
    w.data -= 0.1


def _detached(w):
    d = w.detach()
    d[0] = 9.0


def _detached_in_place(w):
    with no_grad():
        d = w.detach().detach()
        d /= 2.0


def _tensor_of_tensor(w):
    with no_grad():
        d = Tensor(w.detach())
        d -= 1.0


def _row(w):
    with no_grad():
        for part in w.reshape(3, 1):
            part *= 2


def _split_part(w):
    with no_grad():
        a, _ = np.split(w.reshape(3, 1).repeat(1), [1])
        w -= a


def _transposed(w):
    with no_grad():
        t = w.reshape(3, 1).T
        t += 1


WRITES = [
    _add_in_place,
    _in_place_of_a_view,
    _in_place_of_a_view_in_no_grad,
    _assign_item,
    _assign_masked,
    _assign_data,
    _subtract_from_data,
    _detached,
    _detached_in_place,
    _tensor_of_tensor,
    _row,
    _split_part,
    _transposed,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__.strip("_"))
def test_a_value_written_after_it_was_used_raises_naming_it(write):
    w, x = leaf(1.0, 2.0, 3.0, name="weight"), leaf(1.0, 1.0, 1.0, name="input")
    y = (w * x).sum()
    write(w)
    for again in (y.backward, lambda: grad(y, x)):
        with pytest.raises(RuntimeError, match=r"'weight' was written after multiply had used it.*compute .* again"):
            again()
    assert w.grad is None
    assert x.grad is None
    y = (w * x).sum()
    y.backward()
    assert np.array_equal(x.grad.numpy(), w.numpy())


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__.strip("_"))
def test_a_write_before_the_recording_is_seen_by_it(write):
    w, x = leaf(1.0, 2.0, 3.0), leaf(1.0, 1.0, 1.0)
    write(w)
    (w * x).sum().backward()
    assert np.array_equal(x.grad.numpy(), w.numpy())


def test_a_result_written_through_its_detached_view_raises():
    x = leaf(1.0, 2.0)
    h = np.exp(x)
    y = h.sum()
    h.detach()[0] = 0.0
    with pytest.raises(RuntimeError, match="the result of exp was written after"):
        y.backward()
    assert x.grad is None


def test_an_output_written_through_its_detached_view_raises():
    x = leaf(1.0, 2.0)
    y = np.exp(x)  # its rule reads y
    y.detach()[0] = 0.0
    with pytest.raises(RuntimeError, match="the result of exp was written after exp had made it"):
        y.backward(np.ones(2))
    assert x.grad is None


def test_a_constant_written_after_it_was_used_raises():
    x, c = leaf(1.0, 2.0), Tensor([3.0, 4.0], name="batch")
    y = (x * c).sum()
    c[0] = 9.0
    with pytest.raises(RuntimeError, match="'batch' was written"):
        y.backward()


def test_a_view_of_a_leaf_is_stale_when_the_leaf_is_written():
    w = leaf(1.0, 2.0, 3.0, name="w")
    y = (w[1:] ** 3).sum()
    _add_in_place(w)
    with pytest.raises(RuntimeError, match="'w' was written"):
        y.backward()


def test_a_write_to_one_tensor_leaves_the_graphs_of_others_alone():
    w, other, copy = leaf(1.0, 2.0), leaf(1.0, 2.0), leaf(1.0, 2.0).clone()
    y = (w * copy).sum()
    with no_grad():
        other += 1.0
        clone = w.clone()
        clone += 5.0
    y.backward()
    assert w.grad.tolist() == [1.0, 2.0]


def test_new_memory_for_a_leaf_leaves_its_old_memory_alone():
    w, v = leaf(1.0, 2.0), leaf(5.0, 6.0)
    old = w.detach()
    y = (v * old).sum()
    w.data = np.array([8.0, 9.0])
    y.backward()
    assert v.grad.tolist() == [1.0, 2.0]
    w.data -= 1.0
    y.backward()
    assert v.grad.tolist() == [2.0, 4.0]


def test_tensors_given_the_same_memory_see_each_others_writes():
    w, v, x = leaf(1.0, 2.0), leaf(3.0, 4.0, name="v"), leaf(1.0, 1.0)
    w.data = v.detach()
    y = (v * x).sum()
    with no_grad():
        w += 1.0
    assert v.tolist() == [4.0, 5.0]
    with pytest.raises(RuntimeError, match="'v' was written"):
        y.backward()


def test_a_stale_graph_can_be_evaluated_on_the_values_of_now():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    _add_in_place(w)
    assert float(evaluate(y)) == 4.0 + 9.0


def test_a_write_that_failed_makes_nothing_stale():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    with no_grad():
        with pytest.raises(ValueError, match="broadcast"):
            w += np.ones(3)
        with pytest.raises(IndexError):
            w[5] = 1.0
    y.backward()
    assert w.grad.tolist() == [2.0, 4.0]


def test_a_second_backward_after_a_step_raises_instead_of_mixing_values():
    w = leaf(1.0)
    loss = (w**3).sum()
    loss.backward()
    with no_grad():
        w -= 0.1 * w.grad
    with pytest.raises(RuntimeError, match="was written after"):
        loss.backward()


def test_views_from_an_operation_with_several_outputs_share_writes():
    for block in (no_grad, enable_grad):
        w, x = leaf(1.0, 2.0, 3.0, 4.0, name="w"), leaf(1.0, 1.0, 1.0, 1.0)
        with block():
            a, _ = halves(w)
        y = (w * x).sum()
        a.detach()[0] = 9.0
        assert w.tolist() == [9.0, 2.0, 3.0, 4.0]
        with pytest.raises(RuntimeError, match="'w' was written"):
            y.backward()


def _table():
    for function in [*OPS.values(), *COMPOSITES.values()]:
        for k, ex in enumerate(function.examples):
            yield pytest.param(function, ex, id=f"{function.name}-{k}")


ALIASES = [
    lambda t: t.detach(),
    lambda t: t.detach()[1:],
    lambda t: t.detach().reshape(-1, 1).T,
    lambda t: Tensor(t.detach()),
    lambda t: t.detach().ravel()[::-1],
    lambda t: np.split(t.detach().ravel(), [1])[1],
    lambda t: np.broadcast_to(t.detach(), (2, *t.shape))[0],
    lambda t: next(iter(t.detach()[None])),
]


@given(
    st.lists(
        st.tuples(st.sampled_from(["alias", "write", "set", "replace", "record"]), st.integers(0, 99)), max_size=14
    )
)
def test_whatever_is_written_through_any_alias_a_gradient_is_right_or_refused(steps):
    w, x = leaf(1.0, 2.0, 3.0), leaf(4.0, 5.0, 6.0)
    pool, records, writes = [w, x], [], 0
    for what, k in steps:
        target = pool[k % len(pool)]
        if what == "alias" and target.size:
            pool.append(ALIASES[k % len(ALIASES)](target))
        elif what == "write" and target.data.flags.writeable:
            with no_grad():
                target += 0.5
            writes += 1
        elif what == "set" and target.size and target.data.flags.writeable:
            with no_grad():
                target[..., 0] = -float(k)
            writes += 1
        elif what == "replace":
            (w, x)[k % 2].data = np.full(3, float(k))
            writes += 1
        elif what == "record":
            view = [np.exp(w * 0.1)[1:] * x[:2], (w * x).reshape(3, 1).T ** 2, w[[0, 0, 2]] / (x * x + 1)][k % 3]
            y = (view * view).sum() + sum(p.sum() for p in pool[2:])
            records.append((y, [g.tolist() for g in grad(y, [w, x])], writes))
    for y, expected, before in records:
        if writes == before:
            assert [g.tolist() for g in grad(y, [w, x])] == expected
            continue
        with contextlib.suppress(RuntimeError):
            assert [g.tolist() for g in grad(y, [w, x])] == expected


def _flat(value):
    return [part for v in value for part in _flat(v)] if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "in no_grad"])
def test_every_result_that_shares_memory_shares_its_writes(recorded):
    """Over the whole table of ops: a write through a result is seen by graphs of the input, and the other way round."""
    shared = 0
    for function in [*OPS.values(), *COMPOSITES.values()]:
        for ex in function.examples:
            args, settings = ex.draw(np.random.default_rng(0), function.domains)

            def as_leaf(a):
                if isinstance(a, np.ndarray) and a.dtype.kind == "f":
                    return Tensor(a.copy(), requires_grad=True)
                return type(a)(as_leaf(part) for part in a) if type(a) in (list, tuple) else a

            args = [as_leaf(a) for a in args]
            inputs = [a for a in _flat(args) if isinstance(a, Tensor)]
            with enable_grad() if recorded else no_grad(), np.errstate(all="ignore"):
                results = [r for r in _flat(function(*args, **settings)) if isinstance(r, Tensor)]
            for r in results:
                for x in inputs:
                    if np.may_share_memory(r.numpy(), x.numpy()):
                        shared += 1
                        assert r.detach().shared_cell() is x.shared_cell(), (function.name, ex)
    assert shared > 20
