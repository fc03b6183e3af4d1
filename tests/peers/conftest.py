"""Tests beside PyTorch and JAX: `make peers`. Without them they fail, and say so."""

import os

import pytest
from agreement import pytest_runtest_call, pytest_terminal_summary  # noqa: F401 (the table of agreement)

FLAGS = [
    "--xla_force_host_platform_device_count=8",
    "--xla_cpu_multi_thread_eigen=false",
    "--xla_backend_optimization_level=0",  # compiling takes longer than running here
]
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

try:
    import jax  # noqa: F401 (it reads the flags now)
    import torch
except ImportError as error:
    raise pytest.UsageError(
        f"tests/peers compares with PyTorch and JAX, but {error}; run `make peers`, which installs both"
    ) from error

torch.set_num_threads(1)

collect_ignore = ["xla_hosts.py"]  # a program, which test_xla_hosts.py starts


def pytest_collection_modifyitems(items):
    for item in items:
        if "peers" in item.path.parts:
            item.add_marker(pytest.mark.peers)
