"""Ctrl-C: wherever it strikes, the package's own code leaves nothing changed that it had changed for a while."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.engine.recording import RECORDING, SCOPE
from tinygrad_edu.nn import functional as F

SAMPLES, FEW = 60, 256
"""At so many of the instructions of each of the calls below, or all if there are few, Ctrl-C is tried."""


def changes(code):
    """Whether a function may change what an interrupt could leave behind: it is at its instructions that Ctrl-C is tried."""
    names = set(code.co_names)
    return bool(names & {"seterr", "errstate", "reset"}) or (
        "set" in names and bool(names & {"RECORDING", "SCOPE", "_extobj_contextvar"})
    )


def interrupted(call, after):
    """Whether KeyboardInterrupt at the instruction number `after` of such functions, NumPy's too, came out of the call."""
    left = after

    def trace(frame, event, arg):
        nonlocal left
        if not changes(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(former)
    return False


def calls():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3))
    net = nn.Sequential(nn.Linear(3, 3, dtype=float), nn.Sequential(nn.Sigmoid()), nn.Linear(3, 1, dtype=float))
    norm = nn.BatchNorm1d(3, momentum=None, dtype=float)
    loss = (net(x) ** 2).sum()
    w = next(iter(net.parameters()))
    f = lambda t: net(t).sum()
    loss.backward()
    quiet = tg.no_grad()(lambda: w * 2)
    step = lambda: tg.grad((w * w).sum(), w)
    return {
        "a module": lambda: net(x),
        "batch norm": lambda: norm(x),
        "backward": lambda: loss.backward(),
        "backward, recorded": lambda: loss.backward(create_graph=True),
        "grad": lambda: tg.grad(loss, w),
        "grad, recorded": lambda: tg.grad(loss, w, create_graph=True),
        "value_and_grad": lambda: tg.value_and_grad(f)(x)[1].sum().backward(),
        "hessian": lambda: tg.hessian(f, x[0]),
        "hvp": lambda: tg.hvp(f, x, x),
        "jvp": lambda: tg.jvp(net, x, x),
        "checkpoint": lambda: tg.checkpoint(net, x).sum().backward(),
        "evaluate": lambda: tg.evaluate(loss, {w: w.numpy() + 1.0}),
        "sigmoid": lambda: tg.sigmoid(x),
        "logsumexp": lambda: tg.logsumexp(x, axis=1),
        "a loss": lambda: F.binary_cross_entropy(np.array([0.0, 0.5]), np.array([0.0, 1.0])),
        "a decorated function": quiet,
        "recording a replay": lambda: tg.replay(step)(),
        "a formula": lambda: tg.formula(tg.sigmoid(w), w),
    }


CALLS = calls()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # one that strikes in a weakref's callback
@pytest.mark.parametrize("name", CALLS)
def test_nothing_stays_changed_after_an_interrupt_at_any_instruction(name):
    before = RECORDING.get(), SCOPE.get(), np.geterr()
    call, draw = CALLS[name], random.Random(name)
    call()
    count = 1
    while interrupted(call, 2 * count):
        count *= 2
    struck = 0
    for at in range(1, 2 * count) if count <= FEW else draw.sample(range(1, 2 * count), SAMPLES):
        struck += interrupted(call, at)
        now = RECORDING.get(), SCOPE.get(), np.geterr()
        RECORDING.set(before[0])
        SCOPE.set(before[1])
        np.seterr(**before[2])
        assert now == before
    assert struck >= min(SAMPLES / 3, count)


def test_a_block_that_was_cut_in_its_entry_is_put_right():
    """As an interrupt does between the instructions of `no_grad().__enter__`."""
    try:
        tg.no_grad().__enter__()
        assert not tg.is_grad_enabled()
        tg.set_grad_enabled(True)
        assert tg.is_grad_enabled()
        assert (tg.Tensor(1.0, requires_grad=True) * 2).requires_grad
    finally:
        tg.set_grad_enabled(True)


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="the platform has no timer signals")
def test_training_that_is_interrupted_at_random_moments():
    """The long form of this is `python -m tests.benchmarks.interrupts`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.interrupts", "300"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "300 interrupts; left changed: nothing\n", done.stdout + done.stderr
