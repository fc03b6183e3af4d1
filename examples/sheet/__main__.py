"""Write a contact sheet: every figure on one page, with the height of its letters on a slide: python -m examples.sheet"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from examples.figures import figures
from examples.sheet import graphs, networks
from viz import Picture
from viz.drawing import Drawing
from viz.layout.page import PAPER, READABLE_LETTERS, room_on
from viz.picture import smallest

SLIDE = "16:9"


def letters(picture: Picture) -> float:
    """How high the smallest letters are, in points, if a figure fills a slide as it is."""
    left, bottom, right, top = picture.scene.bounds()
    width, height = room_on(PAPER[SLIDE])
    return min(width / (right - left), height / (top - bottom)) * smallest(picture.scene)


def chapter() -> Iterator[tuple[str, Callable[..., Picture]]]:
    """The figures of the chapter: drawn again, in the same look, if they are to fit."""

    def again(drawing: Picture, fit: str | None = None) -> Picture:
        return drawing.on(PAPER[fit]) if fit and isinstance(drawing, Drawing) else drawing

    for figure in figures():
        yield f"{figure.number} {figure.title}", lambda fit=None, own=figure.drawing: again(own, fit)


def cells(title: str, draw: Callable[..., Picture], folder: Path) -> str:
    """A row of the sheet: a figure as it is, and on a slide, each with the height of its letters. Writes both."""
    number, found = title.split()[0], []
    for fit in (None, SLIDE):
        picture = draw(fit=fit) if fit else draw()
        name = f"sheet/{number}{'-slide' if fit else ''}.svg"
        picture.save(folder / name)
        high = picture.letter_height if fit and picture.look.page else letters(picture)
        small = ' class="small"' if high < READABLE_LETTERS else ""
        said = f"{'on a slide' if fit else 'as it is'}: letters of <b{small}>{high:.1f}</b> points"
        found.append(f'<td><img src="{name}" alt="{escape(title)}" loading="lazy"><p>{said}</p></td>')
    return f'<tr id="{number}"><th>{escape(title)}</th>{"".join(found)}</tr>'


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>All figures, and how high their letters are on a slide</title>
<style>
body {{ font: 15px sans-serif; margin: 1em; color: #1a1a1a; background: #fff; }}
table {{ border-collapse: collapse; width: 100%; }}
th {{ text-align: left; width: 11em; vertical-align: top; padding: 8px; }}
td {{ width: 45%; border: 1px solid #ccc; padding: 8px; text-align: center; vertical-align: middle; }}
img {{ max-width: 100%; max-height: 420px; }}
p {{ margin: 4px 0; color: #5c5c5c; }}
.small {{ color: #b24a00; }}
@media (max-width: 799px) {{ tr, th, td {{ display: block; width: auto; }} }}
</style>
</head>
<body>
<h1>{count} figures</h1>
<p>Each as it is drawn, enlarged to a slide of 13.33 × 7.5 inches, and with <code>fit="16:9"</code>. Orange letters are
under {least:g} points high. Those of the chapter also stand <a href="index.html">one by one</a>, with their scripts;
<code>make figures</code> writes both pages.</p>
<table>
{rows}
</table>
</body>
</html>
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.sheet", description="Write all figures on one page.")
    parser.add_argument("numbers", nargs="*", help="which, as in 5-14, S-3 or C-1; left out: all of them")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out/figures"), help="the folder (default: %(default)s)"
    )
    given = parser.parse_args(argv)
    begun = time.perf_counter()
    known = {
        **dict(chapter()),
        **graphs(),
        **(networks() if not given.numbers or any("C-" in n for n in given.numbers) else {}),
    }
    by_number = {title.split()[0]: title for title in known}
    if unknown := [number for number in given.numbers if number not in by_number]:
        parser.error(f"there is no figure {unknown[0]}; there are {', '.join(by_number)}")
    titles = [by_number[number] for number in given.numbers] or list(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of small letters: they are what the page tells
        rows = [cells(title, known[title], given.output) for title in titles]
    page = given.output / "sheet.html"
    page.write_text(PAGE.format(count=len(rows), least=READABLE_LETTERS, rows="\n".join(rows)), encoding="utf-8")
    print(f"{len(rows)} figures in {time.perf_counter() - begun:.1f} s: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
