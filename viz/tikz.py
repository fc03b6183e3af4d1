"""TikZ: a finished figure as LaTeX draws it, in the fonts of the document."""

from __future__ import annotations

from viz.dot import Theme
from viz.scene import Line, Scene, Shape, Text

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "×": r"$\times$", "−": r"$-$", "∂": r"$\partial$", "Σ": r"$\Sigma$", "Π": r"$\Pi$", "·": r"$\cdot$", "√": r"$\surd$",
    "²": r"$^2$", "³": r"$^3$", "ᵀ": r"$^{\top}$", "∞": r"$\infty$", "⋯": r"$\cdots$", "…": r"\ldots{}",
    "≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$", "✓": r"$\surd$", "✗": r"$\times$", "∧": r"$\wedge$",
    **{c: f"$_{k}$" for k, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{c: f"$^{k}$" for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹") if c not in "²³"},
    "⁻": "$^-$",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Text in which nothing is a command of LaTeX.

    >>> escape("50% of x_1")
    '50\\% of x\\_1'
    """
    return "".join(_SPECIAL.get(c, c) for c in text)


def picture(scene: Scene, theme: Theme) -> str:
    """A tikzpicture, to be put into a document that loads tikz with its library arrows.meta."""
    colours = {"forward": theme.forward, "backward": theme.backward, "grad": theme.grad, "parameter": theme.parameter}
    lines = [r"% needs \usepackage{tikz} and \usetikzlibrary{arrows.meta}"]
    lines += [rf"\definecolor{{viz{name}}}{{HTML}}{{{_hex(colour)}}}" for name, colour in colours.items()]
    lines.append(r"\begin{tikzpicture}[x=1pt, y=1pt, every node/.style={inner sep=0pt}]")
    lines += [_line(line) for line in scene.lines]
    lines += [_shape(shape) for shape in scene.shapes]
    lines += [_text(text) for text in scene.texts]
    return "\n".join([*lines, r"\end{tikzpicture}"]) + "\n"


def _hex(colour: str) -> str:
    return colour[1:] if colour.startswith("#") else {"white": "FFFFFF", "black": "000000"}[colour]


def _line(line: Line) -> str:
    tip = "-{Latex[length=9pt,width=6pt]}" if line.backward else "-{Triangle[open,length=6pt,width=5pt]}"
    style = "vizbackward, line width=2pt" if line.backward else "vizforward, line width=0.6pt"
    way = " -- ".join(f"({x:.1f},{y:.1f})" for x, y in line.points)
    return rf"\draw[{tip if line.tip else '-'}, {style}] {way};"


def _shape(shape: Shape) -> str:
    if shape.shape in ("circle", "fork"):
        fill = "vizforward" if shape.shape == "fork" else "white"
        return rf"\filldraw[draw=vizforward, fill={fill}] ({shape.x:.1f},{shape.y:.1f}) circle[radius={shape.width / 2:.1f}];"
    left, bottom = shape.x - shape.width / 2, shape.y - shape.height / 2
    return (
        rf"\filldraw[draw=vizforward, fill=white, rounded corners=6pt] ({left:.1f},{bottom:.1f}) "
        rf"rectangle ({left + shape.width:.1f},{bottom + shape.height:.1f});"
    )


def _text(text: Text) -> str:
    left, bottom, right, top = text.box
    outline = rf"\draw[vizforward] ({left:.1f},{bottom:.1f}) rectangle ({right:.1f},{top:.1f});"
    if text.role == "blank":
        return outline
    if text.role == "key":
        return rf"{outline} \node at ({text.x:.1f},{text.y:.1f}) {{\footnotesize {escape(text.text)}}};"
    colour = "vizgrad" if text.role == "grad" else "vizparameter" if "parameter" in text.classes else "black"
    said = rf"\bfseries {escape(text.text)}" if text.bold else escape(text.text)
    return rf"\node[text={colour}] at ({text.x:.1f},{text.y:.1f}) {{{said}}};"
