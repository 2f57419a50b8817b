// Blobs between nodes: serves the local store to authenticated peers and finds blobs at them
// (docs/formats/node_services.md).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bonus/base/metrics.hpp"
#include "bonus/compute/api/images.hpp"
#include "bonus/net/api/transport.hpp"
#include "bonus/storage/api/blob_store.hpp"

namespace bonus::node {

/// Registers the services "blob.has" and "blob.read": before transport.start(). The references must outlive the
/// handlers.
void serve_blobs(net::Transport& transport, storage::BlobStore& store, runtime::BlockingPool& pool, Metrics& metrics);

/// Asks all peers of the transport at once; those that answer first stand first. When none of them has it, others that
/// are known are asked; the list is made for each such question, on any thread.
[[nodiscard]] std::unique_ptr<compute::BlobPeers> make_blob_peers(net::Transport& transport,
                                                                  std::function<std::vector<net::Peer>()> others);

}  // namespace bonus::node
