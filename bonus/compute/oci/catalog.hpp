// What the registry knows beside the blobs: repositories, tags, manifests and which blobs belong where
// (docs/formats/registry.md).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::compute::oci {

struct ManifestEntry {
  Hash32 digest;
  std::string media_type;
  std::uint64_t size_bytes = 0;
  std::optional<Hash32> subject;  ///< With it the entry is a referrer (distribution-spec "Listing Referrers").
  std::string artifact_type;
  std::map<std::string, std::string> annotations;
  friend bool operator==(const ManifestEntry&, const ManifestEntry&) = default;
};

/// One change, as the log keeps it.
struct CatalogRecord {
  enum class Kind : std::uint8_t { kLinkBlob = 1, kUnlinkBlob, kPutManifest, kDeleteManifest, kTag, kUntag };
  Kind kind = Kind::kLinkBlob;
  std::string repository;
  std::string tag;         ///< kTag, kUntag.
  ManifestEntry manifest;  ///< kPutManifest all; kUntag nothing; the others only the digest.
  friend bool operator==(const CatalogRecord&, const CatalogRecord&) = default;
};
[[nodiscard]] Bytes encode(const CatalogRecord& record);
[[nodiscard]] Result<CatalogRecord> decode_catalog_record(BytesView in);  ///< kCorrupt; kUnsupported: another version.

/// Thread-safe. Changes are durable on return and block; queries do not.
class Catalog {
 public:
  /// `max_entries` bounds tags, manifests and blob links together (kExhausted).
  [[nodiscard]] static Result<std::unique_ptr<Catalog>> open(runtime::Disk& disk, const std::string& path,
                                                             std::size_t max_entries);

  [[nodiscard]] Result<> link_blob(const std::string& repository, const Hash32& digest);
  /// True when no repository refers to the digest any more. kNotFound.
  [[nodiscard]] Result<bool> unlink_blob(const std::string& repository, const Hash32& digest);
  [[nodiscard]] Result<> put_manifest(const std::string& repository, const ManifestEntry& entry,
                                      const std::optional<std::string>& tag);
  /// With all its tags; the result as of unlink_blob.
  [[nodiscard]] Result<bool> delete_manifest(const std::string& repository, const Hash32& digest);
  [[nodiscard]] Result<> delete_tag(const std::string& repository, const std::string& tag);

  [[nodiscard]] bool has_repository(const std::string& repository) const;
  [[nodiscard]] bool has_blob(const std::string& repository, const Hash32& digest) const;
  [[nodiscard]] std::optional<ManifestEntry> manifest(const std::string& repository, const Hash32& digest) const;
  [[nodiscard]] std::optional<Hash32> resolve(const std::string& repository, const std::string& tag) const;
  struct Page {
    std::vector<std::string> names;  ///< In order.
    bool more = false;
  };
  /// At most `limit` names after `last`. Repositories that hold at least one tag or manifest.
  [[nodiscard]] Page repositories(const std::string& last, std::size_t limit) const;
  [[nodiscard]] Page tags(const std::string& repository, const std::string& last, std::size_t limit) const;
  /// By digest; `artifact_type` empty: all.
  [[nodiscard]] std::vector<ManifestEntry> referrers(const std::string& repository, const Hash32& subject,
                                                     const std::string& artifact_type,
                                                     const std::optional<Hash32>& last, std::size_t limit) const;

 private:
  struct Repository {
    std::map<std::string, Hash32> tags;
    std::map<Hash32, ManifestEntry> manifests;
    std::set<Hash32> blobs;
    std::map<Hash32, std::set<Hash32>> referrers;  // subject -> manifests
  };

  Catalog(std::unique_ptr<runtime::AppendLog> log, std::size_t max_entries)
      : log_(std::move(log)), max_entries_(max_entries) {}
  void apply(const CatalogRecord& record);
  void count(const Hash32& digest, int change);
  Result<> commit(const std::vector<CatalogRecord>& records);
  std::vector<CatalogRecord> snapshot() const;
  const Repository* find(const std::string& repository) const;

  mutable std::mutex mutex_;  // guards everything below
  std::unique_ptr<runtime::AppendLog> log_;
  const std::size_t max_entries_;
  std::size_t entries_ = 0, logged_ = 0;
  std::map<std::string, Repository> repositories_;
  std::unordered_map<Hash32, std::uint32_t> uses_;  // by how many repositories a digest is linked or held as a manifest
};

}  // namespace bonus::compute::oci
