// Pushing blobs: monolithic, streamed, in chunks, mounted from another repository (distribution-spec "Pushing Blobs").
#include <fmt/format.h>

#include "bonus/compute/oci/manifest.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/registry_impl.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::compute::oci {

using runtime::offload;
using runtime::Task;

namespace {
constexpr std::size_t kReceiveBytes = 256 << 10;

Refusal upload_refusal(const Error& error) {
  if (error.code == ErrorCode::kNotFound) return {404, "BLOB_UPLOAD_UNKNOWN", error.message};
  // A body that breaks off or is malformed; the connection is of no use for this answer, but the log is.
  if (error.code == ErrorCode::kInvalid) return {400, "BLOB_UPLOAD_INVALID", error.message};
  return refusal_of(error);
}

// Fills the buffer as far as the body goes: fewer, larger writes.
Task<Result<std::size_t>> read_some(runtime::http::Exchange& exchange, Bytes& buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    auto n = co_await exchange.read(std::span(buffer).subspan(filled));
    if (!n) {
      // What came before a broken connection is kept; the next read meets the same error.
      if (filled > 0) co_return filled;
      co_return fail(std::move(n).error());
    }
    if (*n == 0) break;
    filled += *n;
  }
  co_return filled;
}
}  // namespace

Task<std::optional<Refusal>> Registry::Impl::begin_upload(Exchange& exchange, Route route) {
  const auto& query = exchange.request().query;
  if (const auto mount = query.find("mount"); mount != query.end()) {
    const auto digest = parse_digest(mount->second);
    if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
    const auto from = query.find("from");
    if (from != query.end() && !valid_repository(from->second))
      co_return Refusal{400, "NAME_INVALID", "from is not a repository name"};
    // Without `from` no search is made: it would tell a stranger what others hold. An upload begins instead.
    if (from != query.end() && catalog_->has_blob(from->second, *digest))
      co_return co_await blob_stored(exchange, route.repository, *digest);
  } else if (const auto text = query.find("digest"); text != query.end()) {
    const auto digest = parse_digest(text->second);
    if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
    co_return co_await store_whole(exchange, route.repository, *digest);
  }
  std::function<Result<std::string>()> job = [this, repository = route.repository] {
    return uploads_->begin(repository);
  };
  auto id = co_await offload(pool_, std::move(job));
  if (!id && id.error().code == ErrorCode::kExhausted) co_return Refusal{429, "TOOMANYREQUESTS", id.error().message};
  if (!id) co_return upload_refusal(id.error());
  co_return co_await accepted(exchange, 202, route.repository, *id, 0);
}

Task<std::optional<Refusal>> Registry::Impl::accepted(Exchange& exchange, int status, std::string repository,
                                                      std::string id, std::uint64_t size) {
  Headers headers;
  headers.set("Location", fmt::format("/v2/{}/blobs/uploads/{}", repository, id));
  // "0-0" for nothing is what clients know from the first registries; the specification has no other way to say it.
  headers.set("Range", fmt::format("0-{}", size == 0 ? 0 : size - 1));
  headers.set("Docker-Upload-UUID", id);
  headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  (void)co_await exchange.respond(status, std::move(headers), {});
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::upload(Exchange& exchange, Route route) {
  const std::string& method = exchange.request().method;
  if (method == "GET") co_return co_await upload_status(exchange, std::move(route));
  if (method == "PATCH") co_return co_await receive_chunk(exchange, std::move(route));
  if (method == "PUT") co_return co_await finish_upload(exchange, std::move(route));
  if (method == "DELETE") co_return co_await cancel_upload(exchange, std::move(route));
  co_return Refusal{405, "UNSUPPORTED", "an upload knows GET, PATCH, PUT and DELETE"};
}

Task<std::optional<Refusal>> Registry::Impl::upload_status(Exchange& exchange, Route route) {
  const auto size = uploads_->size(route.repository, route.reference);
  if (!size) co_return upload_refusal(size.error());
  co_return co_await accepted(exchange, 204, route.repository, route.reference, *size);
}

Task<Result<std::uint64_t>> Registry::Impl::receive_body(Exchange& exchange, Uploads::Claim claim) {
  std::uint64_t size = claim.size_bytes;
  while (true) {
    Bytes buffer(kReceiveBytes);
    auto n = co_await read_some(exchange, buffer);
    if (!n) co_return fail(std::move(n).error());
    if (*n == 0) co_return size;
    buffer.resize(*n);
    std::function<Result<std::uint64_t>()> job = [this, claim, piece = std::move(buffer)] {
      return uploads_->append(claim, piece);
    };
    auto appended = co_await offload(pool_, std::move(job));
    if (!appended) co_return fail(std::move(appended).error());
    size = *appended;
  }
}

Task<std::optional<Refusal>> Registry::Impl::receive_chunk(Exchange& exchange, Route route) {
  std::function<Result<Uploads::Claim>()> job = [this, route] {
    return uploads_->claim(route.repository, route.reference);
  };
  auto claim = co_await offload(pool_, std::move(job));
  if (!claim) co_return upload_refusal(claim.error());
  const auto& headers = exchange.request().headers;
  if (const auto header = headers.get("Content-Range")) {
    const auto range = parse_content_range(*header);
    if (!range) co_return Refusal{400, "BLOB_UPLOAD_INVALID", range.error().message};
    // The session lives on; the answer says how far it is, so that the client need not ask.
    if (range->first != claim->size_bytes)
      co_return co_await accepted(exchange, 416, route.repository, route.reference, claim->size_bytes);
    const auto length = headers.get("Content-Length");
    if (length && *length != std::to_string(range->last - range->first + 1))
      co_return Refusal{400, "SIZE_INVALID", "Content-Range and Content-Length differ"};
  }
  auto size = co_await receive_body(exchange, *claim);
  if (!size && size.error().code == ErrorCode::kExhausted) co_return Refusal{413, "SIZE_INVALID", size.error().message};
  if (!size) co_return upload_refusal(size.error());
  co_return co_await accepted(exchange, 202, route.repository, route.reference, *size);
}

Task<std::optional<Refusal>> Registry::Impl::finish_upload(Exchange& exchange, Route route) {
  const auto& request = exchange.request();
  const auto text = request.query.find("digest");
  if (text == request.query.end()) co_return Refusal{400, "DIGEST_INVALID", "the query needs digest=sha256:..."};
  const auto digest = parse_digest(text->second);
  if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
  std::function<Result<Uploads::Claim>()> claim_job = [this, route] {
    return uploads_->claim(route.repository, route.reference);
  };
  auto claim = co_await offload(pool_, std::move(claim_job));
  if (!claim) co_return upload_refusal(claim.error());
  if (const auto header = request.headers.get("Content-Range")) {
    const auto range = parse_content_range(*header);
    if (!range) co_return Refusal{400, "BLOB_UPLOAD_INVALID", range.error().message};
    if (range->first != claim->size_bytes)
      co_return co_await accepted(exchange, 416, route.repository, route.reference, claim->size_bytes);
  }
  auto size = co_await receive_body(exchange, *claim);
  if (!size && size.error().code == ErrorCode::kExhausted) co_return Refusal{413, "SIZE_INVALID", size.error().message};
  if (!size) co_return upload_refusal(size.error());

  std::function<Result<>()> store_job = [this, claim = *claim, route, wanted = *digest]() -> Result<> {
    TRY_ASSIGN(auto writer, store_.create());
    Bytes buffer(1 << 20);
    for (std::uint64_t at = 0;;) {
      TRY_ASSIGN(const auto n, uploads_->read(claim, at, buffer));
      if (n == 0) break;
      TRY(writer->write(BytesView(buffer).first(n)));
      at += n;
    }
    auto stored = writer->finish(wanted);
    if (!stored && stored.error().code != ErrorCode::kInvalid) return fail(std::move(stored).error());
    // A wrong digest ends the session too: more bytes cannot make it right.
    auto ended = uploads_->end(route.repository, claim.id);
    if (!stored) return fail(std::move(stored).error());
    if (!ended && ended.error().code != ErrorCode::kNotFound) return ended;
    return {};
  };
  auto stored = co_await offload(pool_, std::move(store_job));
  if (!stored && stored.error().code == ErrorCode::kInvalid)
    co_return Refusal{400, "DIGEST_INVALID", stored.error().message};
  if (!stored) co_return upload_refusal(stored.error());
  co_return co_await blob_stored(exchange, route.repository, *digest);
}

Task<std::optional<Refusal>> Registry::Impl::cancel_upload(Exchange& exchange, Route route) {
  std::function<Result<>()> job = [this, route] { return uploads_->end(route.repository, route.reference); };
  auto ended = co_await offload(pool_, std::move(job));
  if (!ended) co_return upload_refusal(ended.error());
  (void)co_await exchange.respond(204, {}, {});
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::store_whole(Exchange& exchange, std::string repository, Hash32 digest) {
  auto created = store_.create();
  if (!created) co_return Refusal{429, "TOOMANYREQUESTS", created.error().message};
  // Shared with the job on the pool, which may outlive a cancelled request.
  const std::shared_ptr<storage::BlobWriter> writer = *std::move(created);
  while (true) {
    Bytes buffer(kReceiveBytes);
    auto n = co_await read_some(exchange, buffer);
    if (!n) co_return upload_refusal(n.error());
    if (*n == 0) break;
    buffer.resize(*n);
    std::function<Result<>()> job = [writer, piece = std::move(buffer)] { return writer->write(piece); };
    auto written = co_await offload(pool_, std::move(job));
    if (!written && written.error().code == ErrorCode::kExhausted)
      co_return Refusal{413, "SIZE_INVALID", written.error().message};
    if (!written) co_return upload_refusal(written.error());
  }
  std::function<Result<storage::BlobInfo>()> job = [writer, digest] { return writer->finish(digest); };
  auto stored = co_await offload(pool_, std::move(job));
  if (!stored && stored.error().code == ErrorCode::kInvalid)
    co_return Refusal{400, "DIGEST_INVALID", stored.error().message};
  if (!stored) co_return upload_refusal(stored.error());
  co_return co_await blob_stored(exchange, std::move(repository), digest);
}

Task<std::optional<Refusal>> Registry::Impl::blob_stored(Exchange& exchange, std::string repository, Hash32 digest) {
  std::function<Result<>()> job = [this, repository, digest]() -> Result<> {
    const std::scoped_lock lock(content_mutex_);
    TRY(store_.find_sha256(digest));  // the last link elsewhere may have gone since, and the content with it
    return catalog_->link_blob(repository, digest);
  };
  auto linked = co_await offload(pool_, std::move(job));
  if (!linked) co_return refusal_of(linked.error());
  Headers headers;
  headers.set("Location", fmt::format("/v2/{}/blobs/{}", repository, digest_text(digest)));
  headers.set("Docker-Content-Digest", digest_text(digest));
  headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  (void)co_await exchange.respond(201, std::move(headers), {});
  co_return std::nullopt;
}

}  // namespace bonus::compute::oci
