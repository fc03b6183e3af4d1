"""Figures of computational graphs, as a textbook draws them.

from viz import draw
draw(price).save("price.svg")
"""

from viz.drawing import Drawing, draw
from viz.graph import trace

__all__ = ["Drawing", "draw", "trace"]
