# %% [markdown]
# # 26. Atrous convolution, and a class for each pixel
#
# A classifier says what is in an image. Segmentation says it of every pixel, and so needs two things at once: to see far
# (what is this a part of?), and to keep the place (where does it end?). Pooling and strides buy the one with the other.
# There are two ways out. A kernel with holes (*à trous*) sees far at full size:
#
# $$y_i = \sum_k x_{i + d\,k}\, w_k$$
#
# with a dilation d. Or one goes down and up again, and hands what was seen at full size across: a U-Net.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 8; Yu and Koltun (2016); Chen et al. (2017); Ronneberger et al. (2015).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import models, nn, optim
from tinygrad_edu.data import DataLoader
from tinygrad_edu.models.blocks import conv_norm
from viz import draw

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer images and epochs, for a look
OUT = Path("out/lessons/26")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## How far three kernels see
#
# The engine knows: pixels that have a slope for an output are seen by it. With kernels of ones the slope is the number of
# ways that lead from the pixel to the output. Three kernels of 3 × 3 each, and nine weights a kernel, whatever is chosen:
#
# - one after another they see 7 × 7;
# - with a stride of 2 each they see 15 × 15, but there is an answer only at every eighth pixel;
# - with dilations of 1, 2, 4 they see the same 15 × 15, by as many ways, and there is an answer at every pixel;
# - with equal dilations of 2 they reach over 13 × 13, but see only every second pixel of it: the grid.

# %%
STACKS = {  # the stride and the dilation of each kernel
    "1, 1, 1": ((1, 1), (1, 1), (1, 1)),
    "stride 2, 2, 2": ((2, 1), (2, 1), (2, 1)),
    "dilation 1, 2, 4": ((1, 1), (1, 2), (1, 4)),
    "dilation 2, 2, 2": ((1, 2), (1, 2), (1, 2)),
}


def ways(stack, side=33):
    """How many ways lead from each pixel to the output in the middle, and how large the output is."""
    x = tg.Tensor(np.zeros((1, 1, side, side)), requires_grad=True)
    h = x
    for stride, dilation in stack:
        h = F.conv2d(h, np.ones((1, 1, 3, 3)), stride=stride, padding=dilation, dilation=dilation)
    middle = h.shape[2] // 2
    h[0, 0, middle, middle].backward()
    return x.grad.numpy()[0, 0].astype(int), h.shape[2]


figure, axes = plt.subplots(1, 4, figsize=(11, 3))
reach, seen, answers = {}, {}, {}
for axis, (name, stack) in zip(axes, STACKS.items(), strict=True):
    count, answers[name] = ways(stack)
    rows = np.flatnonzero(count.any(axis=1))
    reach[name], seen[name] = int(rows[-1] - rows[0] + 1), int((count > 0).sum())
    middle = slice(int(rows.mean()) - 9, int(rows.mean()) + 10)
    axis.imshow(np.ma.masked_equal(count[middle, middle], 0), cmap="viridis")
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{name}\nreaches {reach[name]}, sees {seen[name]} pixels", fontsize=9)
figure.savefig(OUT / "receptive_fields.png", dpi=150, bbox_inches="tight")
print("reach:", reach, " pixels seen:", seen, " answers for 33 pixels:", answers)

# %% [markdown]
# So dilations are mixed: each fills the holes of the next. DeepLab lays several beside each other (atrous spatial pyramid
# pooling), and the last parts of its ResNet have dilations where others have strides.
#
# ## A task
#
# Discs, squares and triangles on noise, which may hide each other. Their brightness does not depend on their kind, and the
# noise is a third as strong. The classes of pixels: nothing, disc, square, triangle.

# %%
KINDS = ("nothing", "disc", "square", "triangle")
SIDE = 24 if QUICK else 32
generator = np.random.default_rng(0)


def scene():
    """An image and the class of each of its pixels."""
    image, truth = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), int)
    for kind in generator.integers(1, 4, size=generator.integers(2, 5)):
        (row, column), radius = generator.uniform(4, SIDE - 4, size=2), generator.uniform(4, 7)
        y, x = np.mgrid[:SIDE, :SIDE] - np.array([row, column]).reshape(2, 1, 1)
        inside = (
            np.hypot(y, x) < radius,
            np.maximum(abs(y), abs(x)) < 0.9 * radius,
            (y < 0.8 * radius) & (1.6 * abs(x) - y < 0.8 * radius),
        )[kind - 1]
        image[inside], truth[inside] = generator.uniform(0.5, 1), kind
    return image + 0.25 * generator.normal(size=image.shape), truth


def scenes(count):
    """So many images (N, 1, H, W) and the classes of their pixels (N, H, W)."""
    images, truths = zip(*[scene() for _ in range(count)], strict=True)
    return np.stack(images)[:, None].astype(np.float32), np.stack(truths)


x_train, t_train = scenes(300 if QUICK else 1000)
x_test, t_test = scenes(100 if QUICK else 200)
print("share of each class:", {kind: round(float((t_test == k).mean()), 3) for k, kind in enumerate(KINDS)})

# %% [markdown]
# ## Three networks
#
# - *single pixels*: kernels of 1 × 1, so that each answer knows one number. It is the measure of what can be had without
#   looking around.
# - *atrous*: kernels of 3 × 3 with dilations 1, 1, 2, 4, 8, 1 at full size, as Yu and Koltun's.
# - *U-Net*: halved twice, doubled twice, with a bridge at each size.

# %%
tg.manual_seed(0)
NETWORKS = {
    "single pixels": nn.Sequential(conv_norm(1, 16, 1), conv_norm(16, 16, 1), nn.Conv2d(16, 4, 1)),
    "atrous": nn.Sequential(
        conv_norm(1, 12), *[conv_norm(12, 12, dilation=d) for d in (1, 2, 4, 8, 1)], nn.Conv2d(12, 4, 1)
    ),
    "U-Net": models.UNet(1, 4, width=8, depth=2, batch_norm=True),
}
for name, model in NETWORKS.items():
    counted = nn.summary(model, (1, 1, SIDE, SIDE))
    print(f"{name:14}{counted.parameters:>8,} parameters {counted.multiply_adds:>12,} multiply-adds an image")
x = tg.Tensor(x_test[:1], requires_grad=True, name="x")
draw(NETWORKS["U-Net"].eval()(x), collapse=2, direction="forward").save(OUT / "unet.svg")

# %% [markdown]
# ## The measure
#
# Accuracy over pixels flatters: who always says *nothing* is right most of the time. Intersection over union asks, for
# each class, how many pixels both say, over how many one of them says:
#
# $$\text{IoU}_k = \frac{|\text{said}_k \cap \text{true}_k|}{|\text{said}_k \cup \text{true}_k|}$$


# %%
def overlap(said, truth):
    """The intersection over union of each class."""
    return [float(((said == k) & (truth == k)).sum() / ((said == k) | (truth == k)).sum()) for k in range(len(KINDS))]


def answer(model, x):
    """The class of each pixel, (N, H, W)."""
    model.eval()
    with tg.no_grad():
        return np.concatenate([model(x[i : i + 50]).numpy().argmax(axis=1) for i in range(0, len(x), 50)])


def train(model, epochs):
    """The mean loss of each epoch."""
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @tg.replay
    def step(x, t):
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    model.train()
    loader = DataLoader((x_train, t_train), batch_size=10 if QUICK else 25, shuffle=True)
    return [float(np.mean([step(x, t).item() for x, t in loader])) for _ in range(epochs)]


curves, said, overlaps = {}, {}, {"nothing everywhere": overlap(np.zeros_like(t_test), t_test)}
for name, model in NETWORKS.items():
    curves[name] = train(model, 4 if QUICK else 30)
    said[name] = answer(model, x_test)
    overlaps[name] = overlap(said[name], t_test)
mean = {name: float(np.mean(values)) for name, values in overlaps.items()}
right = {name: float((answers == t_test).mean()) for name, answers in said.items()}
right["nothing everywhere"] = float((t_test == 0).mean())
for name, values in overlaps.items():
    by_kind = ", ".join(f"{kind} {value:.2f}" for kind, value in zip(KINDS, values, strict=True))
    print(f"{name:20} accuracy {right[name]:.3f}, IoU {by_kind}; mean {mean[name]:.3f}")

# %% [markdown]
# Who sees single pixels can tell bright from dark, but not a disc from a square: it guesses one for some brightnesses and
# the other for the rest. The pictures show where the others go wrong: where shapes hide each other, so that little is left
# of an outline that would tell them apart.

# %%
figure, axes = plt.subplots(5, 5, figsize=(7, 7.2), gridspec_kw={"wspace": 0.05, "hspace": 0.05})
for row, (title, shown) in enumerate({"image": x_test[:, 0], "truth": t_test, **said}.items()):
    for axis, picture in zip(axes[row], shown, strict=False):
        if title == "image":
            axis.imshow(picture, cmap="gray")
        else:
            axis.imshow(picture, cmap=plt.get_cmap("viridis", 4), vmin=-0.5, vmax=3.5, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(title)
figure.savefig(OUT / "answers.png", dpi=150, bbox_inches="tight")
figure, axis = plt.subplots(figsize=(5, 3.2))
for (name, curve), style in zip(curves.items(), ("o:", "s--", "^-"), strict=True):
    axis.semilogy(range(1, len(curve) + 1), curve, style, markersize=3, label=name)
axis.set(xlabel="epoch", ylabel="training loss")
axis.legend()
figure.savefig(OUT / "curves.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The way up: transposed convolution, and its checkerboard
#
# A transposed convolution with stride 2 stamps its kernel at every second place, and adds. A kernel of 3 × 3 overlaps
# itself by one: some pixels get one stamp, some two, some four, and even an equal image comes out with a pattern
# (Odena et al., 2016). Two remedies: a kernel whose size is a multiple of the stride, so that all pixels get as many (the
# U-Net has 2 × 2 at stride 2), or to enlarge first and convolve then. The first gives all pixels as many weights, but not
# the same ones: a U-Net that was trained for a short time, as in the quick run, still shows the grid in its answers.


# %%
def spread(image):
    """How much an enlarged image of ones varies, away from its border."""
    inner = image[4:-4, 4:-4]
    return float(inner.max() - inner.min())


ones = np.ones((1, 1, 10, 10))
enlarged = {
    "transposed, 3 × 3": F.conv_transpose2d(ones, np.ones((1, 1, 3, 3)), stride=2, padding=1),
    "transposed, 4 × 4": F.conv_transpose2d(ones, np.ones((1, 1, 4, 4)), stride=2, padding=1),
    "transposed, 2 × 2": F.conv_transpose2d(ones, np.ones((1, 1, 2, 2)), stride=2),
    "enlarged, then 3 × 3": F.conv2d(F.interpolate(ones, scale_factor=2), np.ones((1, 1, 3, 3)), padding=1),
}
spreads = {name: spread(image[0, 0]) for name, image in enlarged.items()}
stamps = sorted({int(n) for n in enlarged["transposed, 3 × 3"][0, 0, 4:-4, 4:-4].ravel()})
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for axis, (name, image) in zip(axes, enlarged.items(), strict=True):
    axis.imshow(image[0, 0] / image.max(), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.set_title(name, fontsize=10)
figure.savefig(OUT / "checkerboard.png", dpi=150, bbox_inches="tight")
print("an equal image, enlarged, varies by:", spreads, " stamps of a 3 × 3 kernel on a pixel:", stamps)

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "reach": list(reach.values()),
    "pixels seen": list(seen.values()),
    "answers for 33 pixels": list(answers.values()),
    "accuracy of nothing everywhere": right["nothing everywhere"],
    **{f"mean IoU, {name}": value for name, value in mean.items()},
    **{f"accuracy, {name}": value for name, value in right.items() if name != "nothing everywhere"},
    "stamps of a 3 × 3 kernel": stamps,
    "an equal image, enlarged, varies by": list(spreads.values()),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
