"""Data: sets to learn from, batches of them, and splits."""

from typing import TYPE_CHECKING

from tinygrad_edu.data import datasets
from tinygrad_edu.data.loader import ArrayDataset, DataLoader
from tinygrad_edu.data.splitting import train_test_split
from tinygrad_edu.engine.elsewhere import answering

__all__ = ["ArrayDataset", "DataLoader", "datasets", "train_test_split"]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.data",
        __all__,
        {
            "TensorDataset": "write ArrayDataset(x, y), or DataLoader((x, y), batch_size)",
            "Dataset": "any class with __len__ and __getitem__ is one",
            "Subset": "index the arrays: ArrayDataset(x[places], y[places])",
            "ConcatDataset": "join the arrays: ArrayDataset(np.concatenate([x1, x2]), np.concatenate([y1, y2]))",
            "random_split": "write x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2)",
            "default_collate": "a DataLoader collates by itself; in tinygrad_edu.data.loader it is collate(samples)",
        },
    )
