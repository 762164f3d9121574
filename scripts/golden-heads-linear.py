"""Writes test/golden/heads-linear.json: optima of scikit-learn's LogisticRegression and LinearSVC on small data.

Run from the repository root: python scripts/golden-heads-linear.py
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC


def data(n, d, classes, seed):
    draw = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), np.minimum(draw.integers(0, classes + 1, n - classes), classes - 1)])
    mixing = draw.normal(size=(d, d)) * (np.arange(1, d + 1) ** -0.7)[:, None]
    means = draw.normal(size=(classes, d)) * 0.7
    features = np.maximum((draw.normal(size=(n, d)) + means[labels]) @ mixing + 0.3, 0)
    return np.round(features, 3).astype(np.float32).astype(np.float64), labels


def softmax_objective(model, features, labels, weights, strength):
    scores = features @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    scores -= scores.max(1, keepdims=True)
    loss = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(labels)), labels]
    return strength * (weights * loss).sum() + 0.5 * (model.coef_**2).sum()


def hinge_objective(model, features, labels, weights, strength):
    scores = features @ model.coef_.T + model.intercept_
    columns = [1] if scores.shape[1] == 1 else range(scores.shape[1])
    signs = np.stack([np.where(labels == c, 1.0, -1.0) for c in columns], 1)
    loss = (weights[:, None] * np.maximum(0, 1 - signs * scores) ** 2).sum()
    return strength * loss + 0.5 * (model.coef_**2).sum() + 0.5 * (model.intercept_**2).sum()


def case(n, d, classes, seed):
    features, labels = data(n, d, classes, seed)
    fits = []
    for strength in [0.01, 1.0, 100.0]:
        for class_weight in [None, "balanced", [1.0 + c for c in range(classes)]]:
            named = dict(enumerate(class_weight)) if isinstance(class_weight, list) else class_weight
            counts = np.bincount(labels)
            of_class = {None: np.ones(classes), "balanced": n / (classes * counts)}
            weights = (np.array(class_weight) if isinstance(class_weight, list) else of_class[class_weight])[labels]
            soft = LogisticRegression(C=strength, tol=1e-10, max_iter=100000, class_weight=named).fit(features, labels)
            hinge = LinearSVC(C=strength, tol=1e-12, max_iter=1000000, dual=False, class_weight=named).fit(features, labels)
            # Class weights of liblinear are those of the class alone in its own column: the rest weighs 1 there.
            entry = {
                "strength": strength,
                "classWeights": class_weight,
                "logistic": {
                    "objective": softmax_objective(soft, features, labels, weights, strength),
                    "predicted": soft.predict(features).tolist(),
                    "probabilities": np.round(soft.predict_proba(features), 7).ravel().tolist(),
                },
            }
            if class_weight is None or classes == 2:
                entry["linearSvm"] = {
                    "objective": hinge_objective(hinge, features, labels, weights, strength),
                    "predicted": hinge.predict(features).tolist(),
                    "scores": np.round(hinge.decision_function(features), 6).ravel().tolist(),
                }
            fits.append(entry)
    return {
        "rows": n,
        "columns": d,
        "classes": classes,
        "features": features.ravel().tolist(),
        "labels": labels.tolist(),
        "fits": fits,
    }


golden = {
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "cases": [case(60, 7, 2, 1), case(80, 6, 4, 2), case(20, 30, 3, 3)],
}
Path("test/golden/heads-linear.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
