// The OCI distribution API 1.1 of a node: push, pull, ranges, mounts, tags, referrers, delete
// (docs/formats/registry.md).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bonus/compute/oci/uploads.hpp"
#include "bonus/runtime/disk.hpp"
#include "bonus/runtime/http/http.hpp"
#include "bonus/storage/api/blob_store.hpp"

namespace bonus::compute::oci {

struct RegistryOptions {
  std::string state_dir;  ///< Holds the catalogue and unfinished uploads.
  /// Asked before every request that changes something; absent: nobody may.
  std::function<bool(const runtime::http::Request&)> allow_push;
  UploadLimits uploads;
  std::size_t max_catalog_entries = 1'000'000;  ///< Tags, manifests and blob links together.
  std::size_t max_list = 1000;                  ///< Names in one answer; more by Link.
  runtime::Disk* disk = nullptr;                ///< Absent: the system's; the same for the next two.
  runtime::Clock* clock = nullptr;
  runtime::Random* random = nullptr;
};

/// Serves /v2/... Thread-safe. Store and pool must outlive it, and no request may be under way when it is destroyed.
class Registry {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(storage::BlobStore& store, runtime::BlockingPool& pool,
                                                              RegistryOptions options);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// Answers every request, with the error document of the specification where something is wrong.
  [[nodiscard]] runtime::Task<> handle(runtime::http::Exchange& exchange);
  /// The manifest that a tag names now. kNotFound.
  [[nodiscard]] Result<Hash32> resolve(const std::string& repository, const std::string& tag) const;

 private:
  class Impl;
  explicit Registry(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::compute::oci
