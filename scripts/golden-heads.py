"""Writes test/golden/heads.json: what scikit-learn's classifiers learn and answer, to be compared with Graft's heads.

Run from the repository root: python scripts/golden-heads.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.svm import SVC


def clouds(n, d, classes, seed):
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    labels[-n // 4 :] = classes - 1
    centres = draw.normal(size=(classes, d))
    return (centres[labels] + 1.2 * draw.normal(size=(n, d)) + 0.7).astype(np.float32), labels


def rounded(values):
    return [float(f"{value:.9g}") for value in np.asarray(values, dtype=np.float64).ravel()]


def case(name, n, d, classes, seed):
    x, y = clouds(n, d, classes, seed)
    asked, _ = clouds(40, d, classes, seed + 100)
    row_weights = np.random.default_rng(seed + 7).choice([0.5, 1.0, 2.0], n)
    gamma = float(f"{1 / (d * x.var()):.6g}")
    made = {
        "name": name,
        "columns": d,
        "classes": classes,
        "features": rounded(x),
        "labels": y.tolist(),
        "asked": rounded(asked),
        "rowWeights": row_weights.tolist(),
        "gamma": gamma,
        "centroid": NearestCentroid().fit(x, y).predict(asked).tolist(),
        "knn": {k: KNeighborsClassifier(k, algorithm="brute").fit(x, y).predict(asked).tolist() for k in (1, 5, 8)},
        "ridge": [],
        "svm": [],
    }
    x64, asked64 = x.astype(np.float64), asked.astype(np.float64)
    for alpha, weight in ((0.01, None), (3.0, None), (3.0, "balanced"), (100.0, "rows")):
        model = RidgeClassifier(alpha=alpha, class_weight=None if weight == "rows" else weight, solver="cholesky")
        model.fit(x64, y, sample_weight=row_weights if weight == "rows" else None)
        decision = model.decision_function(asked64)
        made["ridge"].append({"alpha": alpha, "weight": weight, "decision": rounded(decision)})
    grid = [10 ** (-5 + k / 2) for k in range(19)]
    made["ridgeChosen"] = float(RidgeClassifierCV(grid).fit(x64, y).alpha_)
    for strength, weight in ((0.3, None), (5.0, None), (5.0, "balanced"), (1.0, "rows")):
        model = SVC(C=strength, gamma=gamma, class_weight=None if weight == "rows" else weight, tol=1e-9,
                    decision_function_shape="ovo")
        model.fit(x64, y, sample_weight=row_weights if weight == "rows" else None)
        made["svm"].append({
            "strength": strength,
            "weight": weight,
            "decision": rounded(model.decision_function(asked64)),
            "predicted": model.predict(asked64).tolist(),
            "support": int(model.n_support_.sum()),
        })
    if classes == 2:
        kernel = ConstantKernel(9.0) * RBF(np.sqrt(0.5 / gamma))
        model = GaussianProcessClassifier(kernel, optimizer=None).fit(x64, y)
        mean, variance = model.latent_mean_and_variance(asked64)
        made["gp"] = {
            "amplitude": 9.0,
            "mean": rounded(mean),
            "variance": rounded(variance),
            "evidence": float(model.log_marginal_likelihood_value_),
            "probability": rounded(model.predict_proba(asked64)[:, 1]),
        }
    return made


cases = [case("two classes, more rows than columns", 60, 6, 2, 1), case("four classes", 80, 5, 4, 2),
         case("three classes, more columns than rows", 24, 40, 3, 3)]
versions = {"python": sys.version.split()[0], "numpy": np.__version__, "scikit-learn": sklearn.__version__}
path = Path(__file__).parents[1] / "test/golden/heads.json"
path.write_text(json.dumps({"versions": versions, "cases": cases}) + "\n")
print(path, path.stat().st_size)
