#!/usr/bin/env python3
"""Golden training steps: three steps of PyTorch's AdamW on tests/golden/llama/gqa_untied by transformers' Llama, in f32.

    python3 tests/golden/scripts/make_training_steps.py     (writes tests/golden/train/steps.json)

Needs PyPI torch (2.15.0) and transformers (5.24.0). Kept are loss and norm of the gradient of each step and, of every
tensor after the last, the sum of its changes and three values.
"""
import json, pathlib

import torch
from transformers import LlamaForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[3]
RATES = [0.01, 0.02, 0.005]
N = 12  # of a window; two windows a step

torch.set_num_threads(1)
model = LlamaForCausalLM.from_pretrained(ROOT / "tests/golden/llama/gqa_untied", dtype=torch.float32,
                                         attn_implementation="eager")
before = {name: p.detach().clone() for name, p in model.named_parameters()}
optimizer = torch.optim.AdamW([{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
                               {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}],
                              betas=(0.9, 0.95), eps=1e-8)
steps = []
for step, rate in enumerate(RATES):
    ids = torch.tensor([[(7 * i * i + 31 * row + 13 * step + i) % 96 for i in range(N + 1)] for row in range(2)])
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    logits = model(ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    steps.append({"loss": loss.item(), "norm": norm.item()})
tensors = {}
for name, p in model.named_parameters():
    flat = p.detach().flatten()
    at = [0, flat.numel() // 2, flat.numel() - 1]
    tensors[name] = {"change": (p.detach() - before[name]).double().abs().sum().item(), "at": at,
                     "values": [flat[i].item() for i in at]}
out = ROOT / "tests/golden/train"
out.mkdir(exist_ok=True)
(out / "steps.json").write_text(json.dumps({"window": N, "rates": RATES, "steps": steps, "tensors": tensors}) + "\n")
