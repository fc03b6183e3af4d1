"""A training step of a small GPT, replayed, beside PyTorch's; and text generated with and without a cache.

    python -m tests.benchmarks.transformer [NAME]

4 blocks of width 128, 4 heads, 65 characters, batches of 16 × 64, AdamW, float32; each in a process of its own, on one
core, in turns.
"""

from __future__ import annotations

import statistics
import sys
import time
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.turns import Program, Programs, serve, take_turns

LAYERS, HEADS, WIDTH, VOCABULARY, BATCH, LENGTH = 4, 4, 128, 65, 16, 64
STEPS = 5
"""The steps of one turn."""


def _tokens() -> Any:
    return np.random.default_rng(0).integers(0, VOCABULARY, (2, BATCH, LENGTH))


def _repeated(step: Any) -> Program:
    def run() -> float:
        for _ in range(STEPS):
            loss = step()
        return float(loss)

    for _ in range(3):
        step()
    return run


def replayed(approximate: str) -> Program:
    """tinygrad_edu's step."""
    import tinygrad_edu as tg
    from tinygrad_edu import optim
    from tinygrad_edu.models import GPT
    from tinygrad_edu.nn import functional as F

    tg.manual_seed(0)
    model = GPT(VOCABULARY, LENGTH, LAYERS, HEADS, WIDTH, tied=False, approximate=approximate)
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)

    @tg.replay
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x).reshape(-1, VOCABULARY), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _repeated(partial(step, *_tokens()))


def pytorch(approximate: str) -> Program:
    """The same model in PyTorch, as nanoGPT writes it."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.fc, self.out = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            heads = [z.view(*x.shape[:2], HEADS, -1).transpose(1, 2) for z in self.qkv(self.norm1(x)).split(WIDTH, 2)]
            found = F.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).reshape(x.shape)
            x = x + self.proj(found)
            return x + self.out(F.gelu(self.fc(self.norm2(x)), approximate=approximate))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)
            for name, p in self.named_parameters():
                if p.ndim > 1:
                    nn.init.normal_(p, 0.0, 0.02 / (2 * LAYERS) ** 0.5 if "proj" in name or "out" in name else 0.02)
                elif name.endswith("bias"):
                    nn.init.zeros_(p)

        def forward(self, x: Any) -> Any:
            return self.head(self.norm(self.blocks(self.tokens(x) + self.places.weight[: x.shape[1]])))

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x, y = torch.from_numpy(_tokens())

    def step() -> Any:
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return _repeated(step)


MODELS: Programs = {
    "GELU by tanh, replayed": (partial(replayed, "tanh"), "tinygrad_edu"),
    "GELU by tanh, PyTorch": (partial(pytorch, "tanh"), "torch"),
    "exact GELU, replayed": (partial(replayed, "none"), "tinygrad_edu"),
    "exact GELU, PyTorch": (partial(pytorch, "none"), "torch"),
}
"""The models, and what each needs to be installed."""


def table(rounds: int = 9) -> None:
    """The processor time of a step of each, and its ratio to PyTorch's."""
    answers = take_turns("tests.benchmarks.transformer", MODELS, rounds)
    print(
        f"\na step of a GPT of {LAYERS} blocks of width {WIDTH}, {BATCH} × {LENGTH} characters; one core, {rounds} rounds"
    )
    print(f"  {'':28}{'CPU ms':>8}{'ours / it':>11}   loss after {(rounds + 1) * STEPS + 3} steps")
    for name, given in answers.items():
        ours = answers[f"{name.split(', ')[0]}, replayed"]
        ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in zip(ours[1:], given[1:], strict=True))
        milliseconds = statistics.median(answer["seconds"] for answer in given[1:]) / STEPS * 1e3
        print(f"  {name:28}{milliseconds:8.1f}{ratio:10.2f}×   {given[-1]['value']:.4f}")
    generating(3)


def generating(rounds: int, tokens: int = 256) -> None:
    """How long text takes with a cache of keys and values, and without."""
    import tinygrad_edu as tg
    from tinygrad_edu.models import GPT

    tg.manual_seed(0)
    model = GPT(VOCABULARY, tokens, LAYERS, HEADS, WIDTH)
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        made = {}
        for cache in (True, False):
            begun = time.process_time()
            made[cache] = model.generate([0], tokens - 1, generator=np.random.default_rng(1), cache=cache)
            times[cache].append(time.process_time() - begun)
        if not np.array_equal(made[True], made[False]):
            raise RuntimeError("with a cache, other tokens came out")
    cached, without = (statistics.median(times[cache]) for cache in (True, False))
    print(f"  {tokens} tokens generated: {cached:.2f} s with a cache, {without:.2f} s without, {without / cached:.1f}×")


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(MODELS, sys.argv[1])
    else:
        table()
