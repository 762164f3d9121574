#!/bin/sh
# What bench/train-javascript.mjs compares with, in a folder of its own: scripts/javascript-peers.sh FOLDER, then
# JAVASCRIPT_PEERS=FOLDER npm run bench -- train-javascript. Neither package is a dependency of Graft.
set -e
[ $# -eq 1 ] || { echo "usage: scripts/javascript-peers.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
npm install --prefix "$1" --no-audit --no-fund --no-save @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 @jax-js/jax
