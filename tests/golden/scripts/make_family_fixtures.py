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
N_SOURCE = 20
N_GREEDY = 32
SUFFIXES = {"GPT2": "LMHeadModel", "T5": "ForConditionalGeneration"}
CONFIG_SUFFIXES = {"Gemma3": "TextConfig"}
COMMON = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=96,
              max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager")


def rope(kind="default", theta=10000.0, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **more))


LONGROPE = dict(rope_parameters=dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
                                     long_factor=[1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0]))
LLAMA = dict(num_key_value_heads=2, tie_word_embeddings=True)
MAMBA = dict(num_heads=8, head_dim=16, state_size=24, expand=2)
# Of COMMON, what a family's configuration does not have.
T5_COMMON = dict(d_model=64, d_kv=24, d_ff=96, num_layers=2, num_heads=4, decoder_start_token_id=0)
NOT_OF = {"Mamba2": ("intermediate_size", "num_attention_heads", "max_position_embeddings", "attn_implementation"),
          "T5": ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
                 "attn_implementation")}
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
    "gemma": {"mqa": ("Gemma", dict(num_key_value_heads=1, head_dim=32))},
    "gemma2": {
        "capped": ("Gemma2", dict(num_key_value_heads=2, head_dim=16, sliding_window=6, query_pre_attn_scalar=24,
                                  attn_logit_softcapping=1.5, final_logit_softcapping=2.0)),
        "published_caps": ("Gemma2", dict(num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16)),
    },
    "gemma3": {
        "windows": ("Gemma3", dict(num_key_value_heads=2, head_dim=16, sliding_window=6, query_pre_attn_scalar=24,
                                   layer_types=["sliding_attention", "full_attention"],
                                   rope_parameters={"full_attention": dict(rope_type="linear", rope_theta=1e6, factor=2.0),
                                                    "sliding_attention": dict(rope_type="default", rope_theta=1e4)})),
        "all_slide": ("Gemma3", dict(num_key_value_heads=1, head_dim=16, sliding_window=9, query_pre_attn_scalar=16,
                                     final_logit_softcapping=2.0)),
    },
    "phi3": {
        "window": ("Phi3", dict(num_key_value_heads=2, sliding_window=7)),
        "longrope_short": ("Phi3", LONGROPE | dict(num_key_value_heads=4, original_max_position_embeddings=128,
                                                   tie_word_embeddings=True)),
        "longrope_long": ("Phi3", LONGROPE | dict(num_key_value_heads=2, original_max_position_embeddings=16)),
    },
    "olmo": {"clipped": ("Olmo", dict(num_key_value_heads=2, clip_qkv=0.8)), "tied": ("Olmo", dict(tie_word_embeddings=True))},
    "olmo2": {"gqa": ("Olmo2", dict(num_key_value_heads=2))},
    "granite": {
        "multipliers": ("Granite", dict(num_key_value_heads=2, embedding_multiplier=12.0, logits_scaling=8.0,
                                        residual_multiplier=0.22, attention_multiplier=0.0625, tie_word_embeddings=True)),
        "biases": ("Granite", dict(num_key_value_heads=2, attention_multiplier=0.25, attention_bias=True, mlp_bias=True)),
    },
    "stablelm": {
        "biases": ("StableLm", dict(num_key_value_heads=4, use_qkv_bias=True)),
        "gqa": ("StableLm", dict(num_key_value_heads=2, rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                                             partial_rotary_factor=0.5))),
    },
    "starcoder2": {
        "window": ("Starcoder2", dict(num_key_value_heads=2, sliding_window=7)),
        "plain": ("Starcoder2", dict(num_key_value_heads=1, use_bias=False, tie_word_embeddings=False)),
    },
    "gptneox": {
        "parallel": ("GPTNeoX", dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.25))),
        "serial": ("GPTNeoX", dict(use_parallel_residual=False)),
    },
    "gpt2": {"tied": ("GPT2", dict(n_inner=None)), "inner": ("GPT2", dict(n_inner=80))},
    "mixtral": {
        "window": ("Mixtral", dict(num_key_value_heads=2, intermediate_size=64, num_local_experts=4, sliding_window=7)),
        "tied": ("Mixtral", dict(num_key_value_heads=2, intermediate_size=32, num_local_experts=5, num_experts_per_tok=3,
                                 tie_word_embeddings=True)),
    },
    "qwen2moe": {"shared": ("Qwen2Moe", dict(num_key_value_heads=2, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=32,
                                             shared_expert_intermediate_size=64))},
    "qwen3moe": {"plain": ("Qwen3Moe", dict(num_key_value_heads=2, head_dim=16, num_experts=6, num_experts_per_tok=3,
                                            moe_intermediate_size=32, norm_topk_prob=True))},
    "bitnet": {"tied": ("BitNet", dict(num_key_value_heads=2, tie_word_embeddings=True))},
    "mamba2": {
        "groups": ("Mamba2", MAMBA | dict(n_groups=2)),
        "tied": ("Mamba2", MAMBA | dict(n_groups=1, num_heads=4, head_dim=32, conv_kernel=3, use_conv_bias=False, chunk_size=8,
                                        tie_word_embeddings=True)),
    },
    "t5": {"tied": ("T5", dict(num_decoder_layers=1, relative_attention_num_buckets=8))},
    "t5v11": {"untied": ("T5", dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False, relative_attention_num_buckets=16))},
    "phi2": {"partial": ("Phi", dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)))},
}


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() or ".ln_" in name:
                center = 0.0 if type(model).__name__.startswith("Gemma") or name.endswith("bias") else 1.0
                parameter.uniform_(center - 0.5, center + 0.5, generator=generator)
            elif name.endswith("A_log"):  # so that some heads forget at once and others nothing
                parameter.uniform_(-3, 1, generator=generator)
            elif name.endswith("mixer.D"):
                parameter.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith("Attention.q.weight"):  # T5 does not scale queries times keys
                parameter.normal_(0, 0.03, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.3, generator=generator)
            else:
                parameter.normal_(0, 0.15, generator=generator)
            parameter.copy_(parameter.bfloat16().float())


def make(family, name, class_name, settings, seed):
    generator = torch.Generator().manual_seed(seed)
    config_class = getattr(transformers, class_name + CONFIG_SUFFIXES.get(class_name, "Config"))
    common = {key: value for key, value in COMMON.items() if key not in NOT_OF.get(class_name, ())}
    config = config_class(**(common | (T5_COMMON if class_name == "T5" else {}) | settings))
    if settings.get("tie_word_embeddings") is False:
        config.tie_word_embeddings = False  # T5Config of transformers 5 forgets it
    model = getattr(transformers, class_name + SUFFIXES.get(class_name, "ForCausalLM"))(config).float().eval()
    if class_name == "T5":
        model.encoder.embed_tokens = model.decoder.embed_tokens = model.shared  # also where the head is another
    randomize(model, generator)
    tokens = [1] + torch.randint(0, config.vocab_size, (N_TOKENS - 1,), generator=generator).tolist()
    source = torch.randint(0, config.vocab_size, (N_SOURCE,), generator=generator).tolist() if class_name == "T5" else None

    def run(ids):
        if source is None:
            return model(torch.tensor([ids])).logits[0].float()
        return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([ids])).logits[0].float()

    with torch.no_grad():
        logits = run(tokens)
        greedy = list(tokens)
        for _ in range(N_GREEDY):
            greedy.append(int(run(greedy)[-1].argmax()))
    folder = OUT / family / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    golden = {"tokens": tokens, "greedy": greedy[N_TOKENS:]}
    if source is not None:
        golden["source"] = source
        with torch.no_grad():  # what the first layer of the decoder reads of the encoder's output
            output = model.encoder(torch.tensor([source])).last_hidden_state
            keys = model.decoder.block[0].layer[1].EncDecAttention.k(output)[0].float()
        (folder / "source_keys.f32").write_bytes(keys.contiguous().numpy().astype("<f4").tobytes())
    model.bfloat16().save_pretrained(folder, safe_serialization=True)
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
