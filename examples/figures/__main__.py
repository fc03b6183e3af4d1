"""Write the figures, and a page to leaf through them: python -m examples.figures --help."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from string import Template

from examples.figures import Figure, figures
from viz.drawing import Drawing
from viz.picture import FORMATS


def write(figure: Figure, folder: Path, formats: Sequence[str]) -> None:
    """Write one figure in those of these formats that it has; beside an SVG an animation and each step, if it has steps."""
    for format in formats:
        if format in figure.drawing.formats:
            figure.drawing.save(folder / f"{figure.number}.{format}")
    if figure.steps and "svg" in formats:
        figure.steps.save(folder / f"{figure.number}-animated.svg")
        figure.steps.save_all(folder / f"{figure.number}-steps")


def index(drawn: Sequence[Figure]) -> str:
    """The page to leaf through the figures: needs no network, and nothing but the files beside it."""
    page = Template(Path(__file__).with_name("_index.html").read_text(encoding="utf-8"))
    return page.substitute(
        thumbnails="\n".join(map(_thumbnail, drawn)), figures="\n".join(map(_section, drawn)), count=len(drawn)
    )


def _thumbnail(figure: Figure) -> str:
    number, title = escape(figure.number), escape(figure.title)
    return f'<li><a href="#{number}"><img src="{number}.svg" alt="" loading="lazy"><span><b>{number}</b> {title}</span></a></li>'


def _section(figure: Figure) -> str:
    number, title = escape(figure.number), escape(figure.title)
    picture = f"{number}-animated.svg" if figure.steps else f"{number}.svg"
    page = "Step through it" if isinstance(figure.drawing, Drawing) else "A page of it"
    links = [(f"{number}.html", page), (f"{number}.svg", "SVG")]
    if figure.steps:
        links.append((f"{number}-steps/01.svg", "A picture for each step"))
    about = "".join(f"<p>{escape(part)}</p>" for part in figure.about.split("\n\n"))
    about = re.sub("`(.+?)`", r"<code>\1</code>", about)
    return f"""<section id="{number}" aria-labelledby="{number}-title">
<h2 id="{number}-title" tabindex="-1"><span>{number}</span> {title}</h2>
<figure><img src="{picture}" alt="{title}"></figure>
<p class="links">{" · ".join(f'<a href="{href}">{said}</a>' for href, said in links)}</p>
{about}
<details><summary>In words</summary><pre>{escape(figure.drawing.text())}</pre></details>
<details><summary>The script, <code>{escape(figure.script)}.py</code></summary><pre>{escape(figure.code)}</pre></details>
</section>"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.figures", description="Write the figures of the chapter.")
    parser.add_argument("numbers", nargs="*", help="which, as in 5-14; left out: all of them, and a page")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out/figures"), help="the folder (default: %(default)s)"
    )
    parser.add_argument("-f", "--format", nargs="+", choices=FORMATS, default=["svg", "html"], help="default: svg html")
    given = parser.parse_args(argv)
    begun = time.perf_counter()
    known = {figure.number: figure for figure in figures()}
    if unknown := [number for number in given.numbers if number not in known]:
        parser.error(f"there is no figure {unknown[0]}; there are {', '.join(known)}")
    drawn = [known[number] for number in given.numbers] or list(known.values())
    with ThreadPoolExecutor() as pool:  # each waits for layouts
        list(pool.map(lambda figure: write(figure, given.output, given.format), drawn))
    written = given.output
    if not given.numbers and "svg" in given.format:
        written = given.output / "index.html"
        written.write_text(index(drawn), encoding="utf-8")
    print(f"{len(drawn)} figures in {time.perf_counter() - begun:.1f} s: {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
