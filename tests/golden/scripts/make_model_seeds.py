#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets of src/models to tests/corpora: tiny whole models as GGUF files and as Hugging Face
folders. Needs the packages gguf, safetensors and numpy:  python make_model_seeds.py"""
import json
import pathlib
import struct
import tempfile

import gguf
import numpy as np
from safetensors.numpy import save

ROOT = pathlib.Path(__file__).resolve().parents[2] / "corpora"
D, D_HEAD, D_FF, VOCAB = 32, 8, 32, 16
SPM = ["<unk>", "<s>", "</s>", "<0x41>", "▁", "a", "b", "c", "▁a", "ab", "▁ab", "bc", "abc", "▁abc", "d", "."]
BPE = ["a", "b", "c", "d", ".", ",", "1", "2", "Ġ", "ab", "Ġa", "cd", "Ġab", "12", "<|begin|>", "<|end|>"]
MERGES = ["a b", "Ġ a", "c d", "Ġ ab", "1 2"]


def rows(tied):
    yield "token_embd.weight", "model.embed_tokens.weight", (VOCAB, D)
    yield "output_norm.weight", "model.norm.weight", (D,)
    if not tied:
        yield "output.weight", "lm_head.weight", (VOCAB, D)
    layer, hf = "blk.0.", "model.layers.0."
    yield layer + "attn_norm.weight", hf + "input_layernorm.weight", (D,)
    yield layer + "attn_q.weight", hf + "self_attn.q_proj.weight", (2 * D_HEAD, D)
    yield layer + "attn_k.weight", hf + "self_attn.k_proj.weight", (D_HEAD, D)
    yield layer + "attn_v.weight", hf + "self_attn.v_proj.weight", (D_HEAD, D)
    yield layer + "attn_output.weight", hf + "self_attn.o_proj.weight", (D, 2 * D_HEAD)
    yield layer + "ffn_norm.weight", hf + "post_attention_layernorm.weight", (D,)
    yield layer + "ffn_gate.weight", hf + "mlp.gate_proj.weight", (D_FF, D)
    yield layer + "ffn_up.weight", hf + "mlp.up_proj.weight", (D_FF, D)
    yield layer + "ffn_down.weight", hf + "mlp.down_proj.weight", (D, D_FF)


def make_gguf(tokenizer, kind, tied, freqs):
    random = np.random.default_rng(1)
    path = pathlib.Path(tempfile.mkdtemp()) / "m.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(16)
    writer.add_embedding_length(D)
    writer.add_feed_forward_length(D_FF)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(D_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model(tokenizer)
    writer.add_token_list(SPM if tokenizer == "llama" else BPE)
    if tokenizer == "llama":
        writer.add_token_scores([-float(i) for i in range(VOCAB)])
        writer.add_token_types([2, 3, 3, 6] + [1] * 12)
        writer.add_bos_token_id(1)
    else:
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(MERGES)
        writer.add_token_types([1] * 14 + [3, 3])
        writer.add_eos_token_id(15)
    if freqs:
        writer.add_tensor("rope_freqs.weight", np.ones(D_HEAD // 2, np.float32))
    for name, _, shape in rows(tied):
        values = random.standard_normal(shape).astype(np.float32)
        if len(shape) == 2 and shape[1] % 32 == 0 and kind != gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def make_folder(tied, rope):
    random = np.random.default_rng(2)
    config = {"architectures": ["LlamaForCausalLM"], "hidden_size": D, "intermediate_size": D_FF, "num_attention_heads": 2,
              "num_key_value_heads": 1, "num_hidden_layers": 1, "head_dim": D_HEAD, "vocab_size": VOCAB,
              "max_position_embeddings": 16, "rms_norm_eps": 1e-5, "tie_word_embeddings": tied, **rope}
    tokenizer = {"version": "1.0", "added_tokens": [{"id": 15, "content": "<|end|>", "special": True}], "normalizer": None,
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
                 "decoder": {"type": "ByteLevel"},
                 "model": {"type": "BPE", "vocab": {t: i for i, t in enumerate(BPE)}, "merges": MERGES}}
    parts = [json.dumps(part, ensure_ascii=False).encode() for part in (config, tokenizer)]
    tensors = {name: random.standard_normal(shape).astype(np.float16) for _, name, shape in rows(tied)}
    return struct.pack("<II", *map(len, parts)) + b"".join(parts) + save(tensors)


def write(target, name, data):
    (ROOT / target).mkdir(parents=True, exist_ok=True)
    (ROOT / target / name).write_bytes(data)


def main():
    kinds = gguf.GGMLQuantizationType
    write("model_gguf_fuzz", "spm_q8_0", make_gguf("llama", kinds.Q8_0, True, False))
    write("model_gguf_fuzz", "bpe_q4_0", make_gguf("gpt2", kinds.Q4_0, False, True))
    write("model_gguf_fuzz", "spm_f32", make_gguf("llama", kinds.F32, False, False))
    write("model_folder_fuzz", "tied", make_folder(True, {}))
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 8}
    write("model_folder_fuzz", "llama3_rope", make_folder(False, {"rope_scaling": llama3}))


if __name__ == "__main__":
    main()
