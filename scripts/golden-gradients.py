"""Gradients of whole networks with PyTorch in float64: test/golden/gradients.json.

Run: python scripts/golden-gradients.py DATA/models > test/golden/gradients.json
The inputs and the probe that each gradient is multiplied with are formulas, so the file holds two numbers a parameter.
"""
import json, sys
import numpy as np, onnx, torch
import torch.nn.functional as F
from onnx import numpy_helper

NAMES = ["doodlenet_28", "mobilenet_v1_0.25_128", "mobilenet_v2_1.0_224"]
ROWS = 2


def run(graph, values):
    for node in graph.node:
        a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
        i = [values[name] if name else None for name in node.input]
        kind = node.op_type
        if kind == "Conv":
            pads = a.get("pads", [0] * 4)
            x = F.pad(i[0], [pads[1], pads[3], pads[0], pads[2]])
            y = F.conv2d(x, i[1], i[2] if len(i) > 2 else None, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))
        elif kind == "Clip": y = torch.clamp(i[0], i[1].item(), i[2].item())
        elif kind == "Relu": y = torch.relu(i[0])
        elif kind == "Tanh": y = torch.tanh(i[0])
        elif kind == "Add": y = i[0] + i[1]
        elif kind == "MaxPool": y = F.max_pool2d(i[0], a["kernel_shape"], a["strides"])
        elif kind == "GlobalAveragePool": y = i[0].mean((2, 3), keepdim=True)
        elif kind == "Flatten": y = i[0].flatten(1)
        elif kind == "Transpose": y = i[0].permute(*a["perm"])
        elif kind == "Identity": y = i[0]
        elif kind == "Softmax": y = torch.softmax(i[0], -1)
        elif kind == "Gemm":
            b = i[1].T if a.get("transB") else i[1]
            y = i[0] @ b + i[2]
        else: raise SystemExit(f"no rule for {kind}")
        values[node.output[0]] = y
    return values


out = {"producer": f"PyTorch {torch.__version__} CPU float64", "rows": ROWS, "models": {}}
for name in NAMES:
    graph = onnx.load(f"{sys.argv[1]}/{name}/model.onnx").graph
    values, trained = {}, []
    for tensor in graph.initializer:
        array = torch.from_numpy(numpy_helper.to_array(tensor).copy())
        if array.dtype == torch.float32:
            array = array.double()
            if array.ndim > 0: array.requires_grad_(); trained.append(tensor.name)
        values[tensor.name] = array
    x = graph.input[0]
    shape = [ROWS] + [d.dim_value for d in x.type.tensor_type.shape.dim[1:]]
    size = int(np.prod(shape))
    data = np.sin(0.37 * np.arange(size) + 0.11).astype(np.float32)
    values[x.name] = torch.from_numpy(data.reshape(shape)).double()
    leaves = {n: values[n] for n in trained}
    logits = run(graph, values)[graph.output[0].name]
    loss = F.cross_entropy(logits, torch.arange(ROWS))
    loss.backward()
    gradients = {}
    for n, leaf in leaves.items():
        if leaf.grad is None: continue  # clip bounds, and what other outputs use
        g = leaf.grad.flatten()
        probe = torch.cos(0.53 * torch.arange(g.numel(), dtype=torch.float64))
        gradients[n] = [float(f"{v:.9g}") for v in (g.norm().item(), (g * probe).sum().item())]
    out["models"][name] = {"loss": loss.item(), "gradients": gradients}
json.dump(out, sys.stdout, indent=1)
