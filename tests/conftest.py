"""What all tests share: hypothesis profiles, and leaving out the tests that need other libraries."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import tinygrad_edu.autograd
import tinygrad_edu.linalg
import tinygrad_edu.nn  # noqa: F401 (with these, every op is declared, and tested)
from tinygrad_edu.ops import load_all

load_all()

# ci draws the same examples each time; nightly looks further: HYPOTHESIS_PROFILE=nightly, or --hypothesis-profile.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", deadline=None, max_examples=3000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path, config):
    """tests/peers needs PyTorch: it is collected only when its path is given."""
    if collection_path.name == "peers":
        asked = any("peers" in Path(arg.split("::")[0]).parts for arg in config.args)
        return None if asked else True
    return None


@pytest.fixture
def rng():
    return np.random.default_rng(0)
