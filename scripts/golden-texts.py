"""Token ids as the reference library gives them, for test/golden/texts.json.

Three small tokenizers (WordPiece, byte-level BPE, Unigram) are trained on examples/support/messages.csv; each is stored
with the ids of some texts, whole and cut. Versions used are written into the file.
Run from the repository root: python scripts/golden-texts.py
"""

import csv
import json

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIZE = 800
LENGTHS = [8, 16]
TEXTS = [
    "Where is my parcel?",
    "  the APP crashes,   café naïve Ünïcödé  ",
    "我要退货，衣服尺码不对",
    "I was charged twice!!! order #48813 (19,90 €)",
    "can't won't it's",
    "emoji 🙂👍🏽 and 한국어 ภาษาไทย",
    "supercalifragilisticexpialidocious " * 3,
    "tab\tand\nnewline\r\nend",
]


def messages():
    with open("examples/support/messages.csv", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(messages(), trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "model_max_length": 512}


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(messages(), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer, {"tokenizer_class": "RobertaTokenizer", "pad_token": "<pad>", "model_max_length": 512}


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=SIZE, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator([text for text in messages() if text.isascii()], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer, {"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "model_max_length": 512}


def golden(name, tokenizer, config):
    cases = []
    for text in TEXTS:
        tokenizer.no_truncation()
        case = {"text": text, "ids": tokenizer.encode(text).ids, "cut": {}}
        for length in LENGTHS:
            tokenizer.enable_truncation(length)
            case["cut"][str(length)] = tokenizer.encode(text).ids
        cases.append(case)
    tokenizer.no_truncation()
    return {"name": name, "json": json.loads(tokenizer.to_str()), "config": config, "cases": cases}


sets = [("WordPiece", word_piece), ("byte-level BPE", byte_level), ("Unigram", unigram)]
result = {
    "tokenizers": tokenizers.__version__,
    "sets": [golden(name, *make()) for name, make in sets],
}
with open("test/golden/texts.json", "w") as file:
    json.dump(result, file, ensure_ascii=False)
    file.write("\n")
