"""Equal parts of a network that follow each other, drawn once and counted: "BasicBlock × 3"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from viz.blocks.network import Fold, Map, Network

LEAST_LAYERS_ALONE = 3  # so many equal layers are counted, if each is a part of its own
LEAST_MAPS_OF_A_LONG_PART = 12  # maps, from which on a part may go on in another row
MOST_PARTS_OF_A_REPEAT = 8  # parts of a network that repeat together, at most


def folded(network: Network) -> Network:
    """The network with equal parts that follow each other drawn once."""
    parts = split(network)
    kinds = [_kind(network, parts, k) for k in range(len(parts))]
    k, gone, folds, moved = 1, set[str](), list[Fold](), dict[str, str]()
    while k < len(parts):
        period, times = _repeat(kinds, k)
        own = [one for part in parts[k : k + period] for one in part]
        if times < 2 or (times < LEAST_LAYERS_ALONE and _is_one_layer(own)):
            k += 1
            continue
        again = [one.id for part in parts[k + period : k + period * times] for one in part]
        folds.append(Fold(tuple(one.id for one in own), times, _name(own, parts[k + period])))
        moved[again[-1]] = own[-1].id
        gone.update(again)
        k += period * times
    kept = [replace(one, ways=tuple(replace(way, source=moved.get(way.source, way.source)) for way in one.ways))
            for one in network.maps if one.id not in gone]  # fmt: skip
    names = {one.id: one.name for one in network.maps if one.name}
    called = {moved[id]: name for id, name in names.items() if id in moved}
    return Network(tuple(replace(one, name=called.get(one.id, one.name)) for one in kept), tuple(folds))


def split(network: Network) -> list[list[Map]]:
    """The parts of a network, each of which ends in a map that everything after it is computed from."""
    place = {one.id: k for k, one in enumerate(network.maps)}
    last = dict(place)  # the last map that is made of each
    for one in network.maps:
        for way in one.ways:
            last[way.source] = max(last[way.source], place[one.id])
    parts: list[list[Map]] = [[]]
    reach = 0
    for k, one in enumerate(network.maps):
        parts[-1].append(one)
        if reach <= k and all(place[way.source] <= k for way in one.ways):
            parts.append([])
        reach = max(reach, last[one.id])
    return [part for part in parts if part]


def _kind(network: Network, parts: Sequence[Sequence[Map]], k: int) -> Any:
    """Return a key that is equal for equal parts: the shape they read, their maps, and the layers between these."""
    place = {one.id: i for i, one in enumerate(network.maps)}
    first = place[parts[k][0].id]
    read = network.maps[first - 1].shape if first else ()
    kinds = [
        (one.shape, one.join, one.after, tuple((place[way.source] - first, way.layer, way.after) for way in one.ways))
        for one in parts[k]
    ]
    return read, tuple(kinds)


def _repeat(kinds: Sequence[Any], start: int) -> tuple[int, int]:
    """Return how many parts from `start` on repeat together, and how often: the choice that leaves out most parts."""
    best = 1, 1
    for period in range(1, min(MOST_PARTS_OF_A_REPEAT, (len(kinds) - start) // 2) + 1):
        times = 1
        while kinds[start + times * period : start + (times + 1) * period] == kinds[start : start + period]:
            times += 1
        if period * (times - 1) > best[0] * (best[1] - 1):
            best = period, times
    return best


def _is_one_layer(own: Sequence[Map]) -> bool:
    """Whether a part is a single layer, and not a module with layers in it."""
    return len(own) == 1 and not any(way.layer and way.layer.inside for way in own[0].ways)


def _name(own: Sequence[Map], following: Sequence[Map]) -> str:
    """The kind of the module whose call the maps are, if it is one."""
    if len(own) == 1:
        return ""
    calls = [part for part in own[-1].scope if all(part in one.scope for one in own)]
    others = {part for one in following for part in one.scope}
    return next((part.kind for part in calls if part not in others), "")


def breakable(network: Network) -> list[list[Map]]:
    """Return the parts between which a row may end: those of `split`, long ones cut where no layer leads across."""
    place = {one.id: k for k, one in enumerate(network.maps)}
    crossing = [(place[way.source], place[one.id], way) for one in network.maps for way in one.ways]
    found: list[list[Map]] = []
    for part in split(network):
        found.append([])
        for one in part:
            found[-1].append(one)
            k = place[one.id]
            plain = all(way.layer is None for start, end, way in crossing if start < k < end)
            on = k + 1 < len(network.maps) and any(way.source == one.id for way in network.maps[k + 1].ways)
            if len(part) >= LEAST_MAPS_OF_A_LONG_PART and plain and on and one is not part[-1]:
                found.append([])
    return found
