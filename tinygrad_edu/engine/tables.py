"""Lists, and what other libraries give as arrays, data frames and series: how it becomes an array, by position."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.engine.node import Node

NUMERIC = "biufc"
"""The kinds of types that are numbers: of booleans, integers, floats and complex ones."""

_NUMBERS = (bool, int, float, np.number, np.bool_)


def is_table(value: Any) -> bool:
    """Whether a value is a data frame, a column or the like: made by another library, which can give it as an array."""
    return (
        hasattr(value, "__array__") and not hasattr(value, "__array_function__") and not isinstance(value, np.generic)
    )


def table(value: Any, what: str) -> Any:
    """The numbers of a table, a column or the like, as an array: by position, whatever their labels are.

    value: anything with `__array__`. what: who asks, for the error. Columns of several types become one that holds all.

    Raises TypeError, naming the column, its first value that is no number, and what to write.
    """
    array = np.asarray(value)
    if array.dtype.kind in NUMERIC or not array.size:
        return array
    columns = getattr(value, "columns", None)
    if columns is None:
        return _column(value, getattr(value, "name", None), what, "series")
    parts = [value.iloc[:, i] if hasattr(value, "iloc") else value[name] for i, name in enumerate(columns)]
    return np.stack([_column(part, name, what, "df") for part, name in zip(parts, columns, strict=True)], axis=1)


def of_list(x: list[Any] | tuple[Any, ...], what: str) -> Any:
    """The numbers of a list, as an array. what: who asks, for the error.

    Raises ValueError for rows of several lengths; TypeError for a tuple with tensors in it: a layer that returns several
    results gave it, and one of them is meant.
    """
    if isinstance(x, tuple) and any(isinstance(part, Node) for part in x):
        raise TypeError(
            f"{what} takes one tensor, but got a tuple of {len(x)}; take one of several results, as in y, state = lstm(x), "
            "or join them with np.stack"
        )
    try:
        return np.asarray(x)
    except ValueError as error:
        raise uneven(error) from None


def uneven(error: ValueError) -> Exception:
    """NumPy's error for lists that make no array, with what to do where their lengths differ."""
    if "inhomogeneous" not in str(error):
        return error
    return ValueError(
        f"{str(error).rstrip('.')}; the rows of an array have one length: fill the short ones up, or keep a list of tensors"
    )


def _column(part: Any, name: Any, what: str, called: str) -> Any:
    """The numbers of one column."""
    array = np.asarray(part)
    if array.dtype.kind == "O" and all(isinstance(x, _NUMBERS) for x in array.flat):
        array = np.asarray(array.tolist())
    if array.dtype.kind in NUMERIC:
        return array
    column = f"column {name!r}" if name is not None else f"a {type(part).__name__}"
    this = f"{called}[{name!r}]" if called == "df" else called
    row, wrong = next((i, x) for i, x in enumerate(array.flat) if not isinstance(x, _NUMBERS))
    if array.dtype.kind in "mM":
        cure = f"({this} - {this}.min()).dt.total_seconds()"
    elif hasattr(part, "cat"):
        cure = f"{this}.cat.codes, or pd.get_dummies({called})"
    elif wrong is None or wrong != wrong or str(wrong) in ("<NA>", "NaT"):
        cure = f"{this}.fillna(0), or {called}.dropna(), before"
    elif _reads_as_number(wrong):
        cure = f"{this}.astype(float)"
    elif called == "df":
        cure = f"pd.get_dummies(df, columns=[{name!r}]) to make numbers of it, or df.drop(columns=[{name!r}]) to leave it out"
    else:
        cure = f"{this}.astype('category').cat.codes to number its values"
    raise TypeError(
        f"{what}: {column} holds {type(wrong).__name__} {wrong!r:.40} in row {row}, which is no number; write {cure}"
    )


def _reads_as_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def rows(value: Any, what: str) -> Any:
    """Rows of data: an array or a tensor as it is, and anything else as an array, by position.

    Raises TypeError for what has no rows, or holds what is neither numbers nor text.
    """
    if hasattr(value, "__array_function__"):
        return value
    kind = type(value).__name__
    if is_table(value):
        array = table(value, what)
    elif hasattr(value, "toarray"):
        raise TypeError(f"{what} takes arrays, but got a sparse {kind}; write x.toarray()")
    else:
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ValueError(
                f"{what} got a {kind} whose parts differ in shape, so it is no array; make them one shape"
            ) from error
    if array.dtype.kind == "O":
        raise TypeError(
            f"{what} takes arrays, but got a {kind}, which makes an array of objects; write list(x), or an array of numbers"
        )
    if not array.ndim:
        raise TypeError(f"{what} takes arrays of rows, but got {kind} {value!r:.60}")
    return array
