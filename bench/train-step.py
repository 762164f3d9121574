"""PyTorch's side of bench/train-step.mjs: one line of JSON, milliseconds a step, for each line `MODEL ROWS SIDE STEPS` read."""
import json, sys, time
import onnx, torch
import torch.nn.functional as F
from onnx import numpy_helper

torch.set_num_threads(2)


def prepare(path, rows, side, trains):
    graph = onnx.load(path).graph
    values, trained = {}, []
    for tensor in graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
        if value.dtype == torch.float32 and value.ndim > 0 and trains(tensor.name):
            value.requires_grad_()
            trained.append(value)
        values[tensor.name] = value
    channels = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    values[graph.input[0].name] = torch.rand(rows, channels, side, side) * 2 - 1
    used, need = set(), {graph.output[0].name}
    for at, node in reversed(list(enumerate(graph.node))):
        if need & set(node.output):
            used.add(at)
            need |= set(node.input)
    steps = []
    for at, node in enumerate(graph.node):
        if at not in used:
            continue
        a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
        steps.append((node.op_type, a, list(node.input), node.output[0]))
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    labels = torch.arange(rows)
    last = graph.output[0].name

    def forward():
        v = dict(values)
        for kind, a, inputs, output in steps:
            i = [v[n] for n in inputs]
            if kind == "Conv":
                p = a.get("pads", [0] * 4)
                x = i[0]
                symmetric = p[0] == p[2] and p[1] == p[3]
                if not symmetric:
                    x = F.pad(x, [p[1], p[3], p[0], p[2]])
                y = F.conv2d(x, i[1], i[2], a.get("strides", 1), p[:2] if symmetric else 0, a.get("dilations", 1), a.get("group", 1))
            elif kind == "Clip": y = F.hardtanh(i[0], 0.0, 6.0)
            elif kind == "Add": y = i[0] + i[1]
            elif kind == "GlobalAveragePool": y = i[0].mean((2, 3), keepdim=True)
            elif kind == "Flatten": y = i[0].flatten(1)
            elif kind == "Identity": y = i[0]
            elif kind == "Gemm": y = torch.addmm(i[2], i[0], i[1].T if a.get("transB") else i[1])
            else: raise SystemExit(kind)
            v[output] = y
        return F.cross_entropy(v[last], labels)

    def step():
        optimizer.zero_grad()
        forward().backward()
        optimizer.step()

    return step


cache = {}
for line in sys.stdin:
    path, rows, side, count, trained = line.rstrip("\n").split("\t")
    names = set(json.loads(trained))
    key = (path, rows, side, trained)
    if key not in cache:
        cache[key] = prepare(path, int(rows), int(side), names.__contains__)
        cache[key]()
        cache[key]()
    start = time.perf_counter()
    for _ in range(int(count)):
        cache[key]()
    print(json.dumps((time.perf_counter() - start) / int(count) * 1000), flush=True)
