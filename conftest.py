"""Which pages are left out when examples are collected: those that need an extra which is not installed."""

import importlib.util

collect_ignore_glob = (
    [] if importlib.util.find_spec("numba") else ["tinygrad_edu/ops/network/convolution/fast/[!_]*.py"]
)
