"""Each op's gradient rules beside those of another system: `jax.vjp` of the op's own forward, at random cotangents.

The tests of ops judge rules by difference quotients; this judge is independent of them, and exact.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import assert_close
from forwards import ALL, calls
from test_xla_ops import WITHOUT as NOT_COMPILED
from test_xla_ops import has_mask

import tinygrad_edu as tg
from tinygrad_edu.program.xla.table import compute

JUDGED = [name for name, op in ALL.items() if op.vjp is not None and name not in NOT_COMPILED]


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True), np.errstate(all="ignore"):
        yield


def floating(x):
    return x.dtype.kind == "f"


def ours(op, arrays, settings, rng):
    """The gradients by our rules, and the cotangents; None where the example has none."""
    xs = [tg.Tensor(a, requires_grad=floating(a)) for a in arrays]
    made = op.apply(tuple(xs), settings)
    ys = [y for y in (made if isinstance(made, tuple | list) else [made]) if y.requires_grad]
    if not ys:
        return None
    gs = [rng.standard_normal(y.shape) for y in ys]
    return tg.grad(ys, [x for x in xs if x.requires_grad], gs, allow_unused=True), gs


def theirs(op, arrays, settings, gs):
    """The same by JAX, of the floating inputs."""
    places = [i for i, a in enumerate(arrays) if floating(a)]

    def forward(*given):
        values = list(arrays)
        for i, x in zip(places, given, strict=True):
            values[i] = x
        results = compute(op, [jnp.asarray(v) for v in values], settings)
        results = results[: op.outputs] if isinstance(results, tuple) else [results]
        return [y for y in results if y.dtype.kind == "f"]

    return jax.vjp(forward, *[jnp.asarray(arrays[i]) for i in places])[1](gs)


FEW = 2
"""So many examples of each op are judged, and all of them at night."""


@pytest.mark.parametrize("name", JUDGED)
def test_rules(name):
    judge(ALL[name], FEW)


@pytest.mark.nightly
@pytest.mark.parametrize("name", JUDGED)
def test_rules_on_all_examples(name):
    judge(ALL[name], None)


def judge(op, most):
    rng, judged = np.random.default_rng(1), []
    for arrays, settings in calls(op):
        if len(judged) == most:
            break
        if not any(map(floating, arrays)) or has_mask((arrays, settings)):
            continue
        found = ours(op, arrays, settings, rng)
        if found is not None:
            judged.append((arrays, settings, *found))
    assert judged
    every = jax.jit(lambda gs: [theirs(op, xs, how, g) for (xs, how, _, _), g in zip(judged, gs, strict=True)])
    for (_, _, mine, _), others in zip(judged, every([gs for _, _, _, gs in judged]), strict=True):
        for a, b in zip(mine, others, strict=True):
            assert_close(np.zeros(b.shape) if a is None else a.numpy(), np.asarray(b), rtol=1e-8, atol=1e-9)
