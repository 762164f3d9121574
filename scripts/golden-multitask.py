"""Reference values for multi-task loss weightings: what PyTorch's autograd and Adam make of the published losses.

Three tasks share x [4]; task i has a parameter h of its own and the loss |A x + B h - b|^2 / 2 + c. Plain gradient descent on
x and h in double precision, the weights of the losses as each method has them. Writes test/golden/multitask.json. Needs torch.
"""

import json
from pathlib import Path

import torch

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
target = Path(__file__).parent.parent / "test" / "golden" / "multitask.json"
TASKS, SHARED, ROWS, STEPS, RATE, PER_EPOCH = 3, 4, 3, 24, 0.03, 4

A = torch.randn(TASKS, ROWS, SHARED) * torch.tensor([0.3, 1.0, 1.6]).view(3, 1, 1)
B = torch.randn(TASKS, ROWS)
b = torch.randn(TASKS, ROWS) * 2
c = [0.2, 0.05, 0.4]
start_x, start_h = torch.randn(SHARED), torch.randn(TASKS)


def losses_at(x, h, tasks=range(TASKS)):
    return torch.stack([((A[i] @ x + B[i] * h[i] - b[i]) ** 2).sum() / 2 + c[i] for i in tasks])


def descend(x, h, loss, others=()):
    """One step of x and h along the gradient of `loss`; returns gradients with respect to `others`."""
    gradients = torch.autograd.grad(loss, [x, h, *others], retain_graph=True, allow_unused=True)
    with torch.no_grad():
        x -= RATE * gradients[0]
        h -= RATE * (gradients[1] if gradients[1] is not None else 0)
    return gradients[2:]


def fresh():
    return start_x.clone().requires_grad_(), start_h.clone().requires_grad_()


def record(x, h, log):
    log.append({"x": x.tolist(), "h": h.tolist()})


def uncertainty():
    x, h = fresh()
    s = torch.full((TASKS,), -0.5, requires_grad=True)
    adam, log = torch.optim.Adam([s], lr=0.01), []
    for _ in range(STEPS):
        loss = (losses_at(x, h) / (2 * s.exp()) + s / 2).sum()
        (s.grad,) = descend(x, h, loss, [s])
        adam.step()
        record(x, h, log)
    return {"log": log, "memory": {"logVariance": s.tolist()}}


def dwa():
    x, h = fresh()
    means, current, weights, log = [], [], torch.ones(TASKS), []
    for step in range(STEPS):
        if step % PER_EPOCH == 0 and step > 0:
            means.append(torch.stack(current).mean(0))
            current = []
            if len(means) >= 2:
                weights = TASKS * torch.softmax(means[-1] / means[-2] / 2.0, 0)
        losses = losses_at(x, h)
        current.append(losses.detach())
        descend(x, h, (weights * losses).sum())
        record(x, h, log)
    return {"log": log, "memory": {"weights": weights.tolist()}}


def gradnorm():
    x, h = fresh()
    w = torch.ones(TASKS, requires_grad=True)
    adam, log, first = torch.optim.Adam([w], lr=0.025), [], None
    for _ in range(STEPS):
        losses = losses_at(x, h)
        first = losses.detach() if first is None else first
        norms = torch.stack(
            [torch.linalg.norm(w[i] * torch.autograd.grad(losses[i], x, retain_graph=True)[0]) for i in range(TASKS)]
        )
        ratios = losses.detach() / first
        goal = (norms.mean() * (ratios / ratios.mean()) ** 1.5).detach()
        gap = (norms - goal).abs().sum()
        (slope,) = torch.autograd.grad(gap, w, retain_graph=True)
        descend(x, h, (w.detach() * losses).sum())
        w.grad = slope
        adam.step()
        with torch.no_grad():
            w *= TASKS / w.sum()
        record(x, h, log)
    return {"log": log, "memory": {"weights": w.tolist()}}


def pcgrad():
    """Two tasks, so that there is no order to draw."""
    x, h = fresh()
    log = []
    for _ in range(STEPS):
        losses = losses_at(x, h, [0, 1])
        g = [torch.autograd.grad(one, [x, h], retain_graph=True) for one in losses]
        projected = []
        for i, j in ((0, 1), (1, 0)):
            dot = g[i][0] @ g[j][0]
            projected.append(g[i][0] - (dot / (g[j][0] @ g[j][0]) * g[j][0] if dot < 0 else 0))
        with torch.no_grad():
            x -= RATE * sum(projected)
            h -= RATE * (g[0][1] + g[1][1])
        record(x, h, log)
    return {"log": log, "memory": {}}


def famo():
    x, h = fresh()
    w = torch.zeros(TASKS, requires_grad=True)
    adam, log = torch.optim.Adam([w], lr=0.025, weight_decay=1e-3), []
    for step in range(STEPS):
        losses = losses_at(x, h)
        if step > 0:
            delta = (before + 1e-8).log() - (losses.detach() + 1e-8).log()
            (w.grad,) = torch.autograd.grad(torch.softmax(w, -1), w, grad_outputs=delta)
            adam.step()
        before = losses.detach()
        z = torch.softmax(w, -1).detach()
        d = losses + 1e-8
        scale = (z / d).sum().detach()
        descend(x, h, (d.log() * z / scale).sum())
        record(x, h, log)
    return {"log": log, "memory": {"w": w.tolist()}}


def fixed():
    x, h = fresh()
    log = []
    for _ in range(STEPS):
        descend(x, h, losses_at(x, h).sum())
        record(x, h, log)
    return {"log": log, "memory": {}}


methods = [fixed, uncertainty, dwa, gradnorm, pcgrad, famo]
content = {
    "versions": {"torch": torch.__version__},
    "problem": {
        "A": A.tolist(),
        "B": B.tolist(),
        "b": b.tolist(),
        "c": c,
        "x": start_x.tolist(),
        "h": start_h.tolist(),
        "rate": RATE,
        "perEpoch": PER_EPOCH,
    },
    "methods": {method.__name__: method() for method in methods},
}
target.write_text(json.dumps(content) + "\n")
