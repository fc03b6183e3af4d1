"""Tests beside PyTorch: `make peers`. Without PyTorch they fail, and say so."""

import pytest
from agreement import pytest_runtest_call, pytest_terminal_summary  # noqa: F401 (the table of agreement)

try:
    import torch
except ImportError as error:
    raise pytest.UsageError(
        "tests/peers compares with PyTorch, which is not installed; run `make peers`, which installs it"
    ) from error

torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    for item in items:
        if "peers" in item.path.parts:
            item.add_marker(pytest.mark.peers)
