"""A network that reads digits row by row, trained here and run elsewhere: `python examples/to_onnx.py`.

It needs `pip install "tinygrad-edu[data,onnx,viz]"`. The file that it writes can be served: `python examples/serve.py
out/digits.onnx`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, datasets
from viz import draw


class Reader(nn.Module):
    """The eight rows of an image are a sequence; the last state of a GRU tells the digit."""

    def __init__(self, width: int = 32) -> None:
        self.gru = nn.GRU(8, width, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, images: Any) -> Any:
        """The probabilities of the ten digits."""
        states, _ = self.gru(images)
        return F.softmax(self.head(states[:, -1]))


def main() -> None:
    """Train, write, run by onnxruntime, and read again."""
    import onnxruntime

    (x, y), (x_test, y_test) = datasets.digits()
    x, x_test = [part.reshape(-1, 8, 8) for part in (x, x_test)]
    tg.manual_seed(0)
    model = Reader()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @tg.replay
    def step(images: Any, digits: Any) -> Any:
        loss = F.nll_loss(np.log(model(images)), digits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(5):
        for images, digits in DataLoader((x, y), batch_size=64, shuffle=True, drop_last=True):
            step(images, digits)

    Path("out").mkdir(exist_ok=True)
    path = tg.export.onnx(model.eval(), x_test[:2], "out/digits.onnx", names=["probabilities"])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    print(f"{path} takes {session.get_inputs()[0].shape}, and gives {session.get_outputs()[0].shape}")
    (elsewhere,) = session.run(None, {"images": x_test})
    here = model(x_test).numpy()
    print(f"onnxruntime reads {np.mean(elsewhere.argmax(1) == y_test):.1%} of the test images rightly")
    print(f"its probabilities differ from those here by {np.abs(elsewhere - here).max():.0e} at most")

    again = tg.export.load_onnx(path)
    print(f"read again: {', '.join(name for name, _ in again.named_parameters())}")
    draw(again(tg.Tensor(x_test[:1], name="images"))).save("out/digits.svg")


if __name__ == "__main__":
    main()
