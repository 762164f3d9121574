#!/bin/sh
# What the benches compare with and golden values are made by, in the virtual environment .venv of the project, which git ignores:
# scripts/python-peers.sh, or with another interpreter PYTHON=python3.11 scripts/python-peers.sh. Tests never need it.
set -e
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --quiet torch==2.13.0 torchvision==0.28.0 transformers==5.24.0 tokenizers==0.23.3 \
  safetensors==0.8.0 huggingface_hub==2.4.0 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 numpy==2.4.6 scipy==1.17.1 \
  scikit-learn==1.9.0 pillow==13.0.0 gensim==4.4.0 seqeval
# Of bench/tagger.mjs alone; it fails where there is no wheel for this Python, and the bench then leaves spaCy out.
.venv/bin/pip install --quiet spacy || echo "spaCy could not be installed: bench/tagger.mjs leaves it out" >&2
.venv/bin/python -c 'import torch; print("PyTorch", torch.__version__)'
