"""How each op's forward is called by its examples: on which arrays, with which settings. For the peers that run forwards."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn
import tinygrad_edu.ops
from tinygrad_edu import autograd
from tinygrad_edu.engine.registry import OPS

for _page in pkgutil.walk_packages(tinygrad_edu.ops.__path__, "tinygrad_edu.ops."):
    if ".fast" not in _page.name:
        import_module(_page.name)  # which declares its ops

WITHOUT_EXAMPLES = {"item", "alias", "full_svd", "complete_qr"}
"""They are called by others alone, or refuse to be differentiated."""

ALL = {name: op for name, op in OPS.items() if name not in WITHOUT_EXAMPLES and op.examples}


def _tensors(x):
    if isinstance(x, list):
        return [_tensors(part) for part in x]
    return tg.Tensor(x) if isinstance(x, np.ndarray) else x


def calls(op):
    """(arrays, settings) of the node that each example leaves."""
    found = []
    for example in op.examples:
        args, settings = example.draw(np.random.default_rng(0), op.domains)
        with autograd.tracing():
            made = op(*map(_tensors, args), **settings)
        todo = list(made) if isinstance(made, tuple | list) else [made]
        for y in todo:  # the list grows as it is read
            if getattr(y, "op", None) is op:
                found.append(([x.ndarray for x in y.inputs], dict(y.settings)))
                break
            todo += getattr(y, "inputs", ())
    return found
