// Names of the OCI distribution specification 1.1: repositories, tags, digests. Pure.
#pragma once

#include <string>
#include <string_view>

#include "bonus/base/bytes.hpp"

namespace bonus::compute::oci {

/// "Pulling manifests": [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/...)*, at most 255 characters.
[[nodiscard]] bool valid_repository(std::string_view name);
/// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
[[nodiscard]] bool valid_tag(std::string_view tag);
/// image-spec, descriptor.md "Digests". kInvalid: not a digest; kUnsupported: another algorithm than sha256.
[[nodiscard]] Result<Hash32> parse_digest(std::string_view text);
/// "sha256:<hex>".
[[nodiscard]] std::string digest_text(const Hash32& sha256);

/// "name", "name:tag" or "name@sha256:..." as people write it; the tag is "latest" when absent.
struct Reference {
  std::string repository;
  std::string reference;  ///< A tag or a digest.
};
[[nodiscard]] Result<Reference> parse_reference(std::string_view text);

}  // namespace bonus::compute::oci
