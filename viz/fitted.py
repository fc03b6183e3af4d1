"""`Fitted`, a picture that is drawn to fit a page, or with letters of a size: how large it is."""

from __future__ import annotations

from typing import ClassVar

from viz.layout.page import room_on
from viz.layout.plan import FONT
from viz.layout.scene import Scene
from viz.picture import Picture, smallest


class Fitted(Picture):
    """The base of figures that `fit=` and `font_size=` make larger or smaller as a whole.

    usual_letters: the size of most letters in a scene.
    """

    usual_letters: ClassVar[float] = FONT

    @property
    def zoom(self) -> float:
        """How many times as large as in the scene everything is drawn, to fill its page or to have letters of a size."""
        return self._zoom(self.scene)

    def _zoom(self, scene: Scene) -> float:
        """How many times as large everything would be drawn, if this were the scene."""
        if not self.look.page:
            return (self.look.font_size or self.usual_letters) / self.usual_letters
        left, bottom, right, top = scene.bounds()
        width, height = room_on(self.look.page)
        return min(width / max(right - left, 1.0), height / max(top - bottom, 1.0))

    def _letters(self, scene: Scene) -> float:
        """How high the smallest letters of this scene would be, in points."""
        return self._zoom(scene) * smallest(scene)
