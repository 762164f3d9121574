"""Pictures of 200 digits as scikit-learn makes and scores them: test/golden/map.json."""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

# Hundredths at random, so that no two neighbours are equally far and ranks are unambiguous.
rows = (load_digits().data[:200] + np.random.default_rng(1).integers(-40, 41, size=(200, 64)) / 100).round(2)
exact = rows.astype(np.float32).astype(float)
pca = PCA(2, svd_solver="full").fit(exact)
plane = pca.transform(exact)
tsne = TSNE(2, init="pca", random_state=0, perplexity=15).fit_transform(rows)
few = np.random.default_rng(3).integers(-9, 10, size=(5, 12))
few_pca = PCA(2, svd_solver="full").fit(few.astype(float))
out = {
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "rows": rows.tolist(),
    "scores": plane.round(9).tolist(),
    "explained": pca.explained_variance_ratio_.tolist(),
    "few": few.tolist(),
    "fewScores": few_pca.transform(few.astype(float)).round(9).tolist(),
    "trustworthiness": {str(k): float(trustworthiness(exact, plane.astype(np.float32), n_neighbors=k)) for k in (5, 12, 30)},
    "tsne": float(trustworthiness(exact, tsne, n_neighbors=12)),
}
path = pathlib.Path(__file__).parent.parent / "test/golden/map.json"
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, out["trustworthiness"], out["tsne"])
