#!/usr/bin/env python3
"""Makes tests/golden/qwen2: random-weight two-layer models of the Qwen2 family as Hugging Face folders, with the logits that
transformers computes for them in float32. Needs PyPI torch, transformers and safetensors. Each folder gets golden.json
(token ids) and logits.f32 (little-endian, [tokens][vocabulary]). Run from the repository's root."""
import json
import pathlib
import shutil

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

OUT = pathlib.Path("tests/golden/qwen2")
N_TOKENS = 24
COMMON = dict(intermediate_size=48, num_hidden_layers=2, vocab_size=64, max_position_embeddings=256, rms_norm_eps=1e-6,
              bos_token_id=1, eos_token_id=2, attn_implementation="eager",
              rope_parameters=dict(rope_type="default", rope_theta=1000000.0))
MODELS = {
    "gqa_tied": dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=1, tie_word_embeddings=True),
    "mha_untied": dict(hidden_size=32, num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=False),
}
# config.json as it stands in the published Qwen2.5 checkpoints, made by transformers before version 5: a window that is not used.
OLD_STYLE = {"gqa_tied"}


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.5, generator=generator)
            else:
                parameter.normal_(0, 0.15, generator=generator)


def to_old_style(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["torch_dtype"] = config.pop("dtype")
    del config["layer_types"]
    config |= {"sliding_window": 32, "max_window_layers": 2, "use_sliding_window": False}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make(name, settings, seed):
    generator = torch.Generator().manual_seed(seed)
    config = Qwen2Config(**COMMON, **settings)
    model = Qwen2ForCausalLM(config).float().eval()
    randomize(model, generator)
    tokens = [1] + torch.randint(0, config.vocab_size, (N_TOKENS - 1,), generator=generator).tolist()
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float()
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, safe_serialization=True)
    if name in OLD_STYLE:
        to_old_style(folder)
    (folder / "golden.json").write_text(json.dumps({"tokens": tokens}) + "\n")
    (folder / "logits.f32").write_bytes(logits.contiguous().numpy().astype("<f4").tobytes())
    print(f"{name}: logits std {logits.std():.2f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed, (name, settings) in enumerate(MODELS.items()):
        make(name, settings, seed)
