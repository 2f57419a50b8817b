// The registry's catalogue: maps in memory, every change in an append log first.
#include "bonus/compute/oci/catalog.hpp"

#include <fmt/format.h>

namespace bonus::compute::oci {
namespace {

constexpr std::uint8_t kVersion = 1;
using Kind = CatalogRecord::Kind;

void put_number(Bytes& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}
void put_text(Bytes& out, std::string_view text) {
  put_number(out, text.size());
  append(out, as_bytes(text));
}

class Reader {
 public:
  explicit Reader(BytesView in) : in_(in) {}
  Result<BytesView> take(std::uint64_t size) {
    if (size > in_.size()) return fail(ErrorCode::kCorrupt, "a catalogue record is too short");
    const auto out = in_.first(static_cast<std::size_t>(size));
    in_ = in_.subspan(out.size());
    return out;
  }
  Result<std::uint8_t> byte() { return TRY(take(1))[0]; }
  Result<std::uint64_t> number() {
    TRY_ASSIGN(const auto raw, take(8));
    std::uint64_t out = 0;
    for (std::size_t i = 8; i-- > 0;) out = out << 8 | raw[i];
    return out;
  }
  Result<std::string> text() {
    TRY_ASSIGN(const auto size, number());
    return std::string(as_text(TRY(take(size))));
  }
  Result<Hash32> hash() { return Hash32::from(TRY(take(Hash32::kSize))); }
  [[nodiscard]] bool empty() const { return in_.empty(); }

 private:
  BytesView in_;
};

CatalogRecord make(Kind kind, const std::string& repository, const Hash32& digest, std::string tag = {}) {
  CatalogRecord out;
  out.kind = kind;
  out.repository = repository;
  out.tag = std::move(tag);
  out.manifest.digest = digest;
  return out;
}

}  // namespace

Bytes encode(const CatalogRecord& record) {
  Bytes out{kVersion, static_cast<std::uint8_t>(record.kind)};
  put_text(out, record.repository);
  if (record.kind == Kind::kTag || record.kind == Kind::kUntag) put_text(out, record.tag);
  if (record.kind != Kind::kUntag) append(out, record.manifest.digest);
  if (record.kind != Kind::kPutManifest) return out;
  const auto& m = record.manifest;
  put_text(out, m.media_type);
  put_number(out, m.size_bytes);
  out.push_back(m.subject ? 1 : 0);
  if (m.subject) append(out, *m.subject);
  put_text(out, m.artifact_type);
  put_number(out, m.annotations.size());
  for (const auto& [key, value] : m.annotations) {
    put_text(out, key);
    put_text(out, value);
  }
  return out;
}

Result<CatalogRecord> decode_catalog_record(BytesView in) {
  Reader reader(in);
  TRY_ASSIGN(const auto version, reader.byte());
  if (version != kVersion)
    return fail(ErrorCode::kUnsupported, fmt::format("catalogue records of version {} are not known", version));
  CatalogRecord out;
  TRY_ASSIGN(const auto kind, reader.byte());
  if (kind < 1 || kind > static_cast<std::uint8_t>(Kind::kUntag))
    return fail(ErrorCode::kCorrupt, "a catalogue record of unknown kind");
  out.kind = static_cast<Kind>(kind);
  TRY_ASSIGN(out.repository, reader.text());
  if (out.kind == Kind::kTag || out.kind == Kind::kUntag) {
    TRY_ASSIGN(out.tag, reader.text());
  }
  if (out.kind != Kind::kUntag) {
    TRY_ASSIGN(out.manifest.digest, reader.hash());
  }
  if (out.kind == Kind::kPutManifest) {
    auto& m = out.manifest;
    TRY_ASSIGN(m.media_type, reader.text());
    TRY_ASSIGN(m.size_bytes, reader.number());
    TRY_ASSIGN(const auto has_subject, reader.byte());
    if (has_subject > 1) return fail(ErrorCode::kCorrupt, "a catalogue record has a damaged flag");
    if (has_subject == 1) {
      TRY_ASSIGN(m.subject, reader.hash());
    }
    TRY_ASSIGN(m.artifact_type, reader.text());
    TRY_ASSIGN(const auto count, reader.number());
    for (std::uint64_t i = 0; i < count; ++i) {  // each turn takes at least 16 bytes, so the record bounds it
      TRY_ASSIGN(auto key, reader.text());
      TRY_ASSIGN(auto value, reader.text());
      m.annotations.emplace(std::move(key), std::move(value));
    }
  }
  if (!reader.empty()) return fail(ErrorCode::kCorrupt, "a catalogue record has bytes behind its end");
  return out;
}

Result<std::unique_ptr<Catalog>> Catalog::open(runtime::Disk& disk, const std::string& path, std::size_t max_entries) {
  TRY_ASSIGN(auto log, disk.open_log(path));
  std::unique_ptr<Catalog> out(new Catalog(std::move(log), max_entries));
  for (const auto& raw : out->log_->recovered()) {
    auto record = decode_catalog_record(raw);
    if (!record) return fail(std::move(record).error().wrap(path));
    out->apply(*record);
    ++out->logged_;
  }
  return out;
}

void Catalog::count(const Hash32& digest, int change) {
  if (change > 0) {
    ++uses_[digest];
    ++entries_;
    return;
  }
  --entries_;
  const auto at = uses_.find(digest);
  if (at != uses_.end() && --at->second == 0) uses_.erase(at);
}

void Catalog::apply(const CatalogRecord& record) {
  auto& repository = repositories_[record.repository];
  const auto& digest = record.manifest.digest;
  const auto forget_referrer = [&repository](const ManifestEntry& entry) {
    if (!entry.subject) return;
    const auto at = repository.referrers.find(*entry.subject);
    if (at == repository.referrers.end()) return;
    at->second.erase(entry.digest);
    if (at->second.empty()) repository.referrers.erase(at);
  };
  switch (record.kind) {
    case Kind::kLinkBlob:
      if (repository.blobs.insert(digest).second) count(digest, 1);
      break;
    case Kind::kUnlinkBlob:
      if (repository.blobs.erase(digest) > 0) count(digest, -1);
      break;
    case Kind::kPutManifest: {
      const auto [at, added] = repository.manifests.try_emplace(digest);
      if (added)
        count(digest, 1);
      else
        forget_referrer(at->second);
      at->second = record.manifest;
      if (record.manifest.subject) repository.referrers[*record.manifest.subject].insert(digest);
      break;
    }
    case Kind::kDeleteManifest:
      if (const auto at = repository.manifests.find(digest); at != repository.manifests.end()) {
        forget_referrer(at->second);
        repository.manifests.erase(at);
        count(digest, -1);
      }
      entries_ -= std::erase_if(repository.tags, [&](const auto& tag) { return tag.second == digest; });
      break;
    case Kind::kTag:
      entries_ += repository.tags.contains(record.tag) ? 0 : 1;
      repository.tags[record.tag] = digest;
      break;
    case Kind::kUntag:
      entries_ -= repository.tags.erase(record.tag);
      break;
  }
}

std::vector<CatalogRecord> Catalog::snapshot() const {
  std::vector<CatalogRecord> out;
  for (const auto& [name, repository] : repositories_) {
    for (const auto& digest : repository.blobs) out.push_back(make(Kind::kLinkBlob, name, digest));
    for (const auto& [digest, entry] : repository.manifests) {
      out.push_back(make(Kind::kPutManifest, name, digest));
      out.back().manifest = entry;
    }
    for (const auto& [tag, digest] : repository.tags) out.push_back(make(Kind::kTag, name, digest, tag));
  }
  return out;
}

Result<> Catalog::commit(const std::vector<CatalogRecord>& records) {
  for (const auto& record : records) TRY(log_->append(encode(record)));
  TRY(log_->sync());
  for (const auto& record : records) apply(record);
  logged_ += records.size();
  if (logged_ > 1024 && logged_ > 2 * entries_) {
    std::vector<Bytes> all;
    for (const auto& record : snapshot()) all.push_back(encode(record));
    // The change itself is durable already; a rewrite that fails is tried again at the next one.
    if (log_->rewrite(all)) logged_ = all.size();
  }
  return {};
}

Result<> Catalog::link_blob(const std::string& repository, const Hash32& digest) {
  const std::scoped_lock lock(mutex_);
  if (const auto* known = find(repository); known != nullptr && known->blobs.contains(digest)) return {};
  if (entries_ >= max_entries_) return fail(ErrorCode::kExhausted, "the registry's catalogue is full");
  return commit({make(Kind::kLinkBlob, repository, digest)});
}

Result<bool> Catalog::unlink_blob(const std::string& repository, const Hash32& digest) {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  if (known == nullptr || !known->blobs.contains(digest))
    return fail(ErrorCode::kNotFound, "the repository has no such blob");
  TRY(commit({make(Kind::kUnlinkBlob, repository, digest)}));
  return !uses_.contains(digest);
}

Result<> Catalog::put_manifest(const std::string& repository, const ManifestEntry& entry,
                               const std::optional<std::string>& tag) {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  std::vector<CatalogRecord> records;
  const bool held =
      known != nullptr && known->manifests.contains(entry.digest) && known->manifests.at(entry.digest) == entry;
  if (!held) {
    records.push_back(make(Kind::kPutManifest, repository, entry.digest));
    records.back().manifest = entry;
  }
  if (tag) {
    const bool tagged = known != nullptr && known->tags.contains(*tag) && known->tags.at(*tag) == entry.digest;
    if (!tagged) records.push_back(make(Kind::kTag, repository, entry.digest, *tag));
  }
  if (records.empty()) return {};
  if (entries_ + records.size() > max_entries_) return fail(ErrorCode::kExhausted, "the registry's catalogue is full");
  return commit(records);
}

Result<bool> Catalog::delete_manifest(const std::string& repository, const Hash32& digest) {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  if (known == nullptr || !known->manifests.contains(digest))
    return fail(ErrorCode::kNotFound, "the repository has no such manifest");
  TRY(commit({make(Kind::kDeleteManifest, repository, digest)}));
  return !uses_.contains(digest);
}

Result<> Catalog::delete_tag(const std::string& repository, const std::string& tag) {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  if (known == nullptr || !known->tags.contains(tag))
    return fail(ErrorCode::kNotFound, "the repository has no such tag");
  return commit({make(Kind::kUntag, repository, {}, tag)});
}

const Catalog::Repository* Catalog::find(const std::string& repository) const {
  const auto at = repositories_.find(repository);
  return at == repositories_.end() ? nullptr : &at->second;
}

bool Catalog::has_repository(const std::string& repository) const {
  const std::scoped_lock lock(mutex_);
  return find(repository) != nullptr;
}

bool Catalog::has_blob(const std::string& repository, const Hash32& digest) const {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  return known != nullptr && known->blobs.contains(digest);
}

std::optional<ManifestEntry> Catalog::manifest(const std::string& repository, const Hash32& digest) const {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  if (known == nullptr) return std::nullopt;
  const auto at = known->manifests.find(digest);
  if (at == known->manifests.end()) return std::nullopt;
  return at->second;
}

std::optional<Hash32> Catalog::resolve(const std::string& repository, const std::string& tag) const {
  const std::scoped_lock lock(mutex_);
  const auto* known = find(repository);
  if (known == nullptr) return std::nullopt;
  const auto at = known->tags.find(tag);
  if (at == known->tags.end()) return std::nullopt;
  return at->second;
}

Catalog::Page Catalog::repositories(const std::string& last, std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  Page out;
  for (auto at = repositories_.upper_bound(last); at != repositories_.end(); ++at) {
    if (at->second.tags.empty() && at->second.manifests.empty()) continue;
    if (out.names.size() == limit) {
      out.more = true;
      break;
    }
    out.names.push_back(at->first);
  }
  return out;
}

Catalog::Page Catalog::tags(const std::string& repository, const std::string& last, std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  Page out;
  const auto* known = find(repository);
  if (known == nullptr) return out;
  for (auto at = known->tags.upper_bound(last); at != known->tags.end(); ++at) {
    if (out.names.size() == limit) {
      out.more = true;
      break;
    }
    out.names.push_back(at->first);
  }
  return out;
}

std::vector<ManifestEntry> Catalog::referrers(const std::string& repository, const Hash32& subject,
                                              const std::string& artifact_type, const std::optional<Hash32>& last,
                                              std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  std::vector<ManifestEntry> out;
  const auto* known = find(repository);
  if (known == nullptr) return out;
  const auto list = known->referrers.find(subject);
  if (list == known->referrers.end()) return out;
  for (auto at = last ? list->second.upper_bound(*last) : list->second.begin();
       at != list->second.end() && out.size() < limit; ++at) {
    const auto& entry = known->manifests.at(*at);
    if (artifact_type.empty() || entry.artifact_type == artifact_type) out.push_back(entry);
  }
  return out;
}

}  // namespace bonus::compute::oci
