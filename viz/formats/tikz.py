"""TikZ: a finished figure as LaTeX draws it, in the fonts of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from viz.formats.dot import blank_size
from viz.layout.metrics import is_wide
from viz.layout.plan import FONT
from viz.layout.scene import Line, Scene, Shape, Text
from viz.layout.typesetting import typeset
from viz.record.mathematics import IN_TEX
from viz.theme import Theme, dash, shade

AROUND_LETTERS = 4.0  # points of the figure: so much more is coloured, for letters of documents may be larger
UNIT = 10.0 / FONT  # the size of a point of the figure: its texts are as large as those of a document in ten points

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho",
    "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi",
    "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "`": r"\textasciigrave{}", "-": "{-}",
    "×": r"$\times$", "−": r"$-$", "∂": r"$\partial$", "·": r"$\cdot$", "√": r"$\surd$",
    "²": r"$^2$", "³": r"$^3$", "ᵀ": r"$^{\top}$", "∞": r"$\infty$", "⋯": r"$\cdots$", "…": r"\ldots{}",
    "≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$", "✓": r"$\checkmark$", "✗": r"$\times$", "∧": r"$\wedge$",
    "⊙": r"$\odot$", "⊕": r"$\oplus$", "⊗": r"$\otimes$", "∏": r"$\prod$", "ℓ": r"$\ell$", "∇": r"$\nabla$", "′": r"$'$",
    "→": r"$\to$", "≈": r"$\approx$", "∈": r"$\in$", "⁺": "$^+$", "⁽": "$^($", "⁾": "$^)$", "ⁿ": "$^n$",
    **{c: rf"$\{name}$" for c, name in _GREEK.items()},
    **{c: f"$_{k}$" for k, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{c: f"$^{k}$" for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹") if c not in "²³"},
    **{c: f"$_{name}$" for name, c in zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)},
    "⁻": "$^-$", "�": "?",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Text in which nothing is a command of LaTeX.

    >>> escape("50% of θ_1")
    '50\\% of $\\theta$\\_1'
    """
    return "".join(_SPECIAL.get(c, c) for c in text)


def escape_all_but_tex(text: str) -> str:
    r"""Text in which nothing is a command of LaTeX, but for what stands between dollars.

    >>> escape_all_but_tex(r"∂L/∂$\hat{y}$ & b")
    '$\\partial$L/$\\partial$$\\hat{y}$ \\& b'
    """
    parts = IN_TEX.split(text)
    return "".join(_in_dollars(part) if k % 2 else escape(part) for k, part in enumerate(parts))


def _in_dollars(tex: str) -> str:
    r"""LaTeX between dollars, if its braces match: else a document with it would not be set, and it is text.

    >>> _in_dollars(r"\frac{a}{b}"), _in_dollars("x_{1")
    ('$\\frac{a}{b}$', '\\$x\\_\\{1\\$')
    """
    depth = 0
    for brace in re.sub(r"\\.", "", tex):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            break
    return f"${tex}$" if depth == 0 else escape(f"${tex}$")


_FITTED = (
    r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
    "}",
)  # never wider than the line


def picture(scene: Scene, theme: Theme, hidden: Iterable[str] = (), zoom: float = 1.0) -> str:
    """A tikzpicture no wider than the line, to be put into a document; its first lines say what the document loads.

    With a `zoom`, a point of the scene is so many points on paper, and its letters are as large as that makes them.
    What is `hidden`, by its id, leaves the picture as large as it is: the frames of a talk lie exactly over each other.
    """
    unseen = frozenset(hidden)
    before, after = _FITTED
    lines = [f"% needs {' '.join(packages(scene))}", *_engine(scene), *_colours(theme), before]
    return "\n".join([*lines, *_tikz(scene, theme, dict.fromkeys(unseen), zoom), after]) + "\n"


def overlays(scene: Scene, theme: Theme, spans: Mapping[str, tuple[int, int | None]]) -> str:
    r"""A whole document of one slide, of beamer, on which each thing is seen from one step to another: `\only<2->{…}`.

    spans: by the id of each thing, the first and the last of its steps, from 0; None for what stays.
    """
    first = [*_engine(scene), r"\documentclass[aspectratio=169]{beamer}", *packages(scene), r"\usepackage{adjustbox}"]
    first.append(r"\setbeamertemplate{navigation symbols}{}")
    slide = [
        r"\begin{document}", r"\begin{frame}", r"\centering",
        r"\begin{adjustbox}{max width=\linewidth, max totalheight=0.9\textheight}",
        *_tikz(scene, theme, {id: _overlay(*span) for id, span in spans.items() if span != (0, None)}),
        r"\end{adjustbox}", r"\end{frame}", r"\end{document}",
    ]  # fmt: skip
    return "\n".join([*first, *_colours(theme), *slide]) + "\n"


def _overlay(first: int, last: int | None) -> str:
    """Steps as beamer counts them: from 1.

    >>> _overlay(1, None), _overlay(1, 1), _overlay(0, 3)
    ('2-', '2', '1-4')
    """
    if last is None:
        return f"{first + 1}-"
    return f"{first + 1}" if first == last else f"{first + 1}-{last + 1}"


def packages(scene: Scene) -> list[str]:
    """The lines that a document needs in its preamble."""
    text = _written(scene)
    wanted = [r"\usepackage{tikz}", r"\usetikzlibrary{arrows.meta}"]
    given = any(text.tex for text in scene.texts)  # LaTeX of the user's own, in names and titles
    wanted += [r"\usepackage{amsmath}"] * given + [r"\usepackage{amssymb}"] * (given or "✓" in text)
    return wanted + [r"\usepackage{kotex}"] * any(map(is_wide, text))


def _engine(scene: Scene) -> list[str]:
    """Return comments that name XeLaTeX, if the texts have letters that pdfLaTeX lacks; else nothing."""
    if all(c <= "ɏ" or c in _SPECIAL for c in _written(scene)):
        return []
    return [
        "% !TEX program = xelatex",
        "% and XeLaTeX or LuaLaTeX, with a font that has all of its letters: kotex finds one for Hangul",
    ]


def _written(scene: Scene) -> str:
    return "".join(text.tex or text.text for text in scene.texts)


def _colours(theme: Theme) -> list[str]:
    """Definitions of the colours of a theme; what would stand at the end of a line as a space is commented out."""
    return [rf"\definecolor{{viz{name}}}{{HTML}}{{{_hex(colour)}}}%" for name, colour in asdict(theme).items()]


def _tikz(scene: Scene, theme: Theme, later: Mapping[str, str | None], zoom: float = 1.0) -> list[str]:
    """The picture alone; what comes later appears at its step, or not at all."""

    def at(thing: Shape | Line | Text, drawn: str) -> list[str]:
        if thing.id not in later:
            return [drawn]
        steps = later[thing.id]
        return [] if steps is None else [rf"\only<{steps}>{{{drawn}}}"]

    scene = typeset(scene)
    scaled = f", scale={zoom / UNIT:.3f}, transform shape" if zoom != 1.0 else ""
    lines = [rf"\begin{{tikzpicture}}[x={UNIT:.3f}pt, y={UNIT:.3f}pt{scaled}, every node/.style={{inner sep=0pt}}]"]
    left, bottom, right, top = scene.bounds()
    ground = "path" if theme.paper == "white" else "fill[vizpaper]"
    room = 0.0 if theme.paper == "white" else AROUND_LETTERS
    lines.append(rf"\{ground} {_corners(left - room, bottom - room, right + room, top + room)};")
    groups = [shape for shape in scene.shapes if shape.shape == "group"]  # under what is in them
    others = [shape for shape in scene.shapes if shape.shape != "group"]
    keyed = {text.id.removesuffix("-key") for text in scene.texts if text.role == "key"}
    for shape in groups:
        lines += at(shape, _shape(shape))
    solids = [shape for shape in others if shape.points]  # under the lines that lead from what is drawn on them
    for shape in solids:
        lines += at(shape, _shape(shape))
    for line in scene.lines:
        lines += at(line, _line(line))
    for shape in others:
        lines += at(shape, _shape(shape)) if not shape.points else []
    for text in scene.texts:
        lines += at(text, _text(text, text.id in keyed))
    return [*lines, r"\end{tikzpicture}"]


def _hex(colour: str) -> str:
    return colour[1:] if colour.startswith("#") else {"white": "FFFFFF", "black": "000000"}[colour]


def _line(line: Line) -> str:
    scale = line.head_size if line.backward else 1.0
    tip = (
        f"-{{Latex[length={7 * scale:.3g}pt,width={5 * scale:.3g}pt]}}"
        if line.backward
        else "-{Triangle[open,length=5pt,width=4pt]}"
    )
    width = 0.64 * line.thickness if line.backward else 0.5 * line.thickness
    style = ", ".join(filter(None, (_colour(line), f"line width={width:.3g}pt", dash(line))))
    way = " -- ".join(f"({x:.1f},{y:.1f})" for x, y in line.points)
    return rf"\draw[{tip if line.tip else '-'}, {style}] {way};"


def _colour(thing: Shape | Line | Text) -> str:
    """The colour of something, as xcolor mixes it."""
    part, percent = shade(thing)
    return f"viz{part}" if percent == 100 else f"viz{part}!{percent}!vizpaper"


def _shape(shape: Shape) -> str:
    at, colour = f"({shape.x:.1f},{shape.y:.1f})", _colour(shape)
    outline = f"{colour}, line width=1pt" if "lit" in shape.classes.split() else colour
    if shape.shape in ("circle", "fork"):
        fill = colour if shape.shape == "fork" else "vizfill"
        return rf"\filldraw[draw={outline}, fill={fill}] {at} circle[radius={shape.width / 2:.1f}];"
    if shape.shape == "oval":
        axes = f"x radius={shape.width / 2:.1f}, y radius={shape.height / 2:.1f}"
        return rf"\filldraw[draw={outline}, fill=vizfill] {at} ellipse[{axes}];"
    if shape.shape == "cloud":  # its outline is drawn as a line of the scene
        return rf"\fill[vizfill] {at} ellipse[x radius={0.45 * shape.width:.1f}, y radius={0.45 * shape.height:.1f}];"
    if shape.points:
        assert shape.fill
        way = " -- ".join(f"({x:.1f},{y:.1f})" for x, y in shape.points)
        fill = f"viz{shape.fill[0]}!{shape.fill[1]}!vizpaper"
        return rf"\filldraw[draw=vizoutline, fill={fill}, line width=0.3pt, line join=round] {way} -- cycle;"
    if shape.fill is not None:
        part, percent = shape.fill
        edge = {"band": "none", "dashed": "vizoutline, densely dashed"}.get(shape.shape, "vizoutline")
        frame = _rectangle(shape.x, shape.y, shape.width, shape.height)
        return rf"\filldraw[draw={edge}, fill=viz{part}!{percent}!vizpaper, line width=0.3pt] {frame};"
    style = rf"\draw[{outline}, dashed" if shape.shape == "group" else rf"\filldraw[draw={outline}, fill=vizfill"
    return rf"{style}, rounded corners=5pt] {_rectangle(shape.x, shape.y, shape.width, shape.height)};"


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return _corners(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _corners(left: float, bottom: float, right: float, top: float) -> str:
    return f"({left:.1f},{bottom:.1f}) rectangle ({right:.1f},{top:.1f})"


def _size(size: float) -> str:
    r"""The size of letters, in a command: none for those that are as large as those of the document.

    >>> _size(FONT), _size(7.0)
    ('', '\\fontsize{5}{6}\\selectfont ')
    """
    points = round(2 * size * UNIT) / 2
    return "" if size == FONT else rf"\fontsize{{{points:g}}}{{{1.2 * points:g}}}\selectfont "


def _text(text: Text, keyed: bool) -> str:
    outline = f"vizoutline!{shade(text)[1]}!vizpaper"
    if text.role == "blank":  # room for an answer
        return rf"\draw[{outline}, rounded corners=3pt] {_rectangle(text.x, text.y, *blank_size(text))};"
    frame = _rectangle(text.x, text.y, text.width, text.height)
    if text.role == "key":
        return (
            rf"\filldraw[draw={outline}, fill=vizpaper] {frame} node[midway, text={_colour(text)}] "
            rf"{{{_size(text.size)}{escape(text.text)}}};"
        )
    left, _, right, _ = text.box
    places = {"end": (right, "mid east"), "start": (left, "mid west"), "middle": (text.x, "mid")}
    x, anchor = places["start" if keyed else text.anchor]
    size = _size(text.size)
    said = (
        size + (r"\bfseries " if text.bold else "") + (escape_all_but_tex(text.tex) if text.tex else escape(text.text))
    )
    halo = ", fill=vizpaper" if text.halo else ""
    return rf"\node[anchor={anchor}, text={_colour(text)}{halo}] at ({x:.1f},{text.y:.1f}) {{{said}}};"
