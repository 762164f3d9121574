"""The peer of bench/embed.mjs: trains gensim's word vectors on a file of sentences for each line of standard input."""

import json
import resource
import sys
import time

import gensim
from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence

print(json.dumps({"version": gensim.__version__}), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    model = Word2Vec(
        vector_size=ask["dim"], window=ask["window"], negative=ask["negative"], sample=ask["sample"],
        min_count=ask["minCount"], sg=int(ask["method"] == "skipgram"), workers=ask["threads"], seed=ask.get("seed", 0) + 1,
        alpha=0.025 if ask["method"] == "skipgram" else 0.05,
    )
    sentences = LineSentence(ask["corpus"])
    model.build_vocab(sentences)
    begin, cpu = time.perf_counter(), time.process_time()
    model.train(sentences, total_examples=model.corpus_count, epochs=ask["epochs"])
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    if ask.get("output"):
        model.wv.save_word2vec_format(ask["output"], binary=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory}), flush=True)
