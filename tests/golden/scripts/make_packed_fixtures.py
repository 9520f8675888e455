#!/usr/bin/env python3
"""Makes tests/golden/packed: a random two-layer Llama whose linear layers are packed in each form that other tools publish, by those
tools' own code, with what that code decodes them to (decoded.safetensors, of layer 0) and the logits that transformers computes in
float32 with the decoded weights of all layers (logits.f32, golden.json). Needs PyPI torch, transformers, safetensors, and of each form
its package: gptqmodel, autoawq, bitsandbytes, compressed-tensors (unpacked source distributions on PYTHONPATH do). Only the modules
named here are imported, as the packages' own __init__ files want a GPU. Run from the repository's root, with names for some only."""
import importlib.util
import json
import pathlib
import shutil
import sys
import types

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

OUT = pathlib.Path("tests/golden/packed")
N_TOKENS = 12
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


def gptq_config(bits, group_size, act_order=False, v2=False):
    return dict(quant_method="gptq", bits=bits, group_size=group_size, desc_act=act_order, sym=False,
                checkpoint_format="gptq_v2" if v2 else "gptq", lm_head=False, damp_percent=0.01, true_sequential=True,
                meta=dict(quantizer=["gptqmodel:7.7.0"]))


def awq_config(group_size, version):
    return dict(quant_method="awq", bits=4, group_size=group_size, zero_point=True, version=version, backend="autoawq",
                do_fuse=False, modules_to_not_convert=None)


FORMS = {}
for bits, group_size in ((2, 16), (3, 32), (4, 32), (8, -1)):
    FORMS[f"gptq_{bits}bit"] = (gptq, dict(bits=bits, group_size=group_size), gptq_config(bits, group_size))
FORMS["gptq_act_order"] = (gptq, dict(bits=4, group_size=16, act_order=True), gptq_config(4, 16, True))
FORMS["gptq_v2_act_order"] = (gptq, dict(bits=3, group_size=32, act_order=True, v2=True), gptq_config(3, 32, True, True))
FORMS["awq_gemm"] = (awq, dict(group_size=32), awq_config(32, "gemm"))
FORMS["awq_gemv"] = (awq, dict(group_size=32, gemv=True), awq_config(32, "gemv"))


def make_model(generator):
    model = LlamaForCausalLM(LlamaConfig(**CONFIG)).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.empty_like(parameter)
            values.uniform_(0.5, 1.5, generator=generator) if "norm" in name else values.normal_(0, 0.15, generator=generator)
            parameter.copy_(values.half())
    return model


def make(name, seed):
    pack, settings, quantization = FORMS[name]
    dtype = getattr(torch, settings.pop("dtype", "float16"))
    generator = torch.Generator().manual_seed(seed)
    model = make_model(generator)
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
    save_file({key: value for key, value in decoded_all.items() if ".layers.0." in key}, folder / "decoded.safetensors")
    (folder / "golden.json").write_text(json.dumps({"tokens": tokens}) + "\n")
    (folder / "logits.f32").write_bytes(logits.contiguous().numpy().astype("<f4").tobytes())
    print(f"{name}: logits std {logits.std():.2f}")


if __name__ == "__main__":
    for number, form in enumerate(FORMS):
        if len(sys.argv) < 2 or form in sys.argv[1:]:
            make(form, 100 + number)
