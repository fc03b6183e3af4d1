# %% [markdown]
# # 14. Newton's method and higher derivatives
#
# A gradient is a tensor like any other, so it can be differentiated again. With the second derivative one need not guess a
# learning rate: Newton's method goes to where the parabola that fits best has its bottom.
#
# $$x \leftarrow x - \frac{f'(x)}{f''(x)}, \qquad \text{in many dimensions } x \leftarrow x - H^{-1} \nabla f$$
#
# Source: Saito, *Deep Learning from Scratch 3*, stages 29–36.

# %%
from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import optim
from viz import draw, draw_backward
from viz.plots import landscape

OUT = Path("out/lessons/14")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## In one dimension
#
# $f(x) = x^4 - 2x^2$ from 2: Newton is there in 7 steps, descent at 0.01 is not after 100.


# %%
def f(x):
    return x**4 - 2 * x**2


x = tg.Tensor(2.0, requires_grad=True)
newton = [x.item()]
for _ in range(10):
    slope = tg.grad(f(x), x, create_graph=True)
    curvature = tg.grad(slope, x)
    x = (x - slope / curvature).detach().requires_grad_()
    newton.append(x.item())
newton_steps = next(i for i, place in enumerate(newton) if abs(place - 1) < 1e-12)

w = tg.Tensor(2.0, requires_grad=True)
rule, plain = optim.SGD([w], lr=0.01), [2.0]
for _ in range(100):
    rule.zero_grad()
    f(w).backward()
    rule.step()
    plain.append(w.item())
print("Newton:", [round(place, 6) for place in newton])
print("descent after 10, 100 steps:", round(plain[10], 6), round(plain[100], 6))

figure, axis = plt.subplots(figsize=(5, 3.2))
axis.semilogy(np.abs(np.array(newton) - 1) + 1e-17, "o-", label="Newton")
axis.semilogy(np.abs(np.array(plain[:40]) - 1), ".-", label="descent, rate 0.01")
axis.set(xlabel="step", ylabel="distance from the minimum")
axis.legend()
figure.savefig(OUT / "newton.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Derivatives of any order
#
# sin, and again and again: cos, −sin, −cos, sin. The backward pass is itself a graph, and can be drawn.

# %%
x = tg.Tensor(1.0, requires_grad=True, name="x")
y = np.sin(x)
orders = []
for _ in range(4):
    y = tg.grad(y, x, create_graph=True)
    orders.append(y.item())
print("derivatives of sin at 1:", orders)

t = tg.Tensor(2.0, requires_grad=True, name="t")
draw_backward(t**3).save(OUT / "derivative_of_a_cube.svg")
a = tg.Tensor(1.0, requires_grad=True, name="x")
draw(tg.grad(np.tanh(a), a, create_graph=True)).save(OUT / "slope_of_tanh.svg")


# %% [markdown]
# ## Taylor's series
#
# $\sin x = \sum_i (-1)^i x^{2i+1} / (2i+1)!$, added up until a term is below a threshold, is a graph as well.


# %%
def taylor_sin(x, threshold):
    y, i = 0, 0
    while True:
        term = (-1) ** i / math.factorial(2 * i + 1) * x ** (2 * i + 1)
        y = y + term
        if abs(term.item()) < threshold:
            return y
        i += 1


x = tg.Tensor(np.pi / 4, requires_grad=True)
series = taylor_sin(x, 1e-4)
series_slope = tg.grad(series, x).item()
print(f"sin(π/4) by its series: {series.item():.12f}, its derivative: {series_slope:.12f}")

# %% [markdown]
# ## Many dimensions
#
# Two test functions of optimization. The Hessian is the matrix of second derivatives; where the valley is bent, as
# Rosenbrock's is, Newton takes the bend in few steps and descent crawls.


# %%
def goldstein_price(v):
    x, y = v[0], v[1]
    return (1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)) * (
        30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    )


def rosenbrock(v):
    return 100 * (v[1] - v[0] ** 2) ** 2 + (v[0] - 1) ** 2


def gradient(f, place):
    v = tg.Tensor(np.array(place, float), requires_grad=True)
    return tg.grad(f(v), v).numpy()


price_slope, rosenbrock_slope = gradient(goldstein_price, (1, 1)), gradient(rosenbrock, (0, 2))
place, path = np.array([0.0, 2.0]), [np.array([0.0, 2.0])]
while np.abs(gradient(rosenbrock, place)).max() > 1e-9:
    hessian = tg.hessian(rosenbrock, tg.Tensor(place)).numpy()
    place = place - np.linalg.solve(hessian, gradient(rosenbrock, place))
    path.append(place)
path = np.array(path)

v = tg.Tensor(np.array([0.0, 2.0]), requires_grad=True)
rule, passed = optim.SGD([v], lr=0.001), [v.numpy().copy()]
for _ in range(1000):
    rule.zero_grad()
    rosenbrock(v).backward()
    rule.step()
    passed.append(v.numpy().copy())
descent_left = float(np.linalg.norm(v.numpy() - 1))
print(f"Rosenbrock's valley: Newton {len(path) - 1} steps; descent is {descent_left:.2f} away after 1,000")

ways = {"Newton": path, "descent": np.array(passed)}
picture = landscape(lambda x, y: rosenbrock(np.stack([x, y])), ways, x=(-2, 2), y=(-1.5, 3))
picture.savefig(OUT / "rosenbrock.png", dpi=150)

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "Newton's steps": newton_steps,
    "Newton ends at": newton[-1],
    "descent after 100": plain[-1],
    "derivatives of sin at 1": orders,
    "series of sin(π/4)": series.item(),
    "its derivative": series_slope,
    "Goldstein-Price at (1, 1)": price_slope.tolist(),
    "Rosenbrock at (0, 2)": rosenbrock_slope.tolist(),
    "Newton's steps in Rosenbrock's valley": len(path) - 1,
    "Newton's end": place.round(9).tolist(),
    "descent is away by": descent_left,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
