"""Names as mathematics writes them: x1 as x₁, alpha as α, and `$\\hat{y}$`, for LaTeX, as ŷ elsewhere."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tinygrad_edu.formula.writing import SUBSCRIPTS, SUPERSCRIPTS
from viz.record.graph import Graph

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "lambda_": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ",
    "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ",
    "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
"""Greek letters by their names."""

_LOW_LETTERS = str.maketrans("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_HIGH_LETTERS = str.maketrans("()+nT", "⁽⁾⁺ⁿᵀ")
_ACCENTS = {"hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "overline": "\u0304", "tilde": "\u0303", "widetilde": "\u0303", "dot": "\u0307", "vec": "\u20d7"}  # fmt: skip
_SIGNS = {
    "varepsilon": "ε", "varphi": "φ", "ell": "ℓ", "partial": "∂", "nabla": "∇", "cdot": "·", "times": "×", "odot": "⊙",
    "top": "ᵀ", "prime": "′", "infty": "∞", "sum": "Σ", "prod": "∏", "sqrt": "√", "le": "≤", "ge": "≥", "ne": "≠",
    "to": "→", "quad": " ", "left": "", "right": "", "mathcal": "", "mathbf": "", "boldsymbol": "", "mathrm": "", "text": "",
    "mathbb": "", "operatorname": "", **GREEK,
}  # fmt: skip
_FRACTION = re.compile(r"\\[dt]?frac\s*{((?:[^{}]|{[^{}]*})*)}\s*{((?:[^{}]|{[^{}]*})*)}")
_CITED_AFTER = "(?=[ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹]|\\W|$)"  # what may follow a name in a formula, as in Wᵀ
_IDENTIFIER = "[A-Za-z][A-Za-z0-9_]*"
IN_TEX = re.compile(r"\$(?=\S)([^$]+)(?<=\S)\$(?!\d)")  # what is LaTeX in a name, as in pandoc's Markdown: no prices


def mathematical(name: str) -> str:
    """A name as mathematics writes it: a letter with an index, a Greek letter; any other as it is.

    >>> [mathematical(name) for name in ("x1", "W_2", "h_t", "alpha", "theta_0", "apple", "fc1.weight", "x_hat1")]
    ['x₁', 'W₂', 'hₜ', 'α', 'θ₀', 'apple', 'fc1.weight', 'x_hat1']
    """
    if name in GREEK:
        return GREEK[name]
    found = re.fullmatch(rf"([A-Za-z]|{'|'.join(sorted(GREEK, key=len, reverse=True))})(?:_?([0-9]+)|_([a-z]))", name)
    if found is None:
        return name
    letter, digits, low = found.groups()
    index = (digits or low).translate(SUBSCRIPTS if digits else _LOW_LETTERS)
    return name if index == low else GREEK.get(letter, letter) + index  # there is no such small letter


class Readable(str):
    r"""A text as it can be read anywhere, which remembers how LaTeX is to write it.

    text: as it is read. tex: the same, with LaTeX between dollars.

    >>> title = Readable("the loss ℓ", r"the loss $\ell$")
    >>> title, title.tex
    ('the loss ℓ', 'the loss $\\ell$')
    """

    __slots__ = ("tex",)
    tex: str

    def __new__(cls, text: str, tex: str) -> Readable:
        """The text, with its LaTeX beside it."""
        found = super().__new__(cls, text)
        found.tex = tex
        return found


def tex_of(text: str) -> str:
    """How LaTeX writes a text, if otherwise than it is read; else nothing."""
    return text.tex if isinstance(text, Readable) and text.tex != text else ""


def readable(name: str) -> str:
    r"""A name in which what stands between dollars is LaTeX, as it can be written without: `$\hat{y}_1$` as ŷ₁.

    >>> [readable(name) for name in (r"$\hat{y}_1$", r"$W^{(2)}$", r"$\frac{a + 1}{2}$", r"loss $\ell$", "5 $ or 6", "x")]
    ['ŷ₁', 'W⁽²⁾', '(a + 1)/2', 'loss ℓ', '5 $ or 6', 'x']
    """
    return IN_TEX.sub(lambda found: _plainly(found[1]), name)


def _plainly(tex: str) -> str:
    """LaTeX as a line of text: fractions, accents, indices, exponents and signs; of other commands, their names."""
    while (in_line := _FRACTION.sub(lambda m: f"{_as_factor(m[1])}/{_as_factor(m[2])}", tex)) != tex:
        tex = in_line
    for command, accent in _ACCENTS.items():
        tex = re.sub(rf"\\{command}\s*(?:{{(\\?\w+)}}|(\\\w+|\w))", lambda m, a=accent: _accented(m[1] or m[2], a), tex)  # type: ignore[misc]
    tex = re.sub(r"\\([A-Za-z]+)\s*", lambda m: _SIGNS.get(m[1], m[1]), tex)
    for sign, raised in (("_", _low), ("^", _high)):
        tex = re.sub(rf"\{sign}(?:{{([^{{}}]*)}}|(.))", lambda m, r=raised: r(m[1] if m[1] is not None else m[2]), tex)  # type: ignore[misc]
    return unicodedata.normalize("NFC", re.sub(r"[{}]|\\[,;! ]?", "", tex)).strip()


def _as_factor(tex: str) -> str:
    """One side of a fraction: in brackets, if it is a sum or has several factors."""
    single = not re.search(r"\\(cdot|times)", tex) and re.fullmatch(
        r"[^-+·−/\s]*", re.sub(r"\\[A-Za-z]+\s*", "", tex).strip()
    )
    return tex.strip() if single else f"({tex.strip()})"


def _accented(letter: str, accent: str) -> str:
    said = _SIGNS.get(letter[1:], letter[1:]) if letter.startswith("\\") else letter
    return said + accent


def _low(text: str) -> str:
    return _small(text, "_", text.translate(SUBSCRIPTS).translate(_LOW_LETTERS))


def _high(text: str) -> str:
    return _small(text, "^", text.translate(SUPERSCRIPTS).translate(_HIGH_LETTERS))


def _small(text: str, sign: str, small: str) -> str:
    """An index or an exponent in small letters, if there are such for all of it."""
    return f"{sign}{text}" if any(a == b and a not in "ᵀ′" for a, b in zip(text, small, strict=True)) else small


@dataclass(frozen=True)
class Notation:
    """How the names in texts are written: on figures, and in LaTeX."""

    shown: Mapping[str, str] = field(default_factory=dict)
    in_tex: Mapping[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        """A name or a formula as figures show it.

        >>> Notation({"x1": "x₁"}).of("∂L/∂x1 + 2x1ᵀ·x10")
        '∂L/∂x₁ + 2x₁ᵀ·x10'
        """
        return self._shown(text)

    def tex(self, text: str) -> str:
        """What LaTeX is given for a text that figures show; nothing, if it is that text, or has dollars of its own."""
        written = text if "$" in text else self._tex(text)
        return written if written != text else ""

    @cached_property
    def _shown(self) -> Callable[[str], str]:
        return _replacing(self.shown)

    @cached_property
    def _tex(self) -> Callable[[str], str]:
        return _replacing(self.in_tex)


def notation(graph: Graph, mathematics: bool = True) -> Notation:
    """How a figure writes the names of a graph: as mathematics does, or as they are."""
    tex = {value.name: value.tex for value in graph.values if value.name and value.tex}
    if not mathematics:
        return Notation(tex)
    names = [value.name for value in graph.values if value.name]
    shown = {name: mathematical(name) for name in names if name not in tex}
    times = Counter(shown.get(name, name) for name in set(names))
    return Notation({a: b for a, b in shown.items() if a != b and times[b] == 1}, tex)  # x1 and x_1 stay apart


def _replacing(names: Mapping[str, str]) -> Callable[[str], str]:
    """Writes what stands for names into a text."""
    if not names:
        return str
    plain = all(re.fullmatch(_IDENTIFIER, name) for name in names)  # of many names, one is found at once
    several = _IDENTIFIER if plain else "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    cited = re.compile(rf"(?<![^\W\d])(?<!\.)({several}){_CITED_AFTER}")
    return lambda text: cited.sub(lambda found: names.get(found[1], found[1]), text)
