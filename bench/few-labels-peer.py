"""The peers of few-labels.mjs: for every draw of training rows, the accuracy of TF-IDF and of averaged GloVe vectors."""
import json, pathlib, re, sys

import numpy as np
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
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


def counted(texts):
    """How often each term comes in each text: words in sequence, and characters within words."""
    makers = [
        CountVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", dtype=np.float64),
        CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), dtype=np.float64),
    ]
    return [maker.fit_transform(texts).tocsr() for maker in makers]


def tfidf(counts, train, test):
    """As two TfidfVectorizers with sublinear_tf, fitted on the training rows: their terms are those rows' terms."""
    parts = []
    for all_counts in counts:
        known = np.unique(all_counts[train].indices)
        own, asked = all_counts[train][:, known], all_counts[test][:, known]
        weights = TfidfTransformer(sublinear_tf=True).fit(own)
        parts.append((weights.transform(own), weights.transform(asked)))
    return tuple(hstack(part).tocsr() for part in zip(*parts))


terms = {name: counted(one["texts"]) for name, one in sets.items()}
out = []
for draw in given["draws"]:
    one = sets[draw["name"]]
    labels = np.asarray(one["labels"])
    rows, test = draw["rows"], one["test"]
    train, asked = tfidf(terms[draw["name"]], rows, test)
    vectors = means[draw["name"]]
    out.append(
        {
            "tfidf": accuracy(train, labels[rows], asked, labels[test], [1, 10, 100]),
            "glove": accuracy(vectors[rows], labels[rows], vectors[test], labels[test], [0.1, 1, 10, 100]),
        }
    )
    print(draw["name"], draw["shots"], draw["draw"], out[-1], file=sys.stderr, flush=True)
json.dump(out, sys.stdout)
