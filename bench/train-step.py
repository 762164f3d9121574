"""
PyTorch's side of bench/train-step.mjs. Every line read is a JSON object and is answered by one line of JSON.
{"make": CASE, "folder": F}: builds the network from random weights (seed 0), writes F/CASE.onnx, inputs and targets, and says
  which initializers are trained. {"check": CASE}: the loss, and writes the gradients. {"run": CASE, "steps": N}: the median of
  the steps in milliseconds, by the clock and of processor time. The argument is the number of threads.
"""
import json, resource, sys, time, warnings
import numpy as np
import onnx, torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 2)
warnings.filterwarnings("ignore")


class Encoder(nn.Module):
    """A BERT-like encoder with the mean of its last layer classified."""

    def __init__(self, layers, width, heads, length):
        super().__init__()
        from transformers import BertConfig, BertModel
        config = BertConfig(
            vocab_size=8000, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
            max_position_embeddings=length, hidden_dropout_prob=0, attention_probs_dropout_prob=0, attn_implementation="eager",
        )
        self.bert = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(width, 10)

    def forward(self, ids):
        return self.head(self.bert(input_ids=ids).last_hidden_state.mean(1))


def fused(network):
    """Batch norm with its stored statistics is part of the convolution before it, on both sides."""
    network.eval()
    for module in list(network.modules()):
        children = list(module.named_children())
        for (name, one), (after, two) in zip(children, children[1:]):
            if isinstance(one, nn.Conv2d) and isinstance(two, nn.BatchNorm2d):
                setattr(module, name, nn.utils.fusion.fuse_conv_bn_eval(one, two))
                setattr(module, after, nn.Identity())
    return network


def images(kind, rows, side):
    import torchvision
    network = fused(getattr(torchvision.models, kind)(weights=None, num_classes=10))
    return network, torch.rand(rows, 3, side, side) * 2 - 1


def texts(layers, width, heads, length, rows):
    network = Encoder(layers, width, heads, length)
    return network, torch.randint(1, 8000, (rows, length))  # 0 is padding, which PyTorch does not train


def perceptron():
    network = nn.Sequential(nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    return network, torch.randn(64, 512)


ENCODER_LOW = tuple(["bert.embeddings."] + [f"bert.encoder.layer.{i}." for i in range(4)])
CASES = {
    "minilm": (lambda: texts(6, 384, 12, 128, 16), lambda name: True),
    "minilm-frozen": (lambda: texts(6, 384, 12, 128, 16), lambda name: not name.startswith(ENCODER_LOW)),
    "bert-mini": (lambda: texts(4, 256, 4, 64, 32), lambda name: True),
    "resnet18": (lambda: images("resnet18", 16, 128), lambda name: True),
    "resnet18-last": (lambda: images("resnet18", 16, 128), lambda name: name.startswith(("layer4.1.", "fc."))),
    "mobilenetv2": (lambda: images("mobilenet_v2", 16, 128), lambda name: True),
    "mobilenetv2-last": (
        lambda: images("mobilenet_v2", 16, 128),
        lambda name: name.startswith(("features.17.", "features.18.", "classifier.")),
    ),
    "mlp": (perceptron, lambda name: True),
}
made = {}


def make(case, folder):
    torch.manual_seed(0)
    build, trains = CASES[case]
    network, x = build()
    network.eval()
    # The exporter makes one of what is equal, such as biases that all start with zeros.
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter += 0.02 * torch.randn_like(parameter)
    path = f"{folder}/{case}.onnx"
    torch.onnx.export(network, (x,), path, dynamo=False, opset_version=17, input_names=["x"], output_names=["logits"])
    named = dict(network.named_parameters())
    found = {}
    for tensor in onnx.load(path).graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.ndim == 0:
            continue
        for name, parameter in named.items():
            own = parameter.detach().numpy()
            if own.shape == value.shape and (name == tensor.name or (value.ndim > 1 and np.array_equal(own, value))):
                found[tensor.name] = (name, False)
            elif value.ndim == 2 and own.T.shape == value.shape and np.array_equal(own.T, value):
                found[tensor.name] = (name, True)
    for name, parameter in named.items():
        parameter.requires_grad_(trains(name))
    trained = {tensor: at for tensor, at in found.items() if trains(at[0])}
    # What the exporter shares or drops (an unused row of types) is no part of the comparison.
    kept = {name for name, _ in trained.values()}
    for name, parameter in named.items():
        parameter.requires_grad_(name in kept)
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-5)
    labels = torch.arange(len(x)) % 10
    x.numpy().tofile(f"{folder}/{case}.x")

    def loss():
        return F.cross_entropy(network(x), labels)

    made[case] = (network, optimizer, loss, trained, folder)
    count = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {
        "path": path, "shape": list(x.shape), "dtype": str(x.dtype).split(".")[-1], "x": f"{folder}/{case}.x",
        "labels": labels.tolist(), "trained": list(trained), "count": count,
    }


def check(case):
    network, optimizer, loss, trained, folder = made[case]
    optimizer.zero_grad()
    value = loss()
    value.backward()
    named = dict(network.named_parameters())
    with open(f"{folder}/{case}.gradients", "wb") as out:
        for name, is_turned in trained.values():
            gradient = named[name].grad.numpy()
            out.write(np.ascontiguousarray(gradient.T if is_turned else gradient).tobytes())
    return {"loss": float(value), "gradients": f"{folder}/{case}.gradients"}


def run(case, steps):
    _, optimizer, loss, _, _ = made[case]
    walls, works = [], []
    for _ in range(steps):
        start, work = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        walls.append((time.perf_counter() - start) * 1000)
        works.append((time.process_time() - work) * 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": sorted(walls)[steps // 2], "work": sorted(works)[steps // 2], "peak": peak}


for line in sys.stdin:
    asked = json.loads(line)
    if "make" in asked:
        answer = make(asked["make"], asked["folder"])
    elif "check" in asked:
        answer = check(asked["check"])
    else:
        answer = run(asked["run"], asked["steps"])
    print(json.dumps(answer), flush=True)
