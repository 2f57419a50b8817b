// One layer blob becomes one folder that overlayfs can use as a lower layer. Nothing in the archive is trusted.
#pragma once

#include <string>

#include "bonus/compute/vm/layer_stream.hpp"

namespace bonus::compute::vm {

struct UnpackLimits {
  StreamLimits stream;
  std::uint64_t entries = 500'000;
};
struct UnpackStats {
  std::uint64_t entries = 0;
  std::uint64_t unpacked_bytes = 0;  ///< Of the tar stream.
};

/// Fills the empty folder `target`. Needs root (owners, whiteouts). On an error the folder holds a part: the caller
/// removes it. kInvalid: an entry that no honest layer has (absolute path, "..", through a link, a device). kExhausted:
/// beyond the limits. kCorrupt: not a tar, damaged, or its SHA-256 is not `diff_id`. Blocking; safe to call from
/// several threads.
[[nodiscard]] Result<UnpackStats> unpack_layer(BlobReader reader, const Hash32& diff_id, const std::string& target,
                                               const UnpackLimits& limits);

}  // namespace bonus::compute::vm
