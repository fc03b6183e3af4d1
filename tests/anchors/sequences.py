"""The sequence to sequence network of chapter 7 of Saito, *Deep Learning from Scratch 2*, which learns to add as written.

The corpus, 50,000 lines like `16+75  _91  `, is `addition.txt.gz` in the folder that TINYGRAD_EDU_DATA names.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tests.anchors.rows import Numbers, Row
from tinygrad_edu import models, nn, optim

EPOCHS, BATCH = 25, 128


def additions() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Questions (N, 7), reversed, and answers (N, 5) that begin with "_", as numbers of characters; and the characters."""
    folder = os.environ.get("TINYGRAD_EDU_DATA")
    if folder is None:
        raise FileNotFoundError("the additions are read from the folder that TINYGRAD_EDU_DATA names; set it")
    lines = gzip.decompress((Path(folder) / "addition.txt.gz").read_bytes()).decode().splitlines()
    characters = sorted(set("".join(lines)))
    numbers = {character: k for k, character in enumerate(characters)}
    found = np.array([[numbers[character] for character in line] for line in lines])
    return found[:, 6::-1], found[:, 7:], characters


def begun(model: nn.Module, generator: np.random.Generator) -> nn.Module:
    """The model with embeddings as 0.01·N(0, 1), other weights as N(0, 1)/√(numbers added up), and biases as 0."""
    with tg.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter[...] = 0.0
            else:
                spread = 0.01 if "embedding" in name else 1 / np.sqrt(parameter.shape[0])
                parameter[...] = spread * generator.normal(size=parameter.shape)
    return model


def addition(way: Literal["plain", "peeky"], epochs: int = EPOCHS, most: int | None = None) -> Numbers:
    """Adam at 0.001, gradients clipped at 5, batches of 128; nine tenths to learn from, exact answers to the rest, the best
    epoch's. `most` limits how many lines are read."""
    questions, answers, characters = additions()
    generator = np.random.default_rng(0)
    order = generator.permutation(len(questions))[:most]
    questions, answers = questions[order], answers[order]
    cut = len(order) - len(order) // 10
    model: Any = begun(models.Seq2Seq(len(characters), 16, 128, way), generator)
    optimizer = optim.Adam(model.parameters(), lr=0.001)

    @tg.replay
    def step(source: tg.Tensor, answer: tg.Tensor) -> tg.Tensor:
        loss = F.cross_entropy(model(source, answer[:, :-1]).reshape(-1, len(characters)), answer[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss

    best = 0.0
    for _ in range(epochs):
        shuffled = generator.permutation(cut)
        for begin in range(0, cut - BATCH + 1, BATCH):
            rows = shuffled[begin : begin + BATCH]
            step(questions[rows], answers[rows])
        said = model.generate(questions[cut:], start=characters.index("_"), length=4)
        best = max(best, float((said == answers[cut:, 1:]).all(axis=1).mean()))
    return {"exact": best}


ROWS = [
    Row("addition, plain", "exact answers ≥ .30", lambda: addition("plain"), lambda got: got["exact"] >= 0.3),
    Row("addition, peeky", "exact answers ≥ .95", lambda: addition("peeky"), lambda got: got["exact"] >= 0.95),
]
