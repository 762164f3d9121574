"""TF-IDF rows as scikit-learn's TfidfVectorizer gives them, for test/golden/tfidf.json.

Three kinds of terms on examples/support/messages.csv: words in sequence, characters within a word (char_wb) and
characters of Chinese. What is a word is Graft's own rule, given to scikit-learn as a pattern.
Run from the repository root: python scripts/golden-tfidf.py
"""

import csv
import json
import re

import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[!?$%€£]")
HAN = re.compile("[\u4e00-\u9fff]")
EVERY = 20

with open("examples/support/messages.csv", newline="") as file:
    messages = [row["text"].replace("’", "'") for row in csv.DictReader(file)]
english = [text for text in messages if not HAN.search(text)]
chinese = ["".join(HAN.findall(text)) for text in messages if HAN.search(text)]


def in_words(text):
    return " ".join(WORD.findall(text.lower()))


def golden(name, prefix, texts, settings, **vectorizer):
    fitted = TfidfVectorizer(sublinear_tf=True, **vectorizer)
    rows = fitted.fit_transform(texts)
    terms = fitted.get_feature_names_out()
    return {
        "name": name,
        "settings": settings,
        "texts": texts,
        "size": len(terms),
        "rows": {
            str(i): {prefix + terms[j]: round(float(rows[i, j]), 8) for j in sorted(rows[i].indices)}
            for i in range(0, len(texts), EVERY)
        },
    }


none = {"words": 0, "characters": 0, "unspaced": 0}
result = {
    "scikit-learn": sklearn.__version__,
    "sets": [
        golden(
            "words", "w:", english, {**none, "words": 2, "minCount": 2},
            token_pattern=WORD.pattern, ngram_range=(1, 2), min_df=2,
        ),
        golden(
            "characters within a word", "c:", english, {**none, "characters": 5, "minCount": 3},
            analyzer="char_wb", preprocessor=in_words, ngram_range=(2, 5), min_df=3,
        ),
        golden(
            "characters of Chinese", "z:", chinese, {**none, "unspaced": 3, "minCount": 1},
            analyzer="char", ngram_range=(1, 3), min_df=1,
        ),
    ],
}
with open("test/golden/tfidf.json", "w") as file:
    json.dump(result, file, ensure_ascii=False)
    file.write("\n")
