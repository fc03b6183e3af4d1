"""Where values lie: on one device, or over a mesh of them, in one process or in several.

The batch is split along axis 0 of every argument, the state is whole on every device or, with `shard_parameters`, split as
well. What is computed of them XLA splits by itself, and adds up what belongs together: a mean over the batch is over the
whole of it, and so are gradients and the statistics of batch normalization.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from tinygrad_edu.ops.memory import aligned


def mesh_of(devices: int | None, mesh: Any) -> Mesh | None:
    """The mesh that is asked for; None for one device, the first.

    Raises TypeError and ValueError for devices that are not there, and for a mesh whose axes XLA does not split by itself.
    """
    if mesh is not None and devices is not None:
        raise TypeError("write devices=, or mesh=, but not both")
    if mesh is not None:
        if not isinstance(mesh, Mesh):
            raise TypeError(f"mesh= takes a jax.sharding.Mesh, but got {type(mesh).__name__}")
        if any(kind != AxisType.Auto for kind in mesh.axis_types):
            axes = f"axis_types=(jax.sharding.AxisType.Auto,) * {len(mesh.axis_names)}"
            raise ValueError(
                f"XLA splits along axes of the type Auto, but this mesh has {', '.join(str(kind) for kind in mesh.axis_types)}: each "
                f"device would compute the whole batch; write jax.make_mesh(…, {axes})"
            )
        return mesh
    if devices is None:
        return None if jax.process_count() == 1 else mesh_of(jax.device_count(), None)
    if not isinstance(devices, int) or isinstance(devices, bool) or devices < 1:
        raise ValueError(f"devices= is how many devices are taken, 1 to {jax.device_count()}, but got {devices!r}")
    if devices > jax.device_count():
        have = "is 1 device" if jax.device_count() == 1 else f"are {jax.device_count()} devices"
        raise ValueError(
            f"there {have}, but got devices={devices}; to try many on a CPU, set "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={devices} before JAX is imported"
        )
    if jax.process_count() > 1 and devices != jax.device_count():
        raise ValueError(
            f"{jax.process_count()} processes have {jax.device_count()} devices, but got devices={devices}: all are taken"
        )
    return jax.make_mesh((devices,), ("batch",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])


def _aligned(array: Any) -> Any:
    """A copy in memory that JAX takes as it is, on a CPU, since it begins a line of the cache; else it would copy it once
    more."""
    copy = aligned(array.nbytes).view(array.dtype).reshape(array.shape)
    np.copyto(copy, array)
    return copy


class Placement:
    """Where the values of a step lie. mesh: over which devices; None for one. shard: whether the state is split."""

    def __init__(self, mesh: Mesh | None, shard: bool) -> None:
        if shard and mesh is None:
            raise ValueError("shard_parameters=True splits over several devices; write devices=, or mesh=")
        self.mesh, self._shard = mesh, shard
        self.hosts = jax.process_count()
        if mesh is not None:
            self._axis = mesh.axis_names[0]
            self.ways = mesh.shape[self._axis]
            self.whole = NamedSharding(mesh, PartitionSpec())
            self._rows = NamedSharding(mesh, PartitionSpec(self._axis))

    def _host_ways(self) -> int:
        """Over how many devices the part of a batch that one host gives is split."""
        return max(1, self.ways // self.hosts)

    # -- which sharding -----------------------------------------------------------------------------

    def of_argument(self, shape: Sequence[int]) -> Any:
        """The sharding of an argument: by rows, if it has any."""
        return None if self.mesh is None else self._rows if shape else self.whole

    def of_feed(self, shape: Sequence[int], batch: int | None) -> Any:
        """The sharding of what is fed: by rows if there are as many as in the batch, else whole."""
        if self.mesh is None:
            return None
        return self._rows if shape and shape[0] == batch and batch % self.ways == 0 else self.whole

    def of_state(self, shape: Sequence[int]) -> Any:
        """The sharding of state: whole, or split along the longest axis that the devices divide."""
        if self.mesh is None:
            return None
        axes = [i for i, n in enumerate(shape) if n and n % self.ways == 0]
        if not self._shard or not axes:
            return self.whole
        longest = max(axes, key=lambda i: shape[i])
        return NamedSharding(self.mesh, PartitionSpec(*[None] * longest, self._axis))

    # -- putting and fetching -----------------------------------------------------------------------

    def refuse_uneven(self, names: Sequence[str | None], arrays: Sequence[Any]) -> None:
        """Raise ValueError for an argument whose rows the devices do not divide."""
        if self.mesh is None:
            return
        for name, array in zip(names, arrays, strict=True):
            if array.ndim and array.shape[0] % self._host_ways():
                n, ways = array.shape[0], self._host_ways()
                raise ValueError(
                    f"the argument {name} of shape {array.shape} is split along axis 0, and {ways} devices do not divide its {n} "
                    f"rows; give {max(n - n % ways, ways)}, another multiple of {ways} (DataLoader(drop_last=True)), or pad"
                )

    def put_argument(self, array: Any, awaited: bool) -> Any:
        """An argument, copied, for JAX may read it late, and the caller use it again; as it is for one device, if the end of
        the run is awaited. Of several hosts, each has its part."""
        if self.mesh is None:
            return np.asarray(array, order="C") if awaited else _aligned(array)
        copy, sharding = np.array(array), self.of_argument(array.shape)
        if self.hosts == 1:
            return jax.device_put(copy, sharding)
        return jax.make_array_from_process_local_data(sharding, copy)

    def put(self, array: Any, sharding: Any) -> Any:
        """An array that all hosts have, as a value; copied."""
        copy = np.array(array)
        if sharding is None:
            return jax.device_put(copy)
        if self.hosts == 1:
            return jax.device_put(copy, sharding)
        return jax.make_array_from_callback(copy.shape, sharding, lambda index: copy[index])

    def fetch(self, value: Any) -> Any:
        """The numbers of a value, to be copied: they may lie where the value does."""
        if self.hosts == 1:
            return np.asarray(value)
        if value.is_fully_replicated:
            return np.array(value if value.is_fully_addressable else value.addressable_data(0))
        return np.array(jax.jit(lambda x: x, out_shardings=self.whole)(value).addressable_data(0))

    # -- several hosts ------------------------------------------------------------------------------

    def together(self, names: Sequence[str], arrays: Sequence[Any]) -> list[Any]:
        """Return each argument as a whole, gathered from the parts that the hosts have."""
        if self.hosts == 1:
            return list(arrays)
        self.refuse_unlike("the arguments of this step", names, [np.array(a.shape) for a in arrays])
        gathered = [multihost_utils.process_allgather(np.array(a), tiled=True) if a.ndim else a for a in arrays]
        return [np.asarray(a) for a in gathered]

    def refuse_unlike(self, what: str, names: Sequence[str], arrays: Sequence[Any]) -> None:
        """Raise RuntimeError if these are not the same numbers on all hosts."""
        if self.hosts == 1:
            return
        digests = [
            hashlib.sha256(repr((a.shape, a.dtype.str)).encode() + np.ascontiguousarray(a).tobytes()) for a in arrays
        ]
        mine = np.array([len(digests), *[int.from_bytes(d.digest()[:4], "big") for d in digests]], np.uint32)
        count = np.asarray(multihost_utils.process_allgather(mine[:1])).reshape(-1)
        if (count != count[0]).any():
            raise RuntimeError(f"{what} are {' and '.join(map(str, sorted(set(count.tolist()))))} on different hosts")
        every = np.asarray(multihost_utils.process_allgather(mine[1:])).reshape(len(count), -1)
        unlike = np.flatnonzero((every != every[0]).any(axis=0))
        if unlike.size:
            raise RuntimeError(
                f"{what} differ between hosts, {names[unlike[0]]} the first of {unlike.size}: seed all alike, tg.manual_seed(0), "
                "before the model is made, or load the same checkpoint"
            )
