"""The two ways to write an expression: as a line of text, and in LaTeX."""

from __future__ import annotations

import itertools
import re
import unicodedata

from tinygrad_edu.formula.expression import LONGEST_EXACT, ONE, Expression, flat, is_numeric_power, number

# How tightly an expression holds together: a looser one is put in parentheses inside a tighter one.
SUM, MATMUL, PRODUCT, FACTOR, ATOM = range(5)
TIGHTNESS = {
    "sum": SUM, "negative": SUM, "matmul": MATMUL, "over": MATMUL, "others": MATMUL, "product": PRODUCT, "quotient": PRODUCT,
    "gradient": FACTOR, "power": FACTOR, "transpose": FACTOR, "sqrt": FACTOR,
}  # fmt: skip

_JOINING = ("∧", "∨", "⊕", "¬")
LONGEST_TIGHT = 6
"""Characters in parentheses, in which plus and minus stand without spaces."""

SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
_INDICES = "₀₁₂₃₄₅₆₇₈₉"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def indexed(text: str, k: int) -> str:
    """x₂: a letter with an index."""
    return text + str(k).translate(SUBSCRIPTS)


def of_path(path: str) -> str:
    """What a parameter is called by its path: places in lists are indices, so that 0.weight is not read as a number.

    >>> of_path("0.weight"), of_path("layers.10.bias"), of_path("net.1.0.weight"), of_path("W")
    ('weight₀', 'layers₁₀.bias', 'net₁.₀.weight', 'W')
    """
    *parts, last = path.split(".")
    if last.isdigit() or not all(part.isidentifier() or part.isdigit() for part in (*parts, last)):
        return path
    found: list[str] = []
    first: list[str] = []
    for part in parts:
        if not part.isdigit():
            found.append(part)
        elif found:
            found[-1] += "." * (found[-1][-1] in _INDICES) + part.translate(SUBSCRIPTS)
        else:
            first.append(part.translate(SUBSCRIPTS))
    return ".".join([*found, last]) + ".".join(first)


def grouped(text: str) -> str:
    """What something is called, fit to stand after ∂: in parentheses if it reads as a number or as several things.

    >>> grouped("x₁"), grouped("exp(x)"), grouped("0.1x"), grouped("(a+b)·(c+d)"), grouped("unit price")
    ('x₁', 'exp(x)', '(0.1x)', '((a+b)·(c+d))', '(unit price)')
    """
    apart = re.search(r"^\d|[\s+\-−·⊙@/*]", text) and not re.fullmatch(r"[^\W\d]\w*(\([^()]*\)|\[[^][]*\])", text)
    return f"({text})" if apart and not is_enclosed(text) else text


def is_enclosed(text: str) -> bool:
    """Whether a text stands in one pair of parentheses: (a+b), and not (a+b)·(c+d)."""
    depths = list(itertools.accumulate((c == "(") - (c == ")") for c in text))
    return text.startswith("(") and text.endswith(")") and 0 not in depths[:-1]


class Text:
    """Writes an expression as a line of Unicode text. `matmul` is the sign of the matrix product."""

    minus, times, elementwise, fused = "−", "·", " ⊙ ", ""

    def __init__(self, matmul: str = " @ ") -> None:
        self.at = matmul

    def write(self, e: Expression, level: int = SUM) -> str:
        """The expression, in parentheses if it holds together less tightly than `level`."""
        written: str = getattr(self, "_" + e.kind)(e, *e.parts)
        return written if self._tightness(e) >= level else self._parentheses(written)

    def _tightness(self, e: Expression) -> int:
        return SUM if e.kind == "number" and e.data < 0 else TIGHTNESS.get(e.kind, ATOM)

    def sentence(self, text: str) -> str:
        """A formula that is stated in words and signs."""
        return text

    def _parentheses(self, inside: str) -> str:
        tight = inside.replace(" + ", "+").replace(" − ", "−")
        return f"({tight if len(tight) <= LONGEST_TIGHT else inside})"  # (1−y) tightly, (∂L/∂a + ∂L/∂b) not

    def _name(self, e: Expression) -> str:
        return self._variable(e.data)

    def _variable(self, text: str) -> str:
        return " ".join(text.split())

    def _gradient(self, e: Expression) -> str:
        of, by, _ = e.data
        return f"∂{grouped(self._variable(of))}/∂{grouped(self._variable(by))}"

    def _number(self, e: Expression) -> str:
        exact = str(e.data)
        written = exact if isinstance(e.data, int) or len(exact) <= LONGEST_EXACT else f"{e.data:.4g}"
        return re.sub(r"e([-+])0*", r"e\1", written).replace("-", self.minus)

    def _negative(self, e: Expression, x: Expression) -> str:
        return self.minus + self.write(x, MATMUL)

    def _sum(self, e: Expression, *_: Expression) -> str:
        first, *rest = flat("sum", e)
        written = self.write(first)
        for term in rest:
            if term.kind == "negative":
                written += f" {self.minus} {self.write(term.parts[0], MATMUL)}"
            elif term.kind == "number" and term.data < 0:
                written += f" {self.minus} {self.write(number(-term.data))}"
            else:
                written += f" + {self.write(term, MATMUL)}"
        return written

    def _product(self, e: Expression, *_: Expression) -> str:
        factors = list(flat("product", e))
        written = self.write(factors[0], FACTOR)
        for k, (before, factor) in enumerate(itertools.pairwise(factors), 1):
            plain = before.kind == "number" and before.data >= 0 and before.data != 1 and "e" not in str(before.data)
            if plain and _is_letter(factor):
                sign = self.fused
            else:
                # a number belongs to the factor behind it: before 2x, the sign is the one before x
                leading = factors[k + 1] if factor.kind == "number" and factor is not factors[-1] else factor
                arrays = leading.is_array and any(other.is_array for other in factors[:k])
                sign = self.elementwise if arrays else self.times
            written += sign + self.write(factor, FACTOR)
        return written

    def _quotient(self, e: Expression, above: Expression, below: Expression) -> str:
        last = above.parts[-1] if above.kind == "product" else above
        slash = " / " if last.kind == "gradient" else "/"  # the slash of ∂L/∂y / b is not read as another one's
        return self.write(above, PRODUCT) + slash + self.write(below, ATOM if below.kind == "gradient" else FACTOR)

    def _base(self, e: Expression) -> str:
        """The base of a power, in parentheses unless it is a name or a number."""
        return self.write(e, ATOM)

    def _power(self, e: Expression, base: Expression, exponent: Expression) -> str:
        if isinstance(exponent.data, int):
            return self._base(base) + str(exponent.data).translate(SUPERSCRIPTS)
        return f"{self._base(base)}^{self.write(exponent, ATOM)}"

    def _transpose(self, e: Expression, x: Expression) -> str:
        return self._base(x) + "ᵀ"

    def _matmul(self, e: Expression, a: Expression, b: Expression) -> str:
        return self.write(a, MATMUL if a.kind == "matmul" else FACTOR) + self.at + self.write(b, FACTOR)

    def _constant(self, e: Expression) -> str:
        return self._variable(e.data[0])

    def _sqrt(self, e: Expression, x: Expression) -> str:
        return "√" + self.write(x, ATOM)

    def _absolute(self, e: Expression, x: Expression) -> str:
        return f"|{self.write(x)}|"

    def _rounded(self, e: Expression, x: Expression) -> str:
        return e.data[0] + self.write(x) + e.data[1]

    def _over(self, e: Expression, x: Expression) -> str:
        sign, axes, _ = e.data
        return f"{sign}{axes.replace(',', '').translate(SUBSCRIPTS)} {self.write(x, PRODUCT)}"

    def _others(self, e: Expression, x: Expression) -> str:
        """For each element, the product of all the others."""
        return f"∏_{{j≠i}} {self.write(x, ATOM)}ⱼ"

    def _call(self, e: Expression, *arguments: Expression) -> str:
        function, axes, options, _ = e.data
        inside = ", ".join([*[self._condition(x) for x in arguments], *options])
        return self._function(function) + axes.replace(",", "").translate(SUBSCRIPTS) + self._parentheses(inside)

    def _function(self, function: str) -> str:
        return function

    def _index(self, e: Expression, x: Expression, *keys: Expression) -> str:
        return self.write(x, ATOM) + f"[{e.data.format(*[self._condition(key) for key in keys])}]"

    def _scatter(self, e: Expression, x: Expression, *keys: Expression) -> str:
        key = e.data[0].format(*[self._condition(key) for key in keys])
        return self._function("scatter") + self._parentheses(f"{self.write(x)}, {key}")

    def _holds(self, e: Expression, *_: Expression) -> str:
        return f"[{self._condition(e)}]"

    def _condition(self, e: Expression, within: str = "") -> str:
        """What holds, without the brackets that make it 1 or 0."""
        if e.kind != "holds":
            return self.write(e)
        sign, a, *rest = e.data, *e.parts
        nested = sign in _JOINING
        written = [self._condition(part, sign) if nested else self.write(part) for part in (a, *rest)]
        inside = f"{sign}{written[0]}" if not rest else f"{written[0]} {sign} {written[1]}"
        apart = within == "¬" or (nested and within not in ("", sign))
        return f"({inside})" if rest and apart else inside


def _leading_gradients(e: Expression) -> int:
    """How many factors of a product are gradients before the first that is not."""
    return len(list(itertools.takewhile(lambda factor: factor.kind == "gradient", flat("product", e))))


def _is_letter(e: Expression) -> bool:
    """A one-letter name, perhaps with an index and an exponent: what a number stands before without a dot."""
    base = e.parts[0] if is_numeric_power(e) else e
    return base.kind == "name" and re.fullmatch(r"[^\W\d_][₀-₉]*", base.data) is not None


class LaTeX(Text):
    """Writes an expression as LaTeX, without the dollars: what `amsmath` and matplotlib's mathtext both read."""

    minus, times, elementwise, fused = "-", r" \cdot ", r" \odot ", " "

    def __init__(self, matmul: str = r" \, ") -> None:
        self.at = matmul

    def sentence(self, text: str) -> str:
        """The same formula in LaTeX: gradients as fractions, indices and exponents set, words upright."""
        written = "".join([self._token(token) for token in _TOKENS.finditer(text.replace(" @ ", "@"))])
        return written.replace("(", r"\left(").replace(")", r"\right)").replace(")ᵀ", r")^\top")

    def _token(self, token: re.Match[str]) -> str:
        of, by, word, marks, sign = token.groups()
        if of:
            return rf"\frac{{\partial {self.sentence(of)}}}{{\partial {self.sentence(by)}}}"
        if word:
            low = "".join([c for c in marks if c in _LOWERED])
            high = "".join([c for c in marks if c in _RAISED])
            index = f"_{{{_plain(low)}}}" if low else ""
            exponent = "" if not high else r"^\top" if high == "ᵀ" else f"^{{{_plain(high)}}}".replace("T", r"\top")
            if len(word) == 1:
                return self._variable(word) + index + exponent
            return ("\\" + word if word in _LATEX_FUNCTIONS else _upright(word)) + index + exponent
        if sign == "@":
            return self.at
        if sign == " ":  # one between words is seen
            apart = re.search(r"[^\WΣ]$|[\])]$", token.string[: token.start()])
            return "\\ " if apart and re.match(r"[\w\[(∂]", token.string[token.end() :]) else " "
        return _LATEX_SIGNS.get(sign, _ESCAPES.get(sign, sign))

    def _parentheses(self, inside: str) -> str:
        return rf"\left({inside}\right)"

    def _variable(self, text: str) -> str:
        """W stays W; x1 and x₁ become x_{1}, θ becomes \theta; a longer name stands upright."""
        if text in _LATEX_NAMES:
            return _LATEX_NAMES[text]
        letter = re.fullmatch(r"([^\W\d_])_?([0-9]*|[A-Za-z])", text.translate(_DIGITS))
        if letter is None or not (_greek(letter[1]) or letter[1].isascii()):
            return _upright(text)
        return (_greek(letter[1]) or letter[1]) + (f"_{{{letter[2]}}}" if letter[2] else "")

    def _gradient(self, e: Expression) -> str:
        of, by, _ = e.data
        return rf"\frac{{\partial {self._variable(of)}}}{{\partial {self._variable(by)}}}"

    def _number(self, e: Expression) -> str:
        mantissa, power, exponent = super()._number(e).replace("−", "-").partition("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}" if power else mantissa

    def _tightness(self, e: Expression) -> int:
        fraction = e.kind == "quotient" and _leading_gradients(e.parts[0]) == 0
        return FACTOR if fraction else super()._tightness(e)

    def _quotient(self, e: Expression, above: Expression, below: Expression) -> str:
        """A fraction; what comes back, itself a fraction, stands before it."""
        factors = list(flat("product", above))
        n = _leading_gradients(above)
        written = [self.write(factor) for factor in factors[:n]]
        rest = factors[n:] or [ONE]
        inside = self.write(rest[0] if len(rest) == 1 else Expression("product", tuple(rest)))
        fraction = rf"\frac{{{inside}}}{{{self.write(below)}}}"
        if not written:
            return fraction
        arrays = any(factor.is_array for factor in factors[:n]) and any(part.is_array for part in (*rest, below))
        return self.times.join(written) + (self.elementwise if arrays else self.times) + fraction

    def _base(self, e: Expression) -> str:
        raised = e.kind == "call" and e.data[0] == "exp"
        return self._parentheses(self.write(e)) if raised else self.write(e, ATOM)

    def _power(self, e: Expression, base: Expression, exponent: Expression) -> str:
        return f"{self._base(base)}^{{{self.write(exponent)}}}"

    def _transpose(self, e: Expression, x: Expression) -> str:
        return self._base(x) + r"^\top"

    def _sqrt(self, e: Expression, x: Expression) -> str:
        return rf"\sqrt{{{self.write(x)}}}"

    def _absolute(self, e: Expression, x: Expression) -> str:
        return rf"\left|{self.write(x)}\right|"

    def _rounded(self, e: Expression, x: Expression) -> str:
        left, right = [_LATEX_SIGNS[sign] for sign in e.data]
        return f"{left} {self.write(x)} {right}"

    def _over(self, e: Expression, x: Expression) -> str:
        sign, axes, _ = e.data
        return _LATEX_SIGNS[sign] + (f"_{{{axes}}}" if axes else "") + " " + self.write(x, PRODUCT)

    def _others(self, e: Expression, x: Expression) -> str:
        return rf"\prod_{{j \neq i}} {{{self.write(x, ATOM)}}}_{{j}}"

    def _call(self, e: Expression, *arguments: Expression) -> str:
        function, axes, options, _ = e.data
        if function == "exp":
            return f"e^{{{self.write(arguments[0])}}}"
        inside = ", ".join([*[self._condition(x) for x in arguments], *[_set(option) for option in options]])
        return self._function(function) + (f"_{{{axes}}}" if axes else "") + self._parentheses(inside)

    def _function(self, function: str) -> str:
        return "\\" + function if function in _LATEX_FUNCTIONS else _upright(function)

    def _condition(self, e: Expression, within: str = "") -> str:
        written = super()._condition(e, within)
        for sign, latex in _LATEX_SIGNS.items():
            written = written.replace(sign, latex + " " * (sign == "¬"))
        return written


_LOWERED = "₀₁₂₃₄₅₆₇₈₉₋₊ᵢⱼₖₘₙᵣₛₜ"
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁱⁿᵀ"
_LETTER, _MARKS = rf"[^\W\dΣ_{_LOWERED}{_RAISED}]", f"[{_LOWERED}{_RAISED}]"
_TOKENS = re.compile(  # a gradient, a letter or words with an index and an exponent, or a sign
    rf"∂({_LETTER}{_MARKS}*)/∂({_LETTER}+{_MARKS}*)|({_LETTER}(?:{_LETTER}|_)+|{_LETTER})({_MARKS}*)|(.)"
)
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_LATEX_FUNCTIONS = {
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "log", "max", "min", "det",
}  # fmt: skip
_LATEX_NAMES = {"∞": r"\infty", "…": r"\ldots"}
_LATEX_SIGNS = {
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
    "Σ": r"\sum", "∏": r"\prod", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq",
    "⋆": r"\star", "ᵀ": r"^\top", "·": r" \cdot ", "⊙": r" \odot ", "×": r"\times", "∂": r"\partial ", "−": "-", "…": r"\ldots ", "‖": r"\|", "∈": r"\in",
    "∧": r"\wedge", "∨": r"\vee", "⊕": r"\oplus", "¬": r"\neg",
}  # fmt: skip
_ESCAPES = {
    " ": r"\ ", "→": r"\to ", "−": "-", "\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge ", "&": r"\wedge ", '"': "''", "`": "'", "′": "'",
    "∂": r"\partial ", **{c: "\\" + c for c in "{}$%#_"}, **{c: f"_{{{i}}}" for i, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip


def _upright(text: str) -> str:
    """Any text, upright, with nothing in it that LaTeX would read as a command."""
    printable = "".join([_ESCAPES.get(c, c) for c in " ".join(text.split()) if c.isprintable()])
    return rf"\mathrm{{{printable or chr(92) + ' '}}}"


def _set(option: str) -> str:
    """A setting: numbers as they are, words upright."""
    return _upright(option) if re.search(r"[^\W\d]", option) else option.replace("−", "-")


def _plain(text: str) -> str:
    """Indices and exponents as ordinary characters: ₜ₊₁ as t+1."""
    return unicodedata.normalize("NFKC", text).replace("−", "-")


def _greek(letter: str) -> str:
    """The command for a Greek letter: \theta for θ; nothing for another one."""
    words = unicodedata.name(letter, "").split()
    if words[:1] != ["GREEK"] or len(words) != 4:
        return ""
    command = words[3].lower().replace("lamda", "lambda")
    return "\\" + (command if words[1] == "SMALL" else command.capitalize())
