"""One epoch of MNIST, everything included, by each system's own loop: shuffling, batches, steps, the mean loss.

    python -m tests.benchmarks.epoch [NAME]

60,000 images, 784-50-10 with ReLU, cross-entropy, Adam, batches of 100, float32. Each loop runs in a process of its own,
on one core, and they take turns; what counts is the time of the processor, of all threads together. Where llvmlite is
installed, the Trainer's updates are machine code from its third epoch on. With a NAME, this process is one of the loops:
for each line that it reads it trains an epoch, and answers with its seconds and its mean loss.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tests.benchmarks.turns import Program, Programs, medians, ratio, serve, take_turns

BATCH = 100


def digits() -> tuple[Any, Any]:
    """The images as rows, float32 from 0 to 1, and their classes."""
    from tinygrad_edu.data import datasets

    return datasets.mnist()[0]


def trainer(metrics: tuple[str, ...] = ()) -> Program:
    """tinygrad_edu's Trainer, over its DataLoader."""
    import tinygrad_edu as tg
    from tinygrad_edu import nn, optim
    from tinygrad_edu.data import DataLoader
    from tinygrad_edu.train import Trainer

    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))
    loop = Trainer(model, optim.Adam(model.parameters()), nn.CrossEntropyLoss(), metrics=metrics, seed=0)
    loader = DataLoader(digits(), BATCH, shuffle=True)
    return lambda: float(loop.fit(loader, epochs=1).last["loss"])


def trainer_and_accuracy() -> Program:
    """The same, with the accuracy over the training batches."""
    return trainer(("accuracy",))


def _torch_model() -> tuple[Any, Any, Any, Any]:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = map(torch.from_numpy, digits())
    model = torch.nn.Sequential(torch.nn.Linear(784, 50), torch.nn.ReLU(), torch.nn.Linear(50, 10))
    return x, y, model, torch.optim.Adam(model.parameters())


def _torch_pass(model: Any, optimizer: Any, batches: Any) -> float:
    from torch.nn.functional import cross_entropy

    total = 0.0
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    return total / 60_000


def torch_slices() -> Program:
    """PyTorch's loop as one writes it, over rows that are picked from the tensors."""
    import torch

    x, y, model, optimizer = _torch_model()

    def epoch() -> float:
        places = torch.randperm(len(x)).split(BATCH)
        return _torch_pass(model, optimizer, ((x[at], y[at]) for at in places))

    return epoch


def torch_loader() -> Program:
    """PyTorch's loop, over its DataLoader."""
    from torch.utils.data import DataLoader, TensorDataset

    x, y, model, optimizer = _torch_model()
    loader = DataLoader(TensorDataset(x, y), BATCH, shuffle=True)
    return lambda: _torch_pass(model, optimizer, loader)


def keras_on_jax() -> Program:
    """Keras's `fit`, on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(0)
    x, y = digits()
    layers = [keras.Input((784,)), keras.layers.Dense(50, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return lambda: float(model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0).history["loss"][0])


def skorch_net() -> Program:
    """skorch's `partial_fit`, over PyTorch."""
    import torch
    from skorch import NeuralNetClassifier

    x, y, model, _ = _torch_model()
    net = NeuralNetClassifier(
        model, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3, batch_size=BATCH,
        max_epochs=1, train_split=None, iterator_train__shuffle=True, verbose=0, compile=False,
    )  # fmt: skip
    x, y = x.numpy(), y.numpy()
    return lambda: float(net.partial_fit(x, y).history[-1]["train_loss"])


LOOPS: Programs = {
    "Trainer": (trainer, "tinygrad_edu"),
    "Trainer, accuracy too": (trainer_and_accuracy, "tinygrad_edu"),
    "PyTorch, slices": (torch_slices, "torch"),
    "PyTorch, DataLoader": (torch_loader, "torch"),
    "Keras on JAX": (keras_on_jax, "keras"),
    "skorch": (skorch_net, "skorch"),
}
"""The loops, and what each needs to be installed."""


def table(rounds: int = 7) -> dict[str, float]:
    """The median processor time of an epoch, by loop, after a first one that is not counted; and the table on paper.

    Without MNIST it says so, and gives none.
    """
    try:
        digits()
    except OSError as error:
        print(f"\none epoch of MNIST: not measured, for {error}")
        return {}
    answers = take_turns("tests.benchmarks.epoch", LOOPS, rounds)
    print(f"\none epoch of 60,000 MNIST images, 784-50-10, Adam, batch 100; one core, median of {rounds} rounds")
    print(f"  {'':24}{'CPU s':>8}{'Trainer / it':>14}   loss of epochs 1 and {rounds + 1}")
    for name, t in medians(answers):
        times = ratio(answers, "Trainer", name)
        print(f"  {name:24}{t:8.3f}{times:13.2f}×   {answers[name][0]['value']:.4f}, {answers[name][-1]['value']:.4f}")
    return dict(medians(answers))


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(LOOPS, sys.argv[1])
    else:
        table()
