# %% [markdown]
# # 19. VGG, GoogLeNet, ResNet: how networks became deep
#
# Three ideas of 2014 and 2015 made networks of twenty layers and more practical. VGG builds everything from kernels of
# 3 × 3. GoogLeNet makes large windows cheap by kernels of 1 × 1 before them. ResNet lets each block add to what it is
# given, $y = x + f(x)$, and so trains at depths at which a plain network does not.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 8; Simonyan and Zisserman (2014); Szegedy et al. (2014); He et al.
# (2015).

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
from tinygrad_edu.data import DataLoader, datasets
from tinygrad_edu.models.blocks import conv_norm
from tinygrad_edu.models.googlenet import Inception
from tinygrad_edu.models.resnet import BasicBlock, Bottleneck
from tinygrad_edu.models.vgg import WIDTHS
from tinygrad_edu.train import Trainer
from viz import draw, plots

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer networks and epochs, for a look
OUT = Path("out/lessons/19")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## What a convolution costs
#
# From C channels to D, a kernel of K × K has K²·C·D weights, and each of them is multiplied once at each place of the
# image. So whoever wants to save looks at K, at C and at D:
#
# - VGG: two kernels of 3 × 3 in a row see 5 × 5 pixels (lesson 18) with 18 weights for each pair of channels, where one
#   of 5 × 5 has 25. There is also one ReLU more, so the two can compute what the one cannot.
# - GoogLeNet: before a window of 5 × 5 a kernel of 1 × 1 makes 16 channels of 192. It looks at one pixel only, and mixes
#   its channels.
# - ResNet: in 256 channels a block first goes down to 64, looks around there, and comes back: a bottleneck.


# %%
def stack(*layers):
    """Convolutions without bias, that keep the size of the image: (inputs, outputs, kernel) each."""
    return nn.Sequential(*[nn.Conv2d(c, d, k, padding=k // 2, bias=False) for c, d, k in layers])


CHOICES = {
    "64 channels: one 5 × 5": ((64, 64, 5),),
    "64 channels: two 3 × 3": ((64, 64, 3), (64, 64, 3)),
    "192 to 32 channels: 5 × 5": ((192, 32, 5),),
    "192 to 32 channels: 1 × 1 to 16, then 5 × 5": ((192, 16, 1), (16, 32, 5)),
    "256 channels: two 3 × 3": ((256, 256, 3), (256, 256, 3)),
    "256 channels: 1 × 1 to 64, 3 × 3, 1 × 1 back": ((256, 64, 1), (64, 64, 3), (64, 256, 1)),
}
weights = {}
for name, layers in CHOICES.items():
    counted = nn.summary(stack(*layers), (1, layers[0][0], 14, 14))
    weights[name] = counted.parameters
    print(f"{name:46}{counted.parameters:>10,} weights {counted.multiply_adds:>13,} multiply-adds on 14 × 14")

# %% [markdown]
# ## The blocks
#
# Each as a figure: VGG's, a straight line; GoogLeNet's, four ways beside each other, joined at the end; ResNet's two,
# where the line that goes past the convolutions is the shortcut.

# %%
BLOCKS = {
    "vgg": (nn.Sequential(*[layer for _ in range(2) for layer in (nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())]), 64),
    "inception": (Inception(192, 64, (96, 128), (16, 32), 32), 192),
    "basic": (BasicBlock(64, 64), 64),
    "bottleneck": (Bottleneck(256, 64), 256),
}
for name, (block, channels) in BLOCKS.items():
    x = tg.Tensor(np.ones((1, channels, 14, 14), np.float32), requires_grad=True, name="x")
    draw(block.eval()(x), collapse="all", direction="forward").save(OUT / f"block_{name}.svg")

# %% [markdown]
# A whole network is a row of such blocks. `collapse=2` makes a box of each member of the network, `collapse=3` one of each
# member of a member: in ResNet18, its blocks.

# %%
x = tg.Tensor(np.ones((1, 3, 64, 64), np.float32), requires_grad=True, name="x")
draw(models.ResNet18(width=8).eval()(x), collapse=3, direction="forward").save(OUT / "resnet18.svg")
if not QUICK:
    draw(models.GoogLeNet().eval()(x), collapse=2, direction="forward").save(OUT / "googlenet.svg")

# %% [markdown]
# ## Where VGG's weights lie
#
# Count by hand: thirteen convolutions of 3 × 3, then layers of 4,096, 4,096 and 1,000 neurons, the first of which reads
# all 512 · 7 · 7 numbers that are left of the image.

# %%
channels, convolutions = 3, 0
for depth, width in zip((2, 2, 3, 3, 3), WIDTHS, strict=True):
    for _ in range(depth):
        convolutions += (9 * channels + 1) * width
        channels = width
neurons = sum((n + 1) * m for n, m in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)))
print(f"VGG16: {convolutions:,} in convolutions and {neurons:,} in neurons, {convolutions + neurons:,} in all")

# %% [markdown]
# Nine tenths of the weights are in the neurons. GoogLeNet and ResNet take the mean of each channel over the image
# instead, and then need one layer of neurons. MobileNetV2 goes further: its kernels of 3 × 3 look at one channel each
# (depthwise), and only its kernels of 1 × 1 mix channels.
#
# The table has the published numbers of parameters, with GoogLeNet's two heads, which run in training only. Multiply-adds
# are those of one image of 224 × 224; products with the zeros around an image are not counted, so they are a few percent
# fewer than papers say. (The quick run has images of 112 × 112, and leaves out the larger networks.)

# %%
NETWORKS = ("ResNet18", "MobileNetV2", *(() if QUICK else ("GoogLeNet", "ResNet50", "AlexNet", "VGG16")))
SIDE = 112 if QUICK else 224
table = {}
for name in NETWORKS:
    model = getattr(models, name)()
    counted = nn.summary(model, (1, 3, SIDE, SIDE))
    table[name] = counted.parameters, counted.multiply_adds
    print(f"{name:12}{counted.parameters:>12,} parameters {counted.multiply_adds / 1e9:>6.2f} billion multiply-adds")
    del model

# %% [markdown]
# ## What arrives at the first layers
#
# Thirty-four layers, with and without shortcuts, narrow (8 channels at first), on 16 digits of 64 × 64 pixels. Both have
# the same convolutions, apart from three of 1 × 1 in shortcuts. How large is the gradient of each kernel?
#
# Without batch normalization (here: in evaluation mode, where at the start it changes nothing) each plain layer makes
# everything a little smaller, what goes forward and what comes back; after thirty-four of them nearly nothing is left.
# With shortcuts, $\partial y/\partial x = 1 + f'(x)$: the 1 hands on what comes, whatever f does.
#
# With batch normalization nothing vanishes, as He et al. noted of their plain networks. Instead the gradient grows on its
# way to the front. What ReLU gives has a mean; normalizing takes it away and divides by what spread is left, which
# stretches the gradient, in wide networks by a factor of $\sqrt{\pi/(\pi-1)} \approx 1.2$ a layer (Yang et al., 2019). So a
# learning rate that suits the last layers is too large for the first. With shortcuts it grows too, but more slowly.

# %%
tg.manual_seed(0)
(x_train, t_train), (x_test, t_test) = datasets.digits(flatten=False)
x_train, x_test = (x.reshape(-1, 1, 8, 8) for x in (x_train, x_test))
large = F.interpolate(x_train[:16], size=(64, 64), mode="bilinear")
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", sharey=True)
first, grown = {}, {}
for axis, normalized in zip(axes, (False, True), strict=True):
    for kind, shortcut in (("plain", False), ("residual", True)):
        model = models.ResNet34(10, in_channels=1, width=8, shortcut=shortcut).train(normalized)
        F.cross_entropy(model(large), t_train[:16]).backward()
        for path, p in model.named_parameters():
            if "downsample" in path:
                p.grad = None  # the shortcuts' own kernels have no counterpart in the plain network
        plots.gradients(model, label=kind, axes=axis)
        sizes = [
            float(np.linalg.norm(p.grad.numpy())) for p in model.parameters() if p.ndim == 4 and p.grad is not None
        ]
        first[kind, normalized], grown[kind, normalized] = sizes[0], sizes[0] / sizes[-1]
    axis.set(
        title=f"34 layers, {'with' if normalized else 'without'} batch normalization", xlabel="layer, first to last"
    )
    axis.set_xticks(range(0, 34, 3), range(1, 35, 3), rotation=0)
axes[1].set_ylabel("")
figure.savefig(OUT / "gradients.png", dpi=150)
for (kind, normalized), norm in first.items():
    print(f"{kind}, {'with' if normalized else 'without'} batch normalization: ‖∂L/∂W‖ of the first kernel {norm:.1e}")

# %% [markdown]
# ## Training: the same depth, with and without
#
# A small form for the digits of 8 × 8: one convolution, then three parts of as many blocks with 8, 16 and 32 channels, the
# mean, ten neurons. With n blocks a part it has 6n + 2 layers. SGD with momentum at 0.1, batches of 100.


# %%
def small(blocks, shortcut):
    """A network of 6·blocks + 2 layers."""
    layers, channels = [conv_norm(1, 8)], 8
    for width in (8, 16, 32):
        for k in range(blocks):
            stride = 2 if width > 8 and k == 0 else 1
            down = None
            if shortcut and channels != width:
                down = nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
            layers.append(BasicBlock(channels, width, stride, downsample=down, shortcut=shortcut))
            channels = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return model


histories = {}
for depth in (20,) if QUICK else (20, 38, 56):
    for kind, shortcut in (("plain", False), ("residual", True)):
        tg.manual_seed(1)
        model = small((depth - 2) // 6, shortcut)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        trainer = Trainer(model, optimizer, nn.CrossEntropyLoss(), metrics=["accuracy"], seed=0)
        loader = DataLoader((x_train, t_train), batch_size=100, shuffle=True, drop_last=True)
        trainer.fit(loader, validation=(x_test, t_test), epochs=2 if QUICK else 15)
        histories[kind, depth] = list(trainer.history)
        last = histories[kind, depth][-1]
        print(f"{kind}, {depth} layers: loss {last['loss']:.3f}, accuracy on new digits {last['val_accuracy']:.3f}")

# %% [markdown]
# The plain network of more layers has the larger loss *on the digits that it is trained on*. So it is not that it knows
# too many digits by heart. It could be as good as the shallower one if its further blocks handed on what they are given,
# but the optimizer doesn't find such weights. With shortcuts, handing on is what is left of a block when f is zero.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for k, ((kind, depth), history) in enumerate(histories.items()):
    epochs = range(1, len(history) + 1)
    style = {"color": f"C{k // 2}", "linestyle": "--" if kind == "plain" else "-", "label": f"{kind}, {depth} layers"}
    axes[0].semilogy(epochs, [row["loss"] for row in history], **style)
    axes[1].plot(epochs, [row["val_accuracy"] for row in history], **style)
for axis in axes:
    axis.xaxis.get_major_locator().set_params(integer=True)
axes[0].set(xlabel="epoch", ylabel="training loss")
axes[1].set(xlabel="epoch", ylabel="accuracy on new digits", ylim=(0, 1.02))
axes[0].legend(fontsize=8)
figure.savefig(OUT / "training.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "weights of one 5 × 5, of two 3 × 3": list(weights.values())[:2],
    "weights of 5 × 5, through 16 channels": list(weights.values())[2:4],
    "weights of two 3 × 3, of a bottleneck": list(weights.values())[4:],
    "parameters of VGG16": convolutions + neurons,
    "share of VGG16's neurons": neurons / (convolutions + neurons),
    **{f"parameters of {name}": counts[0] for name, counts in table.items() if name != "VGG16"},
    **{f"multiply-adds of {name}": counts[1] for name, counts in table.items()},
    "first gradient, plain, not normalized": first["plain", False],
    "first gradient, residual, not normalized": first["residual", False],
    "first over last gradient, plain, normalized": grown["plain", True],
    "first over last gradient, residual, normalized": grown["residual", True],
    **{f"last loss, {kind}, {depth} layers": history[-1]["loss"] for (kind, depth), history in histories.items()},
    **{
        f"accuracy, {kind}, {depth} layers": max(row["val_accuracy"] for row in history)
        for (kind, depth), history in histories.items()
    },
}
for name, number in numbers.items():
    print(f"{name}: {number}")
