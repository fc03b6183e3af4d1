"""`Fitted`, a picture that is drawn to fit a page, or with letters of a size: how large it is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar

from viz.formats.pptx import scale_on_slide
from viz.layout.page import READABLE_LETTERS, room_on
from viz.layout.plan import FONT
from viz.layout.scene import Scene
from viz.look import PLACED
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

    def slides(self, hidden: Sequence[AbstractSet[str]], background: str | None = None) -> bytes:
        """A presentation; warns if nobody could read it, unless the figure was fitted to a page, which says so itself."""
        letters = smallest(self.scene) * scale_on_slide(self.scene)
        if letters < READABLE_LETTERS and not self.look.page and self.look.style in PLACED:
            warnings.warn(
                f"on a slide the letters of this figure are {letters:.1f} points high; draw(…, fit='16:9') puts it into "
                "rows, with larger ones",
                stacklevel=4,
            )
        return super().slides(hidden, background)
