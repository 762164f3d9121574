"""The peer of bench/photos.mjs and bench/calibration.mjs: scikit-learn's logistic regression, its strength by 5 folds on log loss.

FOLDER holds features.f32 [N, D], labels.i32 [N] and tasks.json, a list of {"train": rows, "test": rows}. Writes the
probabilities [test rows, classes] of all tasks in turn to peer.f64.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegressionCV

STRENGTHS = np.logspace(-2, 4, 13)  # the strengths that Graft tries, too

warnings.filterwarnings("ignore", category=FutureWarning)
folder = Path(sys.argv[1])
labels = np.fromfile(folder / "labels.i32", np.int32)
features = np.fromfile(folder / "features.f32", np.float32).reshape(len(labels), -1).astype(np.float64)
features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
with open(folder / "peer.f64", "wb") as out:
    for task in json.loads((folder / "tasks.json").read_text()):
        train, test = np.array(task["train"]), np.array(task["test"])
        # In coordinates of what the training rows span the problem and its solution are the same, and smaller.
        basis = np.linalg.svd(features[train], full_matrices=False)[2]
        model = LogisticRegressionCV(Cs=STRENGTHS, cv=5, scoring="neg_log_loss", max_iter=2000)
        model.fit(features[train] @ basis.T, labels[train])
        out.write(model.predict_proba(features[test] @ basis.T).astype(np.float64).tobytes())
        print(".", end="", file=sys.stderr, flush=True)
print(sklearn.__version__)
