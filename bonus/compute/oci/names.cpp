// Grammars of the OCI distribution specification 1.1, written as scanners: std::regex recurses per character.
#include "bonus/compute/oci/names.hpp"

#include <fmt/format.h>

namespace bonus::compute::oci {
namespace {
bool lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool alnum(char c) { return lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

bool valid_component(std::string_view text) {
  if (text.empty() || !lower_alnum(text.front()) || !lower_alnum(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (lower_alnum(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && text[end] == text[i]) ++end;
    const std::size_t run = end - i;
    const bool separator = (text[i] == '.' && run == 1) || (text[i] == '_' && run <= 2) || text[i] == '-';
    if (!separator || end == text.size() || !lower_alnum(text[end])) return false;
    i = end;
  }
  return true;
}
}  // namespace

bool valid_repository(std::string_view name) {
  if (name.size() > 255) return false;
  while (true) {
    const auto slash = name.find('/');
    if (!valid_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

bool valid_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > 128 || !(alnum(tag[0]) || tag[0] == '_')) return false;
  return std::ranges::all_of(tag, [](char c) { return alnum(c) || c == '_' || c == '.' || c == '-'; });
}

Result<Hash32> parse_digest(std::string_view text) {
  const auto invalid = [&] {
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a digest", text.substr(0, 100)));
  };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || text.size() > 256) return invalid();
  const auto algorithm = text.substr(0, colon);
  const auto encoded = text.substr(colon + 1);
  if (algorithm != "sha256") {
    const bool known_form =
        std::ranges::all_of(algorithm, [](char c) { return lower_alnum(c) || std::string_view("+._-").contains(c); }) &&
        std::ranges::all_of(encoded, [](char c) { return alnum(c) || std::string_view("=_-").contains(c); });
    if (!known_form) return invalid();
    return fail(ErrorCode::kUnsupported,
                fmt::format("digests of the kind \"{}\" are not offered, use sha256", algorithm));
  }
  const bool hex =
      std::ranges::all_of(encoded, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (encoded.size() != 64 || !hex) return invalid();
  return fixed_from_hex<Hash32>(encoded);
}

std::string digest_text(const Hash32& sha256) { return "sha256:" + to_hex(sha256); }

Result<Reference> parse_reference(std::string_view text) {
  Reference out;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    out = {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
    TRY(parse_digest(out.reference));
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    out = {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
    if (!valid_tag(out.reference)) return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a tag", out.reference));
  } else {
    out = {std::string(text), "latest"};
  }
  if (!valid_repository(out.repository))
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is not an image name: lower-case letters, digits, and . _ - / between them",
                            out.repository));
  return out;
}

}  // namespace bonus::compute::oci
