"""What ran, from the command line: `python -m tinygrad_edu.reading "(x*w + b).sum()" --backward -o evening.html`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from tinygrad_edu.reading import known_names, of_expression
from tinygrad_edu.reading.pages import FORMATS


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists what there is\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _Parser(prog="python -m tinygrad_edu.reading", description="Print what of the engine an expression runs.")
    parser.add_argument("expression", help='as in Python: "(x*w + b).sum()"')
    parser.add_argument("values", nargs="*", metavar="name=value", help='as in Python: x=2, "x=[1, 2]", "t=np.ones(3)"')
    parser.add_argument("--backward", action="store_true", help="differentiate the result too")
    parser.add_argument("-o", "--output", help=f"the file to write: {' '.join(FORMATS)}; left out: the text is printed")
    options = parser._option_string_actions
    given = parser.parse_intermixed_args(  # "-x.sum()" is an expression, which the parser would take for an option
        [
            f" {word}" if word[:1] == "-" and word not in options and word[:2] not in ("--", "-o") else word
            for word in (sys.argv[1:] if argv is None else argv)
        ]
    )
    try:
        values = {}
        for pair in given.values:
            name, equals, said = (part.strip() for part in pair.partition("="))
            if not equals or not name.isidentifier():
                raise ValueError(f"{pair!r} is not name=value, as in x=2")
            values[name] = eval(said, known_names())
        reading = of_expression(given.expression, values, backward=given.backward)
        if given.output:
            reading.save(given.output)
        else:
            print(reading, end="")
    except Exception as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
