"""What can be set: defaults, then a file of JSON, then options of the command line."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """The settings of a training."""

    data: str = "digits"
    layers: tuple[int, ...] = (100,)
    activation: str = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    optimizer: str = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 50
    epochs: int = 10
    patience: int = 0
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The settings of a file. Raises SystemExit, naming it, for a file that cannot be read or has unknown names."""
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SystemExit(f"{path}: {error}") from error
        if not isinstance(given, dict):
            raise SystemExit(
                f'{path} holds {type(given).__name__}; write an object of settings, such as {{"epochs": 10}}'
            )
        unknown = sorted(given.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise SystemExit(f"{path} sets {', '.join(unknown)}; there are {', '.join(f.name for f in fields(cls))}")
        return replace(cls(), **{**given, **({"layers": tuple(given["layers"])} if "layers" in given else {})})

    def write(self, path: Path) -> None:
        """Keep them in a file."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def widths(text: str) -> tuple[int, ...]:
    """Numbers between commas: 100,50."""
    try:
        found = tuple([int(part) for part in text.split(",") if part])
    except ValueError:
        raise argparse.ArgumentTypeError(f"whole numbers between commas, such as 100,50, but got {text!r}") from None
    if any(width < 1 for width in found):
        raise argparse.ArgumentTypeError(f"a layer has at least one unit, but got {text!r}")
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """An option for each setting; one that is not given is None."""
    kinds: dict[str, Any] = {"layers": widths}
    for field in fields(Settings):
        name = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=None)
        else:
            kind = kinds.get(field.name, type(field.default))
            parser.add_argument(name, type=kind, default=None, help=f"{field.default}, if not given")


def with_options(settings: Settings, options: argparse.Namespace) -> Settings:
    """The settings, changed by the options that were given."""
    given = {field.name: getattr(options, field.name) for field in fields(Settings)}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})
