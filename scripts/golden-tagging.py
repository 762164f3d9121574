"""Span scores of random tag sequences, valid and broken, for test/golden/tagging.json.

`conlleval` here is a transcription of the rules printed in the CoNLL-2000 evaluation script (Tjong Kim Sang), written anew;
`strict` is seqeval's. Needs seqeval and numpy: python scripts/golden-tagging.py
"""
import json
import random
from importlib.metadata import version
from pathlib import Path

from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import BILOU, IOB2, IOBES


def chunks(tags):
    found, start, kind, before = set(), None, None, ("O", "")
    for i, tag in enumerate([*tags, "O"]):
        now = (tag[0], tag[2:]) if tag != "O" else ("O", "")
        (p, pk), (t, tk) = before, now
        over = (
            (p == "B" and t in "BO") or (p == "I" and t in "BO") or (p == "E" and t in "EIO")
            or (p != "O" and pk != tk)
        )
        begins = (
            t == "B" or (p == "O" and t in "IE") or (p == "E" and t in "EI") or (t != "O" and pk != tk)
        )
        if start is not None and over:
            found.add((start, i, kind))
            start = None
        if begins and start is None:
            start, kind = i, tk
        before = now
    return found


def conlleval(gold, predicted):
    counts, per = [0, 0, 0], {}
    for g, p in zip(gold, predicted):
        a, b = chunks(g), chunks(p)
        for which, spans in enumerate((a, b, a & b)):
            counts[which] += len(spans)
            for _, _, kind in spans:
                per.setdefault(kind, [0, 0, 0])[which] += 1
    right = sum(x == y for g, p in zip(gold, predicted) for x, y in zip(g, p))
    total = sum(map(len, gold))
    p = counts[2] / counts[1] if counts[1] else 0
    r = counts[2] / counts[0] if counts[0] else 0
    return {"accuracy": right / total, "counts": counts, "precision": p, "recall": r,
            "f1": 2 * p * r / (p + r) if p + r else 0, "perType": per}


def sequences(rng, letters, broken):
    out = []
    for _ in range(60):
        tags, n = [], rng.randint(1, 14)
        while len(tags) < n:
            kind, length = rng.choice("ABC"), rng.randint(1, 3)
            if rng.random() < 0.4:
                tags.append("O")
            elif letters == "BIO":
                tags += ["B-" + kind] + ["I-" + kind] * (length - 1)
            else:
                b, i, e, s = letters
                tags += [s + "-" + kind] if length == 1 else (
                    [b + "-" + kind] + [i + "-" + kind] * (length - 2) + [e + "-" + kind])
        if broken:
            names = sorted({*"O"} | {x + "-" + k for x in set(letters) - {"O"} for k in "ABC"})
            tags = [rng.choice(names) if rng.random() < 0.25 else tag for tag in tags]
        out.append(tags)
    return out


def noisy(rng, gold, letters):
    names = sorted({*"O"} | {x + "-" + k for x in set(letters) - {"O"} for k in "ABC"})
    return [[rng.choice(names) if rng.random() < 0.12 else tag for tag in tags] for tags in gold]


cases = []
for letters, name, scheme in (("BIO", "BIO", IOB2), ("BIES", "BIOES", IOBES), ("BILU", "BILOU", BILOU)):
    for broken in (False, True):
        rng = random.Random(f"{name}{broken}")
        gold = sequences(rng, letters, broken)
        predicted = noisy(rng, gold, letters)
        strict = dict(mode="strict", scheme=scheme)
        case = {"scheme": name, "gold": [" ".join(t) for t in gold], "predicted": [" ".join(t) for t in predicted],
                "strict": {"precision": precision_score(gold, predicted, **strict),
                           "recall": recall_score(gold, predicted, **strict),
                           "f1": f1_score(gold, predicted, **strict)},
                "lenient": {"f1": f1_score(gold, predicted),
                            "report": classification_report(gold, predicted, output_dict=True)}}
        if name == "BIO":
            case["conlleval"] = conlleval(gold, predicted)
        if name == "BILOU":
            del case["lenient"]  # seqeval's default mode knows no L and U
        cases.append(case)

path = Path(__file__).parent.parent / "test" / "golden" / "tagging.json"
path.write_text(json.dumps({"versions": {"seqeval": version("seqeval")}, "cases": cases}, default=float) + "\n")
print(path, len(cases), "cases")
