"""The peers of few-labels.mjs: for every draw of training rows, the accuracy of TF-IDF and of averaged GloVe vectors."""
import json, pathlib, re, sys

import numpy as np
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

given = json.load(open(sys.argv[1]))
sets = {one["name"]: one for one in given["sets"]}
glove = {}
for path in sorted(pathlib.Path(given["glove"]).glob("*.json*")):
    found = json.load(open(path))
    pairs = found.items() if isinstance(found, dict) else ((one["word"], one["vector"]) for one in found)
    for word, vector in pairs:
        if isinstance(vector, list) and len(vector) == 50:
            glove[word] = np.asarray(vector, dtype=np.float32)
assert len(glove) > 4000, len(glove)


def averaged(text):
    rows = [glove[word] for word in re.findall(r"[a-z0-9]+|'s", text.lower()) if word in glove]
    return np.mean(rows, axis=0) if rows else np.zeros(50, dtype=np.float32)


means = {name: np.stack([averaged(text) for text in one["texts"]]) for name, one in sets.items()}


def accuracy(train, labels, test, truth, strengths):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    head = LogisticRegressionCV(Cs=strengths, cv=folds, scoring="neg_log_loss", max_iter=300)
    return float((head.fit(train, labels).predict(test) == truth).mean())


out = []
for draw in given["draws"]:
    one = sets[draw["name"]]
    labels = np.asarray(one["labels"])
    rows, test = draw["rows"], one["test"]
    texts = [one["texts"][i] for i in rows]
    makers = [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
    ]
    train = hstack([maker.fit_transform(texts) for maker in makers]).tocsr()
    asked = hstack([maker.transform([one["texts"][i] for i in test]) for maker in makers]).tocsr()
    vectors = means[draw["name"]]
    out.append(
        {
            "tfidf": accuracy(train, labels[rows], asked, labels[test], [1, 10, 100]),
            "glove": accuracy(vectors[rows], labels[rows], vectors[test], labels[test], [0.1, 1, 10, 100]),
        }
    )
json.dump(out, sys.stdout)
