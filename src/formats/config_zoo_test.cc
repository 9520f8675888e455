// The zoo of bad Hugging Face folders: config.json (through parse_json_metadata), the shard index, links and special
// files; and what Checkpoint::open says of paths that hold no model.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/test_folder.h"
#include "formats/hf_folder.h"
#include "formats/zoo_support.h"

namespace smelt::zoo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct BadJson {
  const char* name;
  std::string text;
  std::vector<std::string> hints;
};

std::string repeat(const std::string& part, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += part;
  return out;
}

const std::vector<BadJson>& json_zoo() {
  using namespace std::string_literals;
  static const std::vector<BadJson> zoo = {
      {"cfg_empty", "", {"line 1:1", "JSON"}},
      {"cfg_spaces", "  \n ", {"line 2:", "JSON"}},
      {"cfg_truncated", "{\n  \"a\": 1,\n  \"b\": ", {"line 3:8", "JSON"}},
      {"cfg_html", "<!DOCTYPE html>", {"line 1:1", "JSON"}},
      {"cfg_utf16", "\xff\xfe{\0\"\0a\0"s, {"line 1:1", "UTF-16"}},
      {"cfg_utf16_no_bom", "{\0\"\0a\0\"\0"s, {"line 1:2", "JSON"}},
      {"cfg_nul", std::string(64, '\0'), {"line 1:1", "JSON"}},
      {"cfg_deep_arrays", "{\"a\":" + std::string(100000, '['), {"line 1:", "64 levels"}},
      {"cfg_deep_objects", repeat("{\"a\":", 100000), {"line 1:", "64 levels"}},
      {"cfg_deep_closed",
       "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}",
       {"line 1:", "64 levels"}},
      {"cfg_depth_65", repeat("{\"a\":", 65) + "1" + std::string(65, '}'), {"line 1:", "64 levels"}},
      {"cfg_array", "[1, 2]", {"line 1:1", "top level", "object"}},
      {"cfg_number", "4", {"top level", "object"}},
      {"cfg_string", "\"text\"", {"top level", "object"}},
      {"cfg_null", "null", {"top level", "object"}},
      {"cfg_duplicate", "{\"a\": 1,\n \"a\": 2}", {"line 2:4", "key 'a'", "already given at line 1:"}},
      {"cfg_duplicate_by_escape", "{\"m\": 1, \"\\u006d\": 2}", {"key 'm'", "already given"}},
      {"cfg_duplicate_nested", "{\"x\": {\"a\": 1, \"a\": 1}}", {"key 'a'", "already given"}},
      {"cfg_duplicate_null", "{\"a\": null, \"a\": 2}", {"key 'a'", "already given"}},
      {"cfg_duplicate_in_array", "{\"x\": [{\"a\": 1, \"a\": 1}]}", {"key 'a'", "already given"}},
      {"cfg_duplicate_by_dots", "{\"a.b\": 1, \"a\": {\"b\": 2}}", {"line 1:", "key 'a.b'", "another spelling"}},
      {"cfg_number_1e400", "{\"rope_theta\": 1e400}", {"line 1:", "JSON"}},
      {"cfg_number_minus_1e400", "{\"a\": -1e400}", {"line 1:", "JSON"}},
      {"cfg_nan", "{\"a\": NaN}", {"line 1:", "JSON"}},
      {"cfg_infinite", "{\"a\": Infinite}", {"line 1:", "JSON"}},
      {"cfg_hex", "{\"a\": 0x10}", {"line 1:", "JSON"}},
      {"cfg_plus", "{\"a\": +1}", {"line 1:", "JSON"}},
      {"cfg_leading_zero", "{\"a\": 01}", {"line 1:", "JSON"}},
      {"cfg_point", "{\"a\": 1.}", {"line 1:", "JSON"}},
      {"cfg_trailing_text", "{\"a\": 1} x", {"line 1:10", "JSON"}},
      {"cfg_two_objects", "{}\n{}", {"line 2:1", "JSON"}},
      {"cfg_trailing_comma", "{\"a\": 1,}", {"line 1:9", "JSON"}},
      {"cfg_comment", "{\n// note\n}", {"line 2:1", "JSON"}},
      {"cfg_single_quotes", "{'a': 1}", {"line 1:2", "JSON"}},
      {"cfg_no_quotes", "{a: 1}", {"line 1:2", "JSON"}},
      {"cfg_missing_colon", "{\"a\" 1}", {"line 1:", "JSON"}},
      {"cfg_missing_value", "{\"a\":}", {"line 1:6", "JSON"}},
      {"cfg_mismatched", "{\"a\": [1}", {"line 1:9", "JSON"}},
      {"cfg_bad_utf8", "{\"a\": \"\xc3\x28\"}", {"line 1:", "JSON"}},
      {"cfg_overlong_utf8", "{\"a\": \"\xc0\xaf\"}", {"line 1:", "JSON"}},
      {"cfg_surrogate_utf8", "{\"a\": \"\xed\xa0\x80\"}", {"line 1:", "JSON"}},
      {"cfg_lone_surrogate", "{\"a\": \"\\ud800\"}", {"line 1:", "JSON"}},
      {"cfg_control_in_string", "{\"a\": \"x\ny\"}", {"line 1:", "JSON"}},
      {"cfg_escape_unknown", "{\"a\": \"\\q\"}", {"line 1:", "JSON"}},
      {"cfg_escape_cut", "{\"a\": \"\\u00", {"line 1:", "JSON"}},
      {"cfg_string_open", "{\"a\": \"text", {"line 1:", "JSON"}},
      {"cfg_terminal_escape_key", "{\"\\u001b[2J\": 1, \"\\u001b[2J\": 1}", {"\\x1b[2J"}},
  };
  return zoo;
}

class JsonZoo : public testing::TestWithParam<BadJson> {};
TEST_P(JsonZoo, Refuses) {
  const BadJson& bad = GetParam();
  expect_refused([&] { return error_of(parse_json_metadata(bad.text, "dir/config.json")); }, "dir/config.json",
                 bad.text.size(), bad.hints);
}
INSTANTIATE_TEST_SUITE_P(Config, JsonZoo, testing::ValuesIn(json_zoo()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(JsonMetadata, EveryProperPrefixIsRefused) {
  const std::string text = "{\"a\": [1, 2.5], \"b\": {\"c\": \"\\u00e9x\", \"d\": null}, \"e\": true}";
  ASSERT_TRUE(parse_json_metadata(text, "c").has_value());
  for (size_t n = 0; n < text.size(); ++n) {
    SCOPED_TRACE(n);
    const std::string cut = text.substr(0, n);
    expect_refused([&] { return error_of(parse_json_metadata(cut, "c")); }, "c", n, {"line 1:"});
  }
}

TEST(JsonMetadata, FlattensAndDrops) {
  const auto m = parse_json_metadata(
      R"({"i": -3, "u": 18446744073709551615, "f": 1e-05, "t": true, "s": "x", "n": null, "list": [1, 2], "mixed_numbers": [1, 2.5],
          "texts": ["a"], "flags": [true], "nested": [[1]], "objects": [{"a": 1}], "mixed": [1, "a"], "empty": [],
          "rope": {"factor": 8, "deep": {"er": false}}, "after": 1})",
      "config.json");
  ASSERT_TRUE(m.has_value()) << m.error().message;
  EXPECT_EQ(m->find("i")->type, MetaType::i64);
  EXPECT_EQ(std::get<int64_t>(m->find("i")->value), -3);
  EXPECT_EQ(*m->get_uint("u"), ~uint64_t{0});
  EXPECT_EQ(*m->get_float("f"), 1e-05);
  EXPECT_TRUE(*m->get_bool("t"));
  EXPECT_EQ(m->find_ints("list").value().value(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(m->find_floats("mixed_numbers").value().value(), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(m->find_strings("texts").value()->at(0), "a");
  EXPECT_EQ(m->find("flags")->type, MetaType::array);
  for (const char* dropped : {"n", "nested", "objects", "mixed", "empty", "rope"})
    EXPECT_EQ(m->find(dropped), nullptr) << dropped;
  EXPECT_EQ(*m->get_float("rope.factor"), 8);
  EXPECT_FALSE(*m->get_bool("rope.deep.er"));
  EXPECT_EQ(*m->get_uint("after"), 1U);
}

// Messages of the floors above tell where the value stands.
TEST(JsonMetadata, KeysHaveLinesAndColumns) {
  const auto m =
      parse_json_metadata("{\"a\": 1,\n\n  \"b\": {\"c\": [1,\n 2], \"d\": null,\n\"e\": 2}, \"f\": 3}", "c");
  ASSERT_TRUE(m.has_value()) << m.error().message;
  EXPECT_EQ(m->title("a"), "key 'a' at line 1:4");
  EXPECT_EQ(m->title("b.c"), "key 'b.c' at line 3:11");
  EXPECT_EQ(m->title("b.e"), "key 'b.e' at line 5:3");
  EXPECT_EQ(m->title("f"), "key 'f' at line 5:12");
  EXPECT_EQ(m->title("absent"), "key 'absent'");
}

TEST(JsonMetadata, FormatIsTheInverse) {
  const std::string text = R"({
  "architectures": [
    "LlamaForCausalLM"
  ],
  "eps": 1e-05,
  "rope_scaling": {
    "factor": 8.0,
    "names": [
      "é\n\"",
      "\u001b"
    ]
  },
  "x.y": 1,
  "x": "a value, so that x.y keeps its dot"
}
)";
  const auto m = parse_json_metadata(text, "c");
  ASSERT_TRUE(m.has_value()) << m.error().message;
  EXPECT_EQ(format_json_metadata(*m), text);
  Metadata floats;
  floats.set("eps", MetaValue::of_f32(1e-5F));
  floats.set("inf", MetaValue::of_f64(1.0 / 0.0));
  EXPECT_EQ(format_json_metadata(floats), "{\n  \"eps\": 1e-05,\n  \"inf\": null\n}\n");
}

// A folder with config.json and one good file of one tensor "t", to be spoiled.
class HfFolder : public testing::Test {
 protected:
  HfFolder() {
    folder_.write("m/config.json", R"({"model_type": "llama"})");
    folder_.write("m/model.safetensors", shard("t"));
  }
  static std::string shard(const std::string& tensor) {
    return safetensors_bytes(fmt::format(R"({{"{}":{{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}}})", tensor),
                             "\1");
  }
  void use_index(const std::string& weight_map) {
    fs::remove(folder_.file("m/model.safetensors"));
    folder_.write("m/model.safetensors.index.json", R"({"metadata":{"total_size":1},"weight_map":)" + weight_map + "}");
  }
  void expect_open_refused(const std::vector<std::string>& hints) {
    expect_refused([&] { return error_of(Checkpoint::open(folder_.file("m"))); }, folder_.file("m"), 4096, hints);
  }
  // For refusals by one file in the folder.
  void expect_file_refused(const std::string& file, const std::vector<std::string>& hints) {
    expect_refused([&] { return error_of(Checkpoint::open(folder_.file("m"))); }, folder_.file("m/" + file), 4096,
                   hints);
  }
  TestFolder folder_;
};

TEST_F(HfFolder, IsReadWhenGood) {
  folder_.write("m/generation_config.json", R"({"eos_token_id": [1, 2]})");
  folder_.write(
      "m/tokenizer_config.json",
      R"({"bos_token": {"content": "<s>", "lstrip": false}, "chat_template": "{{x}}", "added_tokens_decoder": {"0": {"content": "a"}}})");
  folder_.write("m/tokenizer.json", "{}");
  const auto model = Checkpoint::open(folder_.file("m"));
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(*model->metadata().get_string("model_type"), "llama");
  EXPECT_EQ(model->metadata().find_ints("generation_config.eos_token_id").value().value(),
            (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(*model->metadata().get_string("tokenizer_config.chat_template"), "{{x}}");
  EXPECT_EQ(*model->metadata().get_string("tokenizer_config.bos_token.content"), "<s>");
  EXPECT_FALSE(model->metadata().contains("tokenizer_config.added_tokens_decoder.0.content"));
  EXPECT_NE(model->find_attachment("tokenizer.json"), nullptr);
}

TEST_F(HfFolder, IsReadInShards) {
  use_index(R"({"t1":"a.safetensors","t2":"b.safetensors"})");
  folder_.write("m/a.safetensors", shard("t1"));
  folder_.write("m/b.safetensors", shard("t2"));
  const auto model = Checkpoint::open(folder_.file("m"));
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->files().size(), 2U);
  EXPECT_THAT(model->describe(*model->find_tensor("t2")), HasSubstr("b.safetensors: tensor 't2' at byte"));
}

TEST_F(HfFolder, no_config) {
  fs::remove(folder_.file("m/config.json"));
  expect_open_refused({"config.json is missing"});
}
TEST_F(HfFolder, config_truncated) {
  folder_.write("m/config.json", "{\"a\":");
  expect_file_refused("config.json", {"line 1:", "JSON"});
}
TEST_F(HfFolder, config_is_a_folder) {
  fs::remove(folder_.file("m/config.json"));
  fs::create_directory(folder_.file("m/config.json"));
  expect_file_refused("config.json", {"not a regular file"});
}
TEST_F(HfFolder, generation_config_bad) {
  folder_.write("m/generation_config.json", "[");
  expect_file_refused("generation_config.json", {"line 1:1"});
}
TEST_F(HfFolder, auto_map_is_noted_and_not_run) {
  folder_.write("m/config.json", R"({"auto_map": {"AutoConfig": "evil.Config"}})");
  const LogCapture log;
  EXPECT_TRUE(Checkpoint::open(folder_.file("m")).has_value());
  ASSERT_EQ(log.lines().size(), 1U);
  EXPECT_THAT(log.lines()[0], HasSubstr("auto_map"));
}
TEST_F(HfFolder, no_weights) {
  fs::remove(folder_.file("m/model.safetensors"));
  expect_open_refused({"model.safetensors", "index"});
}
TEST_F(HfFolder, only_a_pickle) {
  fs::rename(folder_.file("m/model.safetensors"), folder_.file("m/pytorch_model.bin"));
  expect_open_refused({"pytorch_model.bin", "pickle", "safe_serialization"});
}
TEST_F(HfFolder, weights_are_a_fifo) {
  fs::remove(folder_.file("m/model.safetensors"));
  ASSERT_EQ(::mkfifo(folder_.file("m/model.safetensors").c_str(), 0600), 0);
  expect_file_refused("model.safetensors", {"not a regular file"});
}
TEST_F(HfFolder, weights_link_out_of_the_folder) {
  fs::rename(folder_.file("m/model.safetensors"), folder_.file("outside.safetensors"));
  fs::create_symlink("../outside.safetensors", folder_.file("m/model.safetensors"));
  expect_open_refused({"model.safetensors", "leads out of the model's folder"});
}
TEST_F(HfFolder, tokenizer_links_out_of_the_folder) {
  folder_.write("secret", "secret");
  fs::create_symlink("../secret", folder_.file("m/tokenizer.json"));
  expect_open_refused({"tokenizer.json", "leads out"});
}
TEST_F(HfFolder, link_dangling) {
  fs::create_symlink("nowhere.json", folder_.file("m/tokenizer.json"));
  expect_open_refused({"tokenizer.json", "No such file"});
}
TEST_F(HfFolder, link_loop) {
  fs::create_symlink("tokenizer.json", folder_.file("m/tokenizer.json"));
  expect_open_refused({"tokenizer.json", "symbolic links"});
}
TEST_F(HfFolder, CacheOfTheHubIsRead) {
  const std::string revision = folder_.file("hub/models--x/snapshots/abc");
  fs::create_directories(revision);
  folder_.write("hub/models--x/blobs/1", R"({"model_type": "llama"})");
  folder_.write("hub/models--x/blobs/2", shard("t"));
  fs::create_symlink("../../blobs/1", revision + "/config.json");
  fs::create_symlink("../../blobs/2", revision + "/model.safetensors");
  const auto model = Checkpoint::open(revision);
  EXPECT_TRUE(model.has_value()) << model.error().message;
}

TEST_F(HfFolder, shard_names_that_lead_away) {
  folder_.write("outside.safetensors", shard("t"));
  const std::vector<std::string> names = {"../outside.safetensors",
                                          folder_.file("outside.safetensors"),
                                          "/etc/passwd",
                                          "sub/x.safetensors",
                                          "http://host/x.safetensors",
                                          "file:///x.safetensors",
                                          "C:\\\\x.safetensors",
                                          "..\\\\x.safetensors",
                                          "a\\u0000.safetensors",
                                          "",
                                          ".",
                                          "..",
                                          ".safetensors",
                                          "x.bin",
                                          "pytorch_model.bin"};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    use_index("{\"t\":\"" + name + "\"}");
    expect_open_refused({"index.json: tensor 't': shard name '"});
  }
}
TEST_F(HfFolder, shard_name_not_a_string) {
  use_index(R"({"t": 1})");
  expect_open_refused({"tensor 't'", "int64", "string"});
}
TEST_F(HfFolder, shard_missing) {
  use_index(R"({"t":"a.safetensors"})");
  expect_open_refused({"shard 'a.safetensors'", "missing"});
}
TEST_F(HfFolder, shard_wrong) {
  use_index(R"({"t1":"b.safetensors","t2":"a.safetensors"})");
  folder_.write("m/a.safetensors", shard("t1"));
  folder_.write("m/b.safetensors", shard("t2"));
  expect_open_refused({"tensor 't2' must be in shard 'a.safetensors', but is in"});
}
TEST_F(HfFolder, shard_without_its_tensor) {
  use_index(R"({"t1":"a.safetensors","t2":"a.safetensors"})");
  folder_.write("m/a.safetensors", shard("t1"));
  expect_open_refused({"tensor 't2' is not in shard 'a.safetensors'"});
}
TEST_F(HfFolder, shard_twice_the_same_tensor) {
  use_index(R"({"t":"a.safetensors","u":"b.safetensors"})");
  folder_.write("m/a.safetensors", shard("t"));
  folder_.write("m/b.safetensors", shard("t"));
  expect_file_refused("b.safetensors", {"tensor 't' at byte", "a.safetensors has a tensor of this name too"});
}
TEST_F(HfFolder, shard_truncated) {
  use_index(R"({"t":"a.safetensors"})");
  folder_.write("m/a.safetensors", shard("t").substr(0, 20));
  expect_file_refused("a.safetensors", {"truncated"});
}
TEST_F(HfFolder, index_without_map) {
  fs::remove(folder_.file("m/model.safetensors"));
  folder_.write("m/model.safetensors.index.json", R"({"metadata":{}})");
  expect_open_refused({"index.json", "weight_map"});
}
TEST_F(HfFolder, index_duplicate) {
  use_index(R"({"t":"a.safetensors","t":"b.safetensors"})");
  expect_file_refused("model.safetensors.index.json", {"line 1:", "'t'", "already given"});
}

TEST(Openers, PathsThatHoldNoModel) {
  const TestFolder folder;
  const auto refuse = [&](const std::string& path, const std::vector<std::string>& hints) {
    SCOPED_TRACE(path);
    expect_refused([&] { return error_of(Checkpoint::open(path)); }, path, 4096, hints);
  };
  refuse(folder.file("missing.gguf"), {"No such file"});
  refuse(folder.write("empty.gguf", ""), {"empty"});
  refuse(folder.write("x.gguf", "certainly no model, but long enough"), {"not a model file", "GGUF"});
  refuse(folder.write("pytorch_model.bin", std::string("PK\x03\x04 rest of the archive, longer than a header")),
         {"zip", "safetensors"});
  refuse(folder.write("one.safetensors", safetensors_bytes("{}", "")), {"folder"});
  refuse(folder.write("config.json", "{}"), {"JSON", "folder"});
  refuse(folder.write("model.gz", "\x1f\x8b rest"), {"compressed"});
  refuse(folder.write("old.bin", "tjgg\x01 rest"), {"before GGUF"});
  refuse(folder.write("short.bin", "abc"), {"3 bytes"});
  fs::create_symlink("nowhere", folder.file("dangling"));
  refuse(folder.file("dangling"), {"does not exist"});
  fs::create_symlink("loop", folder.file("loop"));
  refuse(folder.file("loop"), {"symbolic links"});
  ASSERT_EQ(::mkfifo(folder.file("fifo").c_str(), 0600), 0);
  refuse(folder.file("fifo"), {"not a regular file", "pipe"});
  refuse("/dev/zero", {"not a regular file"});
}

}  // namespace
}  // namespace smelt::zoo
