"""The peer of bench/query.mjs: gensim loads a file of vectors and answers, in milliseconds, for each line of standard input."""

import json
import sys
import time

import gensim
import numpy as np
from gensim.models import KeyedVectors

print(json.dumps({"version": gensim.__version__}), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    at = [time.perf_counter()]
    vectors = KeyedVectors.load_word2vec_format(ask["path"], binary=True)
    at.append(time.perf_counter())
    vectors.fill_norms()
    vectors.most_similar(ask["words"][0])
    at.append(time.perf_counter())
    for word in ask["words"][:10]:
        vectors.most_similar(word)
    at.append(time.perf_counter())
    # gensim has no batched query: the product that one would write over its arrays, and the sorting that it does for one.
    queries = vectors.vectors[[vectors.key_to_index[word] for word in ask["words"]]]
    cosines = queries @ vectors.vectors.T / vectors.norms
    best = [gensim.matutils.argsort(row, topn=11, reverse=True) for row in cosines]
    at.append(time.perf_counter())
    load, index, one, many = (np.diff(at) * 1000).tolist()
    found = [vectors.most_similar(word, topn=1)[0][0] for word in ask["words"]]
    print(json.dumps({"load": load, "index": index, "one": one / 10, "many": many / len(ask["words"]), "found": found}), flush=True)
    del vectors, queries, cosines, best
