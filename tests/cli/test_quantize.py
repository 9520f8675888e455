"""smelt quantize, inspect and convert: every type and mix, sizes foretold, overrides, files of other forms."""
import json
import re
import struct

from model_files import (BLOCKS, PACKED, STRING, U32, Tensor, make_model, read_gguf, read_safetensors_header, split_gguf,
                         write_gguf)
from support import PROMPT, STORIES, StoriesTest, main

# ggml's numbers by smelt's names
NUMBERS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
           "Q5_K": 13, "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23, "BF16": 30}
MIXES = {"F32": 0, "F16": 1, "BF16": 30, "Q8_0": 8, "Q6_K": 14, "Q5_K_M": 13, "Q5_K_S": 13, "Q5_1": 7, "Q5_0": 6,
         "Q4_K_M": 12, "Q4_K_S": 12, "Q4_1": 3, "IQ4_NL": 20, "Q4_0": 2, "IQ4_XS": 23, "Q3_K_L": 11, "Q3_K_M": 11,
         "Q3_K_S": 11, "Q2_K": 10, "Q2_K_S": 10}


class Models(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.wide = make_model(cls.shared / "wide.gguf", cls.model)

    def json(self, *words, **more):
        return json.loads(self.ok(*words, "--json", **more).out)

    def quantized(self, *words, model=None):
        out = self.folder / "out.gguf"
        self.ok("quantize", model or self.wide, out, "--force", *words)
        return {t.name: t.type_number for t in read_gguf(out)[1]}


class Mixes(Models):
    def check_mix(self, model, mix):
        out = self.folder / f"{mix}.gguf"
        plan = self.json("quantize", model, "--type", mix, "--dry-run")
        self.assertEqual(self.names(), [], "a dry run writes nothing")
        done = self.json("quantize", model, out, "--type", mix)
        self.assertEqual({k: v for k, v in done.items() if k in plan}, plan, "the work is what was foretold")
        self.assertEqual(out.stat().st_size, plan["file_bytes"])
        _, tensors = read_gguf(out)
        self.assertEqual([(t["name"], NUMBERS[t["to"]], t["bytes"]) for t in plan["tensors"]],
                         [(t.name, t.type_number, len(t.data)) for t in tensors])
        shown = self.json("inspect", out)
        self.assertTrue(shown["sound"] and shown["values_checked"])
        self.assertEqual(shown["file_bytes"], plan["file_bytes"])
        self.assertEqual(shown["weights_bytes"], sum(t["bytes"] for t in plan["tensors"]))
        self.assertAlmostEqual(shown["bits_per_weight"], plan["bits_per_weight"])
        self.assertEqual(sum(t["bytes"] for t in shown["types"].values()), shown["weights_bytes"])
        text = self.json("run", out, "-p", PROMPT, "-n", "5", "--temp", "0")
        self.assertIn((text["finish_reason"], len(text["ids"])), [("length", 5)] + [("end_token", n) for n in range(5)])
        out.unlink()
        return {t.name: t.type_number for t in tensors}

    def test_rows_of_256(self):
        page = " ".join(self.ok("quantize", "--help").text.split())
        names = re.findall(r"--type TYPE .*?; one of (.*?) --override", page)[0].split(", ")
        self.assertEqual(sorted(names), sorted(MIXES), "the mixes that help lists")
        for mix, base in MIXES.items():
            with self.subTest(mix):
                types = self.check_mix(self.wide, mix)
                self.assertEqual(types["blk.0.attn_q.weight"], base)
                self.assertEqual(types["blk.0.attn_norm.weight"], 0)

    def test_rows_of_64_fall_back(self):
        block_rows = {t.name: t.dims[0] for t in read_gguf(self.model)[1]}
        for mix in MIXES:
            with self.subTest(mix):
                types = self.check_mix(self.model, mix)
                for name, number in types.items():
                    self.assertEqual(block_rows[name] % BLOCKS[number][0], 0, f"{name} in type {number}")
                self.assertIn(types["blk.0.ffn_down.weight"], (0, 1, 30), "rows of 172 are whole blocks of no small type")

    def test_the_reason_is_told(self):
        table = self.ok("quantize", self.model, "--type", "Q4_K_M", "--dry-run").text
        self.assertRegex(table, r"(?m)^blk\.0\.ffn_down\.weight +64 x 172 +F32 +F16 .*rows of 172 are not a multiple of 256")
        self.assertRegex(table, r"(?m)^47 tensors: 1016 KiB before, \S+ KiB after \(\S+ times smaller\), \S+ bits per weight")

    def test_more_bits_lose_less(self):
        name = "blk.0.ffn_gate.weight"
        original = {t.name: t for t in read_gguf(self.model)[1]}[name]
        losses = []
        for mix in ("Q4_0", "Q5_0", "Q8_0"):
            out = self.folder / f"{mix}.gguf"
            self.ok("quantize", self.model, out, "--type", mix)
            self.ok("convert", out, self.folder / f"{mix}-back.gguf", "--type", "f32", "--allow-requantize")
            again = {t.name: t for t in read_gguf(self.folder / f"{mix}-back.gguf")[1]}[name]
            pairs = zip(struct.iter_unpack("<f", original.data), struct.iter_unpack("<f", again.data))
            losses.append(sum((a - b) ** 2 for (a,), (b,) in pairs))
        self.assertGreater(losses[0], losses[1] * 2)
        self.assertGreater(losses[1], losses[2] * 8)
        self.assertGreater(losses[2], 0)

    def test_names_in_lower_case_and_short(self):
        self.assertEqual(self.quantized("--type", "q4_k_m"), self.quantized("--type", "Q4_K"))
        self.assertEqual(self.quantized(), self.quantized("--type", "Q4_K_M"))

    def test_threads_change_no_byte(self):
        for threads in ("1", "2", "7"):
            self.ok("quantize", self.wide, f"{threads}.gguf", "-t", threads)
        one = (self.folder / "1.gguf").read_bytes()
        self.assertTrue(all((self.folder / f"{n}.gguf").read_bytes() == one for n in (2, 7)))


class Choices(Models):
    def test_overrides_the_first_that_matches(self):
        plain = self.quantized("--type", "Q4_K_M")
        types = self.quantized("--type", "Q4_K_M", "--override", r"blk\.0\.ffn_(up|gate)=q8_0", "--override", "ffn_up=Q2_K")
        changed = {name: number for name, number in types.items() if number != plain[name]}
        self.assertEqual(changed, {"blk.0.ffn_up.weight": 8, "blk.0.ffn_gate.weight": 8, "blk.1.ffn_up.weight": 10})

    def test_an_override_that_matches_nothing_is_refused(self):
        self.refused(2, ["override 'nothing_like_it'", "matches no matrix"], "quantize", self.wide, "o.gguf", "--override",
                     "nothing_like_it=Q8_0")
        self.assertEqual(self.names(), [])

    def test_keep_output(self):
        self.assertEqual(self.quantized()["output.weight"], 14)
        self.assertEqual(self.quantized("--keep-output", "f16")["output.weight"], 1)
        self.assertEqual(self.quantized("--keep-output", "Q8_0", model=self.model)["token_embd.weight"], 8)

    def test_requantizing_must_be_asked_for(self):
        self.ok("quantize", self.wide, "q5.gguf", "--type", "Q5_K_S")
        self.refused(1, ["q5.gguf", "is Q5_K already", "--allow-requantize"], "quantize", "q5.gguf", "o.gguf", "--type", "Q2_K")
        self.assertEqual(self.names(), ["q5.gguf"])
        self.ok("quantize", "q5.gguf", "o.gguf", "--type", "Q2_K", "--allow-requantize")
        self.refused(1, ["q5.gguf", "--allow-requantize"], "convert", "q5.gguf", "folder")
        self.ok("convert", "q5.gguf", "folder", "--type", "f32", "--allow-requantize")

    def test_packed_and_back(self):
        self.ok("quantize", self.wide, "stock.gguf", "--type", "Q4_K_M")
        self.ok("convert", "stock.gguf", "packed.gguf", "--layout", "packed")
        self.ok("convert", "packed.gguf", "again.gguf", "--layout", "stock")
        self.assertEqual((self.folder / "again.gguf").read_bytes(), (self.folder / "stock.gguf").read_bytes())
        stock = {t.name: t for t in read_gguf(self.folder / "stock.gguf")[1]}
        for tensor in read_gguf(self.folder / "packed.gguf")[1]:
            packed = len(tensor.dims) == 2 and tensor.name != "token_embd.weight"  # which is only looked up here
            self.assertEqual(tensor.type_number, stock[tensor.name].type_number + (PACKED if packed else 0), tensor.name)
        shown = self.json("inspect", "packed.gguf")
        self.assertTrue(shown["sound"])
        self.assertEqual(shown["packed_tensors"], 15)
        self.assertIn("layout        packed: 16 rows interleaved", self.ok("inspect", "packed.gguf").text)
        texts = [self.json("run", model, "-p", PROMPT, "-n", "20", "--temp", "0", "--compute", compute)["text"]
                 for model in ("stock.gguf", "packed.gguf") for compute in ("int8", "f32")]
        self.assertEqual(texts[0], texts[2], "int8 of either layout")
        self.assertEqual(texts[1], texts[3], "f32 of either layout")
        self.refused(1, ["packed.gguf", "packed already"], "convert", "packed.gguf", "o.gguf", "--layout", "packed")
        self.refused(2, ["--layout", "--type"], "convert", "stock.gguf", "o.gguf", "--layout", "packed", "--type", "f16")

    def test_existing_outputs_stay_without_force(self):
        (self.folder / "o.gguf").write_text("precious")
        (self.folder / "folder").mkdir()
        (self.folder / "folder/note.txt").write_text("precious")
        self.refused(1, ["o.gguf: exists already", "--force"], "quantize", self.wide, "o.gguf")
        self.refused(1, ["o.gguf: exists already", "--force"], "convert", self.wide, "o.gguf")
        self.refused(1, ["folder: exists already", "--force"], "convert", self.wide, "folder/")
        self.assertEqual((self.folder / "o.gguf").read_text(), "precious")
        self.ok("quantize", self.wide, "o.gguf", "--force")
        self.refused(1, "folder: holds other things than a model", "convert", self.wide, "folder", "--force")
        self.assertEqual(self.names(), ["folder", "o.gguf"])
        self.assertEqual(self.names(self.folder / "folder"), ["note.txt"])

    def test_input_is_never_the_output(self):
        model = make_model(self.folder / "m.gguf", self.model)
        before = model.read_bytes()
        (self.folder / "link.gguf").symlink_to("m.gguf")
        (self.folder / "hard.gguf").hardlink_to(model)
        for out in ("m.gguf", "./m.gguf", "link.gguf", "hard.gguf", model):
            self.refused(2, "is both input and output", "quantize", "m.gguf", out, "--force")
        self.ok("convert", "m.gguf", "folder")
        self.refused(2, "is both input and output", "convert", "folder", "folder", "--force")
        self.ok("convert", self.model, "folder/inner.gguf", "--type", "f32")
        self.refused(2, "the input lies there", "convert", "folder/inner.gguf", "folder", "--force")
        self.assertEqual(model.read_bytes(), before)

    def test_links_are_followed_and_permissions_kept(self):
        (self.folder / "real.gguf").write_text("old")
        (self.folder / "real.gguf").chmod(0o640)
        (self.folder / "link.gguf").symlink_to("real.gguf")
        self.ok("quantize", self.wide, "link.gguf", "--force")
        self.assertTrue((self.folder / "link.gguf").is_symlink())
        self.assertEqual((self.folder / "real.gguf").stat().st_mode & 0o777, 0o640)
        self.assertGreater((self.folder / "real.gguf").stat().st_size, 10000)


class Forms(Models):
    """Files of other forms hold the same model: same text, same quantized bytes."""

    def check_same(self, model):
        words = ("-n", "30", "--temp", "0")
        wanted = self.ok("run", self.model, "-p", PROMPT, *words).out
        self.assertEqual(self.ok("run", model, "-p", PROMPT, *words).out, wanted)
        self.ok("quantize", model, "form.gguf", "--type", "Q4_K_M")
        self.ok("quantize", self.model, "whole.gguf", "--type", "Q4_K_M")
        tensors = [{t.name: t for t in read_gguf(self.folder / n)[1]} for n in ("form.gguf", "whole.gguf")]
        self.assertEqual(*tensors)
        return read_gguf(self.folder / "form.gguf")[0]

    def test_split_in_parts(self):
        first = split_gguf(self.model, self.folder, 3)
        self.assertEqual(len(self.names()), 3)
        keys = self.check_same(first)
        self.assertEqual([k for k in keys if k.startswith("split.")], [], "the output is one file")
        self.assertEqual(self.json("inspect", first)["parameters"], 260032)

    def test_split_part_missing_or_not_the_first(self):
        first = split_gguf(self.model, self.folder, 3)
        second = self.folder / "stories-00002-of-00003.gguf"
        self.refused(1, "stories-00002-of-00003.gguf", "run", second, "-p", "x")
        second.unlink()
        self.refused(1, "stories-00002-of-00003.gguf", "run", first, "-p", "x")
        self.refused(1, "stories-00002-of-00003.gguf", "quantize", first, "o.gguf")

    def test_gguf_version_2(self):
        keys, tensors = read_gguf(self.model)
        write_gguf(self.folder / "v2.gguf", keys, tensors, version=2)
        self.check_same(self.folder / "v2.gguf")
        self.assertEqual(self.json("inspect", "v2.gguf")["format"], "GGUF v2")

    def test_other_alignment(self):
        keys, tensors = read_gguf(self.model)
        write_gguf(self.folder / "a.gguf", {**keys, "general.alignment": (U32, 256)}, tensors, alignment=256)
        self.check_same(self.folder / "a.gguf")

    def test_hugging_face_folder_in_shards(self):
        self.ok("convert", self.model, "hf", "--type", "f32")
        folder = self.folder / "hf"
        data = (folder / "model.safetensors").read_bytes()
        header = read_safetensors_header(folder / "model.safetensors")
        start = 8 + struct.unpack_from("<Q", data)[0]
        names = sorted(n for n in header if n != "__metadata__")
        weight_map = {}
        for shard in range(2):
            own, offset, body = {}, 0, b""
            for name in names[shard::2]:
                begin, end = header[name]["data_offsets"]
                own[name] = {**header[name], "data_offsets": [offset, offset + end - begin]}
                body += data[start + begin:start + end]
                offset += end - begin
                weight_map[name] = f"model-{shard + 1:05}-of-00002.safetensors"
            head = json.dumps(own).encode()
            head += b" " * (-len(head) % 8)
            (folder / f"model-{shard + 1:05}-of-00002.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + body)
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
        self.check_same(folder)
        (folder / "model-00002-of-00002.safetensors").unlink()
        self.refused(1, "model-00002-of-00002.safetensors", "run", folder, "-p", "x")

    def test_llama2c(self):
        self.check_same(STORIES)


class Inspect(Models):
    def test_what_is_shown(self):
        text = self.ok("inspect", self.model).text
        for title in ("file", "name", "architecture", "layers", "attention", "positions", "norm", "output head", "context",
                      "tokenizer", "chat form", "parameters", "weights", "memory", "check"):
            self.assertRegex(text, rf"(?m)^{title} ")
        self.assertIn("sound, all values finite", text)
        self.assertNotIn("blk.0", text)
        table = self.ok("inspect", self.model, "--tensors").text
        self.assertEqual(len(re.findall(r"(?m)^\S+\.weight +F32 ", table)), 47)

    def test_json(self):
        shown = self.json("inspect", self.model, "--tensors", "-c", "100", "--kv-type", "f32")
        self.assertEqual(list(shown), ["path", "format", "file_bytes", "parameters", "weights_bytes", "bits_per_weight",
                                       "types", "packed_tensors", "config", "memory", "tokenizer", "chat_form", "tensors", "sound",
                                       "values_checked"])
        self.assertEqual(shown["config"]["n_kv_heads"], 4)
        self.assertEqual((shown["memory"]["n_ctx"], shown["memory"]["kv_type"]), (100, "f32"))
        data = self.model.read_bytes()
        for ours, theirs in zip(shown["tensors"], read_gguf(self.model)[1]):
            self.assertEqual((ours["name"], ours["bytes"], ours["shape"]), (theirs.name, len(theirs.data), theirs.dims[::-1]))
            self.assertEqual(data[ours["offset"]:ours["offset"] + ours["bytes"]], theirs.data)

    def test_a_value_that_is_no_number(self):
        keys, tensors = read_gguf(self.model)
        bad = bytearray(tensors[6].data)
        bad[4 * 70:4 * 71] = struct.pack("<f", float("nan"))
        tensors[6] = Tensor(tensors[6].name, tensors[6].type_number, tensors[6].dims, bytes(bad))
        write_gguf(self.folder / "nan.gguf", keys, tensors)
        result = self.smelt("inspect", "nan.gguf", "--json")
        self.assertEqual(result.code, 1)
        self.assert_one_line(result.err, "nan.gguf", tensors[6].name, "row 1, column 6 is nan")
        shown = json.loads(result.out)
        self.assertFalse(shown["sound"])
        self.assertIn("row 1, column 6", shown["fault"])
        self.assertTrue(self.json("inspect", "nan.gguf", "--quick")["sound"], "values are not read")

    def test_names_from_files_are_escaped(self):
        keys, tensors = read_gguf(self.model)
        keys["general.name"] = (STRING, b"\x1b[31mred\x1b[0m\nand a line %n")
        write_gguf(self.folder / "red.gguf", keys, tensors)
        for words in (("inspect",), ("inspect", "--tensors"), ("run", "-p", "x", "-n", "1")):
            result = self.ok(words[0], "red.gguf", *words[1:])
            self.assertNotIn(b"\x1b", result.out + result.err)
        self.assertIn(r"name          \x1b[31mred\x1b[0m\x0aand a line %n", self.ok("inspect", "red.gguf").text)


if __name__ == "__main__":
    main()
