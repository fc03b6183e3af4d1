"""Random whole programs, run here and by PyTorch: values, gradients, second derivatives."""

import numpy as np
import torch
from agreement import assert_close
from counterparts import COUNTERPARTS
from hypothesis import given

import tinygrad_edu as tg
from tinygrad_edu.testing import strategies


def run(program, library):
    """Outputs and leaves of a program, in one of the two libraries."""
    if library is tg:
        xs = [tg.Tensor(x, requires_grad=True) for x in program.inputs]
        return program(*xs), xs
    xs = [torch.tensor(x, requires_grad=True) for x in program.inputs]
    return program(*xs, functions=COUNTERPARTS.__getitem__), xs


def _array(z):
    return z.numpy() if isinstance(z, tg.Tensor) else z.numpy(force=True)


def close(ours, theirs, rtol):
    for a, b in zip(ours, theirs, strict=True):
        if a is None and b is None:
            continue
        shape = next(z.shape for z in (a, b) if z is not None)
        a, b = (np.zeros(shape) if z is None else _array(z) for z in (a, b))
        assert a.shape == b.shape
        assert_close(a, b, rtol=rtol, atol=rtol * max(1.0, np.abs(b).max(initial=0.0)))


@given(strategies.programs())
def test_program(program):
    ys, xs = run(program, tg)
    zs, us = run(program, torch)
    close(ys, zs, 1e-9)
    rng = np.random.default_rng(0)
    vs = [rng.standard_normal(np.shape(y)) for y in ys]

    kept = [i for i, (y, z) in enumerate(zip(ys, zs, strict=True)) if y.requires_grad and z.requires_grad]
    if not kept:
        return
    first = tg.grad([ys[i] for i in kept], xs, [vs[i] for i in kept], create_graph=True, allow_unused=True)
    theirs = torch.autograd.grad(
        [zs[i] for i in kept], us, [torch.tensor(vs[i]) for i in kept], create_graph=True, allow_unused=True
    )
    close(first, theirs, 1e-7)
    again = [
        (p, q)
        for p, q in zip(first, theirs, strict=True)
        if p is not None and q is not None and p.requires_grad and q.requires_grad
    ]
    if not again:
        return
    ws = [rng.standard_normal(p.shape) for p, _ in again]
    second = tg.grad([p for p, _ in again], xs, ws, allow_unused=True)
    seconds = torch.autograd.grad([q for _, q in again], us, [torch.tensor(w) for w in ws], allow_unused=True)
    close(second, seconds, 1e-6)
