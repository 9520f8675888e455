#!/usr/bin/env python3
"""Makes tests/golden/llama: random-weight two-layer models of the Llama family as Hugging Face folders, with the logits that
transformers computes for them in float32. Most keep their weights in bfloat16, to which they are rounded first. Needs PyPI
torch, transformers and safetensors. Each folder gets golden.json
(token ids) and logits.f32 (little-endian, [tokens][vocabulary]). Run from the repository's root, with names for some only."""
import json
import pathlib
import shutil
import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

OUT = pathlib.Path("tests/golden/llama")
N_TOKENS = 24
COMMON = dict(hidden_size=64, intermediate_size=48, num_hidden_layers=2, vocab_size=96, max_position_embeddings=256,
              initializer_range=0.15, bos_token_id=1, eos_token_id=2, attn_implementation="eager")


def rope(kind, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **more))


MODELS = {
    "gqa_untied": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False)),
    "mha_tied": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True)),
    "llama3_rope": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=1, tie_word_embeddings=True,
                                      **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                             original_max_position_embeddings=64))),
    "head_dim_linear_rope": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=1, head_dim=22,
                                               tie_word_embeddings=True, rms_norm_eps=1e-5, **rope("linear", factor=2.0))),
    "biases": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
                                 attention_bias=True, mlp_bias=True)),
    "mistral": (MistralConfig, dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
                                    sliding_window=None, head_dim=16)),
    "mha_untied": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=False)),
    "mistral_window": (MistralConfig, dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
                                           sliding_window=7, head_dim=16)),
}
STORED_AS_FLOAT32 = {"gqa_untied", "mha_tied"}
# config.json as transformers before version 5 wrote it.
OLD_STYLE = {"llama3_rope", "gqa_untied"}


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.3, generator=generator)
            else:
                parameter.normal_(0, 0.15, generator=generator)


def to_old_style(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    config["rope_scaling"] = None if parameters.get("rope_type") == "default" else parameters
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make(name, config_class, settings, seed):
    generator = torch.Generator().manual_seed(seed)
    config = config_class(**COMMON, **settings)
    model_class = MistralForCausalLM if config_class is MistralConfig else LlamaForCausalLM
    model = model_class(config).float().eval()
    randomize(model, generator)
    if name not in STORED_AS_FLOAT32:  # parameters only: the frequencies of RoPE stay in float32
        for parameter in model.parameters():
            parameter.data = parameter.data.bfloat16().float()
    tokens = [1] + torch.randint(0, config.vocab_size, (N_TOKENS - 1,), generator=generator).tolist()
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float()
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    if name not in STORED_AS_FLOAT32:
        model = model.to(torch.bfloat16)
    model.save_pretrained(folder, safe_serialization=True)
    if name in OLD_STYLE:
        to_old_style(folder)
    (folder / "golden.json").write_text(json.dumps({"tokens": tokens}) + "\n")
    (folder / "logits.f32").write_bytes(logits.contiguous().numpy().astype("<f4").tobytes())
    print(f"{name}: logits std {logits.std():.2f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed, (name, (config_class, settings)) in enumerate(MODELS.items()):
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(name, config_class, settings, seed)
