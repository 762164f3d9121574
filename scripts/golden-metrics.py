"""Writes test/golden/metrics.json: scores of scikit-learn and statistics of scipy, to be compared with Graft's own.

Run from the repository root: python scripts/golden-metrics.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics


def ece_by_width(confidence, right, bins=15):
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return sum(
        abs(right[bin_of == b].mean() - confidence[bin_of == b].mean()) * (bin_of == b).mean()
        for b in range(bins)
        if (bin_of == b).any()
    )


def ece_by_mass(confidence, right, bins=15):
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return sum(abs(right[p].mean() - confidence[p].mean()) * len(p) for p in parts) / len(right)


def case(name, n, classes, sharpness, seed, absent=()):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, n)
    for c in absent:
        labels[labels == c] = (c + 1) % classes
    logits = draw.normal(size=(n, classes)) * sharpness
    logits[np.arange(n), labels] += sharpness
    p = np.exp(logits - logits.max(1, keepdims=True))
    p = np.round(p / p.sum(1, keepdims=True), 5)
    p[:, -1] = np.round(1 - p[:, :-1].sum(1), 5)
    predicted = p.argmax(1)
    right = (predicted == labels).astype(float)
    names = list(range(classes))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=names, zero_division=0
    )
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "macroF1": metrics.f1_score(labels, predicted, average="macro", zero_division=0),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "confusion": metrics.confusion_matrix(labels, predicted, labels=names).ravel().tolist(),
        "logLoss": metrics.log_loss(labels, p, labels=names),
        "brier": metrics.brier_score_loss(labels, p, labels=names, scale_by_half=False),
        "eceByWidth": ece_by_width(p.max(1), right),
        "eceByMass": ece_by_mass(p.max(1), right),
    }
    if classes > 2:
        expected["top2"] = metrics.top_k_accuracy_score(labels, p, k=2, labels=names)
    return {"name": name, "classes": classes, "labels": labels.tolist(), "p": p.tolist(), "expected": expected}


def distributions():
    quantiles = [1e-6, 0.001, 0.025, 0.2, 0.5, 0.7, 0.975, 0.9999]
    return {
        "normalQuantile": [[q, stats.norm.ppf(q)] for q in quantiles],
        "normalCdf": [[x, stats.norm.cdf(x)] for x in [-6, -2.5, -0.3, 0, 0.7, 1.96, 5]],
        "studentCdf": [[x, df, stats.t.cdf(x, df)] for x in [-4, -0.5, 0, 1, 2.26, 30] for df in [1, 4, 9, 99]],
        "studentQuantile": [[q, df, stats.t.ppf(q, df)] for q in [0.005, 0.3, 0.975] for df in [1, 2, 9, 99]],
        "wilson": [
            [right, n, *stats.binomtest(right, n).proportion_ci(0.95, "wilson")]
            for right, n in [(0, 10), (5, 10), (10, 10), (147, 153), (899, 1000)]
        ],
        "mcnemar": [[b, c, stats.binomtest(b, b + c, 0.5).pvalue] for b, c in [(6, 0), (10, 3), (5, 5), (40, 22), (0, 1)]],
    }


out = {
    "versions": {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    },
    "cases": [
        case("two classes", 40, 2, 1.0, 1),
        case("five classes, sharp", 60, 5, 2.5, 2),
        case("four classes, one never a label", 37, 4, 0.8, 3, absent=(2,)),
    ],
    "distributions": distributions(),
}
path = Path(__file__).parent.parent / "test" / "golden" / "metrics.json"
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
print(path, path.stat().st_size)
