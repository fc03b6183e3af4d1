"""Tables: scikit-learn's small data sets, CSV files and data frames. Columns of texts become columns of 0 and 1."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.dataset import TensorDataset


class TableDataset(TensorDataset[Any]):
    """A data set of rows `x` and targets `y`, with a name for each column. Loaders and splits take it as any data set.

    `table.arrays` is `(x, y)`, or `(x,)` without a target.

    x: (N, columns), float32.
    y: (N,), class numbers or measurements; None for no target.
    feature_names: the names of the columns of x.
    class_names: what the class numbers of y stand for; None where y is measured.
    encoding: how the table was made of a frame, which `encode` does again for another frame.

    >>> table = from_frame({"size": [1, 2, 3], "city": ["Oslo", "Rome", "Oslo"], "sold": ["yes", "no", "yes"]}, "sold")
    >>> table.feature_names, table.class_names
    (['size', 'city=Oslo', 'city=Rome'], ['no', 'yes'])
    >>> table.x.tolist(), table.y.tolist()
    ([[1.0, 1.0, 0.0], [2.0, 0.0, 1.0], [3.0, 1.0, 0.0]], [1, 0, 1])
    """

    def __init__(
        self,
        x: NDArray[Any],
        y: NDArray[Any] | None = None,
        *,
        feature_names: Sequence[str],
        class_names: Sequence[Any] | None = None,
        encoding: Encoding | None = None,
    ) -> None:
        super().__init__(*((x,) if y is None else (x, y)))
        self.x, self.y = x, y
        self.feature_names = [str(name) for name in feature_names]
        self.class_names = None if class_names is None else [str(name) for name in class_names]
        self.encoding = encoding

    def encode(self, frame: Any) -> TableDataset:
        """Make a table of another frame with the same columns as this one was made: each text has the same column in
        both.

        frame: as for `from_frame`; without the target column, the table has no y.

        Raises ValueError for a column that is missing, and for a text that this table does not have; TypeError for a
        table that was made of arrays.

        >>> train = from_frame({"city": ["Oslo", "Rome"], "price": [1.0, 2.0]}, "price")
        >>> train.encode({"city": ["Rome", "Rome"]}).x.tolist()
        [[0.0, 1.0], [0.0, 1.0]]
        """
        if self.encoding is None:
            raise TypeError(
                "TableDataset.encode() makes tables of frames as one was made before, but this one was made of arrays"
            )
        return self.encoding.table(_frame(frame, "TableDataset.encode()"), "TableDataset.encode()")


def from_frame(frame: Any, target: Any = None) -> TableDataset:
    """Make a table of a data frame. Columns of numbers stay, and a column of texts becomes a column of 0 and 1 for each
    text.

    Numbers and booleans become float32. Texts and categories become columns `name=text`, in the order of the
    categories, or else of the alphabet. The target becomes class numbers if it holds texts, categories or booleans,
    int64 if it holds whole numbers, and float32 otherwise. Rows are taken by position.

    frame: a data frame of pandas, or a dict of columns.
    target: the name of the column that is y; without it, all columns are x.

    Raises ValueError where values are missing, naming each such column, because only you can say whether to leave those
    rows out or what to fill in; TypeError for a column of dates or of mixed types.

    >>> table = from_frame({"size": [1.5, 2.5], "city": ["Rome", "Oslo"]})
    >>> table.feature_names, table.x.tolist()
    (['size', 'city=Oslo', 'city=Rome'], [[1.5, 0.0, 1.0], [2.5, 1.0, 0.0]])
    """
    who = "from_frame()"
    frame = _frame(frame, who)
    if target is not None and target not in frame.columns:
        raise ValueError(f"{who}: the frame has no column {target!r}; it has {', '.join(map(str, frame.columns))}")
    _refuse_missing(frame, who)
    held = {name: _texts(frame[name], name, who) for name in frame.columns}
    classes = None if target is None else held.pop(target)
    if target is not None and _pandas(who).api.types.is_bool_dtype(frame[target].dtype):
        classes = [False, True]
    return Encoding(held, target, classes).table(frame, who)


def from_csv(path: str | os.PathLike[str], target: Any = None, **options: Any) -> TableDataset:
    """Make a table of a file of comma-separated values, which pandas reads; see `from_frame`.

    path: the file.
    target: the name of the column that is y; without it, all columns are x.
    options: further arguments of `pandas.read_csv`.

    Raises ValueError and TypeError as `from_frame` does, naming the file; ImportError without pandas.

    >>> import io
    >>> from_csv(io.StringIO("size,price\\n1,10\\n2,20\\n"), "price").y.tolist()
    [10, 20]
    """
    pandas = _pandas("from_csv()")
    try:
        return from_frame(pandas.read_csv(path, **options), target)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error


def _pandas(who: str) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"data.datasets.{who} reads tables with pandas: pip install pandas") from error
    return pandas


def _frame(frame: Any, who: str) -> Any:
    """The data frame that was given, whose columns have different names."""
    pandas = _pandas(who)
    if isinstance(frame, Mapping):
        frame = pandas.DataFrame(frame)
    if not isinstance(frame, pandas.DataFrame):
        raise TypeError(f"{who} takes a data frame of pandas, or a dict of columns, but got {type(frame).__name__}")
    if not frame.columns.is_unique:
        raise ValueError(f"{who}: two columns are called {frame.columns[frame.columns.duplicated()][0]!r}; rename one")
    return frame


def _refuse_missing(frame: Any, who: str) -> None:
    """Raise ValueError where a value is missing, naming each column that lacks one."""
    missing = frame.isna()
    counts = missing.sum()
    if counts.any():
        told = ", ".join(f"{name!r} lacks {count}" for name, count in counts[counts > 0].items())
        row = int(np.argmax(missing.any(axis=1).to_numpy()))
        raise ValueError(
            f"{who}: of {len(frame)} values, column {told} (the first in row {row}); write df.dropna() to leave such rows "
            "out, or df.fillna({column: value}) to say what stands there"
        )


def _texts(column: Any, name: Any, who: str) -> list[Any] | None:
    """The texts or categories that a column can hold; None for a column of numbers."""
    types = _pandas(who).api.types
    if hasattr(column.dtype, "categories"):
        return list(column.dtype.categories)
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return None
    numbers = sum(isinstance(value, int | float | np.number | np.bool_) for value in column)
    if numbers == len(column) > 0:
        return None
    for row, value in enumerate(column):
        if not isinstance(value, str):
            dates = types.is_datetime64_any_dtype(column.dtype)
            cure = "(column - column.min()).dt.total_seconds()" if dates else "column.astype(str), or .astype(float),"
            raise TypeError(
                f"{who}: column {name!r} holds {type(value).__name__} {value!r:.40} in row {row}, but a column is of numbers or "
                f"of texts; write {cure} before"
            )
    return sorted(set(column))


@dataclass(frozen=True)
class Encoding:
    """How a frame becomes a table.

    columns: the columns of x, with what each can hold; None for numbers.
    target: the column that is y.
    classes: what the target can hold; None for numbers.
    """

    columns: Mapping[Any, list[Any] | None]
    target: Any
    classes: list[Any] | None

    def table(self, frame: Any, who: str) -> TableDataset:
        """Make a table of a frame that has these columns, and maybe the target."""
        lacking = [name for name in self.columns if name not in frame.columns]
        if lacking:
            raise ValueError(f"{who}: the frame has no column {lacking[0]!r}, which the table was made of")
        with_target = self.target is not None and self.target in frame.columns
        _refuse_missing(frame[[*self.columns, self.target] if with_target else [*self.columns]], who)
        parts, names = [], []
        for name, texts in self.columns.items():
            if texts is None:
                parts.append(_numbers(frame[name], name, who)[:, None])
                names.append(str(name))
            else:
                parts.append(_places(frame[name], texts, name, who)[:, None] == np.arange(len(texts)))
                names += [f"{name}={text}" for text in texts]
        if not parts:
            raise ValueError(f"{who}: the frame has no column besides the target {self.target!r}")
        x = np.concatenate([part.astype(np.float32) for part in parts], axis=1)
        y = self._y(frame[self.target], who) if with_target else None
        return TableDataset(x, y, feature_names=names, class_names=self.classes, encoding=self)

    def _y(self, column: Any, who: str) -> NDArray[Any]:
        if self.classes is not None:
            return _places(column, self.classes, self.target, who)
        y = _numbers(column, self.target, who)
        return y.astype(np.int64 if y.dtype.kind in "iu" else np.float32)


def _numbers(column: Any, name: Any, who: str) -> NDArray[Any]:
    """A column of numbers, as an array. Raises ValueError for anything else."""
    array = np.asarray(column)
    if array.dtype.kind == "O":  # as pandas' types with missing values give it
        array = np.asarray(column.tolist())
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{who}: column {name!r} is of numbers in the table, but here holds {column.iloc[0]!r:.40}")
    return array


def _places(column: Any, texts: Sequence[Any], name: Any, who: str) -> NDArray[np.int64]:
    """The place of each value among the texts. Raises ValueError for a value that is not among them."""
    places = {text: i for i, text in enumerate(texts)}
    for row, value in enumerate(column):
        if value not in places:
            raise ValueError(
                f"{who}: column {name!r} holds {value!r:.40} in row {row}, but the table knows {list(texts)}"
            )
    return np.array([places[value] for value in column], np.int64)


def iris() -> TableDataset:
    """Load 150 iris flowers of three kinds: the lengths and widths of their sepals and petals in cm, (150, 4), and
    classes 0–2.

    It needs scikit-learn.

    Source: Fisher, *The use of multiple measurements in taxonomic problems* (1936).

    >>> table = iris()
    >>> table.x.shape, table.class_names
    ((150, 4), ['setosa', 'versicolor', 'virginica'])
    """
    return _bundled("iris")


def wine() -> TableDataset:
    """Load 178 wines of three growers: what a chemist measured of each, (178, 13), and classes 0–2.

    It needs scikit-learn.

    Source: Aeberhard and Forina, *Wine*, UCI machine learning repository (1991).

    >>> wine().x.shape
    (178, 13)
    """
    return _bundled("wine")


def breast_cancer() -> TableDataset:
    """Load 569 tumours: measures of their cells' nuclei under a microscope, (569, 30), and malignant (0) or benign (1).

    It needs scikit-learn.

    Source: Street, Wolberg and Mangasarian, *Nuclear feature extraction for breast tumor diagnosis* (1993).

    >>> breast_cancer().class_names
    ['malignant', 'benign']
    """
    return _bundled("breast_cancer")


def diabetes() -> TableDataset:
    """Load 442 patients with diabetes: ten measures of each, (442, 10), and how far the disease went in a year, from 25
    to 346.

    The columns have mean 0 and a sum of squares of 1. It needs scikit-learn.

    Source: Efron, Hastie, Johnstone and Tibshirani, *Least angle regression* (2004).

    >>> table = diabetes()
    >>> table.x.shape, float(table.y.min()), float(table.y.max())
    ((442, 10), 25.0, 346.0)
    """
    return _bundled("diabetes")


def _bundled(name: str) -> TableDataset:
    """Load a set that is part of scikit-learn."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(f"data.datasets.{name}() reads scikit-learn's copy: pip install scikit-learn") from error
    load: Callable[[], Any] = getattr(datasets, f"load_{name}")
    found = load()
    classes = found.get("target_names")
    y = found.target.astype(np.float32 if classes is None else np.int64)
    return TableDataset(found.data.astype(np.float32), y, feature_names=found.feature_names, class_names=classes)
