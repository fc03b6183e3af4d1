"""The rooms of the project: imports run one way, the package needs NumPy alone, and no file knows one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENGINE = [
    "arguments", "signatures", "registry", "node", "recording", "refusals", "source", "graph", "presence",
    "differentiate", "origins", "backward", "tables", "protocols", "methods", "attached", "writing", "elsewhere",
    "tensor", "example", "rules", "calls", "plans", "op", "evaluate", "folded", "transforms", "checkpoint",
]  # fmt: skip
"""The pages of the engine, in reading order: none needs one that comes later."""

LEVELS = [
    {"tinygrad_edu.engine"},
    *[{f"tinygrad_edu.engine.{page}"} for page in ENGINE[:5]],
    {"tinygrad_edu.random"},
    *[{f"tinygrad_edu.engine.{page}"} for page in ENGINE[5:]],
    {"tinygrad_edu.autograd", "tinygrad_edu.creation", "tinygrad_edu.op", "tinygrad_edu.tensor"},
    {"tinygrad_edu.ops"},
    {"tinygrad_edu.linalg", "tinygrad_edu.formula"},
    {"tinygrad_edu"},  # the public names
    {"tinygrad_edu.data", "tinygrad_edu.nn", "tinygrad_edu.testing"},
    {"tinygrad_edu.optim"},
    {"tinygrad_edu.program", "tinygrad_edu.reading"},
    {"tinygrad_edu.models", "tinygrad_edu.train"},
    {"tinygrad_edu.sklearn"},
    {"viz.options", "viz.languages"},
    {"viz.record"},
    {"viz.layout"},
    {"viz.theme"},
    {"viz.wording"},
    {"viz.formats"},
    {"viz.picture"},
    {"viz.drawing"},
    {"viz.memory"},
    {"viz.annotate"},
    {"viz.figure", "viz.command", "viz.plots"},
    {"viz"},
    {"viz.__main__"},
    {"examples"},
    {"tests"},
]
"""The rooms, lowest first: a file imports from lower ones and from its own."""


def room(module: str) -> str:
    """The room that a module of the project is in."""
    parts = module.split(".")
    deep = 3 if parts[:2] == ["tinygrad_edu", "engine"] else 2
    return ".".join(parts[:deep]) if parts[0] in ("tinygrad_edu", "viz") else parts[0]


def level(module: str) -> int:
    return next(i for i, rooms in enumerate(LEVELS) if room(module) in rooms)


def files() -> list[Path]:
    return [p for folder in ("tinygrad_edu", "viz", "tests", "examples") for p in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path, *, inside_functions: bool) -> list[str]:
    """The modules that a file names; those imported inside functions, or for a type checker alone, only if asked for."""
    found: list[str] = []

    def read(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: imports are absolute"
                module = child.module or ""
                whole = module in ("tinygrad_edu", "tinygrad_edu.engine")  # names of pages stand in it
                found.extend(f"{module}.{alias.name}" if whole else module for alias in child.names)
            elif inside_functions or not (
                isinstance(child, ast.FunctionDef)
                or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
            ):
                read(child)

    read(ast.parse(path.read_text(encoding="utf-8")))
    return found


def is_public_name(module: str) -> bool:
    """`from tinygrad_edu import Tensor`: a name of the package rather than a room."""
    parts = module.split(".")
    return len(parts) == 2 and not (
        (ROOT / "tinygrad_edu" / parts[1]).is_dir() or (ROOT / "tinygrad_edu" / f"{parts[1]}.py").exists()
    )


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_imports_run_one_way(path):
    for module in imports(path, inside_functions=False):
        if module.split(".")[0] in {"tinygrad_edu", "viz", "tests", "examples"}:
            target = "tinygrad_edu" if is_public_name(module) else module
            own = name_of(path)
            assert room(target) == room(own) or level(target) < level(own), (
                f"{own} imports {module}, which is not below it"
            )


def test_the_package_does_not_know_what_draws_it():
    for path in files():
        if name_of(path).startswith("tinygrad_edu"):
            assert not any(
                module.split(".")[0] in {"viz", "tests", "examples"} for module in imports(path, inside_functions=True)
            ), path


OF_EXTRAS = {"tinygrad_edu.testing", "tinygrad_edu.sklearn"}
"""The rooms that are for those who have hypothesis, or scikit-learn."""


def test_the_engine_needs_numpy_alone():
    for path in files():
        if name_of(path).startswith("tinygrad_edu") and room(name_of(path)) not in OF_EXTRAS:
            others = {module.split(".")[0] for module in imports(path, inside_functions=False)}
            assert others <= {"numpy", "tinygrad_edu", *sys.stdlib_module_names}, path


def test_the_check_sees_an_import_that_runs_upwards(tmp_path):
    below = tmp_path / "op.py"
    below.write_text(
        "import os\nfrom tinygrad_edu import nn\nif True:\n    import viz.formats.dot\ndef f():\n    import torch\n"
    )
    assert imports(below, inside_functions=False) == ["os", "tinygrad_edu.nn", "viz.formats.dot"]
    assert imports(below, inside_functions=True)[-1] == "torch"
    assert level("tinygrad_edu.nn.module") > level("tinygrad_edu.op") > level("tinygrad_edu.engine.op")
    assert level("tinygrad_edu.engine.op") > level("tinygrad_edu.engine.tensor") > level("tinygrad_edu.engine.graph")
    assert level("viz.formats.dot") > level("tinygrad_edu.nn")
    assert is_public_name("tinygrad_edu.Tensor")
    assert not is_public_name("tinygrad_edu.nn")


def test_no_file_names_a_folder_of_one_machine():
    kept = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = kept.stdout.split("\0") if kept.returncode == 0 else [str(p.relative_to(ROOT)) for p in files()]
    pattern = re.compile(r"(?<![\w.])/(?:" + "|".join(["home", "root", "Users", "work", "mnt"]) + r")/\w")
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yml", ".svg", ".json", ".txt", ""} and path.is_file():
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{name} names {found.group() if found else ''}"


def test_the_pages_of_the_engine_are_those_in_its_reading_order():
    assert {p.stem for p in (ROOT / "tinygrad_edu" / "engine").glob("*.py")} == {"__init__", *ENGINE}


VERBS = {"computed", "made", "instead"}
"""What a watcher does: `engine.recording.Watcher`."""


def lines_of_the_watcher(text: str) -> set[int]:
    """The lines of a source that name the watcher, or call what it does under whatever name."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        call = node.func if isinstance(node, ast.Call) else None
        if (
            (isinstance(node, ast.Name) and node.id == "watcher")
            or (isinstance(node, ast.Attribute) and node.attr == "watcher")
            or (isinstance(node, ast.keyword | ast.arg) and node.arg == "watcher")
            or (isinstance(call, ast.Attribute) and call.attr in VERBS)
            or (isinstance(node, ast.Constant) and node.value == "watcher")
        ):
            found.add(node.lineno)
    return found


def test_the_watcher_is_asked_in_few_lines():
    """The plain engine, its layers and optimizers stand outside `program`; what watches them stands in it."""
    tree = ast.parse((ROOT / "tinygrad_edu" / "engine" / "recording.py").read_text(encoding="utf-8"))
    classes = {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {part.name for part in classes["Watcher"] if isinstance(part, ast.FunctionDef)} == VERBS
    fields = {
        ast.unparse(part.target): ast.unparse(part.annotation)
        for part in classes["Recording"]
        if isinstance(part, ast.AnnAssign)
    }
    assert [name for name, kind in fields.items() if "Watcher" in kind or kind == "Any"] == ["watcher"]
    outside = {
        path: lines_of_the_watcher(path.read_text(encoding="utf-8"))
        for path in files()
        if name_of(path).startswith("tinygrad_edu") and room(name_of(path)) != "tinygrad_edu.program"
    }
    asked = {name_of(path).split(".")[-1]: len(lines) for path, lines in outside.items() if lines}
    assert set(asked) == {"recording", "op", "tensor"}
    assert sum(asked.values()) <= 15


def test_the_check_sees_a_watcher_under_another_name():
    text = "tape = RECORDING.get().watcher\nif tape:\n    tape.made(x)\nrecording(watcher=1)\norigin.made < x.made"
    assert lines_of_the_watcher(text) == {1, 3, 4}
