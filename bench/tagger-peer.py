"""PyTorch's side of bench/tagger.mjs: SENTENCES ENCODER HEAD THREADS; prints the words a second of each epoch after the first."""
import json
import random
import sys
import time

import torch
from torch import nn

path, encoder, head, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.manual_seed(0)
EPOCHS, TOKENS, ROWS, TAGS, AFFIXES = 3, 640, 64, 17, 7
BUCKETS = [4, 8, 12, 16, 20, 24, 32, 40, 52, 64, 96, 128]
sentences = [(one["words"], one["tags"]) for one in json.load(open(path))]
total = sum(len(words) for words, _ in sentences)
vocabulary = max(max(words) for words, _ in sentences) + 3
affix = lambda word, k: hash((word, k)) % 8000


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.affixes = nn.Embedding(vocabulary, 64), nn.Embedding(8000, 24)
        width = 64 + AFFIXES * 24
        if encoder == "bilstm":
            self.lstm, out = nn.LSTM(width, 128, batch_first=True, bidirectional=True), 256
        else:
            self.entry, out = nn.Linear(width, 128), 128
            self.norms = nn.ModuleList(nn.LayerNorm(128) for _ in range(5))
            self.convs = nn.ModuleList(
                nn.Conv1d(128, 128, 3, padding=d, dilation=d) for d in (1, 2, 4, 4))
        self.out = nn.Linear(out, TAGS)
        self.table = nn.Parameter(torch.zeros(TAGS + 2, TAGS))

    def forward(self, words, affixes, mask):
        drop = lambda x: x * (torch.rand(x.shape[0], 1, x.shape[2]) > 0.33) / 0.67
        x = drop(torch.cat([self.words(words), self.affixes(affixes).flatten(2)], 2))
        if encoder == "bilstm":
            x, _ = self.lstm(x)
            return self.out(drop(x))
        x = self.entry(x)
        for norm, conv in zip(self.norms, self.convs):
            x = x + drop(torch.relu(conv((norm(x) * mask).transpose(1, 2)).transpose(1, 2)))
        return self.out(drop(self.norms[4](x)))


def sequence_loss(logits, tags, mask, table):
    between, start, end = table[:TAGS], table[TAGS], table[TAGS + 1]
    alpha = start + logits[:, 0]
    score = start[tags[:, 0]] + logits[:, 0].gather(1, tags[:, :1])[:, 0]
    for t in range(1, logits.shape[1]):
        new = torch.logsumexp(alpha[:, :, None] + between, 1) + logits[:, t]
        alpha = torch.where(mask[:, t], new, alpha)
        step = between[tags[:, t - 1], tags[:, t]] + logits[:, t].gather(1, tags[:, t : t + 1])[:, 0]
        score = score + step * mask[:, t, 0]
    last = tags.gather(1, mask[:, :, 0].sum(1, keepdim=True) - 1)[:, 0]
    return (torch.logsumexp(alpha + end, 1) - score - end[last]).sum() / mask.sum()


def batches():
    by = {}
    for one in random.sample(sentences, len(sentences)):
        by.setdefault(next(b for b in BUCKETS if b >= len(one[0])), []).append(one)
    made = []
    for length, members in by.items():
        rows = max(1, min(ROWS, TOKENS // length))
        made += [(length, members[i : i + rows]) for i in range(0, len(members), rows)]
    random.shuffle(made)
    for length, members in made:
        pad = lambda values: values + [0] * (length - len(values))
        words = torch.tensor([pad([w + 2 for w in words]) for words, _ in members])
        affixes = torch.tensor([[[affix(w, k) for k in range(AFFIXES)] for w in pad(words)] for words, _ in members])
        tags = torch.tensor([pad(tags) for _, tags in members])
        mask = torch.tensor([[[t < len(words)] for t in range(length)] for words, _ in members])
        yield words, affixes, tags, mask


model = Tagger()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.01)
speeds = []
for _ in range(EPOCHS):
    begin = time.perf_counter()
    for words, affixes, tags, mask in batches():
        logits = model(words, affixes, mask)
        if head == "crf":
            loss = sequence_loss(logits, tags, mask, model.table)
        else:
            loss = nn.functional.cross_entropy(logits[mask[:, :, 0]], tags[mask[:, :, 0]])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2)
        optimizer.step()
    speeds.append(total / (time.perf_counter() - begin))
print(json.dumps({"wordsPerSecond": speeds[1:]}))
