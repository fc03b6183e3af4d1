"""Data: sets of samples to learn from, batches of them, and splits.

`KFold` and `StratifiedKFold` are scikit-learn's own.
"""

from functools import partial
from typing import TYPE_CHECKING

from tinygrad_edu.data import datasets, transforms
from tinygrad_edu.data.collate import default_collate
from tinygrad_edu.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)
from tinygrad_edu.data.loader import DataLoader
from tinygrad_edu.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tinygrad_edu.data.splitting import of_scikit_learn, random_split, train_test_split
from tinygrad_edu.data.text import BytePairTokenizer, CharTokenizer
from tinygrad_edu.engine.elsewhere import answering

__all__ = [
    "BatchSampler",
    "BytePairTokenizer",
    "ChainDataset",
    "CharTokenizer",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "datasets",
    "default_collate",
    "random_split",
    "train_test_split",
    "transforms",
]

if TYPE_CHECKING:
    from sklearn.model_selection import KFold as KFold
    from sklearn.model_selection import StratifiedKFold as StratifiedKFold
else:
    __getattr__ = answering(
        "tinygrad_edu.data",
        __all__,
        {
            "ArrayDataset": "it is called TensorDataset; it takes arrays too",
            "StackDataset": "a list of samples will do: [{'x': a, 'y': b} for a, b in zip(x, y)]",
            "get_worker_info": "workers are threads, which share the data set",
            "default_convert": "leave it out: samples are arrays already",
            "DistributedSampler": "there is one process; write SubsetRandomSampler(range(rank, n, processes))",
        },
        {name: partial(of_scikit_learn, name) for name in ("KFold", "StratifiedKFold")},
    )
