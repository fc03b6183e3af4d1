"""Figures of computational graphs, as a textbook draws them.

from viz import draw
draw(price).save("price.svg")
"""

from viz.drawing import Drawing
from viz.figure import draw, draw_backward
from viz.memory.memory_map import MemoryMap
from viz.picture import Picture
from viz.record.graph import Graph
from viz.record.record import trace
from viz.worksheet import worksheet

__all__ = ["Drawing", "Graph", "MemoryMap", "Picture", "draw", "draw_backward", "trace", "worksheet"]
