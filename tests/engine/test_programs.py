"""Random whole programs: values against NumPy, gradients against difference quotients, records run again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.testing import gradcheck, strategies

programs = strategies.programs()


def leaves(arrays):
    return [tg.Tensor(x, requires_grad=True, name=f"v{i}") for i, x in enumerate(arrays)]


def same(got, expected):
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        a, b = (z.numpy() if isinstance(z, tg.Tensor) else z for z in (a, b))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
        assert np.shape(a) == np.shape(b)


@given(programs)
def test_tensors_compute_what_numpy_computes(program):
    same(program(*leaves(program.inputs)), program(*program.inputs))


@given(programs)
def test_gradients(program):
    gradcheck(program, list(program.inputs))


@given(strategies.programs(max_steps=5, max_size=12))
def test_second_order(program):
    gradcheck(program, list(program.inputs), order=2, directions=1)


@given(strategies.programs(max_steps=3, max_size=6))
def test_third_order(program):
    gradcheck(program, list(program.inputs), order=3, directions=1)


@given(programs, st.integers(0, 2**32 - 1))
def test_a_record_run_again_on_new_values_is_the_program_on_them(program, seed):
    xs = leaves(program.inputs)
    ys = program(*xs)
    used = set(topological(ys, through_constants=True))
    rng = np.random.default_rng(seed)
    new = [x.numpy() + 0.01 * rng.standard_normal(x.shape) if x in used else x.numpy() for x in xs]
    with np.errstate(all="ignore"):
        same(evaluate(ys, {x: a for x, a in zip(xs, new, strict=True) if x in used}), program(*new))


@given(programs, st.integers(0, 2**32 - 1))
def test_a_recorded_gradient_run_again_is_the_gradient_there(program, seed):
    rng = np.random.default_rng(seed)

    def slopes(xs, vs, create_graph):
        ys = program(*xs)
        return tg.grad(ys, xs, vs, create_graph=create_graph, allow_unused=True)

    xs = leaves(program.inputs)
    vs = [tg.Tensor(rng.standard_normal(np.shape(y)), requires_grad=True) for y in program(*program.inputs)]
    recorded = slopes(xs, vs, True)
    new = [x.numpy() + 0.001 * rng.standard_normal(x.shape) for x in xs]
    fresh = slopes(leaves(new), [v.numpy() for v in vs], False)
    assert [g is None for g in recorded] == [g is None for g in fresh]
    gs = [g for g in recorded if g is not None]
    used = set(topological(gs, through_constants=True))
    with np.errstate(all="ignore"):
        again = evaluate(gs, {x: a for x, a in zip(xs, new, strict=True) if x in used})
    for a, b in zip(again, [g for g in fresh if g is not None], strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-7, atol=1e-9)


@given(programs)
def test_backward_twice_is_twice_the_gradient(program):
    xs = leaves(program.inputs)
    y = sum(tg.Tensor(1.0) * np.sum(part) for part in program(*xs))
    if not y.requires_grad:
        return
    y.backward()
    once = [None if x.grad is None else x.grad.numpy().copy() for x in xs]
    y.backward()
    for x, g in zip(xs, once, strict=True):
        assert (x.grad is None) == (g is None)
        if g is not None:
            np.testing.assert_allclose(x.grad.numpy(), 2 * g, rtol=1e-12)


@given(programs)
def test_a_program_shows_itself_as_code(program):
    text = repr(program)
    assert text.count("\n") == len(program.inputs) + len(program.steps) + 1
    assert all(step.function in text for step in program.steps)
