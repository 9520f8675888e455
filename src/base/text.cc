// UTF-8 and display helpers.
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace smelt {
namespace {

// Ranges of the second byte per leading byte: the well-formed sequences of the Unicode Standard, table 3-7.
struct LeadByte {
  size_t length;
  uint8_t low, high;
};

LeadByte classify(uint8_t lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead >= 0xC2 && lead <= 0xDF) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes from `at` agree with a well-formed sequence whose lead is there; `lead.length` if complete.
size_t matching_bytes(std::string_view text, size_t at, const LeadByte& lead) {
  size_t i = 1;
  for (; i < lead.length && at + i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[at + i]);
    const uint8_t low = i == 1 ? lead.low : 0x80;
    const uint8_t high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) break;
  }
  return i;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitution, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

size_t utf8_length(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  const LeadByte lead = classify(static_cast<uint8_t>(text[at]));
  if (lead.length <= 1) return lead.length;
  return matching_bytes(text, at, lead) == lead.length ? lead.length : 0;
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

size_t utf8_complete_prefix(std::string_view text) {
  // Only the last three bytes can belong to a character whose end has not come yet.
  const size_t from = text.size() > 3 ? text.size() - 3 : 0;
  for (size_t at = text.size(); at-- > from;) {
    const LeadByte lead = classify(static_cast<uint8_t>(text[at]));
    if (lead.length <= 1) continue;
    if (at + lead.length > text.size() && matching_bytes(text, at, lead) == text.size() - at) return at;
    break;
  }
  return text.size();
}

void append_utf8(std::string& out, char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const int extra = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr uint8_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kLead[extra] | (c >> (6 * extra)));
  for (int i = extra - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((c >> (6 * i)) & 0x3F));
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    if (length == 0) {
      out += U'\uFFFD';
      ++at;
      continue;
    }
    auto c = static_cast<char32_t>(static_cast<uint8_t>(text[at]) & (length == 1 ? 0x7F : 0xFF >> (length + 1)));
    for (size_t i = 1; i < length; ++i) c = (c << 6) | (static_cast<uint8_t>(text[at + i]) & 0x3F);
    out += c;
    at += length;
  }
  return out;
}

std::string escape_for_display(std::string_view text, size_t limit) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (at >= limit) return out + "…";
    const size_t length = utf8_length(text, at);
    const auto byte = static_cast<uint8_t>(text[at]);
    // C1 controls (U+0080–U+009F) steer terminals as escape sequences do.
    const bool c1 = length == 2 && byte == 0xC2 && static_cast<uint8_t>(text[at + 1]) < 0xA0;
    if (length == 0 || byte < 0x20 || byte == 0x7F || c1) {
      out += fmt::format("\\x{:02x}", byte);
      ++at;
    } else if (byte == '\'' || byte == '\\') {
      out += '\\';
      out += text[at++];
    } else {
      out += text.substr(at, length);
      at += length;
    }
  }
  return out;
}

std::string find_nearest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.empty()) return "";
  name = name.substr(0, 64);
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace smelt
