#!/usr/bin/env python3
"""Golden vocabulary of the BPE trainer: what the PyPI package `tokenizers` (0.23.3) makes of models/books-3m/heldout.txt.

    python3 tests/golden/scripts/make_bpe_training.py     (writes tests/golden/tokenizers/bpe_training.json)
"""
import json, pathlib

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[3]
SAMPLE = "The quick brown fox didn't jump over 12 lazy dogs…\n\n  \"Naïve,\" said Alice.\n"

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
trainer = trainers.BpeTrainer(vocab_size=1024, min_frequency=2, special_tokens=["<|begin|>", "<|end|>"],
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
with open(ROOT / "models/books-3m/heldout.txt", encoding="utf-8", newline="") as f:
    tokenizer.train_from_iterator([f.read()], trainer)
merges = json.loads(tokenizer.to_str())["model"]["merges"]
last = [m if isinstance(m, list) else m.split(" ") for m in merges][-20:]  # each depends on all before it
(ROOT / "tests/golden/tokenizers/bpe_training.json").write_text(json.dumps(
    {"n_merges": len(merges), "last_merges": last, "sample": SAMPLE, "ids": tokenizer.encode(SAMPLE).ids},
    ensure_ascii=False) + "\n", encoding="utf-8")
