// Manifests, tags, the catalogue and referrers of the distribution API (distribution-spec "Pushing Manifests", "Content
// Discovery").
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "bonus/compute/oci/manifest.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/registry_impl.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::compute::oci {

using runtime::offload;
using runtime::Task;

namespace {

constexpr std::size_t kMaxAnnotationBytes = 64 << 10;  ///< The catalogue keeps annotations of referrers in memory.
constexpr std::size_t kMaxReferrersBytes = 3 << 20;    ///< Below the 4 MiB that every client takes as a manifest.

// The client's fault, told in the specification's words; anything else is the registry's own.
struct Rejected {
  Refusal refusal;
};
using Outcome = std::variant<ManifestEntry, Rejected>;

std::string without_parameters(std::string text) {
  text.resize(std::min(text.size(), text.find(';')));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/:").contains(c);
    if (plain)
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<std::uint8_t>(c));
  }
  return out;
}

Rejected reject_manifest(const Error& error) {
  // A reader cannot do anything with the difference between malformed and of an unknown kind, but a person can.
  return Rejected{{error.code == ErrorCode::kExhausted ? 413 : 400, "MANIFEST_INVALID", error.message}};
}

// What the manifest needs must be in its repository before ("MANIFEST_BLOB_UNKNOWN"), with the sizes that it states.
std::optional<Rejected> missing_content(const Catalog& catalog, storage::BlobStore& store,
                                        const std::string& repository, const Manifest& manifest) {
  const auto unknown = [](const Descriptor& d) {
    return Rejected{
        {404, "MANIFEST_BLOB_UNKNOWN", fmt::format("the repository does not have {}", digest_text(d.digest))}};
  };
  const auto wrong_size = [](const Descriptor& d) {
    return Rejected{
        {400, "MANIFEST_INVALID", fmt::format("{} does not have {} bytes", digest_text(d.digest), d.size_bytes)}};
  };
  for (const auto& child : manifest.manifests) {
    const auto entry = catalog.manifest(repository, child.digest);
    if (!entry) return unknown(child);
    if (entry->size_bytes != child.size_bytes) return wrong_size(child);
  }
  if (manifest.is_index) return std::nullopt;
  const auto check = [&](const Descriptor& d) -> std::optional<Rejected> {
    if (d.foreign) return std::nullopt;
    const auto info =
        catalog.has_blob(repository, d.digest) ? store.find_sha256(d.digest) : fail(ErrorCode::kNotFound, "");
    if (!info) return unknown(d);
    if (info->size_bytes != d.size_bytes) return wrong_size(d);
    return std::nullopt;
  };
  if (auto bad = check(manifest.config)) return bad;
  for (const auto& layer : manifest.layers)
    if (auto bad = check(layer)) return bad;
  return std::nullopt;
}

boost::json::object describe(const ManifestEntry& entry) {
  boost::json::object out{
      {"mediaType", entry.media_type}, {"digest", digest_text(entry.digest)}, {"size", entry.size_bytes}};
  if (!entry.artifact_type.empty()) out["artifactType"] = entry.artifact_type;
  if (!entry.annotations.empty()) {
    boost::json::object annotations;
    for (const auto& [key, value] : entry.annotations) annotations[key] = value;
    out["annotations"] = std::move(annotations);
  }
  return out;
}

runtime::http::Headers json_headers(std::string_view type) {
  runtime::http::Headers out;
  out.set("Content-Type", std::string(type));
  out.set("Docker-Distribution-Api-Version", "registry/2.0");
  return out;
}

Bytes to_bytes(std::string_view text) {
  const auto view = as_bytes(text);
  return {view.begin(), view.end()};
}

// `n` of a listing: absent means as many as fit. kInvalid.
Result<std::size_t> page_size(const runtime::http::Request& request, std::size_t limit) {
  const auto at = request.query.find("n");
  if (at == request.query.end()) return limit;
  std::size_t out = 0;
  const auto& text = at->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return fail(ErrorCode::kInvalid, "n must be a number");
  return std::min(out, limit);
}

std::string query_value(const runtime::http::Request& request, const std::string& key) {
  const auto at = request.query.find(key);
  return at == request.query.end() ? std::string() : at->second;
}

}  // namespace

Task<std::optional<Refusal>> Registry::Impl::manifest(Exchange& exchange, Route route) {
  const std::string& method = exchange.request().method;
  if (!valid_tag(route.reference)) {
    const auto digest = parse_digest(route.reference);
    if (!digest && !route.reference.contains(':'))
      co_return Refusal{400, "MANIFEST_INVALID", "the reference is neither a tag nor a digest"};
    if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
  }
  if (method == "GET" || method == "HEAD") co_return co_await get_manifest(exchange, std::move(route));
  if (method == "PUT") co_return co_await put_manifest(exchange, std::move(route));
  if (method == "DELETE") co_return co_await delete_manifest(exchange, std::move(route));
  co_return Refusal{405, "UNSUPPORTED", "a manifest knows GET, HEAD, PUT and DELETE"};
}

Task<std::optional<Refusal>> Registry::Impl::get_manifest(Exchange& exchange, Route route) {
  std::optional<Hash32> digest;
  if (auto given = parse_digest(route.reference))
    digest = *given;
  else
    digest = catalog_->resolve(route.repository, route.reference);
  const auto entry = digest ? catalog_->manifest(route.repository, *digest) : std::nullopt;
  if (!entry) {
    const bool known = catalog_->has_repository(route.repository);
    co_return Refusal{404, known ? "MANIFEST_UNKNOWN" : "NAME_UNKNOWN",
                      known ? "no such tag or manifest" : "the repository is not known here"};
  }
  Headers headers = json_headers(entry->media_type);
  headers.set("Docker-Content-Digest", digest_text(entry->digest));
  headers.set("ETag", "\"" + digest_text(entry->digest) + "\"");
  headers.set("Content-Length", std::to_string(entry->size_bytes));
  if (exchange.request().method == "HEAD") {
    (void)co_await exchange.respond(200, std::move(headers), {});
    co_return std::nullopt;
  }
  std::function<Result<Bytes>()> job = [this, entry = *entry]() -> Result<Bytes> {
    TRY_ASSIGN(const auto info, store_.find_sha256(entry.digest));
    Bytes out(static_cast<std::size_t>(info.size_bytes));
    TRY_ASSIGN(const auto n, store_.read(info.id, 0, out));
    if (n != entry.size_bytes) return fail(ErrorCode::kCorrupt, "the manifest is shorter than its size");
    return out;
  };
  auto body = co_await offload(pool_, std::move(job));
  if (!body && body.error().code == ErrorCode::kNotFound)
    co_return Refusal{404, "MANIFEST_UNKNOWN", body.error().message};
  if (!body) co_return refusal_of(body.error());
  (void)co_await exchange.respond(200, std::move(headers), *std::move(body));
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::put_manifest(Exchange& exchange, Route route) {
  const auto length = exchange.request().headers.get("Content-Length");
  std::uint64_t announced = 0;
  if (length) std::from_chars(length->data(), length->data() + length->size(), announced);
  if (announced > kMaxManifestBytes)
    co_return Refusal{413, "SIZE_INVALID", fmt::format("a manifest has at most {} bytes", kMaxManifestBytes)};
  auto body = co_await exchange.read_all(kMaxManifestBytes);
  if (!body && body.error().code == ErrorCode::kExhausted) co_return Refusal{413, "SIZE_INVALID", body.error().message};
  if (!body) co_return refusal_of(body.error());

  const std::string type = without_parameters(exchange.request().headers.get("Content-Type").value_or(""));
  std::function<Result<Outcome>()> job = [this, route, type, content = *std::move(body)]() -> Result<Outcome> {
    const Hash32 digest = crypto::sha256(content);
    std::optional<std::string> tag;
    if (const auto given = parse_digest(route.reference); !given)
      tag = route.reference;
    else if (*given != digest)
      return Rejected{{400, "DIGEST_INVALID", fmt::format("the manifest is {}", digest_text(digest))}};
    const auto manifest = parse_manifest(content, type);
    if (!manifest) return reject_manifest(manifest.error());
    ManifestEntry entry{.digest = digest,
                        .media_type = manifest->media_type,
                        .size_bytes = content.size(),
                        .subject = std::nullopt,
                        .artifact_type = manifest->artifact_type,
                        .annotations = {}};
    if (manifest->subject) {
      entry.subject = manifest->subject->digest;
      entry.annotations = manifest->annotations;
      std::size_t size = 0;
      for (const auto& [key, value] : entry.annotations) size += key.size() + value.size();
      if (size > kMaxAnnotationBytes)
        return Rejected{{400, "MANIFEST_INVALID",
                         fmt::format("annotations of a referrer have at most {} bytes", kMaxAnnotationBytes)}};
    }
    const std::scoped_lock lock(content_mutex_);
    if (auto missing = missing_content(*catalog_, store_, route.repository, *manifest)) return *std::move(missing);
    TRY_ASSIGN(auto writer, store_.create());
    TRY(writer->write(content));
    TRY(writer->finish(digest));
    TRY(catalog_->put_manifest(route.repository, entry, tag));
    return entry;
  };
  auto outcome = co_await offload(pool_, std::move(job));
  if (!outcome) co_return refusal_of(outcome.error());
  if (auto* rejected = std::get_if<Rejected>(&*outcome)) co_return std::move(rejected->refusal);
  const auto& entry = std::get<ManifestEntry>(*outcome);
  Headers headers;
  headers.set("Location", fmt::format("/v2/{}/manifests/{}", route.repository, route.reference));
  headers.set("Docker-Content-Digest", digest_text(entry.digest));
  headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  if (entry.subject) headers.set("OCI-Subject", digest_text(*entry.subject));
  (void)co_await exchange.respond(201, std::move(headers), {});
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::delete_manifest(Exchange& exchange, Route route) {
  std::function<Result<>()> job = [this, route]() -> Result<> {
    const auto digest = parse_digest(route.reference);
    if (!digest) return catalog_->delete_tag(route.repository, route.reference);
    const std::scoped_lock lock(content_mutex_);
    TRY_ASSIGN(const bool unused, catalog_->delete_manifest(route.repository, *digest));
    if (unused) drop_content(*digest);
    return {};
  };
  auto done = co_await offload(pool_, std::move(job));
  if (!done && done.error().code == ErrorCode::kNotFound)
    co_return Refusal{404, "MANIFEST_UNKNOWN", done.error().message};
  if (!done) co_return refusal_of(done.error());
  (void)co_await exchange.respond(202, {}, {});
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::list_tags(Exchange& exchange, Route route) {
  const auto& request = exchange.request();
  const auto count = page_size(request, options_.max_list);
  if (!count) co_return Refusal{400, "UNSUPPORTED", count.error().message};
  if (!catalog_->has_repository(route.repository))
    co_return Refusal{404, "NAME_UNKNOWN", "the repository is not known here"};
  const auto page = catalog_->tags(route.repository, query_value(request, "last"), *count);
  Headers headers = json_headers("application/json");
  if (page.more && !page.names.empty())
    headers.set("Link", fmt::format("</v2/{}/tags/list?n={}&last={}>; rel=\"next\"", route.repository, *count,
                                    page.names.back()));
  boost::json::array tags(page.names.begin(), page.names.end());
  boost::json::object document{{"name", route.repository}};
  document["tags"] = std::move(tags);
  auto body = to_bytes(boost::json::serialize(document));
  (void)co_await exchange.respond(200, std::move(headers), std::move(body));
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::list_repositories(Exchange& exchange) {
  const auto& request = exchange.request();
  const auto count = page_size(request, options_.max_list);
  if (!count) co_return Refusal{400, "UNSUPPORTED", count.error().message};
  const auto page = catalog_->repositories(query_value(request, "last"), *count);
  Headers headers = json_headers("application/json");
  if (page.more && !page.names.empty())
    headers.set("Link",
                fmt::format("</v2/_catalog?n={}&last={}>; rel=\"next\"", *count, percent_encode(page.names.back())));
  boost::json::array names(page.names.begin(), page.names.end());
  boost::json::object document;
  document["repositories"] = std::move(names);
  auto body = to_bytes(boost::json::serialize(document));
  (void)co_await exchange.respond(200, std::move(headers), std::move(body));
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Registry::Impl::list_referrers(Exchange& exchange, Route route) {
  const auto digest = parse_digest(route.reference);
  if (!digest) co_return Refusal{400, "DIGEST_INVALID", digest.error().message};
  const auto& request = exchange.request();
  const std::string type = query_value(request, "artifactType");
  std::optional<Hash32> last;
  if (const auto text = query_value(request, "last"); !text.empty()) {
    const auto parsed = parse_digest(text);
    if (!parsed) co_return Refusal{400, "DIGEST_INVALID", parsed.error().message};
    last = *parsed;
  }
  // No referrers and no such subject look the same: an empty index.
  const auto found = catalog_->referrers(route.repository, *digest, type, last, options_.max_list + 1);
  boost::json::array list;
  std::size_t bytes = 0;
  Headers headers = json_headers(kOciIndex);
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto entry = describe(found[i]);
    bytes += boost::json::serialize(entry).size();
    if (list.size() == options_.max_list || (bytes > kMaxReferrersBytes && !list.empty())) {
      headers.set("Link", fmt::format("</v2/{}/referrers/{}?last={}{}{}>; rel=\"next\"", route.repository,
                                      route.reference, digest_text(found[i - 1].digest),
                                      type.empty() ? "" : "&artifactType=", percent_encode(type)));
      break;
    }
    list.push_back(std::move(entry));
  }
  if (!type.empty()) headers.set("OCI-Filters-Applied", "artifactType");
  boost::json::object document{{"schemaVersion", 2}, {"mediaType", kOciIndex}};
  document["manifests"] = std::move(list);
  auto body = to_bytes(boost::json::serialize(document));
  (void)co_await exchange.respond(200, std::move(headers), std::move(body));
  co_return std::nullopt;
}

}  // namespace bonus::compute::oci
