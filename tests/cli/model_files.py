"""A small GGUF reader and writer, independent of the one under test, and models made with it."""
import json
import random
import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
SCALARS = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q", I64: "<q",
           F64: "<d"}
# ggml's number, values and bytes of a block
TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144)}
BLOCKS = {number: (values, size) for number, values, size in TYPES.values()}
# All types that a file may have, for sizes only.
BLOCKS.update({3: (32, 20), 6: (32, 22), 7: (32, 24), 10: (256, 84), 11: (256, 110), 13: (256, 176), 14: (256, 210),
               20: (32, 18), 23: (256, 136), 30: (1, 2)})


class Tensor:
    def __init__(self, name, type_number, dims, data):
        self.name, self.type_number, self.dims, self.data = name, type_number, dims, data

    def __eq__(self, other):
        return (self.name, self.type_number, self.dims, self.data) == (other.name, other.type_number, other.dims, other.data)

    def __repr__(self):
        return f"Tensor({self.name}, {self.type_number}, {self.dims}, {len(self.data)} bytes)"


PACKED = 0x10000  # added to the number of a type whose rows lie 16 interleaved


def tensor_bytes(type_number, dims):
    if type_number >= PACKED:
        return tensor_bytes(type_number - PACKED, [dims[0], (dims[1] + 15) // 16 * 16])
    values, size = BLOCKS[type_number]
    count = 1
    for n in dims:
        count *= n
    return count // values * size


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value, = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self):
        length = self.take("<Q")
        self.at += length
        return self.data[self.at - length:self.at]

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            element, count = self.take("<I"), self.take("<Q")
            return element, [self.value(element) for _ in range(count)]
        return self.take(SCALARS[kind])


def read_gguf(path):
    """(keys {name: (type, value)} in the file's order, tensors [Tensor])."""
    reader = Reader(path.read_bytes())
    assert reader.data[:4] == b"GGUF"
    reader.at = 8
    n_tensors, n_keys = reader.take("<Q"), reader.take("<Q")
    keys = {}
    for _ in range(n_keys):
        name = reader.string().decode()
        kind = reader.take("<I")
        keys[name] = (kind, reader.value(kind))
    places = []
    for _ in range(n_tensors):
        name = reader.string().decode()
        dims = [reader.take("<Q") for _ in range(reader.take("<I"))]
        places.append((name, dims, reader.take("<I"), reader.take("<Q")))
    alignment = keys.get("general.alignment", (U32, 32))[1]
    start = (reader.at + alignment - 1) // alignment * alignment
    tensors = []
    for name, dims, kind, offset in places:
        size = tensor_bytes(kind, dims)
        tensors.append(Tensor(name, kind, dims, reader.data[start + offset:start + offset + size]))
    return keys, tensors


def pack_value(kind, value):
    if kind == STRING:
        return struct.pack("<Q", len(value)) + value
    if kind == ARRAY:
        element, items = value
        return struct.pack("<IQ", element, len(items)) + b"".join(pack_value(element, item) for item in items)
    return struct.pack(SCALARS[kind], value)


def write_gguf(path, keys, tensors, version=3, alignment=32):
    head = bytearray(b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)))
    for name, (kind, value) in keys.items():
        head += pack_value(STRING, name.encode()) + struct.pack("<I", kind) + pack_value(kind, value)
    offset = 0
    for tensor in tensors:
        head += pack_value(STRING, tensor.name.encode()) + struct.pack("<I", len(tensor.dims))
        head += struct.pack(f"<{len(tensor.dims)}Q", *tensor.dims) + struct.pack("<IQ", tensor.type_number, offset)
        offset += (len(tensor.data) + alignment - 1) // alignment * alignment
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % alignment))
        for tensor in tensors:
            file.write(tensor.data)
            file.write(bytes(-len(tensor.data) % alignment))


def split_gguf(path, folder, parts):
    """Writes NAME-00001-of-0000N.gguf …, as llama.cpp's gguf-split does; returns the first."""
    keys, tensors = read_gguf(path)
    each = -(-len(tensors) // parts)
    paths = [folder / f"{path.stem}-{i + 1:05}-of-{parts:05}.gguf" for i in range(parts)]
    for i, part in enumerate(paths):
        own = {"split.no": (U16, i), "split.count": (U16, parts), "split.tensors.count": (I32, len(tensors))}
        write_gguf(part, {**(keys if i == 0 else {}), **own}, tensors[i * each:(i + 1) * each])
    return paths[0]


# Random bytes as F16 numbers of magnitude 1/32 to 1/16: sign and mantissa stay, the exponent is set.
HIGH_BYTES = bytes((b & 0x83) | 0x28 for b in range(256))


def random_f16(count, seed):
    data = bytearray(random.Random(seed).randbytes(2 * count))
    data[1::2] = data[1::2].translate(HIGH_BYTES)
    return bytes(data)


def repeated_f16(count, seed):
    """As random_f16, quickly: 64 Ki values again and again."""
    block = random_f16(min(count, 1 << 16), seed)
    return (block * (2 * count // len(block) + 1))[:2 * count]


def make_model(path, vocabulary, d_model=256, d_ff=512, n_layers=2, values=random_f16, extra_keys=None):
    """A model with random weights in F16 and the vocabulary of another GGUF file."""
    keys, _ = read_gguf(vocabulary)
    kept = {k: v for k, v in keys.items() if k.startswith("tokenizer.")}
    n_vocab = len(keys["tokenizer.ggml.tokens"][1][1])
    config = {"general.architecture": (STRING, b"llama"), "general.name": (STRING, b"made up"),
              "llama.block_count": (U32, n_layers), "llama.context_length": (U32, 128),
              "llama.embedding_length": (U32, d_model), "llama.feed_forward_length": (U32, d_ff),
              "llama.attention.head_count": (U32, 4), "llama.attention.head_count_kv": (U32, 2),
              "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5), "llama.vocab_size": (U32, n_vocab)}
    ones = struct.pack("<f", 1.0)
    tensors = []

    def matrix(name, columns, rows):
        tensors.append(Tensor(name, 1, [columns, rows], values(columns * rows, name)))

    def vector(name, n):
        tensors.append(Tensor(name, 0, [n], ones * n))

    matrix("token_embd.weight", d_model, n_vocab)
    for i in range(n_layers):
        vector(f"blk.{i}.attn_norm.weight", d_model)
        matrix(f"blk.{i}.attn_q.weight", d_model, d_model)
        matrix(f"blk.{i}.attn_k.weight", d_model, d_model // 2)
        matrix(f"blk.{i}.attn_v.weight", d_model, d_model // 2)
        matrix(f"blk.{i}.attn_output.weight", d_model, d_model)
        vector(f"blk.{i}.ffn_norm.weight", d_model)
        matrix(f"blk.{i}.ffn_gate.weight", d_model, d_ff)
        matrix(f"blk.{i}.ffn_up.weight", d_model, d_ff)
        matrix(f"blk.{i}.ffn_down.weight", d_ff, d_model)
    vector("output_norm.weight", d_model)
    matrix("output.weight", d_model, n_vocab)
    write_gguf(path, {**config, **kept, **(extra_keys or {})}, tensors)
    return path


def read_safetensors_header(path):
    data = path.read_bytes()
    length, = struct.unpack_from("<Q", data)
    return json.loads(data[8:8 + length])
