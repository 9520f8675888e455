// smelt devices: the machine as smelt sees it: processor, caches, memory, instruction sets, and the kernels that will
// run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "base/machine.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "kernels/isa.h"
#include "kernels/lists.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

std::string wanted_isa() {
  const char* wanted = std::getenv("SMELT_ISA");
  return wanted == nullptr ? "" : wanted;
}

void add_line(std::string& out, std::string_view title, std::string_view text) {
  out += fmt::format("{:<17}{}\n", title, text);
}

std::string cache_text(const CacheInfo& cache) {
  const std::string shared = cache.shared_by > 1 ? fmt::format(", shared by {}", cache.shared_by) : "";
  const char* kind = cache.kind == "data" ? "d" : cache.kind == "instruction" ? "i" : "";
  return fmt::format("L{}{} {}{}", cache.level, kind, format_bytes(cache.bytes), shared);
}

std::string override_text() {
  const std::string wanted = wanted_isa();
  if (wanted.empty()) return "not set; a name from above makes kernels keep to that set";
  if (const Status status = check_isa_override(); !status) return "ignored: " + status.error().message;
  return escape_for_display(wanted) + ": kernels keep to this set";
}

std::string format_devices() {
  std::string out;
  const std::string name = processor_name();
  add_line(out, "processor", name.empty() ? "unknown" : escape_for_display(name));
  add_line(out, "threads", fmt::format("{} by default, of {} processors", default_threads(), online_processors()));
  std::string caches;
  for (const CacheInfo& cache : processor_caches()) caches += (caches.empty() ? "" : "; ") + cache_text(cache);
  add_line(out, "caches", caches.empty() ? "unknown" : caches);
  add_line(out, "memory",
           fmt::format("{}, of which smelt may use {}", format_bytes(physical_memory_bytes()),
                       format_bytes(memory_budget_bytes())));
  std::string_view title = "instruction sets";
  for (const Isa isa : usable_isas()) {
    add_line(out, title, fmt::format("{:<15}{}", isa_name(isa), isa_features(isa)));
    title = "";
  }
  title = "kernels";
  for (const KernelList& list : kernel_lists()) {
    add_line(out, title, fmt::format("{:<15}{}", list.operation, isa_name(find_kernel_isa(list, chosen_isa()))));
    title = "";
  }
  add_line(out, "SMELT_ISA", override_text());
  return out;
}

std::string format_devices_json() {
  ordered_json caches = ordered_json::array();
  for (const CacheInfo& cache : processor_caches()) {
    caches.push_back(
        {{"level", cache.level}, {"kind", cache.kind}, {"bytes", cache.bytes}, {"shared_by", cache.shared_by}});
  }
  ordered_json isas = ordered_json::array();
  for (const Isa isa : usable_isas()) isas.push_back({{"name", isa_name(isa)}, {"features", isa_features(isa)}});
  ordered_json kernels = ordered_json::object();
  for (const KernelList& list : kernel_lists()) kernels[list.operation] = isa_name(find_kernel_isa(list, chosen_isa()));
  ordered_json out = {{"processor", processor_name()},
                      {"threads", default_threads()},
                      {"processors", online_processors()},
                      {"caches", caches},
                      {"memory_bytes", physical_memory_bytes()},
                      {"memory_budget_bytes", memory_budget_bytes()},
                      {"instruction_sets", isas},
                      {"chosen", isa_name(chosen_isa())},
                      {"kernels", kernels},
                      {"SMELT_ISA", wanted_isa()}};
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Action add(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  add_json(app, *json);
  return [json] { return print(*json ? format_devices_json() : format_devices()); };
}

}  // namespace

extern const Command devices_command;
const Command devices_command = {
    .name = "devices",
    .summary = "Show the processor, its memory and instruction sets, and which kernels run on it",
    .details =
        "Kernels are written for several instruction sets; of each operation's the best that the processor and the "
        "system support is taken. The environment variable SMELT_ISA names a set to keep to.",
    .examples =
        "  smelt devices\n"
        "  smelt devices --json\n"
        "  SMELT_ISA=reference smelt devices\n",
    .add = add,
};

}  // namespace smelt
