// From TOML to a task.
#include "eval/tasks/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "formats/toml_tree.h"

namespace smelt {
namespace {

constexpr uint64_t kMaxDefinitionBytes = 4 << 20;
constexpr int64_t kMaxShots = 1000;

const std::vector<std::string> kFormats = {"jsonl", "csv", "conll"};
const std::vector<std::string> kMetrics = {"exact_match", "rouge", "span_f1"};
const std::vector<std::string> kNormalize = {"lower", "punctuation", "articles", "number"};
const std::vector<std::string> kMethods = {"likelihood", "constrained"};

Result<TaskTemplate> read_template(TomlFields& fields, const std::string& key) {
  SMELT_ASSIGN(const std::string source, fields.text(key));
  auto parsed = TaskTemplate::parse(source, fields.name_of(key));
  if (!parsed) return fields.error(key, parsed.error().message);
  return parsed;
}

Status read_optional(TomlFields& fields, const std::string& key, std::optional<TaskTemplate>& target) {
  if (!fields.has(key)) return {};
  SMELT_ASSIGN(target, read_template(fields, key));
  return {};
}

Status read_pattern(TomlFields& fields, const std::string& key, std::optional<Pattern>& target) {
  if (!fields.has(key)) return {};
  SMELT_ASSIGN(const std::string source, fields.text(key));
  auto pattern = Pattern::compile(source);
  if (!pattern) return fields.error(key, pattern.error().message);
  target = std::move(*pattern);
  return {};
}

Result<DataSpec> read_data(TomlFields fields) {
  DataSpec out;
  SMELT_ASSIGN(out.file, fields.text("file"));
  if (out.file.empty() || std::filesystem::path(out.file).is_absolute() || out.file.find("..") != std::string::npos)
    return fields.error("file", "not a path below the folder of the data");
  SMELT_ASSIGN(const size_t format, fields.choice("format", kFormats, 0));
  out.format = static_cast<DataFormat>(format);
  SMELT_ASSIGN(out.form, fields.text("form", ""));
  SMELT_ASSIGN(out.fields, fields.texts("fields"));
  SMELT_TRY(read_optional(fields, "keep", out.keep));
  SMELT_TRY(fields.finish());
  return out;
}

jinja::Value to_value(const TomlNode& node) {
  struct Maker {
    jinja::Value operator()(bool value) const { return jinja::Value::boolean(value); }
    jinja::Value operator()(int64_t value) const { return jinja::Value::integer(value); }
    jinja::Value operator()(double value) const { return jinja::Value::real(value); }
    jinja::Value operator()(const std::string& value) const { return jinja::Value::text(value, true); }
    jinja::Value operator()(const TomlNode::Array& array) const {
      std::vector<jinja::Value> items;
      for (const TomlNode& each : array) items.push_back(to_value(each));
      return jinja::Value::list(std::move(items));
    }
    jinja::Value operator()(const TomlNode::Table& table) const {
      std::vector<jinja::Entry> entries;
      for (const auto& [key, value] : table) entries.emplace_back(jinja::Value::text(key, true), to_value(value));
      return jinja::Value::dict(std::move(entries));
    }
  };
  return std::visit(Maker{}, node.value);
}

Status read_examples(TomlFields& fields, TaskDefinition& out) {
  const TomlNode* node = fields.find("examples");
  if (node == nullptr) return {};
  const auto* array = std::get_if<TomlNode::Array>(&node->value);
  if (array == nullptr) return fields.error("examples", "not a list of tables, [[shots.examples]]");
  for (const TomlNode& each : *array) {
    const auto* table = std::get_if<TomlNode::Table>(&each.value);
    if (table == nullptr) return fields.error("examples", "not a list of tables, [[shots.examples]]");
    TaskItem item{.index = std::ssize(out.shots), .fields = {}};
    for (const auto& [key, value] : *table) item.fields.emplace_back(key, to_value(value));
    for (const std::string& name : out.data.fields)
      if (item.find(name) == nullptr)
        return fields.error("examples", fmt::format("example {} has no '{}'", item.index + 1, name));
    out.shots.push_back(std::move(item));
  }
  return {};
}

Status read_shots(TomlFields& root, TaskDefinition& out) {
  const TomlNode* node = root.find("shots");
  if (node == nullptr) return {};
  TomlFields fields = root.table(*node, "shots");
  SMELT_ASSIGN(out.n_shots, fields.integer("count", 0, 0, kMaxShots));
  SMELT_TRY(read_examples(fields, out));
  SMELT_ASSIGN(const std::string file, fields.text("file", ""));
  std::optional<TaskTemplate> keep;
  SMELT_TRY(read_optional(fields, "keep", keep));
  SMELT_TRY(fields.finish());
  if (file.empty()) return {};
  if (!out.shots.empty()) return fields.error("file", "there are examples already; leave one of the two out");
  out.shots_data = out.data;
  out.shots_data->file = file;
  out.shots_data->keep = keep;
  return {};
}

Status read_prompt(TomlFields& root, TaskDefinition& out) {
  SMELT_ASSIGN(const TomlNode* node, root.get("prompt"));
  TomlFields fields = root.table(*node, "prompt");
  SMELT_ASSIGN(out.prompt, read_template(fields, "text"));
  SMELT_TRY(read_optional(fields, "answer", out.answer));
  SMELT_ASSIGN(out.separator, fields.text("separator", "\n\n"));
  SMELT_ASSIGN(out.system, fields.text("system", ""));
  return fields.finish();
}

Status read_choice(TomlFields fields, ChoiceSpec& out) {
  SMELT_ASSIGN(out.labels, fields.texts("labels"));
  SMELT_ASSIGN(out.field, fields.text("field", ""));
  if (out.labels.empty() == out.field.empty())
    return fields.error("labels",
                        "give either 'labels', the choices of all items, or 'field', where an item lists its own");
  auto sorted = out.labels;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) return fields.error("labels", fmt::format("'{}' stands there twice", *twice));
  SMELT_TRY(read_optional(fields, "text", out.text));
  SMELT_TRY(read_optional(fields, "gold", out.gold));
  SMELT_TRY(read_optional(fields, "gold_index", out.number));
  if (out.gold.has_value() == out.number.has_value())
    return fields.error("gold", "give either 'gold', the right choice, or 'gold_index', its number from 0");
  SMELT_ASSIGN(const size_t method, fields.choice("method", kMethods, 0));
  out.method = static_cast<ChoiceMethod>(method);
  return fields.finish();
}

Status read_writing(TomlFields& fields, WritingSpec& out) {
  SMELT_ASSIGN(out.max_tokens, fields.integer("max_tokens", out.max_tokens, 1, 1 << 20));
  SMELT_ASSIGN(out.stop, fields.texts("stop"));
  for (const std::string& each : out.stop)
    if (each.empty()) return fields.error("stop", "an empty text would stop at once");
  SMELT_TRY(read_pattern(fields, "extract", out.extract));
  SMELT_ASSIGN(const size_t which, fields.choice("extract_which", {"first", "last"}, 0));
  out.which = static_cast<Pattern::Which>(which);
  return {};
}

Status read_text(TomlFields fields, TaskDefinition& out) {
  SMELT_TRY(read_writing(fields, out.writing));
  SMELT_TRY(fields.get("metric"));
  SMELT_ASSIGN(const size_t metric, fields.choice("metric", kMetrics, 0));
  out.text.metric = static_cast<TextMetric>(metric);
  SMELT_TRY(read_optional(fields, "gold", out.text.gold));
  SMELT_ASSIGN(out.text.golds, fields.text("golds", ""));
  const bool is_spans = out.text.metric == TextMetric::span_f1;
  if (is_spans && out.data.format != DataFormat::conll)
    return fields.error("metric", "span_f1 needs data.format = \"conll\", whose tags are the right spans");
  const int n_golds = (out.text.gold ? 1 : 0) + (out.text.golds.empty() ? 0 : 1);
  if (n_golds != (is_spans ? 0 : 1))
    return fields.error("gold", is_spans
                                    ? "the tags of the data are the right spans; leave it out"
                                    : "give either 'gold', the right text, or 'golds', the field that lists several");
  SMELT_TRY(read_pattern(fields, "gold_extract", out.text.gold_extract));
  SMELT_ASSIGN(const auto names, fields.texts("normalize"));
  for (const std::string& name : names) {
    const auto found = std::find(kNormalize.begin(), kNormalize.end(), name);
    if (found == kNormalize.end())
      return fields.error("normalize", fmt::format("'{}' is none of {}", name, fmt::join(kNormalize, ", ")));
    out.text.normalize.push_back(static_cast<Normalize>(found - kNormalize.begin()));
  }
  return fields.finish();
}

Status read_code(TomlFields fields, TaskDefinition& out) {
  SMELT_TRY(read_writing(fields, out.writing));
  SMELT_ASSIGN(out.code.program, read_template(fields, "program"));
  SandboxLimits& limits = out.code.limits;
  SMELT_ASSIGN(limits.seconds, fields.number("seconds", limits.seconds, 0.1, 3600));
  SMELT_ASSIGN(const int64_t mebibytes, fields.integer("memory_mib", 1024, 64, 1 << 20));
  limits.memory_bytes = static_cast<uint64_t>(mebibytes) << 20;
  if (const TomlNode* node = fields.find("k")) {
    const auto* list = std::get_if<TomlNode::Array>(&node->value);
    for (const TomlNode& each : list != nullptr ? *list : TomlNode::Array{{false, 0}}) {
      const auto* k = std::get_if<int64_t>(&each.value);
      if (k == nullptr || *k < 1) return fields.error("k", "not a list of whole numbers from 1");
      out.code.k.push_back(*k);
    }
  }
  if (out.code.k.empty()) out.code.k = {1};
  return fields.finish();
}

Status read_chat(TomlFields& root, TaskDefinition& out) {
  const TomlNode* node = root.find("chat");
  if (node == nullptr) return {};
  TomlFields fields = root.table(*node, "chat");
  SMELT_TRY(read_optional(fields, "prompt", out.chat.prompt));
  SMELT_TRY(read_optional(fields, "answer", out.chat.answer));
  SMELT_TRY(read_pattern(fields, "extract", out.chat.extract));
  if (out.kind == TaskKind::code) SMELT_TRY(read_optional(fields, "program", out.chat.program));
  return fields.finish();
}

// One of the tables [choice], [text] and [code] says what kind of task it is.
Status read_kind(TomlFields& root, TaskDefinition& out) {
  const TomlNode* choice = root.find("choice");
  const TomlNode* text = root.find("text");
  const TomlNode* code = root.find("code");
  if ((choice != nullptr) + (text != nullptr) + (code != nullptr) != 1)
    return root.error("choice", "give one of the tables [choice], [text] and [code]");
  out.kind = choice != nullptr ? TaskKind::choice : text != nullptr ? TaskKind::text : TaskKind::code;
  if (choice != nullptr) return read_choice(root.table(*choice, "choice"), out.choice);
  return text != nullptr ? read_text(root.table(*text, "text"), out) : read_code(root.table(*code, "code"), out);
}

}  // namespace

const jinja::Value* TaskItem::find(std::string_view name) const {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

Result<TaskTemplate> TaskTemplate::parse(std::string_view source, std::string name) {
  SMELT_ASSIGN(jinja::Template parsed, jinja::Template::parse(source));
  return TaskTemplate(std::move(parsed), std::move(name));
}

Result<std::string> TaskTemplate::render(const TaskItem& item, const Variables& more) const {
  Variables variables = item.fields;
  variables.insert(variables.end(), more.begin(), more.end());
  auto text = parsed_.render(variables);
  if (!text) return std::move(text).error().with_context(fmt::format("{}: item {}", name_, item.index));
  return text->bytes();
}

Result<TaskDefinition> parse_task_definition(std::string_view text, const std::string& file_name) {
  SMELT_ASSIGN(const TomlNode document, parse_toml(text, file_name));
  TomlFields root(document, "", file_name);
  TaskDefinition out;
  out.file = file_name;
  out.hash = fmt::format("{:016x}", hash_bytes(text));
  SMELT_ASSIGN(out.name, root.text("name"));
  SMELT_ASSIGN(out.title, root.text("title"));
  SMELT_ASSIGN(const TomlNode* data, root.get("data"));
  SMELT_ASSIGN(out.data, read_data(root.table(*data, "data")));
  SMELT_TRY(read_prompt(root, out));
  SMELT_TRY(read_shots(root, out));
  SMELT_TRY(read_kind(root, out));
  SMELT_TRY(read_chat(root, out));
  SMELT_TRY(root.finish());
  return out;
}

Result<TaskDefinition> load_task_definition(const std::string& path) {
  SMELT_ASSIGN(const std::string text, read_file(path, kMaxDefinitionBytes));
  return parse_task_definition(text, path);
}

}  // namespace smelt
