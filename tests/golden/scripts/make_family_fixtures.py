#!/usr/bin/env python3
"""Makes tests/golden/FAMILY/CASE for the families listed here: random-weight two-layer models as Hugging Face folders, with
the logits that transformers computes for them in float32, golden.json (token ids, and 32 tokens that it writes greedily) and
logits.f32 (little-endian, [tokens][vocabulary]). Weights are rounded to bfloat16 and stored so, which keeps the folders
small. Needs PyPI torch, transformers and safetensors. Run from the repository's root, with names of families for some only."""
import json
import pathlib
import shutil
import sys

import torch
import transformers

OUT = pathlib.Path("tests/golden")
N_TOKENS = 24
N_GREEDY = 32
COMMON = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=96,
              max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager")


def rope(kind="default", theta=10000.0, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **more))


LLAMA = dict(num_key_value_heads=2, tie_word_embeddings=True)
# family: {case: (prefix of transformers' class names, settings)}
FAMILIES = {
    "llama": {
        "yarn": ("Llama", LLAMA | rope("yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=4.0)),
        "yarn_attention_factor": ("Llama", LLAMA | rope("yarn", factor=8.0, original_max_position_embeddings=32,
                                                        attention_factor=1.1)),
        "dynamic": ("Llama", LLAMA | rope("dynamic", factor=4.0)),
    },
    "qwen3": {
        "head_dim": ("Qwen3", dict(num_key_value_heads=2, head_dim=32, tie_word_embeddings=True)),
        "untied": ("Qwen3", dict(num_key_value_heads=4, head_dim=16, tie_word_embeddings=False, **rope(theta=1e6))),
    },
    "smollm3": {
        "nope": ("SmolLM3", dict(num_key_value_heads=2, no_rope_layer_interval=2)),
        "rotating": ("SmolLM3", dict(num_key_value_heads=2, tie_word_embeddings=False)),
    },
}


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() or ".ln_" in name:
                center = 0.0 if type(model).__name__.startswith("Gemma") or name.endswith("bias") else 1.0
                parameter.uniform_(center - 0.5, center + 0.5, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.3, generator=generator)
            else:
                parameter.normal_(0, 0.15, generator=generator)
            parameter.copy_(parameter.bfloat16().float())


def make(family, name, class_name, settings, seed):
    generator = torch.Generator().manual_seed(seed)
    config = getattr(transformers, class_name + "Config")(**(COMMON | settings))
    model = getattr(transformers, class_name + "ForCausalLM")(config).float().eval()
    randomize(model, generator)
    tokens = [1] + torch.randint(0, config.vocab_size, (N_TOKENS - 1,), generator=generator).tolist()
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float()
        greedy = list(tokens)
        for _ in range(N_GREEDY):
            greedy.append(int(model(torch.tensor([greedy])).logits[0, -1].argmax()))
    folder = OUT / family / name
    shutil.rmtree(folder, ignore_errors=True)
    model.bfloat16().save_pretrained(folder, safe_serialization=True)
    golden = {"tokens": tokens, "greedy": greedy[N_TOKENS:]}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    (folder / "logits.f32").write_bytes(logits.contiguous().numpy().astype("<f4").tobytes())
    print(f"{family}/{name}: logits std {logits.std():.2f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for family_name, cases in FAMILIES.items():
        for case_seed, (case, (prefix, case_settings)) in enumerate(cases.items()):
            wanted = sys.argv[1:]
            if not wanted or family_name in wanted or f"{family_name}/{case}" in wanted:
                make(family_name, case, prefix, case_settings, case_seed)
