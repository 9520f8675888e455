// Answers taken apart: the syntax of every family, whole and in pieces of every size, and what is no call.
#include "tokenizers/chat_answer.h"

#include <gtest/gtest.h>

namespace smelt {
namespace {

// "think:…|text:…|call:name(arguments)#id"
std::string show(const std::vector<AnswerPart>& parts) {
  std::string out;
  const AnswerPart* last = nullptr;
  for (const AnswerPart& part : parts) {
    const bool goes_on = last != nullptr && last->kind == part.kind && part.kind != AnswerPart::Kind::call;
    if (last != nullptr && !goes_on) out += "|";
    if (part.kind == AnswerPart::Kind::call) {
      out +=
          "call:" + part.call.name + "(" + part.call.arguments + ")" + (part.call.id.empty() ? "" : "#" + part.call.id);
    } else {
      out += (goes_on ? "" : part.kind == AnswerPart::Kind::text ? "text:" : "think:") + part.text;
    }
    last = &part;
  }
  return out;
}

std::string read(const std::string& answer, size_t piece, const AnswerOptions& options) {
  AnswerReader reader(options);
  std::vector<AnswerPart> all;
  for (size_t i = 0; i < answer.size(); i += piece) {
    for (AnswerPart& part : reader.push(std::string_view(answer).substr(i, piece))) all.push_back(std::move(part));
  }
  for (AnswerPart& part : reader.finish()) all.push_back(std::move(part));
  return show(all);
}

struct Case {
  const char* name;
  std::string answer;
  std::string parts;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"text", "Hello <b> {x} [1]", "text:Hello <b> {x} [1]"},
      {"blanks first", " \n Hello", "text:Hello"},
      {"thinking", "<think>\nhm, <b>\n</think>\n\nYes.", "think:hm, <b>|text:Yes."},
      {"empty thoughts", "<think>\n\n</think>\n\nYes.", "text:Yes."},
      {"unfinished thoughts", "<think>\nhm", "think:hm"},
      {"hermes", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1, \"b\": \"x</y>\"}}\n</tool_call>",
       "call:f({\"a\":1,\"b\":\"x</y>\"})"},
      {"qwen, two and text",
       "Look:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", "
       "\"arguments\": {\"é\": null}}\n</tool_call>",
       "text:Look:|call:f({})|call:g({\"é\":null})"},
      {"qwen with thoughts",
       "<think>\nI call.\n</think>\n\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>",
       "think:I call.|call:f({})"},
      {"qwen coder",
       "<tool_call>\n<function=f>\n<parameter=a>\n5\n</parameter>\n<parameter=b>\nsome "
       "text\n</parameter>\n</function>\n"
       "</tool_call>",
       "call:f({\"a\":5,\"b\":\"some text\"})"},
      {"granite",
       "<tool_call>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\", \"arguments\": {}}]</tool_call>",
       "call:f({\"a\":1})|call:g({})"},
      {"granite 3, unclosed", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]", "call:f({})"},
      {"phi-4-mini", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"a\": [1]}}]<|/tool_call|>",
       "call:f({\"a\":[1]})"},
      {"mistral", "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"abcdefgh1\"}]",
       "call:f({\"a\":1})#abcdefgh1"},
      {"mistral, later form", "[TOOL_CALLS]f[ARGS]{\"a\": \"}\"}[TOOL_CALLS]g{\"b\": 2}",
       "call:f({\"a\":\"}\"})|call:g({\"b\":2})"},
      {"llama 3 json", "{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "call:f({\"a\":1})"},
      {"llama 3, two", "{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}",
       "call:f({})|call:g({})"},
      {"llama 3 python tag", "<|python_tag|>{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}",
       "call:f({})"},
      {"llama 3 built-in", "<|python_tag|>brave_search.call(query=\"a, \\\"b\\\"\", n=2)",
       "call:brave_search({\"query\":\"a, \\\"b\\\"\",\"n\":2})"},
      {"llama 3 code", "<|python_tag|>print(1)", "call:code_interpreter({\"code\":\"print(1)\"})"},
      {"deepseek",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": "
       "1}\n```<｜tool▁call▁end｜>\n"
       "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "call:f({\"a\":1})|call:g({})"},
      {"deepseek, later form",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "call:f({\"a\":1})"},
      {"smollm3", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": true}}</tool_call>", "call:f({\"a\":true})"},
      {"not a call", "<tool_call>nonsense</tool_call> more", "text:<tool_call>nonsense</tool_call> more"},
      {"cut call", "<tool_call>{\"name\": \"f\", \"argu", "text:<tool_call>{\"name\": \"f\", \"argu"},
      {"json that is no call", "{\"answer\": 42}", "text:{\"answer\": 42}"},
      {"braces later", "Use {\"name\": \"f\", \"parameters\": {}}.", "text:Use {\"name\": \"f\", \"parameters\": {}}."},
      {"half a mark", "a <tool_cal", "text:a <tool_cal"},
  };
  return list;
}

TEST(AnswerReader, EveryFamilyInPiecesOfEverySize) {
  for (const Case& each : cases()) {
    for (size_t piece = 1; piece <= each.answer.size(); piece = piece < 24 ? piece + 1 : piece * 2) {
      EXPECT_EQ(read(each.answer, piece, {.calls = true}), each.parts) << each.name << " in pieces of " << piece;
    }
  }
}

TEST(AnswerReader, WithoutToolsCallsAreText) {
  const std::string call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
  EXPECT_EQ(read(call, 3, {}), "text:" + call);
  EXPECT_EQ(read("{\"name\": \"f\", \"parameters\": {}}", 3, {}), "text:{\"name\": \"f\", \"parameters\": {}}");
}

TEST(AnswerReader, AnswersThatBeginWithinThoughts) {
  for (size_t piece = 1; piece < 30; ++piece) {
    EXPECT_EQ(read("hm\n</think>\n\nYes.", piece, {.begins_thinking = true}), "think:hm|text:Yes.");
  }
}

// Text is shown as soon as it can be no mark; a call when it is whole.
TEST(AnswerReader, StreamsWhatIsCertain) {
  AnswerReader reader({.calls = true});
  EXPECT_EQ(show(reader.push("Hel")), "text:Hel");
  EXPECT_EQ(show(reader.push("lo <tool")), "text:lo");
  EXPECT_EQ(show(reader.push("box> ")), "text: <toolbox>");
  EXPECT_EQ(show(reader.push("<tool_call>{\"name\": \"f\"")), "");
  EXPECT_EQ(show(reader.push(", \"arguments\": {}}</tool_call>")), "call:f({})");
  EXPECT_EQ(show(reader.finish()), "");
}

TEST(AnswerReader, DeepJsonIsNoCall) {
  std::string deep = "{\"name\": \"f\", \"arguments\": ";
  for (int i = 0; i < 100'000; ++i) deep += "[";
  EXPECT_EQ(parse_json_calls(deep).size(), 0U);
}

}  // namespace
}  // namespace smelt
