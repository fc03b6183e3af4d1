"""Figures from the command line.

python -m viz "(apple * count) * tax" apple=100 count=2 tax=1.1 -o apples.svg
python -m viz "relu(x @ W + b)" "x=[1, 2]" "W=[[1, -1], [0, 1]]" "b=[0, 0]" -o layer.pdf
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from tinygrad_edu.graph import recording
from tinygrad_edu.tensor import Tensor
from viz.dot import THEMES
from viz.drawing import DIRECTIONS, FORMATS, STYLES
from viz.expression import Expression, ExpressionError
from viz.figure import draw
from viz.labels import GRAD
from viz.words import WORDS

WINDOW = 60  # characters of a long expression that are shown on each side of a mistake


def arguments() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(prog="python -m viz", description="Draw the computational graph of an expression.")
    parser.add_argument("expression", help='arithmetic and operations, as in "relu(x * w + b)"')
    parser.add_argument("values", nargs="*", metavar="name=value", help='a number, or a list as in "x=[1, 2]"')
    parser.add_argument("-o", "--output", help=f"the file to write: .{' .'.join(FORMATS)}; left out: words")
    parser.add_argument("--frames", metavar="FOLDER", help="write a picture for each step into a folder")
    parser.add_argument("--name", help="what to call the result")
    parser.add_argument("--wrt", nargs="+", metavar="NAME", help="draw derivatives on the way to these only")
    parser.add_argument("--grad", choices=GRAD, default="number", help="derivatives as numbers, as formulas, or blank")
    parser.add_argument("--check", action="store_true", help="compare each derivative with a numerical one")
    parser.add_argument("--style", choices=STYLES, default="book")
    parser.add_argument("--theme", choices=THEMES, default="default")
    parser.add_argument("--direction", choices=DIRECTIONS, default="both")
    parser.add_argument("--lang", choices=WORDS, default="en")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = arguments()
    given = parser.parse_intermixed_args(argv)
    options = {key: getattr(given, key) for key in ("wrt", "grad", "check", "style", "theme", "direction", "lang")}
    try:
        figure = draw(recorded(given.expression, given.values, given.name), **options)
        if given.output:
            figure.save(given.output)
        if given.frames:
            figure.frames().save_all(given.frames)
        if not given.output and not given.frames:
            print(figure.text())
    except ExpressionError as error:
        start = max(0, error.column - WINDOW)
        window = given.expression[start : error.column + WINDOW]
        parser.exit(2, f"{window}\n{' ' * (error.column - 1 - start)}^\n{error}\n")
    except (TypeError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        parser.error(str(error))
    return 0


def recorded(text: str, values: Sequence[str], called: str | None) -> Tensor:
    """The result of an expression, recorded, with each `name=value` as a leaf. Raises ValueError."""
    expression = Expression(text)
    leaves: dict[str, Tensor] = {}
    for pair in values:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name.isidentifier():
            raise ValueError(f"{pair!r} is not name=value, as in x=2")
        if name in leaves or name not in expression.names:
            known = f"is not in the expression, whose names are: {', '.join(expression.names) or 'none'}"
            raise ValueError(f"{name} {'is given twice' if name in leaves else known}")
        try:
            number = Expression(value).compute({})
        except ExpressionError as error:
            raise ValueError(f"the value of {name}: {error}") from error
        leaves[name] = Tensor(number, requires_grad=True, name=name)
    with recording(enabled=True, everything=True), np.errstate(all="ignore"):  # the figure shows what is not finite
        result = expression.compute(leaves)
    if isinstance(result, tuple):
        raise ValueError(f"there are {len(result)} results, but a figure here is of one")
    if not isinstance(result, Tensor):
        raise ValueError("there is nothing to draw: the expression has no names")
    result.name = called or result.name
    return result


if __name__ == "__main__":
    sys.exit(main())
