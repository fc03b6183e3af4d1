"""One of two hosts, each a process with two devices: `python xla_hosts.py number port net …`. Started by test_xla_hosts."""

from __future__ import annotations

import json
import sys

import jax
import numpy as np

NUMBER, PORT, *NAMES = sys.argv[1:]
me = int(NUMBER)
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.config.update("jax_enable_x64", True)
jax.distributed.initialize(f"localhost:{PORT}", 2, me)

from xla_nets import BATCH, STEPS, Training  # noqa: E402 (after the hosts have found each other)

import tinygrad_edu as tg  # noqa: E402

found = {"devices": jax.device_count(), "local": jax.local_device_count()}
half = BATCH // 2
mine = slice(me * half, (me + 1) * half)


def worst(a, b):
    return max(float(np.abs(a[key] - b[key]).max(initial=0)) for key in a)


for name in NAMES:
    alone = Training(name)
    losses, state = alone.run(alone.step), alone.state()
    together = Training(name)
    step = tg.replay(together.step, backend="jax")
    got = [step(x[mine], y[mine]).item() for x, y in together.batches]
    step.gather()
    found[name] = [float(np.abs(np.array(got) - losses).max()), worst(together.state(), state), len(got) == STEPS]
    text = step.compiled.as_text()
    found[f"{name} text"] = ["all-gather" not in text, "all-reduce" in text, "num_partitions=4" in text]

drawing = Training("mlp")
there = tg.replay(drawing.step, backend="jax", noise="device")
found["drawn"] = [there(x[mine], y[mine]).item() for x, y in drawing.batches[:4]]
there.gather()

rows = tg.replay(lambda x: x * 2, backend="jax")
for _ in range(2):
    whole = rows(np.full((2, 3), float(me)))
found["rows"] = whole.numpy()[:, 0].tolist()


def refusal(f, *args):
    try:
        f(*args)
    except (RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


x, y = Training("mlp").batches[0]
unlike = Training("mlp")
unlike.model[4].weight.data += me
before = unlike.state()
found["unlike state"] = refusal(tg.replay(unlike.step, backend="jax"), x[mine], y[mine])
found["as before"] = worst(unlike.state(), before)
seeded = Training("mlp")
tg.manual_seed(me)
found["unlike seeds"] = refusal(tg.replay(seeded.step, backend="jax"), x[mine], y[mine])
again = Training("mlp")
found["unlike parts"] = refusal(tg.replay(again.step, backend="jax"), x[: 4 + 2 * me], y[: 4 + 2 * me])
found["uneven"] = refusal(tg.replay(again.step, backend="jax"), x[:5], y[:5])
print(json.dumps(found), flush=True)
