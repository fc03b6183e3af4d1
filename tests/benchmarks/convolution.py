"""Convolution beside PyTorch, shape by shape, and whole steps of two convolutional networks beside seven systems.

    python -m tests.benchmarks.convolution [NAME]

Each program runs in a process of its own, on one core, and they take turns; the time of the processor counts. Then with
two cores and two threads, and the time that passes counts. With a NAME, this process is one of them; with --two, the
tables of two threads alone are measured.
"""

from __future__ import annotations

import functools
import importlib
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.benchmarks.convnets import NETWORKS
from tests.benchmarks.turns import OURS, Answers, Program, Programs, by_the_clock, cores, serve, take_turns

SHAPES = {
    "A 1→30 5×5, 28², b100": ((100, 1, 28, 28), (30, 1, 5, 5), {}),
    "B 16→16 3×3, 28², b100": ((100, 16, 28, 28), (16, 16, 3, 3), {"padding": 1}),
    "C 32→32 3×3, 14², b100": ((100, 32, 14, 14), (32, 32, 3, 3), {"padding": 1}),
    "D 64→64 3×3, 32², b32": ((32, 64, 32, 32), (64, 64, 3, 3), {"padding": 1}),
    "E 128→128 3×3, 16², b32": ((32, 128, 16, 16), (128, 128, 3, 3), {"padding": 1}),
    "F 64→256 1×1, 32², b32": ((32, 64, 32, 32), (256, 64, 1, 1), {}),
    "G depthwise 64 3×3, 32², b32": ((32, 64, 32, 32), (64, 1, 3, 3), {"padding": 1, "groups": 64}),
    "H dilated 32→32 3×3, 32², b32": ((32, 32, 32, 32), (32, 32, 3, 3), {"padding": 2, "dilation": 2}),
}
"""Shapes of x and of the kernel, and settings. A first layer's input has no gradient, and A is a first layer."""

MODULE = "tests.benchmarks.convolution"
REPEATS = 3
"""The forward and backward passes of one turn."""


def _numbers(shape: str) -> tuple[Any, Any, Any]:
    """x, w and the slopes of y."""
    x, w, options = SHAPES[shape]
    rng = np.random.default_rng(0)
    reach = options.get("dilation", 1) * (w[2] - 1)
    positions = [n + 2 * options.get("padding", 0) - reach for n in x[2:]]
    shapes = x, w, (x[0], w[0], *positions)
    a, b, c = [rng.standard_normal(s, dtype=np.float32) for s in shapes]
    return a, b / 8, c


def pytorch(shape: str) -> Program:
    """PyTorch's convolution, and its backward pass by the gradients that are asked for."""
    import torch

    torch.set_num_threads(cores())
    x, w, g = map(torch.tensor, _numbers(shape))
    options = {"padding": 0, "dilation": 1, "groups": 1, **SHAPES[shape][2]}
    pads, apart = [options["padding"]] * 2, [options["dilation"]] * 2
    wanted = [x.shape[1] > 1, True, False]

    def run() -> float:
        for _ in range(REPEATS):
            torch.conv2d(x, w, None, 1, **options)
            grads = torch.ops.aten.convolution_backward(
                g, x, w, None, [1, 1], pads, apart, False, [0, 0], options["groups"], wanted
            )
        return float(grads[1].abs().sum())

    return run


def ours(shape: str, numba: bool) -> Program:
    """The three operations, with numba or as if it were not installed."""
    if not numba:
        vars(sys)["modules"]["numba"] = None
    import tinygrad_edu as tg
    from tinygrad_edu.nn.functional.sizes import each, pairs
    from tinygrad_edu.ops.network.convolution import conv, conv_transpose, conv_weight

    tg.set_num_threads(cores())
    x, w, g = _numbers(shape)
    options: dict[str, Any] = SHAPES[shape][2]
    apart = each("", "dilation", options.get("dilation", 1), 2)
    around = pairs("", options.get("padding", 0), 2, w.shape[2:], apart, (1, 1))
    how = {"stride": (1, 1), "padding": around, "dilation": apart, "groups": options.get("groups", 1)}

    def run() -> float:
        for _ in range(REPEATS):
            conv(x, w, **how)
            if x.shape[1] > 1:
                conv_transpose(g, w, size=x.shape[2:], **how)
            slopes = conv_weight(x, g, kernel=w.shape[2:], **how)
        return float(np.abs(slopes).sum())

    return run


def net(network: str, module: str, numba: bool = True, **options: Any) -> Program:
    """A step of a network in a system."""
    if not numba:
        vars(sys)["modules"]["numba"] = None
    if module == "ours":
        importlib.import_module("tinygrad_edu").set_num_threads(cores())
    made: Program = importlib.import_module(f"tests.benchmarks.convnets.{module}").step(NETWORKS[network], **options)
    for _ in range(3):
        made()
    return made


SUMS: dict[str, Programs] = {
    shape: {
        f"{shape}: PyTorch": (functools.partial(pytorch, shape), "torch"),
        f"{shape}: NumPy": (functools.partial(ours, shape, numba=False), "tinygrad_edu"),
        f"{shape}: fast": (functools.partial(ours, shape, numba=True), "numba"),
    }
    for shape in SHAPES
}
STEPS: dict[str, Programs] = {
    network: {
        f"{network}: {name}": (functools.partial(net, network, module, **options), package)
        for name, module, package, options in (
            ("PyTorch", "pytorch", "torch", {}),
            ("replayed, fast", "ours", "numba", {}),
            ("replayed", "ours", "tinygrad_edu", {"numba": False}),
            ("eager, fast", "ours", "numba", {"replayed": False}),
            ("jax.jit", "jax_", "jax", {}),
            ("NumPy as in books", "book", "numpy", {}),
            ("DeZero", "dezero_", "dezero", {}),
            ("MyGrad", "mygrad_", "mygrad", {}),
        )
    }
    for network in NETWORKS
}
"""All programs, by what they compute and by name, and what each needs to be installed."""


def _medians(programs: Programs, rounds: int) -> dict[str, float]:
    """Milliseconds of the processor, by name."""
    answers = take_turns(MODULE, programs, rounds)
    return {
        name.split(": ")[1]: statistics.median(answer["seconds"] for answer in given[1:]) * 1e3
        for name, given in answers.items()
    }


def table(rounds: int = 9) -> None:
    """Forward and backward passes by shape, then steps, on paper."""
    print(f"\nconvolution, forward and all gradients, float32; one core, median of {rounds} rounds")
    print(f"  {'':32}{'PyTorch, ms':>12}{'NumPy / it':>12}{'fast / it':>12}")
    for shape, programs in SUMS.items():
        found = _medians(programs, rounds)
        peer = found.get("PyTorch", float("nan"))
        ratios = "".join(f"{found.get(name, float('nan')) / peer:11.2f}×" for name in ("NumPy", "fast"))
        print(f"  {shape:32}{peer / REPEATS:12.2f}{ratios}")
    for network, programs in STEPS.items():
        found = _medians(programs, rounds)
        print(f"\nAdam step of the {network} convolutional network, batch 100; one core, median of {rounds} rounds")
        print(f"  {'':20}{'ms':>9}{'fast / it':>12}{'replayed / it':>16}")
        for name, t in sorted(found.items(), key=lambda pair: pair[1]):
            ratios = [found.get(mine, float("nan")) / t for mine in ("replayed, fast", "replayed")]
            print(f"  {name:20}{t:9.2f}{ratios[0]:11.2f}×{ratios[1]:15.2f}×")


def _times(answers: Answers, of: Callable[[Sequence[float]], float]) -> float:
    return of([answer["seconds"] for answer in answers[1:]]) * 1e3


def _both(one: Answers, other: Answers) -> str:
    """How many times as long one takes as the other, by medians and by the best."""
    medians, best = (_times(one, of) / _times(other, of) for of in (statistics.median, min))
    return f"{medians:8.2f}× ({best:4.2f})"


def two_threads(rounds: int = 9) -> None:
    """The same by the clock with two threads, and how much longer one thread takes, on paper."""
    print(f"\nthe same, two threads, by the clock; medians (best) of {rounds} rounds; load {os.getloadavg()[0]:.1f}")
    print(
        f"  {'':32}{'PyTorch, ms':>12}{'NumPy / it':>16}{'fast / it':>16}   one thread / two:{'PyTorch':>10}{'NumPy':>16}{'fast':>16}"
    )
    for shape, programs in SUMS.items():
        found = by_the_clock(MODULE, programs, rounds, dict.fromkeys(programs, (1, 2)))
        names = [name for name in programs if (name, 2) in found]
        ratios = "".join(_both(found[name, 2], found[names[0], 2]) for name in names[1:])
        gains = "".join(_both(found[name, 1], found[name, 2]) for name in names)
        print(f"  {shape:32}{_times(found[names[0], 2], statistics.median) / REPEATS:12.2f}{ratios:33}   {gains:>43}")
    for network, programs in STEPS.items():
        counts = {name: (1, 2) if package in (*OURS, "torch") else (2,) for name, (_, package) in programs.items()}
        found = by_the_clock(MODULE, programs, rounds, counts)
        print(
            f"\nAdam step of the {network} convolutional network, two threads, by the clock; load {os.getloadavg()[0]:.1f}"
        )
        print(f"  {'':20}{'ms':>9}{'best':>9}{'fast / it':>16}{'replayed / it':>16}{'one thread / two':>18}")
        twos = {name: answers for (name, n), answers in found.items() if n == 2}
        for name, answers in sorted(twos.items(), key=lambda pair: _times(pair[1], statistics.median)):
            mine = [f"{network}: {name}" for name in ("replayed, fast", "replayed")]
            ratios = "".join(_both(twos[own], answers) if own in twos else f"{'':16}" for own in mine)
            gain = _both(found[name, 1], answers) if (name, 1) in found else ""
            middle, best = (_times(answers, of) for of in (statistics.median, min))
            print(f"  {name.split(': ')[1]:20}{middle:9.2f}{best:9.2f}{ratios}{gain:>18}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--two"]:
        two_threads()
    elif len(sys.argv) > 1:
        serve(
            {name: made for programs in (SUMS, STEPS) for group in programs.values() for name, made in group.items()},
            sys.argv[1],
        )
    else:
        table()
        two_threads()
