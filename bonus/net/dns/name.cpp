// Domain names as they stand on the wire, uncompressed (RFC 1035, section 3.1).
#include "bonus/net/dns/name.hpp"

#include <fmt/format.h>

namespace bonus::net::dns {

namespace {

char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t label_size(const std::string& wire, std::size_t at) { return static_cast<std::uint8_t>(wire[at]); }

/// One character of a label, plain or escaped (RFC 1035, section 5.1).
Result<char> take_char(std::string_view text, std::size_t& at) {
  const char c = text[at++];
  if (c != '\\') return c;
  if (at >= text.size()) return fail(ErrorCode::kInvalid, "a name ends with a backslash");
  if (!is_digit(text[at])) return text[at++];
  if (at + 3 > text.size() || !is_digit(text[at + 1]) || !is_digit(text[at + 2]))
    return fail(ErrorCode::kInvalid, "a name has a \\ with less than three digits");
  const int value = (text[at] - '0') * 100 + (text[at + 1] - '0') * 10 + (text[at + 2] - '0');
  if (value > 255) return fail(ErrorCode::kInvalid, "a name has an escaped value above 255");
  at += 3;
  return static_cast<char>(value);
}

}  // namespace

Result<Name> Name::parse(std::string_view text) {
  std::vector<std::string> labels;
  if (text.empty()) return fail(ErrorCode::kInvalid, "a name is empty");
  if (text == ".") return Name();
  std::string label;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '.') {
      ++at;
      if (label.empty()) return fail(ErrorCode::kInvalid, "a name has an empty label");
      labels.push_back(std::exchange(label, {}));
      continue;
    }
    label.push_back(TRY(take_char(text, at)));
  }
  if (!label.empty()) labels.push_back(std::move(label));
  return from_labels(labels);
}

Result<Name> Name::from_labels(const std::vector<std::string>& labels) {
  std::string wire;
  for (const std::string& label : labels) {
    if (label.empty() || label.size() > kMaxLabelBytes)
      return fail(ErrorCode::kInvalid, fmt::format("a label of a name has {} bytes, 1 to 63 may be", label.size()));
    if (wire.size() + label.size() + 2 > kMaxNameBytes)
      return fail(ErrorCode::kInvalid, "a name has more than 255 bytes");
    wire.push_back(static_cast<char>(label.size()));
    wire += label;
  }
  wire.push_back('\0');
  Name out;
  out.wire_ = std::move(wire);
  return out;
}

Result<Name> Name::from_wire(BytesView wire) {
  if (wire.empty() || wire.size() > kMaxNameBytes) return fail(ErrorCode::kInvalid, "a name has a wrong size");
  std::size_t at = 0;
  while (wire[at] != 0) {
    if (wire[at] > kMaxLabelBytes) return fail(ErrorCode::kInvalid, "a label of a name is too long");
    at += wire[at] + std::size_t{1};
    if (at >= wire.size()) return fail(ErrorCode::kInvalid, "a name has no end");
  }
  if (at + 1 != wire.size()) return fail(ErrorCode::kInvalid, "bytes follow a name");
  Name out;
  out.wire_.assign(as_text(wire));
  return out;
}

std::string Name::to_string() const {
  if (wire_.size() == 1) return ".";
  std::string out;
  for (std::size_t at = 0; wire_[at] != 0;) {
    if (at > 0) out.push_back('.');
    const std::size_t size = label_size(wire_, at++);
    for (const char c : std::string_view(wire_).substr(at, size)) {
      if (c == '.' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (c > 0x20 && c < 0x7f) {
        out.push_back(c);
      } else {
        out += fmt::format("\\{:03}", static_cast<std::uint8_t>(c));
      }
    }
    at += size;
  }
  return out;
}

std::vector<std::string> Name::labels() const {
  std::vector<std::string> out;
  for (std::size_t at = 0; wire_[at] != 0;) {
    const std::size_t size = label_size(wire_, at);
    out.push_back(wire_.substr(at + 1, size));
    at += size + 1;
  }
  return out;
}

Name Name::lower() const {
  Name out = *this;
  for (std::size_t at = 0; out.wire_[at] != 0;) {
    const std::size_t size = label_size(out.wire_, at++);
    for (std::size_t i = 0; i < size; ++i) out.wire_[at + i] = lower_char(out.wire_[at + i]);
    at += size;
  }
  return out;
}

bool Name::equals(const Name& other) const { return wire_.size() == other.wire_.size() && lower() == other.lower(); }

bool Name::ends_with(const Name& suffix) const {
  if (wire_.size() < suffix.wire_.size()) return false;
  const std::size_t start = wire_.size() - suffix.wire_.size();
  std::size_t at = 0;
  while (at < start) at += label_size(wire_, at) + 1;
  if (at != start) return false;  // the suffix would begin within a label
  return lower().wire_.substr(start) == suffix.lower().wire_;
}

}  // namespace bonus::net::dns
