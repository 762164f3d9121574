"""The peer of bench/text.mjs: scikit-learn's vectorizers and logistic regression, one question a line of standard input."""

import json
import sys
import time

import numpy
import scipy.sparse
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

with open(sys.argv[1]) as file:
    SETS = json.load(file)


def vectorizers(name):
    characters = {"analyzer": "char_wb", "ngram_range": (3, 5)}
    if name == "hotel reviews":
        characters = {"analyzer": "char", "ngram_range": (1, 3)}
    return [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(**characters, sublinear_tf=True),
    ]


def fitted(name, texts):
    both = vectorizers(name)
    return both, scipy.sparse.hstack([one.fit_transform(texts) for one in both]).tocsr()


def measure(data):
    texts = [data["texts"][i] for i in data["splits"][0]["train"]]
    begin = time.perf_counter()
    fitted(data["name"], texts)
    return {"seconds": time.perf_counter() - begin}


def score(data):
    labels = numpy.array(data["labels"])
    begin = time.perf_counter()
    right = count = 0
    for split in data["splits"]:
        train, test = split["train"], split["test"]
        both, features = fitted(data["name"], [data["texts"][i] for i in train])
        head = LogisticRegression(C=10, max_iter=1000).fit(features, labels[train])
        held = scipy.sparse.hstack([one.transform([data["texts"][i] for i in test]) for one in both]).tocsr()
        right += int((head.predict(held) == labels[test]).sum())
        count += len(test)
    return {"accuracy": right / count, "seconds": time.perf_counter() - begin}


def answer(value):
    print(json.dumps(value), flush=True)


answer({"version": sklearn.__version__})
for line in sys.stdin:
    question = json.loads(line)
    verb = {"time": measure, "score": score}[question["verb"]]
    answer(verb(SETS[question["set"]]))
