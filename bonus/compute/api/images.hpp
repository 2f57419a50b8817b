// Images and blobs as the container agent sees them. Implemented by compute/oci over storage/api and the peers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::compute {

struct ImageLayer {
  Hash32 digest;   ///< Of the compressed blob.
  Hash32 diff_id;  ///< Of the uncompressed tar.
  std::uint64_t size_bytes = 0;
  std::string media_type;
};
struct Image {
  Hash32 manifest_digest, config_digest;
  std::vector<ImageLayer> layers;  ///< Bottom first.
  // From the image config (OCI image-spec, config.md):
  std::vector<std::string> entrypoint, cmd, env;
  std::string working_directory, user;
  std::vector<std::uint16_t> exposed_ports;
  std::string architecture, os;
};

struct PullProgress {
  std::uint64_t done_bytes = 0, total_bytes = 0;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  /// Makes manifest, config and layers local (from any holder, each verified by digest) and parses them.
  /// kNotFound: no holder has it. kCorrupt/kInvalid: what was found is not a valid image for this machine.
  [[nodiscard]] virtual runtime::Task<Result<Image>> pull(Hash32 manifest_digest,
                                                          std::function<void(PullProgress)> progress) = 0;
  /// A small local-or-remote blob, whole (workload documents). kExhausted above the limit.
  [[nodiscard]] virtual runtime::Task<Result<Bytes>> fetch_small(Hash32 sha256, std::size_t limit_bytes) = 0;
  /// Blocking read of a local layer at an offset, for the unpacker. 0 at the end.
  [[nodiscard]] virtual Result<std::size_t> read_layer(const Hash32& digest, std::uint64_t offset,
                                                       std::span<std::uint8_t> out) = 0;
};

/// Where compute/oci finds blobs that are not local: implemented by the node over net/api.
class BlobPeers {
 public:
  virtual ~BlobPeers() = default;
  /// Nodes that say they hold the blob, nearest first, and its size.
  struct Holder {
    NodeId node;
    std::uint64_t size_bytes = 0;
  };
  [[nodiscard]] virtual runtime::Task<std::vector<Holder>> holders(Hash32 sha256) = 0;
  /// Bytes [offset, offset+length) of the blob; at most 1 MiB a call.
  [[nodiscard]] virtual runtime::Task<Result<Bytes>> read(NodeId holder, Hash32 sha256, std::uint64_t offset,
                                                          std::size_t length) = 0;
};

}  // namespace bonus::compute
