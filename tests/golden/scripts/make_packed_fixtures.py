#!/usr/bin/env python3
"""Makes tests/golden/packed: a random two-layer Llama whose linear layers are packed in each form that other tools publish, by those
tools' own code, with what that code decodes them to (decoded.json, of layer 0: types, shapes and FNV-1a of the values) and the logits that transformers computes in
float32 with the decoded weights of all layers (logits.f32, golden.json). Needs PyPI torch, transformers, safetensors, and of each form
its package: gptqmodel, autoawq, bitsandbytes, compressed-tensors (unpacked source distributions on PYTHONPATH do). Only the modules
named here are imported, as the packages' own __init__ files want a GPU. Run from the repository's root, with names for some only."""
import importlib.util
import json
import pathlib
import shutil
import struct
import sys
import types

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

OUT = pathlib.Path("tests/golden/packed")
N_TOKENS = 12
SEEDS = ("gptq_act_order", "awq_gemv", "bnb_int8", "bnb_nf4_nested", "ct_int4_zeros", "fp8_blocks", "bitnet_auto_packed")
CONFIG = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, vocab_size=40, max_position_embeddings=256,
              num_attention_heads=4, num_key_value_heads=2, head_dim=16, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
              attn_implementation="eager")


def shallow(*packages):
    """Lets modules of these packages be imported without running the packages' __init__."""
    place = pathlib.Path(importlib.util.find_spec(packages[0]).submodule_search_locations[0])
    for name in packages:
        module = types.ModuleType(name)
        module.__path__ = [str(place.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module


def groups_of(weight, group_size):
    """Range of each group of inputs: [outputs, groups] of smallest and largest values."""
    parts = weight.float().split(group_size, dim=1)
    return torch.stack([p.amin(1) for p in parts], 1), torch.stack([p.amax(1) for p in parts], 1)


def ranges(weight, bits, group_size, generator, dtype=torch.float16):
    """Scales and zero points [outputs, groups]; zero points are spread over all that bits allow."""
    low, high = groups_of(weight, group_size)
    scales = ((high - low) / (2 ** bits - 1)).to(dtype)
    zeros = torch.randint(0, 2 ** bits, scales.shape, generator=generator)
    return scales, zeros


def gptq(weight, generator, bits, group_size, act_order=False, v2=False):
    if "gptqmodel" not in sys.modules:
        shallow("gptqmodel")
        sys.modules["gptqmodel"].DEBUG_ON = False
        sys.modules["gptqmodel"].DEVICE_THREAD_POOL = None
        sys.modules["gptqmodel"].__getattr__ = lambda name: None if not name.startswith("__") else object.__getattribute__(0, name)
        import gptqmodel.models._const  # before its users, which import one another
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module
    from gptqmodel.quantization import QuantizeConfig
    outputs, inputs = weight.shape
    size = inputs if group_size == -1 else group_size
    scales, zeros = ranges(weight, bits, size, generator)
    g_idx = torch.arange(inputs, dtype=torch.int32) // size
    if act_order:
        g_idx = g_idx[torch.randperm(inputs, generator=generator)]
    linear = torch.nn.Linear(inputs, outputs, bias=False, dtype=torch.float16)
    linear.weight.data = weight.half()
    layer = TorchLinear(bits=bits, group_size=group_size, sym=False, desc_act=act_order, in_features=inputs, out_features=outputs,
                        bias=False)
    layer.pack_original(linear, scales, zeros, g_idx)
    layer.to("cpu")
    decoded = layer.dequantize_weight().T.contiguous()
    if not v2:
        convert_gptq_v2_to_v1_format_module(layer, QuantizeConfig(bits=bits, group_size=group_size))
    return {"qweight": layer.qweight, "qzeros": layer.qzeros, "scales": layer.scales, "g_idx": layer.g_idx}, decoded


def awq(weight, generator, group_size, gemv=False):
    if "awq" not in sys.modules:
        shallow("awq", "awq.modules", "awq.modules.linear", "awq.utils")
    from awq.modules.linear.gemm import WQLinear_GEMM
    from awq.modules.linear.gemv import WQLinear_GEMV
    from awq.utils.packing_utils import dequantize_gemm
    outputs, inputs = weight.shape
    scales, zeros = ranges(weight, 4, group_size, generator)
    # Its packing does not bound the codes, so the values are made to fit.
    wide = lambda table: table.float().repeat_interleave(group_size, 1)
    codes = (weight / wide(scales) + wide(zeros)).round().clamp(0, 15)
    weight = (codes - wide(zeros)) * wide(scales)
    linear = torch.nn.Linear(inputs, outputs, bias=False, dtype=torch.float16)
    linear.weight.data = weight.half()
    gemm = WQLinear_GEMM.from_linear(linear, 4, group_size, False, scales.T.contiguous(), zeros.T.contiguous())
    # The gemv form has no decoding of its own outside a GPU: its codes are those of the gemm form in another order.
    decoded = dequantize_gemm(gemm.qweight, gemm.qzeros, gemm.scales, 4, group_size).T.contiguous()
    layer = WQLinear_GEMV.from_linear(linear, 4, group_size, False, scales, zeros) if gemv else gemm
    return {"qweight": layer.qweight, "qzeros": layer.qzeros, "scales": layer.scales}, decoded


def bitsandbytes_8(weight, generator, dtype="float16"):
    import bitsandbytes.functional as F
    codes, scales, _ = F.int8_vectorwise_quant(weight.half())
    decoded = F.int8_vectorwise_dequant(codes, scales).to(getattr(torch, dtype))
    return {"weight": codes, "SCB": scales, "weight_format": torch.tensor(0, dtype=torch.uint8)}, decoded


def bitsandbytes_4(weight, generator, kind, nested, dtype="float16"):
    import bitsandbytes.functional as F
    packed, state = F.quantize_4bit(weight.to(getattr(torch, dtype)), blocksize=64, quant_type=kind, compress_statistics=nested)
    tensors = {f"weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    return {"weight": packed, **tensors}, F.dequantize_4bit(packed, state)


def compressed(weight, generator, form, dtype="bfloat16", **args):
    from compressed_tensors.compressors.naive_quantized.base import FloatQuantizationCompressor, IntQuantizationCompressor
    from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**args))
    outputs, inputs = weight.shape
    strategy, size = args["strategy"], args.get("group_size") or inputs
    low, high = groups_of(weight, size)
    if strategy == "tensor":
        low, high = low.amin().reshape(1), high.amax().reshape(1)
    bits = args["num_bits"]
    if args.get("type") == "float":
        scales, zeros = torch.maximum(-low, high) / 448, None
    elif args["symmetric"]:
        scales, zeros = torch.maximum(-low, high) / (2 ** (bits - 1) - 1), None
    else:
        scales = (high - low) / (2 ** bits - 1)
        zeros = (-low / scales - 2 ** (bits - 1)).round().clamp(-2 ** (bits - 1), 2 ** (bits - 1) - 1).to(torch.int8)
    state = {"weight": weight.to(getattr(torch, dtype)), "weight_scale": scales.to(getattr(torch, dtype))}
    if zeros is not None:
        state["weight_zero_point"] = zeros
    compressor = {"pack-quantized": PackedQuantizationCompressor, "int-quantized": IntQuantizationCompressor,
                  "float-quantized": FloatQuantizationCompressor}[form]
    packed = compressor.compress(state, scheme)
    return packed, compressor.decompress(dict(packed), scheme)["weight"]


def fp8(weight, generator, block=None, dtype="bfloat16"):
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize
    rows, columns = weight.shape
    height, width = block or (rows, columns)
    parts = weight.float().reshape(rows // height, height, columns // width, width)
    scales = parts.abs().amax((1, 3)) / 448
    codes = (parts / scales[:, None, :, None]).reshape(rows, columns).to(torch.float8_e4m3fn)
    decoded = Fp8Dequantize(None)._dequantize_one(codes, scales, output_dtype=getattr(torch, dtype))
    return {"weight": codes, "weight_scale_inv": scales if block else scales.reshape(())}, decoded


def bitnet(weight, generator, kind, dtype="bfloat16"):
    from transformers.integrations.bitnet import WeightQuant, pack_weights, unpack_weights
    weight = weight.to(getattr(torch, dtype))
    if kind == "online":
        return {"weight": weight}, WeightQuant.forward(None, weight)
    scale = weight.float().abs().mean()
    ternary = (weight.float() / scale).round().clamp(-1, 1)
    scale = (1 / scale if kind == "bitlinear" else scale).to(getattr(torch, dtype)).reshape(1)
    if kind == "offline":  # its scale multiplies after the product
        return {"weight": ternary.to(weight.dtype), "weight_scale": scale}, ternary * scale.float()
    packed = pack_weights(ternary.clone())
    codes = unpack_weights(packed, torch.float32)
    tensors = {"weight": packed, "weight_scale": scale}
    return tensors, codes / scale.float() if kind == "bitlinear" else (codes * scale.float()).to(weight.dtype)


def gptq_config(bits, group_size, act_order=False, v2=False):
    return dict(quant_method="gptq", bits=bits, group_size=group_size, desc_act=act_order, sym=False,
                checkpoint_format="gptq_v2" if v2 else "gptq", lm_head=False, damp_percent=0.01, true_sequential=True,
                meta=dict(quantizer=["gptqmodel:7.7.0"]))


def awq_config(group_size, version):
    return dict(quant_method="awq", bits=4, group_size=group_size, zero_point=True, version=version, backend="autoawq",
                do_fuse=False, modules_to_not_convert=None)


def bitsandbytes_config(**more):
    return dict(quant_method="bitsandbytes", load_in_8bit=False, load_in_4bit=False, llm_int8_threshold=6.0,
                llm_int8_skip_modules=["lm_head"], llm_int8_enable_fp32_cpu_offload=False, llm_int8_has_fp16_weight=False,
                bnb_4bit_compute_dtype="float32", bnb_4bit_quant_storage="uint8") | more


def compressed_config(form, **args):
    return dict(quant_method="compressed-tensors", format=form, quantization_status="compressed", ignore=["lm_head"],
                kv_cache_scheme=None, global_compression_ratio=None, config_groups=dict(group_0=dict(
                    targets=["Linear"], input_activations=None, output_activations=None, weights=dict(
                        dict(actorder=None, block_structure=None, dynamic=False, observer="minmax", observer_kwargs={}), **args))))


FORMS = {}
for bits, group_size in ((2, 16), (3, 32), (4, 32), (8, -1)):
    FORMS[f"gptq_{bits}bit"] = (gptq, dict(bits=bits, group_size=group_size), gptq_config(bits, group_size))
FORMS["gptq_act_order"] = (gptq, dict(bits=4, group_size=16, act_order=True), gptq_config(4, 16, True))
FORMS["gptq_v2_act_order"] = (gptq, dict(bits=3, group_size=32, act_order=True, v2=True), gptq_config(3, 32, True, True))
FORMS["awq_gemm"] = (awq, dict(group_size=32), awq_config(32, "gemm"))
FORMS["awq_gemv"] = (awq, dict(group_size=32, gemv=True), awq_config(32, "gemv"))
FORMS["bnb_int8"] = (bitsandbytes_8, {}, bitsandbytes_config(load_in_8bit=True))
for kind, nested, dtype in (("nf4", False, "float16"), ("nf4", True, "bfloat16"), ("fp4", True, "float16")):
    FORMS[f"bnb_{kind}{'_nested' if nested else ''}"] = (
        bitsandbytes_4, dict(kind=kind, nested=nested, dtype=dtype),
        bitsandbytes_config(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested))
for case, form, args in (
        ("int4_group", "pack-quantized", dict(num_bits=4, type="int", symmetric=True, strategy="group", group_size=16)),
        ("int4_zeros", "pack-quantized", dict(num_bits=4, type="int", symmetric=False, strategy="group", group_size=32)),
        ("int3_channel", "pack-quantized", dict(num_bits=3, type="int", symmetric=True, strategy="channel", group_size=None)),
        ("int8_channel", "int-quantized", dict(num_bits=8, type="int", symmetric=True, strategy="channel", group_size=None)),
        ("int8_tensor", "int-quantized", dict(num_bits=8, type="int", symmetric=False, strategy="tensor", group_size=None)),
        ("fp8_channel", "float-quantized", dict(num_bits=8, type="float", symmetric=True, strategy="channel", group_size=None))):
    FORMS[f"ct_{case}"] = (compressed, dict(form=form, **args), compressed_config(form, **args))
FORMS["fp8_blocks"] = (fp8, dict(block=(16, 16)), dict(quant_method="fp8", activation_scheme="dynamic", fmt="e4m3",
                                                       weight_block_size=[16, 16]))
FORMS["fp8_tensor"] = (fp8, {}, dict(quant_method="fp8", activation_scheme="static", weight_block_size=None,
                                     modules_to_not_convert=["lm_head"]))
FORMS["bitnet_packed"] = (bitnet, dict(kind="bitlinear"), dict(quant_method="bitnet", modules_to_not_convert=None))
for kind in ("packed", "offline", "online"):
    FORMS[f"bitnet_auto_{kind}"] = (bitnet, dict(kind=kind), dict(
        quant_method="bitnet", linear_class="autobitlinear", quantization_mode="online" if kind == "online" else "offline"))


def make_model(generator, dtype, **more):
    model = LlamaForCausalLM(LlamaConfig(**(CONFIG | more))).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.empty_like(parameter)
            values.uniform_(0.5, 1.5, generator=generator) if "norm" in name else values.normal_(0, 0.15, generator=generator)
            parameter.copy_(values.to(dtype))
    return model


def fnv1a(tensor):
    """Of the values as little-endian float32, rows in order; -0 counts as 0."""
    state = 0xCBF29CE484222325
    for byte in (tensor.float() + 0.0).numpy().astype("<f4").tobytes():
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"


def describe(decoded):
    tensors = {name: {"dtype": {"torch.float32": "f32", "torch.float16": "f16", "torch.bfloat16": "bf16"}[str(value.dtype)],
                      "shape": list(value.shape), "first": value.flatten()[:4].float().tolist(), "fnv1a": fnv1a(value)}
               for name, value in sorted(decoded.items())}
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(tensor)}" for name, tensor in tensors.items()) + "\n}\n"


def make(name, seed):
    pack, settings, quantization = FORMS[name]
    default = "float16" if name.startswith(("gptq", "awq", "bnb")) else "bfloat16"
    dtype = getattr(torch, settings.get("dtype", default))
    generator = torch.Generator().manual_seed(seed)
    # bitsandbytes' code for CPUs decodes blocks that run on into the next row wrongly: rows are whole blocks.
    model = make_model(generator, dtype, **({"hidden_size": 64} if pack is bitsandbytes_4 else {}))
    tensors, decoded_all = {}, {}
    with torch.no_grad():
        for module_name, module in model.named_modules():
            if not isinstance(module, torch.nn.Linear) or module_name == "lm_head":
                continue
            packed, decoded = pack(module.weight.detach().clone(), generator, **settings)
            tensors.update({f"{module_name}.{key}": value.contiguous() for key, value in packed.items()})
            decoded_all[f"{module_name}.weight"] = decoded.contiguous()
            module.weight.copy_(decoded.float())
        for key, value in model.state_dict().items():
            if key not in decoded_all:
                tensors[key] = value.to(dtype).contiguous()
        tokens = [1] + torch.randint(0, CONFIG["vocab_size"], (N_TOKENS - 1,), generator=generator).tolist()
        logits = model(torch.tensor([tokens])).logits[0]
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = json.loads(model.config.to_json_string(use_diff=False))
    kept = ("architectures", "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size", "bos_token_id",
            "max_position_embeddings", "num_attention_heads", "num_key_value_heads", "head_dim", "eos_token_id", "tie_word_embeddings",
            "rms_norm_eps", "hidden_act", "rope_parameters")
    config = {key: config[key] for key in kept if key in config}
    config.update(architectures=["LlamaForCausalLM"], dtype=str(dtype)[6:], quantization_config=quantization)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "decoded.json").write_text(describe({key: value for key, value in decoded_all.items() if ".layers.0." in key}))
    (folder / "golden.json").write_text(json.dumps({"tokens": tokens}) + "\n")
    (folder / "logits.f32").write_bytes(logits.contiguous().numpy().astype("<f4").tobytes())
    if name in SEEDS:  # of the fuzz target of folders: lengths of config.json and tokenizer.json, both, the weights
        parts = (folder / "config.json").read_bytes(), b""
        seed = struct.pack("<II", *map(len, parts)) + b"".join(parts) + (folder / "model.safetensors").read_bytes()
        pathlib.Path(f"tests/corpora/model_folder_fuzz/{name}").write_bytes(seed)
    print(f"{name}: logits std {logits.std():.2f}")


if __name__ == "__main__":
    for number, form in enumerate(FORMS):
        if len(sys.argv) < 2 or form in sys.argv[1:]:
            make(form, 100 + number)
