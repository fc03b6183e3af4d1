"""A step over two hosts, each a process with two devices and half of the batch: the numbers of one eager run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def together(*nets):
    """What each of the two hosts found."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = (
        "--xla_force_host_platform_device_count=2 --xla_cpu_multi_thread_eigen=false --xla_backend_optimization_level=0"
    )
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")])
    hosts = [
        subprocess.Popen(
            [sys.executable, HERE / "xla_hosts.py", str(i), str(port), *nets],
            env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for i in range(2)
    ]  # fmt: skip
    try:
        said = [host.communicate(timeout=240) for host in hosts]
    finally:
        for host in hosts:
            host.kill()
    assert all(host.returncode == 0 for host in hosts), "\n".join(errors[-3000:] for _, errors in said)
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def check(found, *nets):
    for host in found:
        assert (host["devices"], host["local"]) == (4, 2)
        for name in nets:
            losses, state, whole = host[name]
            assert losses < 1e-9
            assert state < 1e-8
            assert whole
            assert host[f"{name} text"] == [True, True, True]
        assert host["drawn"] == found[0]["drawn"]
        assert host["rows"] == [0.0, 0.0, 2.0, 2.0]
        assert "the weights and other state of step differ between hosts, '" in host["unlike state"]
        assert host["as before"] == 0
        assert "differ between hosts" in host["unlike seeds"]
        assert "differ between hosts" in host["unlike parts"]
        assert "2 devices do not divide its 5 rows" in host["uneven"]


def test_two_hosts():
    check(together("mlp"), "mlp")


@pytest.mark.nightly
def test_two_hosts_and_all_networks():
    nets = ("mlp", "convnet", "lstm", "gpt")
    check(together(*nets), *nets)
