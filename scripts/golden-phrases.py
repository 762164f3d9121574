"""Phrases as gensim finds and joins them, in two passes: test/golden/phrases.json. Needs gensim."""
import json, pathlib

import gensim
import numpy as np
from gensim.models.phrases import Phrases

rng = np.random.default_rng(3)
planted = ["new york", "new york times", "los angeles", "ice cream", "prime minister of japan"]
common = [f"w{i}" for i in range(60)]
weights = 1 / np.arange(1, 61)
texts = []
for _ in range(600):
    parts = list(rng.choice(common, size=rng.integers(2, 9), p=weights / weights.sum()))
    if rng.random() < 0.5:
        parts.insert(int(rng.integers(0, len(parts) + 1)), str(rng.choice(planted)))
    if rng.random() < 0.1:
        parts.append(str(rng.choice(["new", "york", "times", "ice", "of"])))
    texts.append(" ".join(parts).split())
passes, now = [], texts
for _ in range(2):
    phrases = Phrases(now, min_count=3, threshold=6, scoring="default")
    now = [phrases[text] for text in now]
    passes.append({"scores": phrases.export_phrases(), "entries": len(phrases.vocab), "texts": [" ".join(text) for text in now]})
pathlib.Path(__file__).parent.parent.joinpath("test/golden/phrases.json").write_text(
    json.dumps({"gensim": gensim.__version__, "least": 3, "threshold": 6, "texts": [" ".join(text) for text in texts], "passes": passes})
)
