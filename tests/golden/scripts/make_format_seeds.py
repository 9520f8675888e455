"""Writes the seeds of the fuzz targets of src/formats to tests/corpora.

gguf_fuzz/python_gguf and safetensors_fuzz/python_safetensors are also read by the unit tests, as files of other programs.
Needs the packages gguf, safetensors and numpy:  python make_format_seeds.py
"""
import json
import os
import struct
import tempfile

import gguf
import numpy as np
from safetensors.numpy import save

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "corpora")


def write(target, name, data):
    os.makedirs(os.path.join(ROOT, target), exist_ok=True)
    with open(os.path.join(ROOT, target, name), "wb") as file:
        file.write(data)


def make_gguf(alignment=None, tensors=True):
    path = os.path.join(tempfile.mkdtemp(), "x.gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_uint8("u8", 1)
    writer.add_int8("i8", -1)
    writer.add_uint16("u16", 2)
    writer.add_int16("i16", -2)
    writer.add_uint32("u32", 3)
    writer.add_int32("i32", -3)
    writer.add_float32("f32", 0.5)
    writer.add_bool("b", True)
    writer.add_string("s", "text")
    writer.add_uint64("u64", 4)
    writer.add_int64("i64", -4)
    writer.add_float64("f64", 0.25)
    writer.add_array("ai", [1, 2, 3])
    writer.add_array("as", ["a", "bc"])
    writer.add_array("af", [0.5, 1.5])
    if alignment:
        writer.add_custom_alignment(alignment)
    if tensors:
        writer.add_tensor("a", np.arange(8, dtype=np.float32).reshape(2, 4))
        writer.add_tensor("h", np.arange(4, dtype=np.float16))
        q8_0 = gguf.GGMLQuantizationType.Q8_0
        values = np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)
        writer.add_tensor("q", gguf.quants.quantize(values, q8_0), raw_dtype=q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open(path, "rb") as file:
        return file.read()


def make_safetensors(header, data):
    header = header.encode()
    return struct.pack("<Q", len(header)) + header + data


def make_llama2c(version, vocab, group=32):
    dim, hidden, heads, kv_heads, n_vocab, context, kv_dim = 32, 32, 2, 1, abs(vocab), 4, 16
    fields = struct.pack("<7i", dim, hidden, 1, heads, kv_heads, vocab, context)
    matrices = [n_vocab * dim, dim * dim, kv_dim * dim, kv_dim * dim, dim * dim] + [hidden * dim] * 3
    if version == 0:
        n_values = sum(matrices) + 3 * dim + context * 16 + (n_vocab * dim if vocab < 0 else 0)
        return fields + np.linspace(-1, 1, n_values, dtype=np.float32).tobytes()
    head = b"24ka" + struct.pack("<i", version) + fields + b"\1"
    head = (head + (struct.pack("<i", group) if version == 2 else b"")).ljust(256, b"\0")
    norms = np.ones(3 * dim, np.float32).tobytes()
    if version == 1:
        return head + norms + np.ones(sum(matrices), np.float32).tobytes()
    scales = [np.full(n // group, 0.5, np.float32).tobytes() for n in matrices]
    return head + norms + b"".join(bytes(i % 256 for i in range(n)) + s for n, s in zip(matrices, scales))


CONFIG = {
    "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": [2, 3], "hidden_size": 64,
    "rms_norm_eps": 1e-5, "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "rope_theta": 500000.0,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "x": None, "objects": [{"a": 1}], "mixed": [1, "a"],
    "nested": [[1]],
}
INDEX = {"metadata": {"total_size": 1}, "weight_map": {"model.layers.0.w": "a.safetensors", "lm_head.weight": "b.safetensors"}}

write("gguf_fuzz", "python_gguf", make_gguf())
write("gguf_fuzz", "alignment_64", make_gguf(alignment=64))
write("gguf_fuzz", "no_tensors", make_gguf(tensors=False))
write("gguf_fuzz", "magic_only", b"GGUF")
write("gguf_fuzz", "empty_model", b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
python_tensors = {"a": np.zeros((2, 2), np.float32), "h": np.ones(3, np.float16), "i": np.ones(5, np.int8)}
write("safetensors_fuzz", "python_safetensors", save(python_tensors, metadata={"format": "pt"}))
write("safetensors_fuzz", "empty", save({}))
write("safetensors_fuzz", "escaped",
      make_safetensors('{"\\u0061":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}   ', b"\1\1"))
write("safetensors_fuzz", "hole", make_safetensors('{"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}', b"\1\1"))
write("safetensors_fuzz", "overflow", make_safetensors(
    '{"a":{"dtype":"F32","shape":[4194305,4194305,211106198978564],"data_offsets":[0,16]}}', b"\1" * 16))
write("config_json_fuzz", "llama", json.dumps(CONFIG, indent=2).encode())
write("config_json_fuzz", "index", json.dumps(INDEX).encode())
write("config_json_fuzz", "dots",
      b'{"a.b":1,"a":2,"":{"":3},"c":{"d.e":{"f":[true,false]}},"u":18446744073709551615}')
write("config_json_fuzz", "deep", b'{"a":' * 70)
write("config_json_fuzz", "escapes", rb'{"\u006d\n\t\"":"\ud83d\ude00","e":1e-300,"n":-0.0}')
write("llama2c_fuzz", "v0_tied", make_llama2c(0, 3))
write("llama2c_fuzz", "v0_own_head", make_llama2c(0, -3))
write("llama2c_fuzz", "v1", make_llama2c(1, 3))
write("llama2c_fuzz", "v2", make_llama2c(2, 3))
