"""Figures from the command line.

python -m viz "(apple * count) * tax" apple=100 count=2 tax=1.1 -o apples.svg
python -m viz "relu(x @ W + b)" "x=[1, 2]" "W=[[1, -1], [0, 1]]" "b=[0, 0]" -o layer.pdf
python -m viz "-log(y)" y=0.5 --grad symbol
python -m viz "x * y + x" x=2 y=3 --frames steps.pptx --sheet exercise.pdf
python -m viz "sigmoid(x * w + b)" x=1 w=2 b=-1 --fit 16:9 -o slide.svg
"""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.tensor import Tensor
from viz.command import CONSTANTS, Expression, ExpressionError
from viz.figure import draw
from viz.languages import WORDS
from viz.layout.page import PAPER, page_size
from viz.look import DIRECTIONS, FLOWS, STYLES
from viz.picture import FILMS, FORMATS, MOVING
from viz.theme import THEMES
from viz.wording.labels import GRAD, SHOW
from viz.worksheet import worksheet

CHARACTERS_AROUND_A_MISTAKE = 60  # characters of a long expression that are shown on each side of a mistake

OPTIONS = (
    "annotate", "caption", "check", "collapse", "direction", "fit", "flow", "font_size", "grad", "highlight",
    "join_sums", "lang", "legend", "loss", "mathematics", "max_nodes", "order", "show", "sizes", "spacing", "style",
    "theme", "title", "titles", "values", "weight", "wrt",
)  # fmt: skip
"""The options that `draw` takes under the same names."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which takes an expression that begins with a minus sign."""

    def error(self, message: str) -> NoReturn:
        """End the program with the message."""
        self.exit(2, f"{self.prog}: {message}; --help lists what there is\n")

    def parse(self, given: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments; a text such as "-x**2", which begins with a minus sign and is no option, is an expression."""
        return self.parse_intermixed_args([f" {text}" if self._is_expression(text) else text for text in given])

    def _is_expression(self, text: str) -> bool:
        known = self._option_string_actions
        attached = text.startswith("-o") and text.endswith(tuple(FORMATS))
        return text.startswith("-") and not text.startswith("--") and text not in known and not attached


def arguments() -> Parser:
    """Make the parser of the command line."""
    parser = Parser(prog="python -m viz", description="Draw the computational graph of an expression.")
    parser.add_argument("expression", help='arithmetic and operations, as in "relu(x * w + b)"')
    parser.add_argument("numbers", nargs="*", metavar="name=value", help='a number, or a list as in "x=[1, 2]"')
    parser.add_argument(
        "-o", "--output", help=f"the file to write: .{' .'.join(FORMATS)} {' '.join(MOVING)}; left out: words"
    )
    parser.add_argument(
        "--frames",
        metavar="FILE",
        help=f"write its steps into one file: .{' .'.join(FILMS)}; or into a folder, a picture for each",
    )
    parser.add_argument("--sheet", metavar="FILE", help="write it as an exercise, and its answer, into a .pdf to print")
    parser.add_argument(
        "--scale", type=float, help="how many times 96 dots an inch a picture has (png, gif, webp, mp4)"
    )
    parser.add_argument("--background", metavar="COLOUR", help="what a picture stands on: none, or as in #FFF8E7")
    parser.add_argument("--name", help="what to call the result")
    parser.add_argument("--wrt", nargs="+", metavar="NAME", help="draw derivatives on the way to these only")
    parser.add_argument("--grad", choices=GRAD, default="number", help="derivatives as numbers, as formulas, or blank")
    parser.add_argument("--show", type=lambda text: text.split(","), metavar=",".join(SHOW), help="what to write")
    parser.add_argument("--loss", metavar="L", help="what formulas call what is differentiated")
    parser.add_argument("--sizes", type=_pair, action="append", metavar="32=N", help="what to write for a length")
    parser.add_argument("--annotate", type=_pair, action="append", metavar="x=TEXT", help="in place of a derivative")
    parser.add_argument("--values", type=_pair, action="append", metavar="x=TEXT", help="in place of a value")
    parser.add_argument("--weight", choices=["grad"], help="draw lines of derivatives as thick as these are large")
    parser.add_argument(
        "--highlight", nargs="+", type=_ends, metavar="NAME", help="a name, or a path as in x:y, in the accent colour"
    )
    parser.add_argument("--title", help="what stands above the figure")
    parser.add_argument(
        "--titles", nargs=2, metavar="TITLE", help="what stands above the panels of --direction side-by-side"
    )
    parser.add_argument("--order", nargs="+", metavar="NAME", help="leaves, from above")
    parser.add_argument("--caption", help="what stands below the figure")
    parser.add_argument("--legend", action="store_true", help="say what its colours and marks mean")
    parser.add_argument("--plain-names", action="store_false", dest="mathematics", help="x1 as x1, and not as x₁")
    parser.add_argument("--join-sums", action="store_true", help="draw a + b + c as one circle")
    parser.add_argument("--max-nodes", type=int, metavar="N", help="draw so many operations and values in full")
    parser.add_argument("--collapse", type=_depth, default="auto", help="auto, all, none, or a depth: 1, 2, …")
    parser.add_argument("--check", action="store_true", help="compare each derivative with a numerical one")
    parser.add_argument("--style", choices=STYLES, default="book")
    parser.add_argument("--theme", choices=THEMES, default="default")
    parser.add_argument("--direction", choices=DIRECTIONS, default="both")
    parser.add_argument("--flow", choices=FLOWS, help="where the figure runs to; with --fit, as fits better")
    parser.add_argument(
        "--fit", type=_page, metavar="16:9", help=f"{', '.join(PAPER)}, or inches, as 13.3x7.5: what to fit"
    )
    parser.add_argument("--font-size", type=float, metavar="POINTS", help="how large letters are; with --fit, at least")
    parser.add_argument("--spacing", type=float, metavar="0..1", help="how wide things stand apart: 1 as usual")
    parser.add_argument("--lang", choices=WORDS, default="en")
    parser.add_argument("--version", action="version", version=f"tinygrad_edu {tg.__version__}")
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, equals, said = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=text")
    return name, said


def _ends(text: str) -> Any:
    """A name, or two with a colon between them: where a path begins and where it ends."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) > 2 or not all(parts):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a name nor a path, as in x:y")
    return parts[0] if len(parts) == 1 else tuple(parts)


def _page(text: str) -> Any:
    """A page by its name, or its width and height in inches."""
    width, by, height = text.partition("x")
    try:
        page = (float(width), float(height)) if by else text
        page_size(page)
    except ValueError:
        known = ", ".join(PAPER)
        raise argparse.ArgumentTypeError(f"{text!r} is none of {known}, and no width and height as 13.3x7.5") from None
    return page


def _depth(text: str) -> Any:
    if text not in ("auto", "all", "none") and not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is none of auto, all, none, and no depth such as 1")
    return {"none": None}.get(text, int(text) if text.isdigit() else text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = arguments()
    given = parser.parse(sys.argv[1:] if argv is None else argv)
    try:
        figure = draw(recorded(given.expression, given.numbers, given.name), **_options(given))
        paper = {"scale": given.scale, "background": given.background}
        if given.output:
            moving = Path(given.output).suffix.lower() in MOVING
            (figure.frames() if moving else figure).save(given.output, **paper)
        if given.frames and Path(given.frames).suffix and not Path(given.frames).is_dir():
            figure.frames().save(given.frames, **paper)
        elif given.frames:
            figure.frames().save_all(given.frames, **paper)
        if given.sheet:
            worksheet([figure], given.sheet)
        if not (given.output or given.frames or given.sheet):
            _write_what_can_be(figure.plain())
    except ExpressionError as error:
        start = max(0, error.column - CHARACTERS_AROUND_A_MISTAKE)
        window = given.expression.strip()[start : error.column + CHARACTERS_AROUND_A_MISTAKE]
        parser.exit(2, f"{window}\n{' ' * (error.column - 1 - start)}^\n{error}\n")
    except (TypeError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


def _options(given: argparse.Namespace) -> dict[str, Any]:
    """The options of `draw` that were given."""
    options = {key: getattr(given, key) for key in OPTIONS if key == "collapse" or getattr(given, key) is not None}
    for key in ("annotate", "sizes", "values"):
        if key in options:
            options[key] = dict(options[key])
    for length in options.get("sizes", ()):
        if not length.isdigit():
            raise ValueError(f"--sizes {length}=… is not a length and what to write for it, as in 32=N")
    if "sizes" in options:
        options["sizes"] = {int(length): said for length, said in options["sizes"].items()}
    return options


PLAINER = {
    "∂": "d", "−": "-", "Σ": "sum", "∏": "prod", "∞": "inf", "→": "->", "√": "sqrt", "ᵀ": "^T", "⊙": "*", **dict.fromkeys("⎡⎢⎣", "["), **dict.fromkeys("⎤⎥⎦", "]"), "…": "...", "⋮": ":", "⋱": ":", "≤": "<=",
    "≥": ">=", "≠": "!=", "✓": "ok", "✗": "wrong", "∧": "kink",
    **{digit: str(i) for i, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")}, **{digit: f"^{i}" for i, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}  # fmt: skip
"""How signs are written where the output has no such sign, as in a file that Windows writes in cp1252."""


def _write_what_can_be(text: str) -> None:
    """Print the text, with plainer signs in place of those that the output's encoding lacks."""

    def plainer(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        missing = error.object[error.start : error.end]
        return "".join(PLAINER.get(sign, "?") for sign in missing), error.end

    codecs.register_error("plainer", plainer)
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "plainer").decode(encoding))


def recorded(text: str, numbers: Sequence[str], called: str | None) -> Tensor:
    """The result of an expression, recorded, with each `name=value` as a leaf. Raises ValueError."""
    expression = Expression(text)
    leaves: dict[str, Tensor] = {}
    for pair in numbers:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name.isidentifier():
            raise ValueError(f"{pair!r} is not name=value, as in x=2")
        if name in leaves or name not in expression.names:
            known = f"is not in the expression, whose names are: {', '.join(expression.names) or 'none'}"
            raise ValueError(f"{name} {'is given twice' if name in leaves else known}")
        try:
            number = Expression(value).compute(CONSTANTS)
        except ExpressionError as error:
            raise ValueError(f"the value of {name}: {error}") from error
        leaves[name] = Tensor(number, requires_grad=True, name=name)
    with tracing(), np.errstate(all="ignore"):  # the figure shows what is not finite
        result = expression.compute(leaves)
    if isinstance(result, tuple):
        raise ValueError(f"there are {len(result)} results, but a figure here is of one")
    if not isinstance(result, Tensor):
        raise ValueError("there is nothing to draw: the expression has no names")
    result.name = called or result.name
    return result


if __name__ == "__main__":
    sys.exit(main())
