"""Reference values for training: losses, running statistics and schedules of PyTorch, files of safetensors.

Writes test/golden/training.json. Needs torch and safetensors; run with any Python that has them.
"""

import base64
import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F

torch.manual_seed(3)
target = Path(__file__).parent.parent / "test" / "golden" / "training.json"


def numbers(tensor):
    return {"shape": list(tensor.shape), "data": tensor.detach().double().flatten().tolist()}


def with_gradients(loss, **inputs):
    loss.backward()
    return {
        "loss": loss.item(),
        "inputs": {name: numbers(x) for name, x in inputs.items()},
        "gradients": {name: numbers(x.grad) for name, x in inputs.items() if x.grad is not None},
    }


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


u, v, t = leaf(5, 4), leaf(5, 4), torch.tensor([1.0, 0, 1, 0, 0])
cosine = with_gradients(F.mse_loss(F.cosine_similarity(u, v), t), u=u, v=v) | {"targets": t.tolist()}

x = leaf(4, 3)
shares = torch.softmax(torch.randn(4, 3), 1)
soft = with_gradients(F.cross_entropy(x, shares), x=x) | {"shares": numbers(shares)}

student, teacher, labels = leaf(4, 3), torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
kl = F.kl_div(F.log_softmax(student / 2, 1), F.softmax(teacher / 2, 1), reduction="batchmean") * 4
distilled = with_gradients(0.7 * kl + 0.3 * F.cross_entropy(student, labels), x=student) | {
    "teacher": numbers(teacher),
    "labels": labels.tolist(),
}

norm = torch.nn.BatchNorm2d(3)
norm.running_mean.copy_(torch.randn(3))
norm.running_var.copy_(torch.rand(3) + 0.5)
start = {"mean": norm.running_mean.tolist(), "variance": norm.running_var.tolist()}
batches = [torch.randn(4, 3, 2, 5) * 2 + 1 for _ in range(3)]
with torch.no_grad():
    outputs = [numbers(norm(batch)) for batch in batches]
batch_norm = {
    "start": start,
    "batches": [numbers(batch) for batch in batches],
    "outputs": outputs,
    "end": {"mean": norm.running_mean.tolist(), "variance": norm.running_var.tolist()},
}

tensors = {
    "b.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
    "a.half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "a.brain": torch.tensor([0.25], dtype=torch.bfloat16),
    "10": torch.tensor([[7, -8]], dtype=torch.int64),
    "é": torch.tensor([True, False, True]),
    "c.scalar": torch.tensor(2.5, dtype=torch.float64),
    "c.empty": torch.zeros(0, 3),
    "d.bytes": torch.tensor([1, 255], dtype=torch.uint8),
}
files = {
    "plain": base64.b64encode(safetensors.torch.save(tensors)).decode(),
    "metadata": base64.b64encode(safetensors.torch.save({"w": torch.ones(1)}, {"format": "pt"})).decode(),
}

target.write_text(
    json.dumps(
        {
            "versions": {"torch": torch.__version__, "safetensors": safetensors.__version__},
            "cosine": cosine,
            "soft": soft,
            "distilled": distilled,
            "batchNorm": batch_norm,
            "safetensors": files,
        },
        indent=1,
    )
    + "\n"
)
