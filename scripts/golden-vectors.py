"""Word vectors as gensim writes them and answers it gives: test/golden/vectors.json.gz. Needs gensim."""
import base64, gzip, io, json, pathlib, struct, tempfile

import gensim
import numpy as np
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import save_facebook_model

rng = np.random.default_rng(7)
words = ["the", "of", "king", "queen", "man", "woman", "naïve", "北京", "don't", "x-ray", "3.14", "walked"]
folder = pathlib.Path(tempfile.mkdtemp())


def packed(path):
    return base64.b64encode(pathlib.Path(path).read_bytes()).decode()


vectors = KeyedVectors(6)
vectors.add_vectors(words, rng.normal(size=(len(words), 6)).astype(np.float32))
vectors.save_word2vec_format(folder / "a.txt", binary=False)
vectors.save_word2vec_format(folder / "a.bin", binary=True)
np.savez_compressed(
    folder / "a.npz", words=np.frombuffer("\n".join(words).encode(), np.uint8), vectors=vectors.vectors
)
nearest = [w for w, _ in vectors.most_similar("king", topn=5)]
add = [(w, float(s)) for w, s in vectors.most_similar(positive=["king", "woman"], negative=["man"], topn=4)]
multiply = [(w, float(s)) for w, s in vectors.most_similar_cosmul(positive=["king", "woman"], negative=["man"], topn=4)]
pairs = [("king", "queen", 8.5), ("man", "woman", 8.0), ("the", "king", 1.0), ("of", "x-ray", 0.5), ("walked", "man", 3.0)]
pairs_file = folder / "pairs.tsv"
pairs_file.write_text("".join(f"{a}\t{b}\t{s}\n" for a, b, s in pairs))
spearman = float(vectors.evaluate_word_pairs(str(pairs_file))[1][0])

sentences = [["naïve", "kings", "and", "queens", "北京", "walk"], ["the", "king", "walks", "and", "the", "queen", "walked"]] * 4
model = FastText(sentences, vector_size=5, min_count=1, min_n=2, max_n=4, bucket=60, epochs=2, seed=1, workers=1)
save_facebook_model(model, str(folder / "model.bin"))
known = list(model.wv.index_to_key)
unseen = ["kingly", "quee", "北海"]
out = {
    "versions": {"gensim": gensim.__version__, "numpy": np.__version__},
    "words": words,
    "vectors": [[float(x) for x in row] for row in vectors.vectors],
    "text": packed(folder / "a.txt"),
    "binary": packed(folder / "a.bin"),
    "npz": packed(folder / "a.npz"),
    "nearest": nearest,
    "add": add,
    "multiply": multiply,
    "pairs": pairs,
    "spearman": spearman,
    "fasttext": {
        "file": packed(folder / "model.bin"),
        "words": known,
        "vectors": {w: [float(x) for x in model.wv[w]] for w in [*known, *unseen]},
    },
}
target = pathlib.Path(__file__).parent.parent / "test/golden/vectors.json.gz"
with gzip.GzipFile(target, "wb", mtime=0) as file:
    file.write(json.dumps(out).encode())
