"""History: what was measured in each epoch of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class History:
    """A table of what was measured in each epoch: `history["loss"]` is a list of one number for each epoch.

    rows: a dictionary for each epoch. It has `epoch`, from 1 on; `loss` and the metrics over the training batches;
        `val_loss` and the like over the validation set; `lr`, the rate of the first group of parameters in that epoch;
        and `seconds`, how long the epoch took.

    >>> history = History([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.4}])
    >>> history["loss"], history.last["loss"], len(history)
    ([0.7, 0.4], 0.4, 2)
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows: list[dict[str, Any]] = [] if rows is None else rows

    def append(self, row: dict[str, Any]) -> None:
        """Add what was measured in an epoch, by name, after the rows before it."""
        self.rows.append(row)

    @property
    def names(self) -> list[str]:
        """The names of the columns, in the order in which they first occur."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def last(self) -> dict[str, Any]:
        """The row of the last epoch. Raises IndexError if there was none."""
        if not self.rows:
            raise IndexError("the history has no epoch yet")
        return self.rows[-1]

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self.names:
            raise KeyError(f"the history has no {name!r}; it has {', '.join(self.names) or 'no epoch yet'}")
        return [row[name] for row in self.rows if name in row]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"History({len(self)} epochs of {', '.join(self.names) or 'nothing'})"

    def to_frame(self) -> Any:
        """Make a pandas data frame with a row for each epoch. Raises ImportError without pandas.

        >>> History([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.4}]).to_frame().loc[2, "loss"].item()
        0.4
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("history.to_frame() makes a pandas data frame: pip install pandas") from error
        frame = pandas.DataFrame(self.rows, columns=self.names)
        return frame.set_index("epoch") if "epoch" in frame else frame

    def state_dict(self) -> dict[str, Any]:
        """The rows, copied, under the key "rows", from which `load_state_dict` goes on."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the rows of a `state_dict()`. Raises ValueError for anything else."""
        if not isinstance(state, Mapping) or not isinstance(state.get("rows"), list):
            raise ValueError(f"a history is loaded from its state_dict(), with 'rows', but got {state!r:.60}")
        self.rows = [dict(row) for row in state["rows"]]
