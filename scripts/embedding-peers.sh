#!/bin/sh
# What bench/embed.mjs compares with beside gensim: scripts/embedding-peers.sh FOLDER WORD2VEC.C builds word2vec.c of a checkout of
# github.com/tmikolov/word2vec, patched, with gcc; then GRAFT_WORD2VEC=FOLDER/word2vec npm run bench -- embed. As published a thread
# that met the end of the file stays there: it trains for one pass alone (tmikolov/word2vec#47). fastText is Debian's package, found
# by its name (apt-get install fasttext), or named by GRAFT_FASTTEXT.
set -e
[ $# -eq 2 ] || { echo "usage: scripts/embedding-peers.sh FOLDER WORD2VEC.C" >&2; exit 2; }
mkdir -p "$1"
# After each `fseek` back to a thread's part of the text, the end is forgotten.
awk '{ print } /fseek\(fi, file_size/ { print "      eof = 0;" }' "$2" > "$1/word2vec.c"
[ "$(grep -c '^      eof = 0;' "$1/word2vec.c")" -eq 2 ] || { echo "word2vec.c is not as expected" >&2; exit 1; }
gcc "$1/word2vec.c" -o "$1/word2vec" -lm -pthread -Ofast -march=native -funroll-loops -w
echo "GRAFT_WORD2VEC=$1/word2vec"
