"""The peer of bench/heads.mjs: makes the features, then fits what each line of standard input asks for."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

ROWS, COLUMNS, CLASSES, LATENT = 20_000, 1280, 10, 256


def make():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, CLASSES, ROWS)
    means = draw.normal(size=(CLASSES, LATENT)) * 0.35
    hidden = (draw.normal(size=(ROWS, LATENT)) + means[labels]) * np.arange(1, LATENT + 1) ** -0.5
    mixing = draw.normal(size=(LATENT, COLUMNS)) * 3 / np.sqrt(LATENT)
    features = np.maximum(hidden @ mixing + 0.15 * draw.normal(size=(ROWS, COLUMNS)) - 0.1, 0).astype(np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12), labels


def objective(head, coefficients, intercepts, strength):
    coefficients, intercepts = coefficients.astype(np.float64), intercepts.astype(np.float64)
    scores = X.astype(np.float64) @ coefficients.T + intercepts
    half = 0.5 * (coefficients**2).sum()
    if head == "logistic":
        scores -= scores.max(1, keepdims=True)
        return strength * (np.log(np.exp(scores).sum(1)) - scores[np.arange(ROWS), Y]).sum() + half
    signs = np.where(np.arange(CLASSES) == Y[:, None], 1, -1)
    return strength * (np.maximum(0, 1 - signs * scores) ** 2).sum() + half + 0.5 * (intercepts**2).sum()


def answer(value):
    print(json.dumps(value), flush=True)


X, Y = make()
X.astype(np.float32).tofile(Path(sys.argv[1]) / "features.f32")
Y.astype(np.int32).tofile(Path(sys.argv[1]) / "labels.i32")
WIDE = X.astype(np.float64)  # liblinear would convert to float64 itself
answer({"version": sklearn.__version__})
for line in sys.stdin:
    question = json.loads(line)
    strength, tolerance = question["strength"], question["tolerance"]
    begin, cpu = time.perf_counter(), time.process_time()
    if question["head"] == "logistic":
        model = LogisticRegression(C=strength, tol=tolerance, max_iter=10_000).fit(X, Y)
    else:
        model = LinearSVC(C=strength, tol=tolerance, dual="auto", max_iter=10_000).fit(WIDE, Y)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    found = np.fromfile(question["found"], np.float32).reshape(COLUMNS + 1, CLASSES)
    theirs = objective(question["head"], model.coef_, model.intercept_, strength)
    ours = objective(question["head"], found[:-1].T, found[-1], strength)
    answer({"seconds": seconds, "cpu": cpu, "objective": float(theirs), "foundObjective": float(ours)})
