"""`draw`: a figure of a tensor's computational graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from viz.dot import THEMES, drawing, placement, read_heights
from viz.geometry import columns, draw_lines
from viz.graph import Graph, Record
from viz.labels import NumberLabels
from viz.plan import make_plan
from viz.render import graphviz
from viz.scene import Scene


class Drawing:
    """A figure: it shows itself in a notebook, and saves itself in many formats."""

    def __init__(self, graph: Graph, theme: str = "default", timeout: float = 20.0) -> None:
        self.graph, self.theme, self.timeout = graph, THEMES[theme], timeout

    def scene(self) -> Scene:
        plan = make_plan(self.graph, NumberLabels())
        column = columns(plan)
        heights = read_heights(graphviz(placement(plan, column), "dot", "json0", self.timeout))
        return draw_lines(plan, column, heights)

    def dot(self) -> str:
        return drawing(self.scene(), self.theme)

    def save(self, path: str | Path) -> Path:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(graphviz(self.dot(), "nop2", path.suffix[1:], self.timeout))
        return path


def draw(output: Any, **options: Any) -> Drawing:
    return Drawing(Record(output).graph)
