"""Photos to features with PyTorch and Pillow; bench/extract.mjs asks it for one pass at a time.

The network is the ONNX file's own weights in torch operators, run eagerly, or scripted, frozen and optimised for
inference in channels-last memory. The DataLoader's workers (2) decode as they would in a user's script; whichever of
workers and in-process decoding is quicker on a first pass is kept.
"""

import json
import pathlib
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image

folder = pathlib.Path(sys.argv[1])
if not (folder / "trunk.onnx").exists():
    # A network of another size, whose weights do not matter to a clock.
    import torchvision

    torch.manual_seed(0)
    resnet = torchvision.models.resnet18(weights=None).eval()
    resnet.fc = torch.nn.Identity()
    torch.onnx.export(
        resnet, torch.zeros(1, 3, 224, 224), folder / "trunk.onnx", dynamo=False, opset_version=17,
        input_names=["input"], output_names=["features"], dynamic_axes={"input": {0: "batch"}, "features": {0: "batch"}},
    )
paths = json.loads((folder / "paths.json").read_text())
torch.set_grad_enabled(False)


class Photos(torch.utils.data.Dataset):
    def __len__(self):
        return len(paths)

    def __getitem__(self, i):
        image = Image.open(paths[i]).convert("RGB").resize((224, 224), Image.BILINEAR)
        array = np.asarray(image, dtype=np.float32) * np.float32(1 / 255)
        return torch.from_numpy(((array - np.float32(0.5)) / np.float32(0.5)).transpose(2, 0, 1).copy())


class Network(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.graph = model.graph
        self.named = {}
        for i, tensor in enumerate(model.graph.initializer):
            self.register_buffer(f"w{i}", torch.from_numpy(numpy_helper.to_array(tensor).copy()))
            self.named[tensor.name] = f"w{i}"
        self.feed = [x.name for x in model.graph.input if x.name not in self.named][0]

    def forward(self, x):
        values = {self.feed: x}
        get = lambda name: None if name == "" else values[name] if name in values else getattr(self, self.named[name])
        for node in self.graph.node:
            at = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            args = [get(name) for name in node.input]
            values[node.output[0]] = self.apply_node(node.op_type, args, at)
        return values[self.graph.output[0].name]

    def apply_node(self, op, args, at):
        if op == "Conv":
            x, w, *b = args
            top, left, bottom, right = at.get("pads", [0, 0, 0, 0])
            padding = (top, left)
            if (top, left) != (bottom, right):
                x, padding = F.pad(x, (left, right, top, bottom)), 0
            return F.conv2d(x, w, b[0] if b else None, at.get("strides", 1), padding, at.get("dilations", 1), at.get("group", 1))
        if op == "Clip":
            low, high = (float(v) for v in args[1:]) if len(args) == 3 else (at["min"], at["max"])
            return F.relu6(args[0]) if (low, high) == (0, 6) else args[0].clamp(low, high)
        if op == "Relu":
            return F.relu(args[0])
        if op == "Add":
            return args[0] + args[1]
        if op in ("GlobalAveragePool", "AveragePool", "ReduceMean"):
            if op == "AveragePool":
                return F.avg_pool2d(args[0], at["kernel_shape"], at.get("strides", 1))
            keep = op == "GlobalAveragePool" or at.get("keepdims", 1) == 1
            axes = (2, 3) if op == "GlobalAveragePool" else tuple(at.get("axes") or args[1].tolist())
            return args[0].mean(axes, keepdim=keep)
        if op == "MaxPool":
            return F.max_pool2d(args[0], at["kernel_shape"], at["strides"], at["pads"][0])
        if op == "Flatten":
            return args[0].flatten(at.get("axis", 1))
        if op == "Reshape":
            return args[0].reshape([n if n != 0 else args[0].shape[i] for i, n in enumerate(args[1].tolist())])
        if op == "Squeeze":
            return args[0].flatten(1)
        if op == "Identity":
            return args[0]
        raise NotImplementedError(op)


network = Network(onnx.load(folder / "trunk.onnx")).eval()
networks = {}


def network_of(mode):
    """The network of a mode, "eager 8" or "scripted 1": its form and the size of its batches."""
    form, size = mode.split()
    if form == "eager":
        return network
    example = torch.zeros(int(size), 3, 224, 224).to(memory_format=torch.channels_last)
    traced = torch.jit.trace(network, example, check_trace=False)
    return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def one_pass(mode, workers):
    form, size = mode.split()
    if mode not in networks:
        networks[mode] = network_of(mode)
    run = networks[mode]
    begin = time.perf_counter()
    out = []
    for batch in torch.utils.data.DataLoader(Photos(), batch_size=int(size), num_workers=workers):
        if form == "scripted":
            batch = batch.contiguous(memory_format=torch.channels_last)
        out.append(run(batch))
    return time.perf_counter() - begin, torch.cat(out)


workers = {}
print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    mode = line.strip()
    if mode not in workers:
        workers[mode] = min((0, 2), key=lambda n: one_pass(mode, n)[0])
    seconds, features = one_pass(mode, workers[mode])
    (folder / "features.f32").write_bytes(features.contiguous().numpy().astype("<f4").tobytes())
    print(json.dumps({"seconds": seconds, "workers": workers[mode]}), flush=True)
