"""The rooms of the project: imports run one way, the package needs NumPy alone, and no file knows one machine."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tinygrad_edu.engine import registry
from tinygrad_edu.engine.registry import OPS

ROOT = Path(__file__).parents[2]

ENGINE = [
    "arguments", "signatures", "registry", "node", "recording", "refusals", "source", "graph", "presence",
    "differentiate", "origins", "backward", "tables", "protocols", "methods", "attached", "writing", "elsewhere",
    "tensor", "example", "rules", "calls", "plans", "op", "evaluate", "folded", "derived", "transforms", "checkpoint",
]  # fmt: skip
"""The pages of the engine, in reading order: none needs one that comes later."""

LEVELS = [
    {"tinygrad_edu.engine"},
    *[{f"tinygrad_edu.engine.{page}"} for page in ENGINE[:5]],
    {"tinygrad_edu.random"},
    *[{f"tinygrad_edu.engine.{page}"} for page in ENGINE[5:]],
    {"tinygrad_edu.autograd", "tinygrad_edu.creation", "tinygrad_edu.op", "tinygrad_edu.tensor"},
    {"tinygrad_edu.threads"},
    {"tinygrad_edu.ops"},
    {"tinygrad_edu.linalg", "tinygrad_edu.formula"},
    {"tinygrad_edu"},  # the public names
    {"tinygrad_edu.data", "tinygrad_edu.nn", "tinygrad_edu.testing"},
    {"tinygrad_edu.optim"},
    {"tinygrad_edu.program", "tinygrad_edu.reading"},
    {"tinygrad_edu.models", "tinygrad_edu.train"},
    {"tinygrad_edu.export", "tinygrad_edu.sklearn"},
    {"viz.options", "viz.languages"},
    {"viz.record"},
    {"viz.layout"},
    {"viz.theme"},
    {"viz.look"},
    {"viz.wording"},
    {"viz.annotate", "viz.emphasis", "viz.folded"},
    {"viz.legend"},
    {"viz.formats"},
    {"viz.files", "viz.showing"},
    {"viz.picture"},
    {"viz.fitted"},
    {"viz.drawing"},
    {"viz.memory", "viz.blocks"},
    {"viz.figure", "viz.command", "viz.plots", "viz.worksheet"},
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

OF_SOME = {
    "tinygrad_edu.ops.network.convolution.fast": {"numba", "llvmlite"},
    "tinygrad_edu.program.xla": {"jax"},
}
"""The inner rooms that are for those who have a package; what takes one imports it when it does."""


def test_the_engine_needs_numpy_alone():
    for path in files():
        if name_of(path).startswith("tinygrad_edu") and room(name_of(path)) not in OF_EXTRAS:
            inner = [inside for inside in OF_SOME if name_of(path).startswith(inside)]
            allowed = OF_SOME[inner[0]] if inner else set()
            named = imports(path, inside_functions=False)
            others = {module.split(".")[0] for module in named}
            assert others <= {"numpy", "tinygrad_edu", *allowed, *sys.stdlib_module_names}, path
            assert allowed or not any(module.startswith(tuple(OF_SOME)) for module in named), path


LATER = ("tinygrad_edu.ops.linalg", "tinygrad_edu.ops.nan", "tinygrad_edu.ops.sets", "tinygrad_edu.ops.network.losses", "tinygrad_edu.engine.transforms", "tinygrad_edu.nn",
         "dataclasses", "difflib", "threading")  # fmt: skip


def test_what_few_programs_need_is_loaded_when_it_is_asked_for():
    code = f"""
import gc, pickle, sys
import numpy as np
import tinygrad_edu as tg
print([name for name in {LATER} if name in sys.modules], gc.isenabled())
x = tg.Tensor([[2.0]], requires_grad=True)
print(np.linalg.inv(x).op.name, tg.hessian(lambda t: (t * t).sum(), 1.0).item(), tg.ops.network.losses.__name__)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n") == ["[] True", "inv 2.0 tinygrad_edu.ops.network.losses", ""]


def test_pages_that_are_loaded_later_are_found_by_all_that_they_answer_for():
    later = {page for name, page in registry.LATER.items() if name != "numpy.linalg"}
    found = {}
    for key, call in registry.ANSWERS.items():
        module = getattr(getattr(call, "answer", None), "__module__", None)
        if module in later and not isinstance(key, str):
            found[f"{key[0].__name__}.{key[1]}" if isinstance(key, tuple) else key.__name__] = module
    assert found == {name: page for name, page in registry.LATER.items() if page in later}


def test_what_is_loaded_later_is_there_by_its_name():
    code = """
import tinygrad_edu as tg
from tinygrad_edu import nansum
assert nansum is vars(tg)["nansum"] and tg.ops.sets.unique is tg.unique
print([name for name in tg.__all__ if getattr(tg, name, None) is None])
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_an_op_that_is_loaded_later_can_be_unpickled():
    made = pickle.dumps(OPS["selu"])
    code = f"import pickle, tinygrad_edu; print(pickle.loads({made!r}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "<op selu>\n"


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


def test_each_package_lists_its_pages():
    """The engine in its reading order; ops and its rooms by what one looks for."""
    files = ("export/onnx_files/writing", "export/onnx_files/reading")
    for folder in ("engine", "ops", "ops/network", "ops/linalg", *files):
        path = ROOT / "tinygrad_edu" / folder
        said = ast.get_docstring(ast.parse((path / "__init__.py").read_text(encoding="utf-8"))) or ""
        listed = re.findall(r"^    (\w+)/? {1,}\S", said, re.MULTILINE)
        rooms = {p.parent.name for p in path.glob("*/__init__.py")}
        assert sorted(listed) == sorted({p.stem for p in path.glob("*.py")} - {"__init__"} | rooms), folder
        if folder == "engine":
            assert listed == ENGINE


# ---------------------------------------------------------------------------------------------------
# Circles, lengths, privates


def arrows() -> dict[str, set[str]]:
    """For each page of the packages, the pages that it imports when it is imported."""
    pages = {name_of(path): path for path in files() if name_of(path).split(".")[0] in ("tinygrad_edu", "viz")}
    found: dict[str, set[str]] = {}
    for page, path in pages.items():
        found[page] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found[page].add(inner if inner in pages else node.module)
            elif isinstance(node, ast.Import):
                found[page] |= {alias.name for alias in node.names}
        found[page] &= set(pages) - {page}
    return found


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """Pages that import each other in a circle; none, if there is no circle.

    What no page that is left imports is taken away, and what imports none, until nothing changes.
    """
    left = set(arrows)
    while True:
        ends = {page for page in left if not arrows[page] & left}
        starts = left - {target for page in left for target in arrows[page]}
        if not ends | starts:
            return sorted(left)
        left -= ends | starts


def test_no_pages_import_each_other_in_a_circle():
    assert circle(arrows()) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


LENGTHS = {"tinygrad_edu/engine": 320, "tinygrad_edu": 450, "viz": 450, "examples": 450, "tests": 1000}
"""The most lines that a page may have, by the folder it is in: the longest name that fits is the one that counts."""

LONGER = {
    "tinygrad_edu/engine/tensor.py": 700,
    "tinygrad_edu/engine/op.py": 700,
}
"""Pages with a limit of their own. Those that are to be shorter have today's length, and may only shrink."""


def most_lines(page: str) -> int:
    """How long a page may be, by its path."""
    folder = max((folder for folder in LENGTHS if page.startswith(f"{folder}/")), key=len)
    return LONGER.get(page, LENGTHS[folder])


def test_no_page_is_longer_than_it_may_be():
    for path in files():
        page = path.relative_to(ROOT).as_posix()
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= most_lines(page), f"{page} has {lines} lines; a page a concept: split it"


def test_what_a_subclass_has_to_write_is_told():
    """A method that is not written yet says which one, and is not a bare error."""
    for path in files():
        if name_of(path).startswith(("tinygrad_edu", "viz")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Raise):
                    assert ast.unparse(node) != "raise NotImplementedError", f"{path}, line {node.lineno}"


def test_limits_of_their_own_are_needed():
    for page, most in LONGER.items():
        lines = len((ROOT / page).read_text(encoding="utf-8").splitlines())
        usual = LENGTHS["tinygrad_edu/engine" if "/engine/" in page else "tinygrad_edu"]
        assert lines > usual, f"{page} has {lines} lines: the limit of the others will do"
        if most not in (700,):
            assert lines > 0.9 * most, f"{page} has {lines} lines: lower its limit to that"


SAME_NAMES = {"VERSION": "each format of files counts its own"}
"""Constants of one name that mean several things, with reasons."""


def numbers_named(tree: ast.Module) -> set[str]:
    """The public constants of a page that are numbers, such as limits, sizes and gaps."""
    return {
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id[0] != "_"
        if node.targets[0].id.isupper()
        if all(
            isinstance(n, ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop)
            for n in ast.walk(node.value)
        )
        if all(isinstance(n.value, int | float) for n in ast.walk(node.value) if isinstance(n, ast.Constant))
    }


def test_a_limit_has_a_name_of_its_own():
    pages: dict[str, list[str]] = {}
    for path in files():
        if name_of(path).split(".")[0] in ("tinygrad_edu", "viz"):
            for constant in numbers_named(ast.parse(path.read_text(encoding="utf-8"))):
                pages.setdefault(constant, []).append(name_of(path))
    assert {constant for constant, found in pages.items() if len(found) > 1} == set(SAME_NAMES)


def test_a_number_with_a_name_is_seen():
    page = "A = 1 << 17\nB = 2.5 * 96.0\nC = -2\nD = 'x'\n_E = 3\nF = len(x)\nWIDTH, HEIGHT = 1, 2\nNAMES = {1: 2}"
    assert numbers_named(ast.parse(page)) == {"A", "B", "C"}


FOREIGN = {
    "_make": "a method of every named tuple, documented",
    "_replace": "a method of every named tuple, documented",
    "_fields": "the names in every named tuple, documented",
    "_getframe": "sys: the frames of the caller; documented, of CPython",
    "_current_frames": "sys: the frames of other threads; documented, of CPython",
    "_NoValue": "NumPy: an argument left out, where None is a value",
    "_option_string_actions": "argparse: the options that there are, which it tells in no other way",
    "_check_sample_weight": "scikit-learn: what its own estimators check weights by",
}
"""The private names of other libraries that are used, with reasons."""

SHARED = {
    ("tinygrad_edu.tensor", "_rebuild"): "the name by which pickles made before find it",
}
"""The private names that a package takes of another of the house, with reasons."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def package(module: str) -> str:
    """The package of a module: a room of tinygrad_edu, or viz."""
    return ".".join(module.split(".")[:2]) if module.startswith("tinygrad_edu") else module.split(".")[0]


def privates_declared(tree: ast.AST) -> set[str]:
    """The private names that a page gives: to functions, classes, variables, slots, and attributes of `self`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id="__slots__")], value=value):
                found |= {c.value for c in ast.walk(value) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return {name for name in found if is_private(name)}


def privates_taken(tree: ast.AST) -> set[str]:
    """The private names that a page uses of something else than `self`, or imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name):
                found.add(name)
            case ast.ImportFrom(names=names):
                found |= {alias.name for alias in names}
    return {name for name in found if is_private(name)}


def test_no_package_uses_the_private_names_of_another():
    own: dict[str, set[str]] = {}
    taken: dict[str, set[str]] = {}
    for path in files():
        if not name_of(path).startswith("tests"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            own.setdefault(package(name_of(path)), set()).update(privates_declared(tree))
            taken[name_of(path)] = privates_taken(tree)
    used = set()
    for page, names in taken.items():
        for name in names - own[package(page)]:
            assert name in FOREIGN or (page, name) in SHARED, f"{page} uses {name}, which is private elsewhere"
            used.add(name if name in FOREIGN else (page, name))
    assert used == set(FOREIGN) | set(SHARED), "a reason is given for a name that nobody uses"


def test_a_private_name_of_another_package_is_seen():
    page = "from a import _b\nclass C:\n    __slots__ = ('_d',)\n    def f(self):\n        self._e = x._g\n        return self._h\n"
    assert privates_taken(ast.parse(page)) == {"_b", "_g"}
    assert privates_declared(ast.parse(page)) == {"_d", "_e"}


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
