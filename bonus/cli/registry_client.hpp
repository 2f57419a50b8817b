// Images in a node's registry (OCI distribution API 1.1) as the command line needs them.
#pragma once

#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::cli {

struct ResolvedImage {
  std::string name;                          ///< "repository:tag" as the user wrote it, with the tag.
  Hash32 manifest_digest;                    ///< Of the image manifest for linux on this kind of processor.
  std::vector<std::uint16_t> exposed_ports;  ///< TCP ports that the image says it listens on, at most 16.
};
/// Tag or digest to manifest. kNotFound says how to push.
[[nodiscard]] Result<ResolvedImage> resolve_image(const std::string& registry, const std::string& image);

}  // namespace bonus::cli
