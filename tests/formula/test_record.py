"""The printed reading of one op's rules and of a whole record."""

import importlib
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.formula.reader import DECLARED, PARSER, leaf
from tinygrad_edu import nn
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import Op, op
from tinygrad_edu.formula import LONGEST_FORMULA, Symbol, chain, formula, spell
from tinygrad_edu.formula.expression import number
from tinygrad_edu.formula.writing import grouped, of_path


def test_an_op_prints_its_rules():
    assert tg.multiply.formula(1) == "∂L/∂b = ∂L/∂y ⊙ a"
    assert tg.add.formula(0, simplify=False) == "∂L/∂a = ∂L/∂y·1"
    assert (
        tg.divide.formula(0, latex=True)
        == r"\frac{\partial L}{\partial a} = \frac{\partial L}{\partial y} \odot \frac{1}{b}"
    )
    assert tg.greater.formula(1) == "∂L/∂b: none"
    assert tg.concatenate.formula(1) == "∂L/∂xᵢ = ∂L/∂y[part i]"
    with pytest.raises(IndexError, match="multiply has 2 inputs"):
        tg.multiply.formula(2)
    with pytest.raises(IndexError, match="no input -1"):
        tg.multiply.formula(-1)
    with pytest.raises(IndexError, match="matmul has 2 inputs"):
        tg.matmul.formula(2)


@pytest.mark.parametrize("made", [tg.clip, tg.outer])
def test_an_input_by_name(made):
    names = {tg.clip: ["x", "low", "high"], tg.outer: ["a", "b"]}[made]
    assert [made.formula(name) for name in names] == [made.formula(i) for i in range(len(names))]
    with pytest.raises(ValueError, match=f"no input 'c'; its inputs are {', '.join(names)}"):
        made.formula("c")
    with pytest.raises(IndexError, match=f"has {len(names)} inputs"):
        made.formula(len(names))
    for wrong in (1.0, None, True):
        with pytest.raises(TypeError, match="the position of an input or its name"):
            made.formula(wrong)


def test_numbers_among_the_settings():
    assert tg.roll.formula(latex=True).endswith(r"\mathrm{roll}\left(\frac{\partial L}{\partial y}, -2\right)")


def test_the_square_of_a_sum():
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    z = (t := x + y) ** 2
    assert tg.formula(z, x, {"t": t, "z": z}) == (
        "t = x + y = 5\nz = t² = 25\n∂z/∂t = ∂z/∂z·2t = 2t = 10\n∂z/∂x = ∂z/∂t·1 = ∂z/∂z·2t·1 = 2t = 10"
    )
    lines = tg.formula(z, x, latex=True).splitlines()
    assert lines[1] == "z = t^{2} = 25"
    for line in lines:
        PARSER.parse(f"${line}$")


def test_paths_add_up():
    x = leaf(3.0, "x")
    assert tg.formula(x * x + x, x).splitlines()[-1] == (
        "∂y/∂x = ∂y/∂y·1 + ∂y/∂t·x + ∂y/∂t·x = ∂y/∂y·1 + ∂y/∂y·1·x + ∂y/∂y·1·x = 1 + 2x = 7"
    )


def test_the_sigmoid_in_parts():
    x = leaf(0.3, "x")
    y = np.reciprocal(np.exp(x * -1.0) + 1)
    found = chain(y, loss="L", inline=True)
    assert [s.text() for s in found.contributions.values()] == [
        "−∂L/∂y·y²", "−∂L/∂y·y²", "−∂L/∂y·y²·exp(−x)", "∂L/∂y·y²·exp(−x)",
    ]  # fmt: skip
    assert chain(tg.sigmoid(x), loss="L").gradients[x].text() == "∂L/∂y·y·(1−y)"


def test_the_product_of_a_matrix_and_a_vector():
    W, V, v, u = (
        leaf([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "W"),
        leaf(np.eye(3), "V"),
        leaf([1.0, 2.0], "v"),
        leaf([1.0, 2.0, 3.0], "u"),
    )
    y = np.tanh(W @ v).sum()
    assert "∂y/∂W = ∂y/∂t₁ @ vᵀ = " in tg.formula(y, W)
    assert " = (1−t₂²) @ vᵀ = [[" in tg.formula(y, W)
    assert r"\left(1 - t_{2}^{2}\right) \, v^\top" in tg.formula(y, W, latex=True)
    assert " = Wᵀ @ ∂y/∂t₁ = " in tg.formula(y, v)
    y = np.tanh(u @ W).sum()
    assert " = u @ (1−t₂²)ᵀ = " in tg.formula(y, W)
    assert " = W @ ∂y/∂t₁ = " in tg.formula(y, u)
    y = np.tanh(V @ np.tanh(W @ v)).sum()
    assert " = ((Vᵀ @ (1−t₄²)) ⊙ (1−t₂²)) @ vᵀ = " in tg.formula(y, W)
    assert " = 2·(1 @ vᵀ) = " in tg.formula((2 * (W @ v)).sum(), W)
    assert " = −solve(Vᵀ, 1) @ tᵀ" in tg.formula(np.linalg.solve(V, u).sum(), V)
    assert "∂L/∂W = Σ₀ (Xᵀ @ ∂L/∂y)" in tg.formula(leaf(np.ones((2, 3, 3)), "X") @ W, W)


def test_products_and_orders():
    x = leaf([3.0, 1.0, 2.0], "x")
    assert " = ∏_{j≠i} xⱼ = [2., 6., 3.]" in tg.formula(np.prod(x), x)
    assert tg.formula(np.prod(x), x, latex=True).splitlines()[-1].count(r"\prod_{j \neq i} {x}_{j}") == 2
    assert " = (∂L/∂y)[place(x)]" in tg.formula(np.sort(x), x)
    assert chain(np.sort(x) * [1.0, 10.0, 100.0]).gradients[x].value.tolist() == [100, 1, 10]


def test_constants_have_names_and_values_are_decimal():
    x = leaf([[1.0, 2.0]], "x")
    lines = tg.formula(np.sum(x * np.array([[1.0, 0.0]])), x).splitlines()
    assert lines[:2] == ["c = [[1., 0.]]", "t = x ⊙ c = [[1., 0.]]"]
    assert "(softmax₁(x) − one_hot(1))" in tg.formula(tg.nn.functional.cross_entropy(x, np.array([1])), x)
    y = leaf(2.0, "x")
    assert "y = log(x) = 0.6931" in tg.formula(np.log(y), y)
    assert "y = x·π = 6.283" in tg.formula(y * math.pi, y)


def test_what_formula_does_not_take():
    x = leaf(2.0, "x")
    for arguments in [(x * 2, 3), (x * 2, [x, x]), (3, x)]:
        with pytest.raises(TypeError, match="formula\\(\\)"):
            formula(*arguments)


def test_an_affine_layer():
    X, W, B = leaf(np.ones((4, 2)), "X"), leaf(np.ones((2, 3)), "W"), leaf(np.ones(3), "B")
    Y = X @ W + B
    found = chain(Y, {"Y": Y})
    assert found.gradients[X].text(matmul="·") == "∂L/∂Y·Wᵀ"
    assert found.gradients[W].text(matmul="·") == "Xᵀ·∂L/∂Y"
    assert found.gradients[B].text() == "Σ₀ ∂L/∂Y"
    assert found.gradients[B].latex() == r"\sum_{0} \frac{\partial L}{\partial Y}"
    assert tg.formula(Y, B, {"Y": Y}).splitlines()[-1] == "∂L/∂B = Σ₀ ∂L/∂Y·1 = Σ₀ ∂L/∂Y"


def test_softmax_with_cross_entropy():
    x = leaf(np.zeros((2, 3)), "x")
    loss = tg.nn.functional.cross_entropy(x, np.array([0, 2]))
    assert "(softmax₁(x) − one_hot((0, 2)))/2" in tg.formula(loss, x)


def test_rules_that_print_too_much_are_named():
    A = leaf([[2.0, 0.5], [0.5, 3.0]], "A")
    w, V = np.linalg.eigh(A)
    assert "∂y/∂A = eigh′(A)ᵀ @ (∂y/∂t₁, ∂y/∂t₂)" in tg.formula(np.sum(w) + V[0, 0], A)
    x = leaf([0.1, 0.2], "x")
    y = tg.checkpoint(lambda x: np.sum(np.sin(x)), x)
    assert "checkpoint′(x)ᵀ @ ∂y/∂y" in tg.formula(y, x)
    assert np.allclose(chain(y).gradients[x].value, np.cos(x.numpy()))


@pytest.mark.parametrize("name", [name for name, declared in DECLARED.items() if declared.vjp is not None])
@pytest.mark.parametrize("local", [False, True])
def test_every_op_in_a_record(name, local):
    """On each example of each op, what the formulas carry is the gradient, and every part of them can be written."""
    declared = DECLARED[name]
    for case in declared.examples:
        args, options = case.draw(np.random.default_rng(0), declared.domains)
        leaves = []

        def tensors(arg, leaves=leaves):
            if isinstance(arg, list):
                return [tensors(part) for part in arg]
            if isinstance(arg, np.ndarray) and arg.dtype.kind == "f":
                leaves.append(leaf(arg))
                return leaves[-1]
            return arg

        with np.errstate(all="ignore"):
            results = declared(*[tensors(arg) for arg in args], **options)
        results = [
            r
            for r in (results if isinstance(results, tuple | list) else [results])
            if isinstance(r, tg.Tensor) and r.requires_grad
        ]
        if not results:
            continue
        output = sum([np.sum(r * np.arange(1.0, r.size + 1).reshape(r.shape)) for r in results])
        found = chain(output, local=local)
        for symbol in (*found.definitions.values(), *found.contributions.values()):
            assert symbol.expression.size > LONGEST_FORMULA or symbol.text()
        reached = [x for x in leaves if x in found.gradients]
        for x, g in zip(reached, tg.grad(output, reached), strict=True):
            np.testing.assert_allclose(found.gradients[x].value, g.numpy(), rtol=1e-9, atol=1e-12)


def test_names():
    a, b, c = leaf(1.0), leaf(2.0, "a"), leaf(3.0, "a")
    d = a * b * c * tg.Tensor(2.0) * tg.Tensor(np.arange(10.0), name="many words\n")
    read = chain(d)
    assert [read.names[node] for node in (a, b, c, d)] == ["x", "a", "a₂", "y"]
    assert sorted(read.names.values()) == ["a", "a₂", "many words\n", "t₁", "t₂", "t₃", "x", "y"]
    assert read.gradients[a].text() == "2·(Σ ∂L/∂y ⊙ many words)·a₂·a"
    read = chain(d, {"y": a, "t": d})
    assert [read.names[node] for node in (a, b, c, d)] == ["y", "a", "a₂", "t"]


HOSTILE = [
    "a & b",
    "$x$",
    "100%",
    "a_b^c",
    "{",
    "\\",
    '`"',
    "~#",
    "사과",
    "🍎",
    "θ",
    "x₁",
    "<b>",
    "λ_2",
    "∂",
    "layers.0.weight",
    " ",
]


def test_a_tensor_that_is_called_as_the_loss():
    x = leaf([1.0, 2.0], "L")
    read = chain(x * 3.0)
    assert read.gradients[x].text() == "3·∂J/∂y"
    assert chain(x * 3.0, {"y": x}, loss="y").gradients[x].text() == "3·∂y/∂z"

    m = x * 2.0
    read = chain(m * 3.0, {"m": m}, loss="m", local=True)
    assert read.contributions[m, 0].text() == "2·∂m/∂m"  # of two things of one name, and so not 1


def test_the_value_is_the_rules_where_a_plainer_one_is_printed():
    a, b = leaf(0.0, "a"), leaf(0.0, "b")
    found = chain(np.hypot(a, b)).gradients[a]
    assert (found.text(), found.value) == ("a/y", 0.0)


def test_an_op_of_ones_own_may_have_any_name():
    square = op(symbol="f", vjp=(lambda g, y, x: 3 * g * x**2,), examples=[example((3,))])(lambda x: x * x * x)
    square.name = "square"
    x = leaf(2.0, "x")
    assert tg.formula(square(x), x) == "y = square(x) = 8\n∂y/∂x = 3·∂y/∂y·x² = 3x² = 12"


def test_an_op_of_ones_own_says_how_it_is_spelled():
    """In expressions, numbers among them; and, by name, as a call of numbers too."""
    half = op(symbol="½", spelled=lambda s, x: x / 2, vjp=(lambda g, y, x: g / 2,))(lambda x: x / 2)
    many = {"a": lambda s, a, b: -(a + b) * 2, "b": lambda s, a, b: abs(a - b) ** 2, "c": lambda s, a, b: 1 / (a.T @ b)}
    x = leaf([2.0, 3.0], "x")
    assert tg.formula(half(x), x).splitlines()[0] == "y = x/2 = [1. , 1.5]"
    pair = [Symbol("a", 2.0), Symbol("b", 3.0)]
    written = [str(Symbol(spell(Op(np.add, spelled=f), pair, np.array(0.0), {}), 0.0)) for f in many.values()]
    assert written == ["−2·(a+b)", "|a − b|²", "1/(aᵀ @ b)"]
    three = Symbol(number(3), 3.0)
    said = [str(Symbol(spell(Op(np.square, spelled=how), [three], np.array(9), {}), 9.0)) for how in (None, "by name")]
    assert said == ["9", "square(3)"]


def test_under_other_ways_of_recording():
    x = leaf([0.0, 1.0], "x")
    y = np.sum(np.sqrt(x) * 0.0)
    expected = formula(y, x)
    assert expected.endswith("= [nan, 0.]")
    for way in (tg.no_grad, tg.autograd.tracing, tg.detect_anomaly):
        with way():
            assert formula(y, x) == expected


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_plain_text(text):
    x = leaf(2.0, text)
    assert f"∂y/∂{grouped(of_path(text.strip()))}" in tg.formula(x * 3.0, x)
    for line in tg.formula(x * 3.0, x, latex=True).splitlines():
        PARSER.parse(f"${line}$")


def test_products_of_arrays_have_a_sign_of_their_own():
    x, y = Symbol("x", np.ones(3)), Symbol("y", np.ones(3))
    a, b = Symbol("a", 2.0), Symbol("b", 3.0)
    m = Symbol("M", np.ones((3, 3)))
    for symbol, text, latex in (
        (x * y, "x ⊙ y", r"x \odot y"),
        (a * b, "a·b", r"a \cdot b"),
        (a * x, "a·x", r"a \cdot x"),
        (x * a * y, "x·a ⊙ y", r"x \cdot a \odot y"),
        (x * 2 * y, "2x ⊙ y", r"2 x \odot y"),
        (np.exp(x) * 2 * np.exp(y), "2·exp(x) ⊙ exp(y)", r"2 \cdot e^{x} \odot e^{y}"),
        (x * x * y, "x² ⊙ y", r"x^{2} \odot y"),
        (np.sum(x) * y, "(Σ x)·y", None),
        ((m @ x) * y, "(M @ x) ⊙ y", r"\left(M \, x\right) \odot y"),
        (m @ (x * y), "M @ (x ⊙ y)", None),
    ):
        assert symbol.text() == text
        assert latex is None or symbol.latex() == latex
    assert tg.multiply.formula(0) == "∂L/∂a = ∂L/∂y ⊙ b"
    assert tg.square.formula(0, latex=True).endswith(r"\odot 2 x")
    v = leaf(np.ones(3), "v")
    assert tg.formula((v * v).sum(), v).splitlines()[-1].split(" = ")[-2] == "2v", "what comes back is a number"


def test_transposes_of_transposes_go():
    a, b = Symbol("A", np.ones((2, 3))), Symbol("B", np.ones((2, 4)))
    assert a.T.T.text() == "A"
    assert a.T.T.text(simplify=False) == "(Aᵀ)ᵀ"
    assert (a.T @ b).T.text() == "Bᵀ @ A"
    assert (a.T @ b).T.T.text() == "Aᵀ @ B"
    assert (b.T @ a.T.T).text() == "Bᵀ @ A"
    square = Symbol("C", np.ones((3, 3)))
    assert (a @ square).T.text() == "(A @ C)ᵀ", "nothing gets shorter"
    assert (2 * (a.T @ b).T).text() == "2·(Bᵀ @ A)"


def test_powers_fall():
    x, y = Symbol("x", 2.0), Symbol("y", 3.0)
    for symbol, text in (
        (5 - 4 * x + 9 * x**2, "9x² − 4x + 5"),
        (x + x**3, "x³ + x"),
        (y * x + 3 * y * x**2, "3y·x² + y·x"),
        (1 - x**2, "1 − x²"),
        (1 + x, "1 + x"),
        (x + y**2, "x + y²"),
        (1 / x + x**2, "1/x + x²"),
    ):
        assert symbol.text() == text


def test_the_path_of_a_parameter_is_not_read_as_a_number():
    model = nn.Sequential(nn.Linear(2, 3, dtype=float), nn.ReLU(), nn.Linear(3, 1, dtype=float))
    loss = model(tg.Tensor(np.ones((4, 2)))).sum()
    weight = dict(model.named_parameters())["0.weight"]
    assert "∂y/∂weight₀" in tg.formula(loss, weight)
    assert r"\mathrm{weight_{0}}" in tg.formula(loss, weight, latex=True)
    assert weight.name == "0.weight", "by which a state is saved"


def test_names_in_latex():
    names = {
        "x": "x",
        "x1": "x_{1}",
        "x₁₂": "x_{12}",
        "W_h": "W_{h}",
        "θ": r"\theta",
        "λ": r"\lambda",
        "Σ": r"\Sigma",
        "apple": r"\mathrm{apple}",
    }
    assert {name: Symbol(name, 1.0).latex() for name in names} == names


def test_deep_and_wide_records():
    x = leaf(1.0, "x")
    y = x
    for _ in range(60):
        y = y + y * 0.5  # 2⁶⁰ paths
    read = chain(y)
    assert read.gradients[x].value == pytest.approx(1.5**60)
    with pytest.raises(ValueError, match=r"parts is too long to read.*local=True"):
        read.gradients[x].text()
    assert "parts" in repr(read.gradients[x])
    last = tg.formula(y, x).splitlines()[-1]
    assert last.startswith("∂y/∂x = ∂y/∂t₂·1 + ∂y/∂t₁·0.5 = ")
    y = x
    for _ in range(5000):
        y = np.sin(y)
    assert len(chain(y, local=True).contributions) == 5000
    y = x
    for _ in range(LONGEST_FORMULA // 2 - 1):
        y = np.sin(y)
    assert chain(y, inline=True).definitions[y].text().startswith("sin(sin(")


def test_errors():
    x, y = leaf(1.0, "x"), leaf(2.0, "y")
    with pytest.raises(RuntimeError, match="no path from the result of multiply to 'y'"):
        tg.formula(x * 2, y)
    with pytest.raises(RuntimeError, match="no tensor that requires a gradient"):
        tg.formula(tg.Tensor(1.0) * 2, y)
    z = x * y
    z.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        tg.formula(z, x)


def test_a_record_is_only_read():
    x = leaf([1.0, 2.0], "x")
    y = np.sum(x * x)
    tg.formula(y, x)
    assert x.grad is None
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_the_function_and_the_module_share_a_name():
    module = importlib.import_module("tinygrad_edu.formula")
    assert tg.formula is module
    x = leaf(2.0, "x")
    assert tg.formula(x * 3.0, x) == formula(x * 3.0, x) == "y = 3x = 6\n∂y/∂x = ∂y/∂y·3 = 3"
