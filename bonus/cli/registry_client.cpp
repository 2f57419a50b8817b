// Resolving a tag at the registry; an image index is followed to the manifest of this platform.
#include "bonus/cli/registry_client.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/cli/console.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace oci = compute::oci;

constexpr std::size_t kMaxManifestBytes = 4 << 20;
constexpr std::string_view kAccept =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json";
#if defined(__aarch64__)
constexpr std::string_view kArchitecture = "arm64";
#else
constexpr std::string_view kArchitecture = "amd64";
#endif

struct Manifest {
  Hash32 digest;
  json::value document;
};

Result<Manifest> fetch(const std::string& registry, const std::string& repository, const std::string& reference,
                       const std::string& shown) {
  runtime::http::ClientRequest request;
  request.url = fmt::format("{}/v2/{}/manifests/{}", registry, repository, reference);
  request.headers.set("Accept", std::string(kAccept));
  auto response = runtime::http::send_blocking(std::move(request), kMaxManifestBytes);
  if (!response) {
    Error error = std::move(response).error();
    if (error.code == ErrorCode::kTimeout || error.code == ErrorCode::kIo) error.code = ErrorCode::kUnavailable;
    return fail(std::move(error).wrap("asking the registry"));
  }
  if (response->status == 404)
    return fail(
        ErrorCode::kNotFound,
        fmt::format("the registry has no image {}; push it: bonus image push SOURCE {}   (all: bonus image list)",
                    shown, shown));
  if (response->status != 200)
    return fail(api_error(response->status, as_text(response->body), fmt::format("the registry, asked for {}", shown)));
  Manifest out;
  out.digest = crypto::sha256(response->body);
  if (const auto header = response->headers.get("Docker-Content-Digest")) {
    auto said = oci::parse_digest(*header);
    if (!said || *said != out.digest)
      return fail(ErrorCode::kCorrupt, fmt::format("the registry's manifest of {} is not what its digest says", shown));
  }
  boost::system::error_code bad;
  out.document = json::parse(as_text(response->body), bad);
  if (bad) return fail(ErrorCode::kInvalid, fmt::format("the manifest of {} is not JSON", shown));
  return out;
}

}  // namespace

Result<ResolvedImage> resolve_image(const std::string& registry, const std::string& image) {
  auto reference = oci::parse_reference(image);
  if (!reference) return fail(std::move(reference).error());
  ResolvedImage out;
  const bool by_digest = reference->reference.find(':') != std::string::npos;
  out.name = fmt::format("{}{}{}", reference->repository, by_digest ? "@" : ":", reference->reference);
  TRY_ASSIGN(const auto manifest, fetch(registry, reference->repository, reference->reference, out.name));
  const auto* platforms = json_member(manifest.document, "manifests").if_array();
  if (platforms == nullptr) {
    out.manifest_digest = manifest.digest;
    return out;
  }
  for (const auto& item : *platforms) {
    const json::value& platform = json_member(item, "platform");
    if (json_text(platform, "os") != "linux" || json_text(platform, "architecture") != kArchitecture) continue;
    TRY_ASSIGN(out.manifest_digest, oci::parse_digest(json_text(item, "digest")));
    return out;
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("the image {} has no variant for linux/{}", out.name, kArchitecture));
}

}  // namespace bonus::cli
