"""Data: sets to learn from, batches of them, and splits."""

from tinygrad_edu.data import datasets
from tinygrad_edu.data.loader import ArrayDataset, DataLoader
from tinygrad_edu.data.splitting import train_test_split

__all__ = ["ArrayDataset", "DataLoader", "datasets", "train_test_split"]
