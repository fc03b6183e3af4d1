"""What a type checker knows of the package: how many parameters have a type, and what a user's script is told."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinygrad_edu as tg

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinygrad_edu"
SCRIPT = Path(__file__).with_name("typed.py")

MOST = 0.15
"""The share of parameters that may be without a type."""


CLASSES = {
    "tinygrad_edu.engine.tensor": "Tensor",
    "tinygrad_edu.engine.protocols": "NumPyProtocols",
    "tinygrad_edu.engine.methods": "TensorMethods",
}
"""The pages of the engine on which a tensor's methods stand."""

ROOMS = {
    "Tensor": list(CLASSES),
    "nn": ["tinygrad_edu.nn"],
    "optim": ["tinygrad_edu.optim"],
    "data": ["tinygrad_edu.data"],
}


def aliases_of_any(pages: dict[str, ast.Module]) -> dict[str, set[str]]:
    """On each page, by the name of its module: `Any`, and the names that stand for it there, such as `Node = Any`."""
    known = {module: {"Any"} for module in pages}
    for _ in range(3):  # from page to page, whatever their order
        for module, tree in pages.items():
            for node in ast.walk(tree):
                match node:
                    case ast.ImportFrom(module=other, names=names) if other in known:
                        known[module] |= {name.asname or name.name for name in names if name.name in known[other]}
                    case (
                        ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() | ast.BinOp() as value)
                        | ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias"), value=value)
                    ) if says_nothing(value, known[module]):
                        known[module].add(name)
    return known


def says_nothing(annotation: ast.expr | None, aliases: set[str]) -> bool:
    """Whether a parameter's annotation is missing, is one of the aliases, or is a union with one of them."""
    match annotation:
        case None:
            return True
        case ast.Constant(value=str(text)):
            return says_nothing(ast.parse(text, mode="eval").body, aliases)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in aliases
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return says_nothing(left, aliases) or says_nothing(right, aliases)
        case ast.Subscript(value=ast.Name(id="Optional" | "Union" | "Annotated"), slice=part):
            parts = part.elts if isinstance(part, ast.Tuple) else [part]
            return any(says_nothing(p, aliases) for p in parts)
    return False


def parameters(function: ast.FunctionDef, of_class: bool) -> Iterator[tuple[str, ast.expr | None]]:
    """The parameters of a function, with their annotations; without `self`."""
    a = function.args
    named = [*a.posonlyargs, *a.args]
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    for argument in [
        *named[of_class and not static :],
        *filter(None, [a.vararg]),
        *a.kwonlyargs,
        *filter(None, [a.kwarg]),
    ]:
        yield f"{function.name}({argument.arg})", argument.annotation


def is_overload(function: ast.FunctionDef) -> bool:
    """Whether it is one of several ways to call the function that follows, which is counted itself."""
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in function.decorator_list)


def written(tree: ast.Module, only: str | None = None) -> Iterator[tuple[str, ast.expr | None]]:
    """The parameters of the functions and methods on a page, or of one of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and only is None and not is_overload(node):
            yield from parameters(node, of_class=False)
        if isinstance(node, ast.ClassDef) and only in (None, node.name):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and not is_overload(part):
                    yield from (
                        (f"{node.name}.{name}", annotation) for name, annotation in parameters(part, of_class=True)
                    )


def public() -> Iterator[tuple[str, str, ast.expr | None]]:
    """The parameters of the functions in `tg.__all__`, with the module of each: of an op, those of its own signature."""
    for name in tg.__all__:
        value = getattr(tg, name)
        if inspect.isclass(value) or inspect.ismodule(value):
            continue
        found = value.parameters() if hasattr(value, "parameters") else inspect.signature(value).parameters.values()
        for parameter in found:
            given = parameter.annotation
            text = given if isinstance(given, str) else getattr(given, "__name__", None)
            known = given is not parameter.empty and text is not None
            yield value.__module__, f"tg.{name}({parameter.name})", ast.parse(text, mode="eval").body if known else None


def counted() -> dict[str, tuple[int, list[str]]]:
    """By room: how many parameters there are, and those without a type."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    pages = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in paths.items()}
    aliases = aliases_of_any(pages)
    found = {"tg": list(public())}
    for room, modules in ROOMS.items():
        found[room] = [
            (module, name, given)
            for module, tree in pages.items()
            if any(f"{module}.".startswith(f"{one}.") for one in modules)
            for name, given in written(tree, CLASSES.get(module))
        ]
    return {
        room: (len(all_of), [name for module, name, given in all_of if says_nothing(given, aliases[module])])
        for room, all_of in found.items()
    }


def test_most_parameters_have_a_type():
    """`Any`, an alias of it or nothing stands at few parameters of what a user calls."""
    rooms = counted()
    share = sum(len(untyped) for _, untyped in rooms.values()) / sum(n for n, _ in rooms.values())
    assert share <= MOST, {room: f"{len(untyped)} of {n}: {untyped}" for room, (n, untyped) in rooms.items()}


@pytest.mark.parametrize(
    ("annotation", "nothing"),
    [("", True), (": Any", True), (": Any | None", True), (": Node", True), (": 'Node'", True), (": Optional[Any]", True),
     (": int", False), (": list[Any]", False), (": Callable[..., Any]", False), (": Tensor | None", False)],
)  # fmt: skip
def test_the_count_sees_what_says_nothing(annotation, nothing):
    page = ast.parse(f"Node = Any\nclass C:\n    def f(self, x{annotation}): ...\n")
    [(name, given)] = written(page)
    assert name == "C.f(x)"
    assert says_nothing(given, aliases_of_any({"page": page})["page"]) is nothing


# ---------------------------------------------------------------------------------------------------
# A user's script, run and read


def test_the_script_runs():
    subprocess.run([sys.executable, SCRIPT], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def test_mypy_knows_what_the_script_computes(tmp_path):
    pytest.importorskip("mypy", reason="pip install mypy")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(SCRIPT)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_pyright_knows_what_the_script_computes(tmp_path):
    """In the form of basedpyright, which brings all that it needs."""
    pytest.importorskip("basedpyright", reason="pip install basedpyright")
    settings = {
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "extraPaths": [str(ROOT)],
        "include": [str(SCRIPT)],
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--project",
        str(tmp_path),
        "--pythonpath",
        sys.executable,
        "--outputjson",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    told = json.loads(result.stdout)
    assert told["summary"]["filesAnalyzed"] == 1, result.stderr
    errors = [d for d in told["generalDiagnostics"] if d["severity"] == "error"]
    assert not errors, "\n".join(f"line {d['range']['start']['line'] + 1}: {d['message']}" for d in errors)
