#include "shrink/texts.h"

#include <fmt/format.h>

#include <unordered_set>

#include "base/hash.h"

namespace smelt {
namespace {

constexpr size_t kPassage = 256;  // bytes that two texts do not share by chance
constexpr uint64_t kBase = 1099511627;

// Rolling hash of all passages of `text` (Rabin & Karp), looked up among those that begin at multiples of their length
// in the other.
bool share_a_passage(std::string_view a, std::string_view b) {
  if (a.size() < kPassage || b.size() < kPassage) return a == b;
  const auto step = [](uint64_t hash, char c) { return hash * kBase + static_cast<uint8_t>(c) + 1; };
  std::unordered_set<uint64_t> of_a;
  for (size_t at = 0; at + kPassage <= a.size(); at += kPassage) {
    uint64_t hash = 0;
    for (size_t i = 0; i < kPassage; ++i) hash = step(hash, a[at + i]);
    of_a.insert(hash);
  }
  uint64_t power = 1, hash = 0;
  for (size_t i = 0; i + 1 < kPassage; ++i) power *= kBase;
  for (size_t i = 0; i < b.size(); ++i) {
    if (i >= kPassage) hash -= power * (static_cast<uint8_t>(b[i - kPassage]) + 1U);
    hash = step(hash, b[i]);
    if (i + 1 >= kPassage && of_a.contains(hash)) return true;
  }
  return false;
}

}  // namespace

Status settle_texts(NamedText& calibration, NamedText& held_out) {
  if (held_out.text.empty()) {
    const size_t cut = calibration.text.find('\n', calibration.text.size() - calibration.text.size() / 10);
    if (cut == std::string::npos)
      return input_error(
          fmt::format("{}: has no line to end the calibration at; give another text to judge by", calibration.name));
    held_out = {calibration.name + " (last tenth)", calibration.text.substr(cut + 1)};
    calibration.text.resize(cut + 1);
  }
  if (share_a_passage(calibration.text, held_out.text))
    return input_error(fmt::format(
        "{} and {} share a passage of {} bytes: a model must be judged on text that it was not calibrated on",
        calibration.name, held_out.name, kPassage));
  return {};
}

}  // namespace smelt
