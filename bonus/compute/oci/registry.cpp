// Routing, permissions and error documents of the distribution API.
#include "bonus/compute/oci/registry.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <filesystem>

#include "bonus/base/log.hpp"
#include "bonus/compute/oci/registry_impl.hpp"

namespace bonus::compute::oci {

using runtime::Task;
namespace http = runtime::http;

Refusal refusal_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalid:
      return {400, "UNSUPPORTED", error.message};
    case ErrorCode::kNotFound:
      return {404, "BLOB_UNKNOWN", error.message};
    case ErrorCode::kDenied:
      return {403, "DENIED", error.message};
    case ErrorCode::kExhausted:
      return {507, "SIZE_INVALID", error.message};
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kCancelled:
      return {503, "TOOMANYREQUESTS", error.message};
    case ErrorCode::kConflict:
    case ErrorCode::kExists:
      return {409, "BLOB_UPLOAD_INVALID", error.message};
    case ErrorCode::kUnsupported:
      return {400, "UNSUPPORTED", error.message};
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      break;
  }
  return {500, "UNKNOWN", error.message};
}

Result<std::unique_ptr<Registry>> Registry::open(storage::BlobStore& store, runtime::BlockingPool& pool,
                                                 RegistryOptions options) {
  if (options.disk == nullptr) options.disk = &runtime::system_disk();
  if (options.clock == nullptr) options.clock = &runtime::system_clock();
  if (options.random == nullptr) options.random = &runtime::system_random();
  std::error_code error;
  std::filesystem::create_directories(options.state_dir, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("creating {}: {}", options.state_dir, error.message()));
  TRY_ASSIGN(auto catalog,
             Catalog::open(*options.disk, options.state_dir + "/catalog.log", options.max_catalog_entries));
  TRY_ASSIGN(auto uploads,
             Uploads::open(options.state_dir + "/uploads", options.uploads, *options.clock, *options.random));
  return std::unique_ptr<Registry>(
      new Registry(std::make_unique<Impl>(store, pool, std::move(options), std::move(catalog), std::move(uploads))));
}

Registry::Registry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registry::~Registry() = default;

Task<> Registry::handle(http::Exchange& exchange) { return impl_->handle(exchange); }

Result<Hash32> Registry::resolve(const std::string& repository, const std::string& tag) const {
  const auto found = impl_->catalog().resolve(repository, tag);
  if (!found) return fail(ErrorCode::kNotFound, fmt::format("no image {}:{} here", repository, tag));
  return *found;
}

Task<> Registry::Impl::handle(Exchange& exchange) {
  std::optional<Refusal> refusal;
  if (auto route = parse_route(exchange.request().path)) {
    refusal = co_await dispatch(exchange, *std::move(route));
  } else {
    refusal = Refusal{400, "NAME_INVALID", route.error().message};
  }
  if (!refusal) co_return;
  if (refusal->status >= 500 && refusal->status != 503)  // 503: the client is gone or has to wait
    log::warn("registry", "request_failed",
              {{"path", exchange.request().path}, {"status", refusal->status}, {"error", refusal->message}});
  boost::json::object entry{{"code", refusal->code}, {"message", refusal->message}, {"detail", nullptr}};
  boost::json::array entries;
  entries.push_back(std::move(entry));
  boost::json::object document;
  document["errors"] = std::move(entries);
  const std::string text = boost::json::serialize(document);
  Headers headers;
  headers.set("Content-Type", "application/json");
  headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  if (refusal->status == 429 || refusal->status == 503) headers.set("Retry-After", "1");
  const auto view = as_bytes(text);
  Bytes body(view.begin(), view.end());
  (void)co_await exchange.respond(refusal->status, std::move(headers), std::move(body));  // the client may be gone
}

Task<std::optional<Refusal>> Registry::Impl::dispatch(Exchange& exchange, Route route) {
  const std::string& method = exchange.request().method;
  const bool reads = method == "GET" || method == "HEAD";
  if (route.kind == Route::Kind::kNone)
    co_return Refusal{404, "NAME_UNKNOWN", "there is nothing here; the registry is under /v2/"};
  if (!reads && method != "POST" && method != "PUT" && method != "PATCH" && method != "DELETE")
    co_return Refusal{405, "UNSUPPORTED", "this method is not offered"};
  // The status of an upload is for the one who may go on with it.
  const bool writes = !reads || route.kind == Route::Kind::kUpload;
  if (writes && (!options_.allow_push || !options_.allow_push(exchange.request())))
    co_return Refusal{403, "DENIED", "this registry takes changes only from its own machine"};
  switch (route.kind) {
    case Route::Kind::kBase: {
      if (!reads) break;
      Headers headers;
      headers.set("Content-Type", "application/json");
      headers.set("Docker-Distribution-Api-Version", "registry/2.0");
      Bytes body{'{', '}'};
      (void)co_await exchange.respond(200, std::move(headers), std::move(body));
      co_return std::nullopt;
    }
    case Route::Kind::kCatalog:
      if (!reads) break;
      co_return co_await list_repositories(exchange);
    case Route::Kind::kTags:
      if (!reads) break;
      co_return co_await list_tags(exchange, std::move(route));
    case Route::Kind::kReferrers:
      if (!reads) break;
      co_return co_await list_referrers(exchange, std::move(route));
    case Route::Kind::kBlob:
      if (method == "DELETE") co_return co_await delete_blob(exchange, std::move(route));
      if (!reads) break;
      co_return co_await blob(exchange, std::move(route));
    case Route::Kind::kUploads:
      if (method != "POST") break;
      co_return co_await begin_upload(exchange, std::move(route));
    case Route::Kind::kUpload:
      co_return co_await upload(exchange, std::move(route));
    case Route::Kind::kManifest:
      co_return co_await manifest(exchange, std::move(route));
    case Route::Kind::kNone:
      break;
  }
  co_return Refusal{405, "UNSUPPORTED", "this method is not offered here"};
}

}  // namespace bonus::compute::oci
