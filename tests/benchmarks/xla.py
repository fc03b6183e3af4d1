"""Steps of training that XLA compiles: of the record, of JAX written by hand, and beside both the replay by NumPy.

    python -m tests.benchmarks.xla [ROUNDS]

Four networks with Adam in float32, each system in a process of its own, on one core, in turns. All begin with the same
weights, and their losses are compared before their times are. Random numbers are drawn by JAX where it computes.

Then the work of a step over more and more devices, with the batch growing alike: what the compiled program multiplies, and
what it sends between devices. (Eight devices on one core say nothing by their time.)
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.turns import Program, Programs, medians, ratio, serve, take_turns

RUNS = 5
"""The steps of training of one turn."""

NETS = {"MLP": 64, "ConvNet": 32, "LSTM": 32, "GPT": 16}
"""The networks by name, and the examples of a batch."""

MOST = {"MLP": 1.1, "ConvNet": 1.1, "LSTM": 1.3, "GPT": 1.3}
"""How many times as long as JAX by hand the record may take."""

RATE, BETAS, EPS, EPS_OF_NORM, DROPPED, HEADS = 1e-3, (0.9, 0.999), 1e-8, 1e-5, 0.3, 4


def model(name: str) -> Any:
    """A network of ours."""
    import tinygrad_edu as tg
    from tinygrad_edu import models, nn

    tg.manual_seed(0)
    makes = {
        "MLP": lambda: nn.Sequential(
            nn.Linear(784, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(DROPPED), nn.Linear(256, 10)
        ),
        "ConvNet": lambda: nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2048, 10),
        ),
        "LSTM": lambda: models.CharRNN(65, 64, 128),
        "GPT": lambda: models.GPT(65, 32, 2, HEADS, 64),
    }  # fmt: skip
    return makes[name]()


def batch(name: str, size: int) -> tuple[Any, Any]:
    """Inputs and classes."""
    rng = np.random.default_rng(1)
    if name in ("LSTM", "GPT"):
        tokens = rng.integers(65, size=(2, size, 32))
        return tokens[0], tokens[1]
    x = rng.standard_normal((size, 784) if name == "MLP" else (size, 3, 32, 32)).astype(np.float32)
    return x, rng.integers(10, size=size)


def step_of(name: str, **options: Any) -> Any:
    """Our step, replayed."""
    import tinygrad_edu as tg
    from tinygrad_edu import optim
    from tinygrad_edu.nn import functional as F

    net = model(name)
    optimizer = optim.Adam(net.parameters(), lr=RATE)

    def step(x: Any, y: Any) -> Any:
        out = net(x)
        out = out[0] if isinstance(out, tuple) else out
        loss = F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return tg.replay(step, **options)


def made_twice(system: str, run: Callable[[], Any], forget: Callable[[], Any]) -> None:
    """Take two steps, forget what was made for them, and take two again: what XLA does once for all is not counted."""
    for _ in range(2):
        forget()
        begun = time.process_time()
        run(), run()
    print(f"{system} made and compiled in {time.process_time() - begun:.2f} s of the processor", file=sys.stderr)


def ours(name: str, backend: str) -> Program:
    """The recorded step, run by NumPy or by XLA."""
    options = {"backend": "jax", "noise": "device"} if backend == "jax" else {}
    step, (x, y) = step_of(name, **options), batch(name, NETS[name])
    made_twice(f"{name}, the record for {backend}:", lambda: step(x, y), step.forget)
    return lambda: [step(x, y).item() for _ in range(RUNS)][-1]


# ---------------------------------------------------------------------------------------------------
# JAX by hand


def _norm(x: Any, scale: Any, shift: Any) -> Any:
    from jax import lax

    d = x - x.mean(axis=-1, keepdims=True)
    return d * lax.rsqrt((d * d).mean(axis=-1, keepdims=True) + EPS_OF_NORM) * scale + shift


def _mlp(p: Any, x: Any, key: Any, running: Any) -> Any:
    import jax
    import jax.numpy as jnp
    from jax import lax

    h = x @ p["0.weight"]
    mean, var = h.mean(axis=0), h.var(axis=0)
    h = jax.nn.relu((h - mean) * lax.rsqrt(var + EPS_OF_NORM) * p["1.weight"] + p["1.bias"])
    h = jnp.where(jax.random.bernoulli(key, 1 - DROPPED, h.shape), h / (1 - DROPPED), 0)
    moved = [0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * var * len(x) / (len(x) - 1)]
    return h @ p["4.weight"] + p["4.bias"], moved


def _convnet(p: Any, x: Any, key: Any, running: Any) -> Any:
    import jax
    from jax import lax

    for i in ("0", "3"):
        x = lax.conv_general_dilated(x, p[f"{i}.weight"], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = jax.nn.relu(x + p[f"{i}.bias"][:, None, None])
        x = lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return x.reshape(len(x), -1) @ p["7.weight"] + p["7.bias"], running


def _lstm(p: Any, tokens: Any, key: Any, running: Any) -> Any:
    import jax
    import jax.numpy as jnp
    from jax import lax

    x = p["embedding.weight"][tokens].swapaxes(0, 1)
    a = x @ p["rnn.weight_ih_l0"] + (p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"])
    start = jnp.zeros((len(tokens), 128), np.float32)

    def step(state: Any, part: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(h @ p["rnn.weight_hh_l0"] + part, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    hs = lax.scan(step, (start, start), a)[1]
    return hs.swapaxes(0, 1) @ p["head.weight"] + p["head.bias"], running


def _gpt(p: Any, tokens: Any, key: Any, running: Any) -> Any:
    import jax
    import jax.numpy as jnp

    n, length = tokens.shape
    x = p["wte.weight"][tokens] + p["wpe.weight"][:length]
    for i in range(2):
        at = lambda name, i=i: p[f"h.{i}.{name}"]
        h = _norm(x, at("ln_1.weight"), at("ln_1.bias"))
        parts = jnp.split(h @ at("attn.c_attn.weight") + at("attn.c_attn.bias"), 3, axis=-1)
        q, k, v = [part.reshape(n, length, HEADS, -1).transpose(0, 2, 1, 3) for part in parts]
        scores = jnp.where(np.tri(length, dtype=bool), q @ k.mT * q.shape[-1] ** -0.5, -np.inf)
        y = (jax.nn.softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3).reshape(n, length, -1)
        x = x + y @ at("attn.c_proj.weight") + at("attn.c_proj.bias")
        h = _norm(x, at("ln_2.weight"), at("ln_2.bias"))
        h = jax.nn.gelu(h @ at("mlp.c_fc.weight") + at("mlp.c_fc.bias"))
        x = x + h @ at("mlp.c_proj.weight") + at("mlp.c_proj.bias")
    return _norm(x, p["ln_f.weight"], p["ln_f.bias"]) @ p["wte.weight"].T, running


BY_HAND = {"MLP": _mlp, "ConvNet": _convnet, "LSTM": _lstm, "GPT": _gpt}


def by_hand(name: str) -> Program:
    """The same step as one writes it in JAX, its state donated."""
    import jax
    import jax.numpy as jnp

    forward, (x, y) = BY_HAND[name], batch(name, NETS[name])
    params = {key: jnp.array(p.numpy()) for key, p in model(name).named_parameters()}
    zeros = {key: jnp.zeros_like(p) for key, p in params.items()}
    running = [jnp.zeros(256), jnp.ones(256)]
    state = (params, zeros, {key: jnp.zeros_like(p) for key, p in params.items()}, jnp.zeros((), np.int32), running)

    def loss_of(params: Any, x: Any, y: Any, key: Any, running: Any) -> Any:
        logits, running = forward(params, x, key, running)
        log_p = jax.nn.log_softmax(logits, axis=-1)
        return -jnp.take_along_axis(log_p, y[..., None], axis=-1).mean(), running

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        params, first, second, t, running = state
        t = t + 1
        key = jax.random.fold_in(jax.random.key(0), t)
        (loss, running), slopes = jax.value_and_grad(loss_of, has_aux=True)(params, x, y, key, running)
        b, c = BETAS
        first = jax.tree.map(lambda m, g: b * m + (1 - b) * g, first, slopes)
        second = jax.tree.map(lambda v, g: c * v + (1 - c) * g * g, second, slopes)
        rate, root = RATE / (1 - b**t), jnp.sqrt(1 - c**t)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + EPS), params, first, second)
        return (params, first, second, t, running), loss

    def run() -> float:
        nonlocal state
        state, loss = step(state, x, y)
        return float(loss)

    made_twice(f"{name}, JAX by hand:", run, step.clear_cache)
    return lambda: [run() for _ in range(RUNS)][-1]


def _programs(name: str) -> dict[str, tuple[Any, str]]:
    return {
        f"{name}, record by XLA": (partial(ours, name, "jax"), "jax"),
        f"{name}, JAX by hand": (partial(by_hand, name), "jax"),
        f"{name}, replay by NumPy": (partial(ours, name, "numpy"), "numpy"),
    }


PROGRAMS: Programs = {key: program for name in NETS for key, program in _programs(name).items()}


def table(rounds: int) -> None:
    """A line for each system and network: its processor time for one step."""
    print("\n## A step of training by XLA: of the record, and of JAX written by hand\n")
    for name in NETS:
        answers = take_turns("tests.benchmarks.xla", _programs(name), rounds)
        for system, seconds in medians(answers):
            best = min(a["seconds"] for a in answers[system][1:])
            print(f"{system:26} {seconds / RUNS * 1e3:8.2f} ms, best {best / RUNS * 1e3:8.2f}")
        record, hand = f"{name}, record by XLA", f"{name}, JAX by hand"
        if hand not in answers:
            continue
        losses = [
            answers[key][0]["value"] for key in (record, hand)
        ]  # of the first turn: roundings grow with the steps
        if name != "MLP":  # whose dropout draws other numbers
            np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3)
        print(
            f"  record / by hand: {ratio(answers, record, hand):.2f} (at most {MOST[name]}), losses {losses[0]:.4f} {losses[1]:.4f}"
        )
        print(f"  record / replay by NumPy: {ratio(answers, record, f'{name}, replay by NumPy'):.2f}")


# ---------------------------------------------------------------------------------------------------
# More devices, larger batches

SENT = re.compile(r"= (.*?) (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\(")


def _bytes_sent(text: str) -> int:
    """The bytes of all results of what goes between devices."""
    sizes = {"f32": 4, "f64": 8, "s32": 4, "u32": 4, "pred": 1, "s64": 8}
    return sum(
        sizes[kind] * int(np.prod([int(n) for n in shape.split(",") if n], dtype=np.int64))
        for result, _ in SENT.findall(text)
        for kind, shape in re.findall(r"(\w+)\[([\d,]*)\]", result)
    )


def scaling(name: str) -> None:
    """A line for each number of devices: operations of each, bytes between them, and what is sent."""
    for devices in (1, 2, 4, 8):
        step = step_of(name, backend="jax", devices=devices)
        x, y = batch(name, NETS[name] // 2 * devices)
        step(x, y)
        text = step.compiled.as_text()
        flops = step.compiled.cost_analysis()["flops"]
        kinds = sorted({kind for _, kind in SENT.findall(text)})
        print(
            f"{name:8} {devices} devices, {len(x):4} examples: {flops / 1e6:9.2f} MFLOP each, {_bytes_sent(text):9,} bytes by {', '.join(kinds) or 'none'}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in PROGRAMS:
        serve(PROGRAMS, sys.argv[1])
    elif sys.argv[1:] == ["scaling"]:
        for net in NETS:
            scaling(net)
    else:
        table(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
        print("\n## Weak scaling: what each device computes, and what goes between them\n", flush=True)
        os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
        os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks.xla", "scaling"])
