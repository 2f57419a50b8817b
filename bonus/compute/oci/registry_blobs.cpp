// Blobs of the distribution API: HEAD, GET with ranges (RFC 9110 section 14), DELETE.
#include <fmt/format.h>

#include "bonus/base/log.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/registry_impl.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::compute::oci {

using runtime::offload;
using runtime::Task;

namespace {
constexpr std::size_t kSendBytes = 512 << 10;

std::function<Result<Bytes>()> reader(storage::BlobStore& store, storage::BlobId id, std::uint64_t offset,
                                      std::size_t size) {
  return [&store, id, offset, size]() -> Result<Bytes> {
    Bytes out(size);
    TRY_ASSIGN(const auto n, store.read(id, offset, out));
    if (n != size) return fail(ErrorCode::kCorrupt, "the blob is shorter than its size");
    return out;
  };
}
}  // namespace

Task<std::optional<Refusal>> Registry::Impl::blob(Exchange& exchange, Route route) {
  const auto digest = parse_digest(route.reference);
  if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
  if (!catalog_->has_repository(route.repository))
    co_return Refusal{404, "NAME_UNKNOWN", "the repository is not known here"};
  if (!catalog_->has_blob(route.repository, *digest))
    co_return Refusal{404, "BLOB_UNKNOWN", "the repository has no such blob"};
  std::function<Result<storage::BlobInfo>()> look = [this, wanted = *digest] { return store_.find_sha256(wanted); };
  auto info = co_await offload(pool_, std::move(look));
  if (!info) co_return refusal_of(info.error());

  const std::string etag = "\"" + route.reference + "\"";
  Headers headers;
  headers.set("Content-Type", "application/octet-stream");
  headers.set("Docker-Content-Digest", route.reference);
  headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  headers.set("Accept-Ranges", "bytes");
  headers.set("ETag", etag);
  headers.set("Cache-Control", "max-age=31536000, immutable");
  const auto& asked = exchange.request().headers;
  auto range_header = asked.get("Range");
  // RFC 9110, section 13.1.5: another version was meant, so send all of this one.
  if (const auto condition = asked.get("If-Range"); condition && *condition != etag) range_header.reset();
  auto range = parse_range(range_header, info->size_bytes);
  if (!range) {
    headers.set("Content-Range", fmt::format("bytes */{}", info->size_bytes));
    (void)co_await exchange.respond(416, std::move(headers), {});
    co_return std::nullopt;
  }
  if (!*range) co_return co_await send_blob(exchange, *info, std::move(headers), 0, info->size_bytes, 200);
  const ByteRange part = **range;
  headers.set("Content-Range", fmt::format("bytes {}-{}/{}", part.first, part.last, info->size_bytes));
  co_return co_await send_blob(exchange, *info, std::move(headers), part.first, part.last - part.first + 1, 206);
}

Task<std::optional<Refusal>> Registry::Impl::send_blob(Exchange& exchange, storage::BlobInfo info, Headers headers,
                                                       std::uint64_t first, std::uint64_t count, int status) {
  headers.set("Content-Length", std::to_string(count));
  const std::uint64_t end = first + count;
  const bool wants_body = exchange.request().method != "HEAD" && count > 0;
  Bytes piece;
  if (wants_body) {
    // The first piece is read before the status leaves: a damaged blob is an error answer, not a broken body.
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kSendBytes, count));
    auto job = reader(store_, info.id, first, size);
    auto read = co_await offload(pool_, std::move(job));
    if (!read) co_return refusal_of(read.error());
    piece = *std::move(read);
  }
  auto sent = co_await exchange.start(status, std::move(headers));
  std::uint64_t at = first;
  while (sent && wants_body) {
    sent = co_await exchange.write(piece);
    at += piece.size();
    if (!sent || at == end) break;
    auto job = reader(store_, info.id, at, static_cast<std::size_t>(std::min<std::uint64_t>(kSendBytes, end - at)));
    auto read = co_await offload(pool_, std::move(job));
    if (!read) {
      // Without finish() the connection is cut, which tells the client that the body is not whole.
      log::error("registry", "blob_read_failed",
                 {{"digest", digest_text(info.sha256)}, {"error", read.error().message}});
      co_return std::nullopt;
    }
    piece = *std::move(read);
  }
  if (sent) (void)co_await exchange.finish();
  co_return std::nullopt;
}

void Registry::Impl::drop_content(const Hash32& digest) {
  auto info = store_.find_sha256(digest);
  if (!info) return;
  if (auto removed = store_.remove(info->id); !removed && removed.error().code != ErrorCode::kNotFound)
    log::warn("registry", "remove_failed", {{"digest", digest_text(digest)}, {"error", removed.error().message}});
}

Task<std::optional<Refusal>> Registry::Impl::delete_blob(Exchange& exchange, Route route) {
  const auto digest = parse_digest(route.reference);
  if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
  std::function<Result<>()> job = [this, wanted = *digest, repository = route.repository]() -> Result<> {
    const std::scoped_lock lock(content_mutex_);
    TRY_ASSIGN(const bool unused, catalog_->unlink_blob(repository, wanted));
    if (unused) drop_content(wanted);
    return {};
  };
  auto done = co_await offload(pool_, std::move(job));
  if (!done) co_return refusal_of(done.error());
  Headers headers;
  headers.set("Docker-Content-Digest", route.reference);
  (void)co_await exchange.respond(202, std::move(headers), {});
  co_return std::nullopt;
}

}  // namespace bonus::compute::oci
