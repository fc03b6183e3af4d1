"""What is written on a block diagram: the sizes of maps, what layers are called, and the whole in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from viz.blocks.network import Fold, Layer, Map, Network, Way
from viz.languages import words
from viz.layout.metrics import text_width
from viz.record.mathematics import mathematical
from viz.wording.labels import clean

LONGEST_NAME_OF_A_MAP = 24  # characters
MOST_BEHIND_A_LAYER = 3  # so many things behind a layer are written one by one
WORDS_OF_MAPS = 12.0  # the font size of what is written
SHORT = {"BatchNorm": "BN", "LayerNorm": "LN", "GroupNorm": "GN", "InstanceNorm": "IN"}
"""What is written on a figure for layers with long names, as papers do; its note says what it stands for."""


@dataclass(frozen=True)
class Naming:
    """The words of a block diagram in a language; sizes: what to write instead of a length, as in {32: "N"}."""

    lang: str
    sizes: Mapping[int, str]

    def size(self, one: Map) -> str:
        """Channels @ height × width; of a vector its length.

        >>> Naming("en", {}).size(Map("v", (6, 28, 28), 2, ()))
        '6 @ 28×28'
        """
        size = "×".join(map(self._length, one.size))
        return f"{self._length(one.channels)} @ {size}" if one.places else self._length(math.prod(one.shape))

    def name(self, one: Map) -> str:
        """The name of a map as it is written, or nothing if it has none."""
        return clean(mathematical(one.name), LONGEST_NAME_OF_A_MAP) if one.name else ""

    def _length(self, n: int) -> str:
        return self.sizes.get(n, str(n))

    def layer(self, layer: Layer) -> list[str]:
        """What a layer is called, and what is unusual about its window, a line each.

        >>> Naming("en", {}).layer(Layer("convolution", kernel=(3, 3), stride=(2, 2), dilation=(1, 1)))
        ['conv 3×3', 'stride 2']
        """
        said = words(self.lang)
        kernel = _alike(layer.kernel, "×", always=True)
        lines = [said[layer.kind].format(kernel=kernel) if layer.kind in said else said.get(layer.name, layer.name)]
        if layer.kind in ("other", "whole"):
            lines = [clean(said.get(layer.name, layer.name).format(kernel="")).strip()]
        pool = layer.kind in ("max_pool", "mean_pool")
        if any(n != 1 for n in layer.stride) and not (pool and layer.stride == layer.kernel):
            lines.append(said["stride"].format(stride=_alike(layer.stride, "×")))
        if any(n != 1 for n in layer.dilation):
            lines.append(said["dilation"].format(dilation=_alike(layer.dilation, "×")))
        if layer.groups > 1 and layer.kind != "depthwise":
            lines.append(said["groups"].format(groups=layer.groups))
        return lines

    def way(self, way: Way) -> list[str]:
        """A layer, and what works number by number behind it."""
        return [*(self.layer(way.layer) if way.layer else []), *self.behind(way.after)]

    def behind(self, after: Sequence[str]) -> list[str]:
        """Name the functions behind a layer that act number by number, a line each; of many, only the first and the last."""
        lines = [SHORT.get(name, clean(name)) for name in after]
        return lines if len(lines) <= MOST_BEHIND_A_LAYER else [lines[0], "⋯", lines[-1]]

    def made(self, one: Map, way: Way | None) -> list[str]:
        """Say how a map is made: by this way or by joining, then what acts on it number by number; a line each."""
        joined = one.join == "concat" and (way is None or way.layer is None)
        first = [words(self.lang)["concat"]] if joined else self.way(way) if way else []
        return [*first, *self.behind(one.after)]

    def shortened(self, network: Network) -> str:
        """What the short names on a figure stand for."""
        written = {name for one in network.maps for after in (one.after, *[way.after for way in one.ways])
                   for name in after if SHORT.get(name) in self.behind(after)}  # fmt: skip
        return ", ".join(f"{SHORT[name]}: {name}" for name in sorted(written))

    def fold(self, fold: Fold) -> str:
        """What stands over parts that are equal."""
        return f"{clean(fold.name)} × {fold.times}".strip()

    def sentences(self, network: Network) -> Iterator[str]:
        """A sentence for each map, and one for what is drawn once and stands for several."""
        said, maps = words(self.lang), network.by_id
        ends = {fold.maps[-1]: fold for fold in network.folds}
        for one in network.maps:
            name = f"{self.name(one)}: " if one.name else ""
            ways = [self._sentence(way, maps[way.source]) for way in one.ways]
            if not ways:
                yield f"{name}{self.size(one)}."
            else:
                joined = f"{said['concat']} ({', '.join(ways)})" if one.join == "concat" else f" {one.join} ".join(ways)
                after = "".join(f", {line}" for line in map(clean, one.after))
                yield f"{name}{joined}{after} → {self.size(one)}."
            if one.id in ends:
                fold = ends[one.id]
                yield said["again"].format(n=len(fold.maps), times=fold.times, name=self.fold(fold))

    def _sentence(self, way: Way, source: Map) -> str:
        """Say in full which layer and functions a way applies to its source, with the padding."""
        parts = [clean(part) for part in (*(self.layer(way.layer) if way.layer else []), *way.after)]
        padding = way.layer.padding if way.layer else ()
        if any(n for pair in padding for n in pair):
            alike = len({n for pair in padding for n in pair}) == 1
            parts.insert(1, words(self.lang)["padding"].format(padding=padding[0][0] if alike else padding))
        return f"{self.size(source)} ({', '.join(parts)})" if parts else self.size(source)


def _alike(numbers: Sequence[int], between: str, always: bool = False) -> str:
    """Several numbers; if they are alike, one of them, unless all are `always` written."""
    if len(set(numbers)) == 1 and not always:
        return str(numbers[0])
    return between.join(map(str, numbers))


def packed(said: Sequence[str], width: float) -> list[str]:
    """What is said in lines of at most this width, several things in a line where there is room.

    >>> packed(["conv 3×3", "BN", "ReLU"], 90.0)
    ['conv 3×3, BN', 'ReLU']
    """
    lines: list[str] = []
    parts = [(", " if k == 0 else " ", part) for one in said for k, part in enumerate(one.split("\n"))]
    width = max([width, *[text_width(part, WORDS_OF_MAPS) for _, part in parts]])
    for between, part in parts:
        longer = f"{lines[-1]}{between}{part}" if lines else part
        if lines and text_width(longer, WORDS_OF_MAPS) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines
