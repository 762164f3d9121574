"""spaCy's side of bench/tagger.mjs: SENTENCES; a tagger of spaCy's usual size, trained for an epoch; prints the words tagged a second."""
import json
import random
import sys
import time

import spacy
from spacy.tokens import Doc
from spacy.training import Example

sentences = [(one["words"], one["tags"]) for one in json.load(open(sys.argv[1]))]
random.seed(0)
nlp = spacy.blank("en")
tagger = nlp.add_pipe("tagger")
for tag in range(17):
    tagger.add_label(f"T{tag}")
documents = lambda: [Doc(nlp.vocab, words=[f"word{word}" for word in words]) for words, _ in sentences]
examples = [
    Example.from_dict(document, {"words": [token.text for token in document], "tags": [f"T{tag}" for tag in tags]})
    for document, (_, tags) in zip(documents(), sentences)
]
optimizer = nlp.initialize(lambda: examples[:200])
for at in range(0, len(examples), 64):
    nlp.update(examples[at : at + 64], sgd=optimizer)
total = sum(len(words) for words, _ in sentences)
speeds = []
for _ in range(3):
    fresh = documents()
    begin = time.perf_counter()
    for _ in nlp.pipe(fresh, batch_size=256):
        pass
    speeds.append(total / (time.perf_counter() - begin))
print(json.dumps({"wordsPerSecond": speeds[1:], "version": spacy.__version__}))
