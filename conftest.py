"""Which pages are left out when examples are collected: those that need what is not installed everywhere."""

import importlib.util

collect_ignore_glob = ["tests/benchmarks/*"]  # programs, that run other systems
if importlib.util.find_spec("numba") is None:
    collect_ignore_glob.append("tinygrad_edu/ops/network/convolution/fast/[!_]*.py")
if importlib.util.find_spec("jax") is None:
    collect_ignore_glob.append("tinygrad_edu/program/xla/*")
