"""Losses and gradients of a linear-chain conditional random field from PyTorch, for test/golden/crf.json.

The negative log-likelihood is written in log space with logsumexp over a batch of padded sentences, in float64, and its
gradients come from autograd. Needs torch: python scripts/golden-crf.py
"""
import json
from pathlib import Path

import torch

torch.manual_seed(0)
cases = []
for lengths, tags in (([5, 3, 1], 4), ([1], 3), ([12, 12, 7, 2], 9)):
    rows, length = len(lengths), max(lengths)
    logits = (2 * torch.randn(rows, length, tags, dtype=torch.float64)).requires_grad_()
    table = torch.randn(tags + 2, tags, dtype=torch.float64).requires_grad_()
    gold = [[int(torch.randint(tags, ())) for _ in range(n)] for n in lengths]
    between, start, end = table[:tags], table[tags], table[tags + 1]
    total = 0
    for b, n in enumerate(lengths):
        alpha = start + logits[b, 0]
        score = start[gold[b][0]] + logits[b, 0, gold[b][0]]
        for t in range(1, n):
            alpha = torch.logsumexp(alpha[:, None] + between, 0) + logits[b, t]
            score = score + between[gold[b][t - 1], gold[b][t]] + logits[b, t, gold[b][t]]
        total = total + torch.logsumexp(alpha + end, 0) - score - end[gold[b][-1]]
    loss = total / sum(lengths)
    loss.backward()
    numbers = lambda x: [round(v, 9) for v in x.detach().flatten().tolist()]
    cases.append({"lengths": lengths, "tags": tags, "gold": gold, "logits": numbers(logits), "table": numbers(table),
                  "loss": loss.item(), "dLogits": numbers(logits.grad), "dTable": numbers(table.grad)})
path = Path(__file__).parent.parent / "test" / "golden" / "crf.json"
path.write_text(json.dumps({"versions": {"torch": torch.__version__}, "cases": cases}) + "\n")
print(path)
