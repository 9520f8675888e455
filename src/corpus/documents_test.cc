#include "corpus/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Documents : public testing::Test {
 protected:
  std::vector<std::string> texts(const TextFiles& files) {
    std::vector<std::string> out;
    const Status done = for_each_document(files, folder_.path(), {}, [&](const Document& document) -> Status {
      out.push_back(document.text);
      return {};
    });
    EXPECT_TRUE(done) << done.error().message;
    return out;
  }
  std::string error(const TextFiles& files) {
    const Status done = for_each_document(files, folder_.path(), {}, [](const Document&) { return Status(); });
    return done ? "none" : done.error().message;
  }
  TestFolder folder_;
};

TEST_F(Documents, TextFilesInTheOrderOfTheirNames) {
  folder_.write("b.txt", "two");
  folder_.write("a.txt", "one\n");
  EXPECT_THAT(texts({.patterns = {"b.txt", "*.txt"}}), ElementsAre("one\n", "two"));
}

TEST_F(Documents, Separators) {
  folder_.write("a.txt", "one<end>\n<end>two\n");
  EXPECT_THAT(texts({.patterns = {"a.txt"}, .separator = "<end>"}), ElementsAre("one", "two\n"));
}

TEST_F(Documents, FieldsOfJsonLines) {
  folder_.write("a.jsonl", "{\"q\": \"1+1?\", \"a\": 2}\n\n{\"q\": \"é\", \"a\": 0.5, \"more\": null}");
  EXPECT_THAT(texts({.patterns = {"a.jsonl"}, .format = "{q} {a}{}"}), ElementsAre("1+1? 2{}", "é 0.5{}"));
}

TEST_F(Documents, TurnsOfADialogue) {
  folder_.write("a.jsonl", R"({"turns": [{"role": "user", "text": "Hi"}, {"role": "bot", "text": "Ho"}]})");
  EXPECT_THAT(texts({.patterns = {"a.jsonl"}, .format = "{turns}.", .turn = "{role}: {text}\n"}),
              ElementsAre("user: Hi\nbot: Ho\n."));
}

TEST_F(Documents, FaultsAreToldWithFileAndLine) {
  folder_.write("bytes.txt", "fine\nnot \xff fine\n");
  folder_.write("empty.txt", " \n");
  folder_.write("bad.jsonl", "{\"text\": \"fine\"}\n{\"text\": broken}\n");
  folder_.write("list.jsonl", "[1]\n");
  folder_.write("field.jsonl", "\n{\"txt\": \"x\"}\n");
  folder_.write("type.jsonl", "{\"text\": {\"a\": 1}}\n");
  folder_.write("blank.jsonl", "{\"text\": \"x\"}\n{\"text\": \" \"}\n");
  folder_.write("none.jsonl", "\n");
  folder_.write("x.csv", "a,b\n");
  EXPECT_THAT(error({.patterns = {"bytes.txt"}}), HasSubstr("bytes.txt: line 2: byte 9 is no UTF-8"));
  EXPECT_THAT(error({.patterns = {"empty.txt"}}), HasSubstr("empty.txt: holds no document"));
  EXPECT_THAT(error({.patterns = {"bad.jsonl"}}), HasSubstr("bad.jsonl: line 2: not JSON: column 10"));
  EXPECT_THAT(error({.patterns = {"list.jsonl"}}), HasSubstr("list.jsonl: line 1: not a JSON object"));
  EXPECT_THAT(error({.patterns = {"field.jsonl"}}), HasSubstr("field.jsonl: line 2: field 'text'"));
  EXPECT_THAT(error({.patterns = {"type.jsonl"}}), HasSubstr("type.jsonl: line 1: field 'text': must be a text"));
  EXPECT_THAT(error({.patterns = {"blank.jsonl"}}), HasSubstr("blank.jsonl: line 2: the document is empty"));
  EXPECT_THAT(error({.patterns = {"none.jsonl"}}), HasSubstr("none.jsonl: holds no document"));
  EXPECT_THAT(error({.patterns = {"x.csv"}}), HasSubstr("x.csv: neither .txt nor .jsonl"));
  EXPECT_THAT(error({.patterns = {"*.md"}}), HasSubstr("no such file"));
}

}  // namespace
}  // namespace smelt
