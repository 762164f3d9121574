"""Small networks as PyTorch exports them, and their gradients in float64: test/golden/networks.json.gz.

Run: python scripts/golden-networks.py test/golden/networks.json.gz   (torch, onnx, onnxscript, transformers)
Of each trained initializer of the file: the length of its gradient, and its product with a probe that is a formula.
"""
import base64, copy, gzip, io, json, sys, warnings
import numpy as np, onnx, torch, transformers
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper
from torch.nn.utils.fusion import fuse_conv_bn_eval

warnings.filterwarnings("ignore")


class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        same = stride == 1 and inner == outer
        self.down = nn.Identity() if same else nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.down(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Block(8, 8, 1), Block(8, 16, 2))
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        config = transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=8, hidden_dropout_prob=0, attention_probs_dropout_prob=0, num_labels=3,
            attn_implementation="eager", initializer_range=0.3)
        self.bert = transformers.BertForSequenceClassification(config)

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 8)
        self.lstm = nn.LSTM(8, 6, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(12, 5)

    def forward(self, ids):
        return self.tags(self.lstm(self.words(ids))[0]).reshape(-1, 5)


class Mixed(nn.Module):
    """A text CNN and a gated recurrent network, pixel shuffle and a resize: what else exports contain."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, padding=1)
        self.norm = nn.GroupNorm(2, 6)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.up = nn.ConvTranspose2d(1, 4, 3, stride=2, padding=1)
        self.fc = nn.Linear(10, 3)

    def forward(self, x):
        h = F.silu(self.norm(self.conv(x)))
        h = self.gru(h.transpose(1, 2))[0]
        wide = F.pixel_shuffle(self.up(h.unsqueeze(1)), 2)
        small = F.interpolate(wide, size=(5, 10), mode="bilinear", align_corners=False)
        return self.fc(F.hardswish(small).amax(dim=(1, 2)))


def lstm_layouts(module):
    """ONNX's weights of a recurrent network out of PyTorch's: gates in another order, directions stacked."""
    order = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}[module.mode]
    gates = lambda t: torch.cat([t.chunk(len(order))[i] for i in order])
    suffixes = ["_l0", "_l0_reverse"] if module.bidirectional else ["_l0"]
    of = lambda name, s: getattr(module, name + s)
    yield lambda f: torch.stack([gates(f(of("weight_ih", s))) for s in suffixes])
    yield lambda f: torch.stack([gates(f(of("weight_hh", s))) for s in suffixes])
    yield lambda f: torch.stack([torch.cat([gates(f(of("bias_ih", s))), gates(f(of("bias_hh", s)))]) for s in suffixes])


def layouts(model):
    """Every form a parameter may have in the file, as a function of a map over PyTorch's parameters."""
    for p in model.parameters():
        yield lambda f, p=p: f(p)
        if p.ndim == 2: yield lambda f, p=p: f(p).T
        if p.ndim == 1:
            yield lambda f, p=p: f(p)[:, None]
            yield lambda f, p=p: f(p)[:, None, None]
            yield lambda f, p=p: f(p)[None, :, None]
    for module in model.modules():
        if isinstance(module, (nn.LSTM, nn.GRU)): yield from lstm_layouts(module)


def fuse(module):
    """The newer exporter folds frozen batch norms into the convolutions before them."""
    if isinstance(module, Block):
        module.conv1, module.bn1 = fuse_conv_bn_eval(module.conv1, module.bn1), nn.Identity()
        module.conv2, module.bn2 = fuse_conv_bn_eval(module.conv2, module.bn2), nn.Identity()
    if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
        module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()


def exported(model, args, names, dynamo, training):
    if dynamo:
        proto = torch.onnx.export(model, args, dynamo=True, input_names=names, output_names=["logits"], verbose=False).model_proto
    else:
        mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.PRESERVE
        file = io.BytesIO()
        torch.onnx.export(model, args, file, dynamo=False, input_names=names, output_names=["logits"], training=mode,
                          do_constant_folding=not training, opset_version=17)
        proto = onnx.load_from_string(file.getvalue())
    for thing in [proto, proto.graph, *proto.graph.node, *proto.graph.initializer, *proto.graph.value_info, *proto.graph.input, *proto.graph.output]:
        thing.doc_string = ""
        if hasattr(thing, "metadata_props"): del thing.metadata_props[:]
    return proto


torch.manual_seed(0)
ids = torch.randint(1, 30, (2, 6))
mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
CASES = {
    "resnet": (ResNet, (torch.randn(2, 3, 24, 24),), ["x"], [0, 3]),
    "bert": (Bert, (ids, mask), ["input_ids", "attention_mask"], [2, 0]),
    "tagger": (Tagger, (ids,), ["ids"], [i % 5 for i in range(12)]),
    "mixed": (Mixed, (torch.randn(2, 4, 6),), ["x"], [1, 2]),
}
out = {"producer": f"PyTorch {torch.__version__} CPU float64, transformers {transformers.__version__}", "networks": {}}
for name, (make, args, names, targets) in CASES.items():
    model = make()
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 1: p.add_(0.2 * torch.randn_like(p))  # no two alike: exporters share equal ones
            p.copy_(p.half().float())  # half the bits, so the file packs
        for b in model.buffers():
            if b.is_floating_point() and b.ndim == 1: b.copy_((b + 0.3 * torch.rand_like(b)).half().float())
    for kind in ["legacy", "dynamo"] + (["training"] if name == "resnet" else []):
        training = kind == "training"
        model.train(training)
        twin = copy.deepcopy(model).double()
        twin.train(training)
        proto = exported(copy.deepcopy(model), args, names, kind == "dynamo", training)
        if kind == "dynamo": twin.apply(fuse)
        for p in twin.parameters(): p.requires_grad_()  # the fused biases too
        double = [a.double() if a.is_floating_point() else a for a in args]
        loss = F.cross_entropy(twin(*double), torch.tensor(targets))
        loss.backward()
        gradients, taken = {}, []
        for tensor in proto.graph.initializer:
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            if value.dtype != torch.float32 or value.ndim == 0: continue
            for form in layouts(twin):
                theirs = form(lambda p: p.detach())
                if theirs.shape == value.shape and torch.allclose(theirs.float(), value, 1e-5, 1e-7):
                    g = form(lambda p: p.grad).flatten()
                    probe = torch.cos(0.53 * torch.arange(g.numel(), dtype=torch.float64))
                    gradients[tensor.name] = [float(f"{v:.9g}") for v in (g.norm().item(), (g * probe).sum().item())]
                    break
            else: taken.append(f"{tensor.name}{list(value.shape)}")
        print(name, kind, len(proto.SerializeToString()), "trained", len(gradients), "of", len(list(model.parameters())), "others", taken,
              sorted({n.op_type for n in proto.graph.node}), file=sys.stderr)
        out["networks"][f"{name}, {kind}"] = {
            "model": base64.b64encode(proto.SerializeToString()).decode(),
            "inputs": {n: {"dtype": str(a.dtype).split(".")[1], "shape": list(a.shape), "data": a.flatten().tolist()} for n, a in zip(names, args)},
            "targets": targets, "classes": proto.graph.output[0].type.tensor_type.shape.dim[-1].dim_value,
            "loss": loss.item(), "gradients": gradients,
        }
with open(sys.argv[1], "wb") as file:
    file.write(gzip.compress(json.dumps(out).encode(), 9, mtime=0))
