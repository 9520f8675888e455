#!/usr/bin/env python3
"""What Hugging Face transformers says of a model folder: transformers_reference.py FOLDER QUESTION.json.

The question: "texts" to tokenize; "prompt" and "following", lists of ids; "held_out", a text file, and "windows" of 512
tokens to score. The answer is one line of JSON on standard output: the ids of each text; the most likely token after the
prompt and after each token that follows, with the logit by which the one that follows is behind; the perplexity."""
import json
import math
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@torch.no_grad()
def follow(model, prompt, following):
    logits = model(torch.tensor([prompt + following[:-1]])).logits[0, len(prompt) - 1:].double()
    best = logits.argmax(dim=-1)
    behind = logits.max(dim=-1).values - logits[torch.arange(len(following)), torch.tensor(following)]
    return best.tolist(), behind.tolist()


@torch.no_grad()
def perplexity(model, tokenizer, text, windows, n=512):
    """Windows of n tokens, each begun by BOS, the second half scored."""
    ids = tokenizer(text).input_ids
    nll, count = 0.0, 0
    for w in range(min(windows, len(ids) // n)):
        window = torch.tensor(ids[w * n:(w + 1) * n])
        window[0] = tokenizer.bos_token_id
        log_p = torch.log_softmax(model(window[None]).logits[0].double(), dim=-1)
        at = torch.arange(n // 2, n - 1)
        nll -= log_p[at, window[at + 1]].sum().item()
        count += len(at)
    return math.exp(nll / count)


def main(folder, question):
    torch.set_num_threads(1)
    question = json.loads(pathlib.Path(question).read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    best, behind = follow(model, question["prompt"], question["following"])
    text = pathlib.Path(question["held_out"]).read_text(encoding="utf-8")
    print(json.dumps({"ids": [tokenizer(t).input_ids for t in question["texts"]], "best": best, "behind": behind,
                      "perplexity": perplexity(model, tokenizer, text, question["windows"])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
