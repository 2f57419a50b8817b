// Hexadecimal text of byte strings.
#include "bonus/base/bytes.hpp"

#include <fmt/format.h>

namespace bonus {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_hex(std::string& out, BytesView in) {
  out.reserve(out.size() + 2 * in.size());
  for (const std::uint8_t byte : in) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

}  // namespace

std::string to_hex(BytesView in) {
  std::string out;
  append_hex(out, in);
  return out;
}

std::string to_hex0x(BytesView in) {
  std::string out = "0x";
  append_hex(out, in);
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  if (text.size() % 2 != 0) {
    return fail(ErrorCode::kInvalid,
                fmt::format("hexadecimal text has {} digits; an even number is needed", text.size()));
  }
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_value(text[i]);
    const int low = digit_value(text[i + 1]);
    if (high < 0 || low < 0) {
      return fail(ErrorCode::kInvalid, fmt::format("not a hexadecimal digit at position {}", high < 0 ? i : i + 1));
    }
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

}  // namespace bonus
