// Inside of the registry: one request with its parsed route, and the handlers by subject. For .cpp files of this
// folder.
#pragma once

#include <optional>

#include "bonus/compute/oci/catalog.hpp"
#include "bonus/compute/oci/registry.hpp"
#include "bonus/compute/oci/route.hpp"

namespace bonus::compute::oci {

/// An answer that is not a success, as the specification's error document ("Error Codes").
struct Refusal {
  int status = 500;
  std::string_view code = "UNKNOWN";
  std::string message;
};
/// What an error of storage or of the peer means to a client.
[[nodiscard]] Refusal refusal_of(const Error& error);

class Registry::Impl {
 public:
  using Exchange = runtime::http::Exchange;
  using Headers = runtime::http::Headers;
  template <class T = void>
  using Task = runtime::Task<T>;

  Impl(storage::BlobStore& store, runtime::BlockingPool& pool, RegistryOptions options,
       std::unique_ptr<Catalog> catalog, std::unique_ptr<Uploads> uploads)
      : store_(store),
        pool_(pool),
        options_(std::move(options)),
        catalog_(std::move(catalog)),
        uploads_(std::move(uploads)) {}

  Task<> handle(Exchange& exchange);
  const Catalog& catalog() const { return *catalog_; }

 private:
  /// Handlers give nothing when they have answered, or the refusal to send.
  using Answer = std::optional<Refusal>;

  Task<Answer> dispatch(Exchange& exchange, Route route);

  // registry_blobs.cpp
  Task<Answer> blob(Exchange& exchange, Route route);
  Task<Answer> send_blob(Exchange& exchange, storage::BlobInfo info, Headers headers, std::uint64_t first,
                         std::uint64_t count, int status);
  Task<Answer> delete_blob(Exchange& exchange, Route route);
  /// Content nobody refers to any more leaves the store. Blocking; under content_mutex_.
  void drop_content(const Hash32& digest);

  // registry_uploads.cpp
  Task<Answer> begin_upload(Exchange& exchange, Route route);
  Task<Answer> upload(Exchange& exchange, Route route);
  Task<Answer> upload_status(Exchange& exchange, Route route);
  Task<Answer> receive_chunk(Exchange& exchange, Route route);
  Task<Answer> finish_upload(Exchange& exchange, Route route);
  Task<Answer> cancel_upload(Exchange& exchange, Route route);
  Task<Answer> store_whole(Exchange& exchange, std::string repository, Hash32 digest);
  Task<Answer> blob_stored(Exchange& exchange, std::string repository, Hash32 digest);
  /// Reads the body into a session that is claimed already; gives its new size.
  Task<Result<std::uint64_t>> receive_body(Exchange& exchange, Uploads::Claim claim);
  Task<Answer> accepted(Exchange& exchange, int status, std::string repository, std::string id, std::uint64_t size);

  // registry_manifests.cpp
  Task<Answer> manifest(Exchange& exchange, Route route);
  Task<Answer> get_manifest(Exchange& exchange, Route route);
  Task<Answer> put_manifest(Exchange& exchange, Route route);
  Task<Answer> delete_manifest(Exchange& exchange, Route route);
  Task<Answer> list_tags(Exchange& exchange, Route route);
  Task<Answer> list_repositories(Exchange& exchange);
  Task<Answer> list_referrers(Exchange& exchange, Route route);

  storage::BlobStore& store_;
  runtime::BlockingPool& pool_;
  const RegistryOptions options_;
  const std::unique_ptr<Catalog> catalog_;
  const std::unique_ptr<Uploads> uploads_;
  // Held while a link to content is made or the last one is taken away, so that none is left without its content. For
  // pool threads.
  std::mutex content_mutex_;
};

}  // namespace bonus::compute::oci
