// Definitions and data: what is refused, with file, line and field.
#include "eval/tasks/definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/tasks/items.h"
#include "eval/tasks/locate.h"
#include "eval/tasks/test_tasks.h"

namespace smelt {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kGood = R"(name = "x"
title = "t"
[data]
file = "x.jsonl"
form = "lines of our own"
fields = ["q"]
[prompt]
text = "{{ q }}"
[choice]
labels = ["a", "b"]
gold = "{{ q }}"
)";

std::string with(const std::string& from, const std::string& to) {
  std::string out = kGood;
  const size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  const auto definition = parse_task_definition(text, "x.toml");
  return definition ? "no error" : definition.error().message;
}

TEST(TaskDefinition, TheGoodOneIsRead) {
  const auto definition = parse_task_definition(kGood, "x.toml");
  ASSERT_TRUE(definition) << definition.error().message;
  EXPECT_EQ(definition->name, "x");
  EXPECT_EQ(definition->choice.labels.size(), 2U);
}

TEST(TaskDefinition, RefusalsNameLineAndField) {
  EXPECT_EQ(
      error_of(with("labels", "lables")),
      "x.toml:9: field 'choice.labels': give either 'labels', the choices of all items, or 'field', where an item "
      "lists its own");
  EXPECT_EQ(error_of(with("file =", "fiel =")), "x.toml:3: field 'data.file': missing");
  EXPECT_EQ(error_of(with("form =", "from =")), "x.toml:5: field 'data.from': unknown; did you mean 'data.form'?");
  EXPECT_EQ(error_of(with("[choice]", "[chioce]")),
            "x.toml:1: field 'choice': give one of the tables [choice], [text] and [code]");
  EXPECT_EQ(error_of(with("title = \"t\"", "title = 3")), "x.toml:2: field 'title': not a text");
  EXPECT_EQ(error_of(with("[\"a\", \"b\"]", "[\"a\", 2]")), "x.toml:10: field 'choice.labels': not a list of texts");
  EXPECT_EQ(error_of(with("[\"a\", \"b\"]", "[\"a\", \"a\"]")),
            "x.toml:10: field 'choice.labels': 'a' stands there twice");
  EXPECT_THAT(error_of(with("title = \"t\"", "title = ")), StartsWith("x.toml:2: not TOML: "));
  EXPECT_THAT(error_of(with("title = \"t\"", "title = 1979-05-27")), HasSubstr("x.toml:2: a date or time"));
  EXPECT_THAT(error_of(with("{{ q }}", "{{ q")), HasSubstr("x.toml:8: field 'prompt.text': "));
  EXPECT_THAT(error_of(with("x.jsonl", "../x.jsonl")), HasSubstr("field 'data.file': not a path below"));
  EXPECT_THAT(error_of(with("[prompt]", "format = \"xml\"\n[prompt]")),
              HasSubstr("'xml' is none of jsonl, csv, conll"));
  EXPECT_THAT(error_of(with("title = \"t\"", "title = \"t\"\nname = \"y\"")), HasSubstr("x.toml:3: not TOML: "));
}

std::string with_kind(const std::string& table) {
  const std::string good = kGood;
  return error_of(good.substr(0, good.find("[choice]")) + table);
}

TEST(TaskDefinition, RefusalsOfTextAndCode) {
  EXPECT_EQ(with_kind("[text]\nmetric = \"exact_match\"\ngold = \"{{ q }}\"\n"), "no error");
  EXPECT_THAT(with_kind("[text]\ngold = \"{{ q }}\"\n"), HasSubstr("x.toml:9: field 'text.metric': missing"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"bleu\"\ngold = \"{{ q }}\"\n"),
              HasSubstr("'bleu' is none of exact_match, rouge, span_f1"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"span_f1\"\n"), HasSubstr("span_f1 needs data.format = \"conll\""));
  EXPECT_THAT(with_kind("[text]\nmetric = \"rouge\"\n"), HasSubstr("give either 'gold'"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"exact_match\"\ngold = \"{{ q }}\"\nextract = \"(\"\n"),
              HasSubstr("x.toml:12: field 'text.extract': not a regular expression"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"exact_match\"\ngold = \"{{ q }}\"\nstop = [\"\"]\n"),
              HasSubstr("field 'text.stop'"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"exact_match\"\ngold = \"{{ q }}\"\nmax_tokens = 0\n"),
              HasSubstr("0 is not from 1"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"exact_match\"\ngold = \"{{ q }}\"\nnormalize = [\"x\"]\n"),
              HasSubstr("'x' is none of lower"));
  EXPECT_EQ(with_kind("[code]\nprogram = \"{{ completion }}\"\nk = [1, 10]\n"), "no error");
  EXPECT_THAT(with_kind("[code]\nk = [1]\n"), HasSubstr("field 'code.program': missing"));
  EXPECT_THAT(with_kind("[code]\nprogram = \"x\"\nk = [0]\n"),
              HasSubstr("field 'code.k': not a list of whole numbers from 1"));
  EXPECT_THAT(with_kind("[code]\nprogram = \"x\"\nseconds = 0\n"), HasSubstr("field 'code.seconds'"));
  EXPECT_THAT(with_kind("[text]\nmetric = \"exact_match\"\ngold = \"{{ q }}\"\n[chat]\nprogram = \"x\"\n"),
              HasSubstr("field 'chat.program': unknown"));
}

TEST(TaskDefinition, AllThatComeWithSmeltAreSound) {
  const auto tasks = list_tasks({std::string(SMELT_SOURCE_DIR) + "/share/smelt/tasks"});
  ASSERT_TRUE(tasks) << tasks.error().message;
  EXPECT_EQ(tasks->size(), 6U);
  for (const TaskDefinition& task : *tasks) {
    EXPECT_THAT(task.file, testing::EndsWith("/" + task.name + ".toml"));
    EXPECT_NE(task.data.form, "") << task.name;
    EXPECT_FALSE(task.data.fields.empty()) << task.name;
  }
}

std::string data_error(DataFormat format, std::string_view text) {
  DataSpec spec;
  spec.format = format;
  spec.fields = {"q"};
  if (format == DataFormat::conll) spec.fields = {"tokens"};
  const auto items = parse_items(text, spec, "d");
  return items ? "no error" : items.error().message;
}

TEST(TaskItems, RefusalsNameTheLine) {
  EXPECT_EQ(data_error(DataFormat::jsonl, "{\"q\": 1}\n\n{\"p\": 1}\n"), "d:3: has no 'q'");
  EXPECT_THAT(data_error(DataFormat::jsonl, "{\"q\": 1}\n{\"q\": \n"), StartsWith("d:2"));
  EXPECT_EQ(data_error(DataFormat::jsonl, "[1]\n"), "d:1: not a JSON object");
  EXPECT_THAT(data_error(DataFormat::jsonl, "{\"q\": \"\xff\"}\n"), StartsWith("d:1"));
  EXPECT_EQ(data_error(DataFormat::jsonl, "\n\n"), "d: no items");
  EXPECT_EQ(data_error(DataFormat::jsonl, "\x1f\x8b\x08"), "d: compressed by gzip; unpack it first (gunzip -k)");
  EXPECT_EQ(data_error(DataFormat::csv, "q,r\n1,2\n\"a\nb\",2\n3\n"), "d:5: 1 columns, the first line has 2");
  EXPECT_EQ(data_error(DataFormat::csv, "q\n\"a\n"), "d:2: a quotation mark is not closed");
  EXPECT_EQ(data_error(DataFormat::csv, "p\n1\n"), "d:2: has no 'q'");
  EXPECT_EQ(data_error(DataFormat::conll, "a\tO\nb\n"), "d:2: not a token, a space or tab, and a tag");
  EXPECT_EQ(data_error(DataFormat::conll, "a X-b\n"), "d:1: tag 'X-b' is not O, B-\xe2\x80\xa6 or I-\xe2\x80\xa6");
}

TEST(TaskItems, CsvIsReadAsItIsQuoted) {
  DataSpec spec;
  spec.format = DataFormat::csv;
  const auto items = parse_items("\xef\xbb\xbfq,r\r\n\"a, \"\"b\"\"\nc\",d\r\n,\"\"\n", spec, "d");
  ASSERT_TRUE(items) << items.error().message;
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ((*items)[0].find("q")->find_text()->bytes(), "a, \"b\"\nc");
  EXPECT_EQ((*items)[0].find("r")->find_text()->bytes(), "d");
  EXPECT_EQ((*items)[1].find("q")->find_text()->bytes(), "");
}

TEST(TaskItems, KeepChoosesRowsAndNumbersStay) {
  DataSpec spec;
  spec.keep = *TaskTemplate::parse("{{ n > 1 }}", "keep");
  const auto items = parse_items("{\"n\": 1}\n{\"n\": 2}\n{\"n\": 3}\n", spec, "d");
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ((*items)[0].index, 1);
  EXPECT_EQ((*items)[1].index, 2);
}

TEST(TaskItems, ConllSentencesHaveTheirSpans) {
  DataSpec spec;
  spec.format = DataFormat::conll;
  const auto items = parse_items("New\tB-loc\nYork\tI-loc\n.\tO\n\t\n\nAnn B-per\n", spec, "d");
  ASSERT_TRUE(items) << items.error().message;
  ASSERT_EQ(items->size(), 2U);
  const auto line = TaskTemplate::parse(
      "{{ text }}|{% for s in spans %}{{ s.label }}:{{ s.text }}@{{ s.start }}-{{ s.end }}{% endfor %}", "t");
  EXPECT_EQ(*line->render((*items)[0]), "New York .|loc:New York@0-2");
  EXPECT_EQ(*line->render((*items)[1]), "Ann|per:Ann@0-1");
}

TEST(TaskInputs, MissingDataIsAskedForByItsForm) {
  const TestFolder folder;
  const std::string definition = folder.write("x.toml", kGood);
  const auto none = load_task_inputs(definition, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, folder.file("x.jsonl") +
                                      ": no such file; task 'x' wants 'x.jsonl' (lines of our own); "
                                      "give the file, or the folder that holds it, by --data");
  folder.write("data/x.jsonl", "{\"q\": \"a\"}\n");
  EXPECT_TRUE(load_task_inputs(definition, {{}, folder.file("data")}));
  const auto by_file = load_task_inputs(definition, {{}, folder.file("data/x.jsonl")});
  ASSERT_TRUE(by_file);
  EXPECT_EQ(by_file->data_sha256, "f0e42c53779b191ad136d706dc3cb00945c59ee9ac8fe33a771eec3339c0177a");
  const auto nearly = load_task_inputs("y", {{folder.path()}, ""});
  ASSERT_FALSE(nearly);
  EXPECT_EQ(nearly.error().kind, ErrorKind::usage);
  EXPECT_THAT(nearly.error().message, HasSubstr("no task 'y'"));
}

}  // namespace
}  // namespace smelt
