"""What a user writes, and what a type checker knows of it: `test_types` runs this file, and two checkers read it."""

from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, optim
from tinygrad_edu.data import DataLoader
from tinygrad_edu.nn import functional as F

Array = NDArray[Any]


class Net(nn.Module):
    """A typed forward needs no cast."""

    def __init__(self, width: int) -> None:
        self.hidden = nn.Linear(2, width)
        self.output = nn.Sequential(nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, 2))

    def forward(self, x: Tensor, temperature: float = 1.0) -> Tensor:
        return self.output(tg.tanh(self.hidden(x))) / temperature


class Images(nn.Module):
    """Layers of images, in a typed forward."""

    def __init__(self) -> None:
        self.conv, self.norm, self.pool = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.interpolate(self.pool(self.norm(self.conv(x))), scale_factor=2), 2)


assert_type(Images()(Tensor(np.ones((2, 1, 4, 4), np.float32))), Tensor)
pooled, places = F.max_pool2d(Tensor(np.eye(4, dtype=np.float32)[None]), 2, return_indices=True)
assert_type(nn.MaxPool2d(2)(np.ones((1, 4, 4))), Array)

x, y = np.eye(4, 2, dtype=np.float32), np.arange(4) % 2
model = Net(8)
optimizer = optim.Adam(model.parameters(), lr=0.1)
for rows, labels in DataLoader((x, y), batch_size=2, shuffle=True):
    assert_type(rows, Array)
    loss = F.cross_entropy(model(Tensor(rows)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

w = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, dtype=np.float32)
for computed in (w * 2, 2 * w, w @ x.T, w.sum(), w.mean(axis=0), w[0], w[w > 1], w.T, w.reshape(-1), -w, w > 1):
    assert_type(computed, Tensor)
for computed in (
    tg.relu(w),
    tg.exp(w),
    tg.matmul(x, w),
    tg.concatenate([w, x]),
    tg.sum(w, axis=1),
    tg.where(w > 2, w, 0),
):
    assert_type(computed, Tensor)
for computed in (F.softmax(w, axis=-1), F.mse_loss(w, w.detach()), nn.MSELoss()(w, x[:2]), nn.ReLU()(w), model(w)):
    assert_type(computed, Tensor)
normalized, places = nn.BatchNorm1d(2), Tensor([0, 1])
for computed in (
    F.linear(x, w),
    F.flatten(w),
    F.prelu(w, w[0]),
    F.dropout(w),
    F.batch_norm(w, None, None, training=True),
    F.layer_norm(w, 2),
    F.embedding(places, w),
    F.l2_penalty(model.parameters()),
    normalized(w),
    nn.TripletMarginLoss()(w, w + 1, negative=w - 1),
):
    assert_type(computed, Tensor)
assert_type(F.linear(x, x.T), Array)
assert_type(tg.relu(x), Array)
assert_type(F.softmax(x), Array)
slope, (one, two) = tg.grad((w * w).sum(), w), tg.grad(model(w).sum(), [w, model.hidden.weight])
assert_type(slope, Tensor)
assert_type(one, Tensor)
with tg.no_grad():
    w -= 0.1 * slope

if TYPE_CHECKING:  # mistakes, each of which both checkers see: a line without one would be an unused `ignore`
    tg.softmx(w)  # type: ignore[attr-defined]
    w.sum(axes=0)  # type: ignore[arg-type]
    w.summ()  # type: ignore[attr-defined]
    tg.sum(w, axes=0)  # type: ignore[call-overload]
    tg.exp(w, w)  # type: ignore[call-overload]
    model("a")  # type: ignore[arg-type]
    model(w, tmperature=2.0)  # type: ignore[call-arg]
    F.mse_loss(w, w, reductio="sum")  # type: ignore[call-arg]
    nn.Linear(2, 3, biass=False)  # type: ignore[call-arg]
    optim.Adam(model.parameters(), lr="fast")  # type: ignore[arg-type]
    DataLoader((x, y), batchsize=2)  # type: ignore[call-overload]
