"""Data sets.

Images come as `(x_train, y_train), (x_test, y_test)`: float32 between 0 and 1, and int64 class numbers. Points of a
plane and logic gates come as `x, y`. Tables come as a `TableDataset`, which has names for its columns.
"""

from typing import TYPE_CHECKING

from tinygrad_edu.data.datasets.idx import read_idx
from tinygrad_edu.data.datasets.images import digits, fashion_mnist, mnist
from tinygrad_edu.data.datasets.points import circles, gates, moons, spiral
from tinygrad_edu.data.datasets.tables import TableDataset, breast_cancer, diabetes, from_csv, from_frame, iris, wine
from tinygrad_edu.engine.elsewhere import answering

__all__ = [
    "TableDataset",
    "breast_cancer",
    "circles",
    "diabetes",
    "digits",
    "fashion_mnist",
    "from_csv",
    "from_frame",
    "gates",
    "iris",
    "mnist",
    "moons",
    "read_idx",
    "spiral",
    "wine",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.data.datasets",
        __all__,
        {
            "CIFAR10 cifar10 CIFAR100 cifar100 ImageNet": "it is not here; give a DataLoader its arrays, or a class with __len__ and __getitem__",
            "MNIST": "write mnist()",
            "FashionMNIST": "write fashion_mnist()",
            "ImageFolder": "write a class with __len__ and __getitem__ that reads a picture",
        },
    )
