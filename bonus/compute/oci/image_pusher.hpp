// Client of a registry for command-line programs: pushes images from disk, lists what a registry holds. Blocking.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"

namespace bonus::compute::oci {

struct PushProgress {
  std::uint64_t done_bytes = 0, total_bytes = 0;  ///< Of blobs; what the registry had already counts as done.
  std::string digest;                             ///< Of the blob under way.
};
struct PushOptions {
  std::size_t chunk_bytes = 8 << 20;
  int attempts = 5;                                       ///< Per blob, without progress in between.
  Duration first_pause = std::chrono::milliseconds(200);  ///< Before the second attempt; doubles each time.
  /// Remembers unfinished uploads, so that the same push started again goes on where it stopped. Empty: only within one
  /// call.
  std::string state_dir;
};
struct PushResult {
  Hash32 manifest_digest;
  std::string repository, tag;
  std::uint64_t uploaded_bytes = 0, skipped_bytes = 0;
};

/// `source`: an OCI layout folder, an oci-archive or the tar of `docker save`. `registry_url`: "http://host:port" or
/// "host:port". `name`: "repository:tag". kInvalid, kNotFound: the source or the name; kDenied: the registry takes no
/// pushes from here; kUnavailable: it cannot be reached; kConflict: it refused, with its reason.
[[nodiscard]] Result<PushResult> push_image(const std::string& source, const std::string& registry_url,
                                            const std::string& name, const std::function<void(PushProgress)>& progress,
                                            const PushOptions& options = {});

struct ImageListing {
  std::string repository, tag;
  Hash32 digest;
  std::uint64_t size_bytes = 0;  ///< Config and layers as stored; of an index, its manifests.
};
/// All tags of all repositories, in order, at most `limit`.
[[nodiscard]] Result<std::vector<ImageListing>> list_images(const std::string& registry_url,
                                                            std::size_t limit = 10'000);
/// The manifest that "repository:tag" names. kNotFound.
[[nodiscard]] Result<Hash32> resolve_image(const std::string& registry_url, const std::string& name);

}  // namespace bonus::compute::oci
