"""Transforms of batches, which make more data of the data that there is.

`DataLoader(…, transform=Compose([RandomShift(2), GaussianNoise(sigma=0.1)]))` uses them. They take arrays whose first
axis is that of the samples, pictures as (N, C, H, W) or (N, H, W), and work on the whole batch at once. Names follow
torchvision's where it has the same.
"""

from typing import TYPE_CHECKING

from tinygrad_edu.data.transforms.erasing import Cutout, RandomErasing
from tinygrad_edu.data.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
    RandomVerticalFlip,
    crop,
    hflip,
    rotate,
    shift,
    vflip,
)
from tinygrad_edu.data.transforms.mixing import MixUp
from tinygrad_edu.data.transforms.noise import GaussianNoise, SaltAndPepper
from tinygrad_edu.data.transforms.transform import Compose, SampleGenerators, Transform
from tinygrad_edu.data.transforms.values import Normalize, OneHot, Standardize
from tinygrad_edu.engine.elsewhere import answering

__all__ = [
    "CenterCrop",
    "Compose",
    "Cutout",
    "GaussianNoise",
    "MixUp",
    "Normalize",
    "OneHot",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomShift",
    "RandomVerticalFlip",
    "SaltAndPepper",
    "SampleGenerators",
    "Standardize",
    "Transform",
    "crop",
    "hflip",
    "rotate",
    "shift",
    "vflip",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.data.transforms",
        __all__,
        {
            "ToTensor ToPILImage PILToTensor": "leave it out; pictures are arrays here",
            "Resize": "it is not here; resize pictures with Pillow before",
        },
    )
