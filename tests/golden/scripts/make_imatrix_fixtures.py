#!/usr/bin/env python3
"""Makes tests/golden/imatrix/books-3m.json, to which src/shrink/imatrix_test.cc compares: sums of squares of the inputs of
every weight matrix of models/books-3m over the first windows of its heldout.txt, by hooks on transformers' modules, and a
few second moments of two of them.

  pip install torch transformers
  python make_imatrix_fixtures.py
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "models/books-3m"
N_CTX, WINDOWS = 512, 2
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
COLUMNS = [0, 1, 17, 100, 255]
PRODUCTS = {"blk.1.ffn_down.weight", "blk.2.attn_q.weight"}


def gguf_name(module):
    if module == "lm_head":
        return "token_embd.weight"  # tied
    _, _, layer, rest = module.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}.weight"


def main():
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    ids = tokenizer((FOLDER / "heldout.txt").read_text(encoding="utf-8"), add_special_tokens=True).input_ids
    inputs = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(
                lambda m, args, key=gguf_name(name): inputs.setdefault(key, []).append(args[0][0].double()))
    bos = tokenizer.bos_token_id
    with torch.no_grad():
        for w in range(WINDOWS):
            window = ids[w * N_CTX : (w + 1) * N_CTX]
            model(torch.tensor([[bos] + window[1:]]))
    out = {"n_ctx": N_CTX, "windows": WINDOWS, "columns": COLUMNS, "tensors": {}}
    for key, parts in sorted(inputs.items()):
        x = torch.cat(parts)
        squares = (x * x).sum(0)
        entry = {"tokens": len(x), "total": squares.sum().item(), "sums": [squares[c].item() for c in COLUMNS]}
        if key in PRODUCTS:
            moment = x.T @ x
            entry["products"] = [[moment[i, j].item() for j in COLUMNS if j <= i] for i in COLUMNS]
        out["tensors"][key] = entry
    path = ROOT / "tests/golden/imatrix/books-3m.json"
    path.write_text(json.dumps(out, indent=1) + "\n")


main()
