# %% [markdown]
# # 16. Convolution and pooling by hand
#
# A fully connected layer forgets that pixels have neighbours. A convolution keeps it: a small kernel slides over the
# image, and at each place the products are added up,
#
# $$y_{ij} = b + \sum_{kl} x_{i+k,\,j+l}\, w_{kl}$$
#
# so the same few weights look for the same pattern everywhere. (The field says convolution; the kernel is not flipped,
# so it is a cross-correlation.)
#
# Source: Saito, *Deep Learning from Scratch*, chapter 7; LeCun et al. (1998).

# %%
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, datasets
from viz import draw, plots

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer epochs, for a look
OUT = Path("out/lessons/16")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## A window slides
#
# Four by four numbers, a kernel of three by three: two by two places. Zeros around the image (padding) keep its size; a
# larger step (stride) makes the output smaller. For height H, padding P, kernel K and stride S,
#
# $$\text{out} = \left\lfloor \frac{H + 2P - K}{S} \right\rfloor + 1$$

# %%
image = np.array([[1.0, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]])
kernel = np.array([[2.0, 0, 1], [0, 1, 2], [1, 0, 2]])


def convolve(x, w, stride=1, padding=0):
    """The sum above, place by place, with loops: the slowest way there is, and the clearest."""
    x = np.pad(x, padding)
    size = (x.shape[0] - w.shape[0]) // stride + 1, (x.shape[1] - w.shape[1]) // stride + 1
    y = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y[i, j] = (x[i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]] * w).sum()
    return y


by_loops = convolve(image, kernel)
padded = convolve(image, kernel, padding=1)
print("no padding:", by_loops.tolist(), " with one zero around:", padded.tolist())
differs = float(np.abs(F.conv2d(image[None, None], kernel[None, None], padding=1).squeeze() - padded).max())
sizes = {(h, p, k, s): (h + 2 * p - k) // s + 1 for h, p, k, s in [(4, 1, 3, 1), (7, 0, 3, 2), (28, 2, 5, 3)]}
print("sizes by the formula:", sizes)

# %% [markdown]
# ## im2col: a convolution as one matrix product
#
# Lay each window down as a column; then all sums are one product of matrices, which machines are fastest at. The price
# is memory: each pixel is copied as often as windows hold it. Going back, col2im adds each copy's slope to its pixel.

# %%
generator = np.random.default_rng(0)
x = generator.normal(size=(10, 3, 7, 7))
columns = F.unfold(x, 5)  # (10, 3·5·5, 9)
w = generator.normal(size=(2, 3, 5, 5))
by_product = (w.reshape(2, -1) @ columns).reshape(10, 2, 3, 3)
product_differs = float(np.abs(by_product - F.conv2d(x, w)).max())
copies = F.fold(F.unfold(np.ones((1, 1, 7, 7)), 5), (7, 7), 5)[0, 0]
print("columns:", columns.shape, " how often each pixel is copied:", copies[3].astype(int).tolist(), "(middle row)")

big, kernels = generator.normal(size=(100, 1, 28, 28)).astype(np.float32), np.ones((30, 1, 5, 5), np.float32)
seconds = {}
for name, run in {
    "loops, one image and kernel": lambda: convolve(big[0, 0], kernels[0, 0]),
    "im2col, 100 images and 30 kernels": lambda: kernels.reshape(30, -1) @ F.unfold(big, 5),
    "F.conv2d, the same": lambda: F.conv2d(big, kernels),
}.items():
    run()
    begun = time.perf_counter()
    run()
    seconds[name] = time.perf_counter() - begun
loops_for_all = seconds["loops, one image and kernel"] * 100 * 30
print({name: f"{1000 * s:.1f} ms" for name, s in seconds.items()}, f"; loops for all: {loops_for_all:.0f} s")

# %% [markdown]
# ## Three dimensions, and what goes back
#
# An image has channels, and so has a kernel: the sum runs over them too, and each kernel gives one channel of output.
# The slopes are convolutions again: by the kernel, the image is convolved with what comes back; by the image, what comes
# back is convolved with the kernel turned around.

# %%
x = tg.Tensor(generator.normal(size=(1, 2, 5, 5)), requires_grad=True, name="x")
w = tg.Tensor(generator.normal(size=(3, 2, 3, 3)), requires_grad=True, name="W")
y = F.conv2d(x, w)
back = generator.normal(size=y.shape)
(y * back).sum().backward()
by_kernel = np.array([[convolve(x.numpy()[0, c], back[0, o]) for c in range(2)] for o in range(3)])
turned = w.numpy()[:, :, ::-1, ::-1]
by_image = np.array([sum(convolve(back[0, o], turned[o, c], padding=2) for o in range(3)) for c in range(2)])
slopes_differ = max(float(np.abs(by_kernel - w.grad.numpy()).max()), float(np.abs(by_image - x.grad.numpy()[0]).max()))
print(f"slopes by hand and by the engine differ by {slopes_differ:.1e}")

# %% [markdown]
# ## Pooling
#
# The largest of each window: where exactly a pattern was found matters less than that it was. There is nothing to learn;
# the slope goes to the place of the largest, and nowhere else.

# %%
small = tg.Tensor([[[[1.0, 2, 1, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 4, 0, 1]]]], requires_grad=True, name="x")
pooled = F.max_pool2d(small, 2)
pooled.sum().backward()
dot, moved = np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 4, 4))
dot[..., 0, 0] = moved[..., 1, 1] = 1.0  # a pattern found one pixel lower and to the right
unmoved = bool((F.max_pool2d(dot, 2) == F.max_pool2d(moved, 2)).all())
print("pooled:", pooled.numpy()[0, 0].tolist(), " slopes:", small.grad.numpy()[0, 0].tolist())

# %% [markdown]
# ## What kernels learn
#
# A small network on digits: 8 kernels of 3 × 3, ReLU, pooling, one layer of weights. Before training the kernels are
# noise; afterwards many are edges and blobs.

# %%
tg.manual_seed(0)
(x_train, t_train), (x_test, t_test) = datasets.digits()
x_train, x_test = (a.reshape(-1, 1, 8, 8) for a in (x_train, x_test))
model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
before = model[0].weight.numpy().copy()
optimizer = optim.Adam(model.parameters(), lr=0.003)


@tg.replay
def step(x, t):
    loss = F.cross_entropy(model(x), t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


for _ in range(15 if QUICK else 60):
    for x, t in DataLoader((x_train, t_train), batch_size=50, shuffle=True):
        step(x, t)
model.eval()
accuracy = float((model(x_test).numpy().argmax(axis=1) == t_test).mean())
after = model[0].weight.numpy()
print(f"accuracy on new digits {accuracy:.3f}, with {sum(p.size for p in model.parameters())} parameters")

plots.filters(before).savefig(OUT / "kernels_before.png")
plots.filters(after).savefig(OUT / "kernels_after.png")

x = tg.Tensor(x_test[:1], name="x")
draw(model(x)).save(OUT / "network.svg")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "no padding": by_loops.tolist(),
    "padding 1": padded.tolist(),
    "F.conv2d differs by": differs,
    "sizes": list(sizes.values()),
    "columns": list(columns.shape),
    "as a product, differs by": product_differs,
    "middle pixel is copied": int(copies[3, 3]),
    "loops, times as long": loops_for_all / seconds["F.conv2d, the same"],
    "slopes by hand differ by": slopes_differ,
    "pooled": pooled.numpy()[0, 0].tolist(),
    "slope of pooling": small.grad.numpy()[0, 0].tolist(),
    "pooling hides a small shift": unmoved,
    "accuracy": accuracy,
    "kernels changed by": float(np.abs(after - before).mean()),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
