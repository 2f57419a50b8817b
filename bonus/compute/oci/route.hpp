// Paths and ranges of the distribution API, apart from any connection. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bonus/base/result.hpp"

namespace bonus::compute::oci {

struct Route {
  enum class Kind : std::uint8_t { kNone, kBase, kCatalog, kBlob, kUploads, kUpload, kManifest, kTags, kReferrers };
  Kind kind = Kind::kNone;
  std::string repository;
  std::string reference;  ///< Tag, digest or upload id, unchecked.
};
/// kNone: not a path of this API. The repository is checked against the grammar only when `kind` is not kNone:
/// kInvalid when it breaks it.
[[nodiscard]] Result<Route> parse_route(std::string_view path);

struct ByteRange {
  std::uint64_t first = 0, last = 0;  ///< Both included.
};
/// RFC 9110, section 14: one range of a representation of `size` bytes. Nothing: absent, malformed or several ranges,
/// all of which mean the whole. kInvalid: it cannot be satisfied (416).
[[nodiscard]] Result<std::optional<ByteRange>> parse_range(std::optional<std::string_view> header, std::uint64_t size);
/// "<first>-<last>" of a chunk (distribution-spec "Pushing a blob in chunks").
[[nodiscard]] Result<ByteRange> parse_content_range(std::string_view header);

}  // namespace bonus::compute::oci
