"""The first run: differentiate a price, train a network on handwritten digits, and draw both.

    python examples/quickstart.py

Writes three figures into the folder `out`. Needs the extras, which `make demo` installs.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from tqdm import tqdm

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, datasets
from viz import draw

mpl.use("Agg")  # writes files, and needs no screen
import matplotlib.pyplot as plt

OUT = Path("out")


def apples() -> Path:
    """Two apples at 100 each, and 10 % tax: what does the price depend on, and how strongly?"""
    apple = tg.Tensor(100.0, requires_grad=True, name="apple")
    count = tg.Tensor(2.0, requires_grad=True, name="count")
    tax = tg.Tensor(1.1, requires_grad=True, name="tax")
    price = apple * count * tax
    price.backward()
    print(f"price = apple × count × tax = {price:.0f}")
    for x in (apple, count, tax):
        print(f"  ∂price/∂{x.name} = {x.grad:.1f}")
    return draw(price).save(OUT / "apples.svg")


class MLP(nn.Module):
    """64 pixels, 100 hidden units, 10 digits."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.hidden = nn.Linear(64, 100, generator=generator)
        self.relu = nn.ReLU()
        self.output = nn.Linear(100, 10, generator=generator)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The digits' logits."""
        return self.output(self.relu(self.hidden(x)))


def train(epochs: int = 40) -> tuple[MLP, list[float]]:
    """A network that has learnt to read, and its loss at each step."""
    generator = np.random.default_rng(0)
    (x_train, y_train), (x_test, y_test) = datasets.digits()
    loader = DataLoader((x_train, y_train), batch_size=32, shuffle=True, generator=generator)
    model = MLP(generator)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    begun = time.perf_counter()
    for _ in tqdm(range(epochs), desc="training", unit="epoch"):
        for x, y in loader:
            loss = F.cross_entropy(model(tg.Tensor(x)), y)
            optimizer.zero_grad()
            loss.backward(retain_graph=False)
            optimizer.step()
            losses.append(loss.item())
    seconds = time.perf_counter() - begun
    with tg.no_grad():
        accuracy = np.mean(np.argmax(model(tg.Tensor(x_test)), axis=1) == y_test).item()
    print(f"{accuracy:.1%} of {len(y_test)} held-out digits read right, after {seconds:.1f} s of training")
    return model, losses


def replay(model: MLP) -> None:
    """The same step recorded once and run as a program: the fast way to train."""
    (x, y), _ = datasets.digits()
    x, y = x[:32], y[:32]
    optimizer = optim.SGD(model.parameters(), lr=0.0)

    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    replayed = tg.replay(step)
    times: dict[str, list[float]] = {"eager": [], "replayed": []}
    for _ in range(100):
        for name, run in (("eager", step), ("replayed", replayed)):
            begun = time.perf_counter()
            run(tg.Tensor(x), tg.Tensor(y))
            times[name].append(time.perf_counter() - begun)
    eager, fast = (np.median(seconds) * 1e6 for seconds in times.values())
    lines = len(replayed.plan.instructions)
    print(f"a step takes {eager:.0f} µs, and {fast:.0f} µs replayed, as a program of {lines} lines")


def plot(losses: list[float]) -> Path:
    """The loss at each step, and its running mean."""
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    axes.plot(losses, alpha=0.3, label="a batch")
    axes.plot(range(49, len(losses)), np.convolve(losses, np.ones(50) / 50, mode="valid"), label="mean of the last 50")
    axes.set(xlabel="step", ylabel="cross-entropy", yscale="log")
    axes.legend()
    path = OUT / "loss.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def layers(model: MLP) -> Path:
    """The graph of one batch's loss, a box a layer."""
    (x, t), _ = datasets.digits()
    loss = nn.CrossEntropyLoss()(model(tg.Tensor(x[:32], name="x")), tg.Tensor(t[:32], name="t"))
    return draw(loss, collapse="all", names={"loss": loss}).save(OUT / "mlp.svg")


def main() -> None:
    """Everything, in order."""
    OUT.mkdir(exist_ok=True)
    written = [apples()]
    model, losses = train()
    replay(model)
    written += [plot(losses), layers(model)]
    print("written:", ", ".join(map(str, written)))


if __name__ == "__main__":
    main()
