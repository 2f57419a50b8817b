// Resolving a tag at the registry; an image index is followed to the manifest of this platform.
#include "bonus/cli/registry_client.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/cli/console.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace oci = compute::oci;

constexpr std::size_t kMaxManifestBytes = 4 << 20;
constexpr std::size_t kMaxPorts = 16;  // of a workload
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

/// ExposedPorts of the image's config (image-spec, config.md). They only save the user a flag: what cannot be read is
/// left out.
std::vector<std::uint16_t> exposed_ports(const std::string& registry, const std::string& repository,
                                         const json::value& manifest) {
  const auto digest = oci::parse_digest(json_text(json_member(manifest, "config"), "digest"));
  if (!digest) return {};
  runtime::http::ClientRequest request;
  request.url = fmt::format("{}/v2/{}/blobs/{}", registry, repository, oci::digest_text(*digest));
  const auto response = runtime::http::send_blocking(std::move(request), kMaxManifestBytes);
  if (!response || response->status != 200 || crypto::sha256(response->body) != *digest) return {};
  boost::system::error_code bad;
  const json::value config = json::parse(as_text(response->body), bad);
  const auto* ports = bad ? nullptr : json_member(json_member(config, "config"), "ExposedPorts").if_object();
  std::vector<std::uint16_t> out;
  if (ports == nullptr) return out;
  for (const auto& item : *ports) {
    std::string_view text(item.key());
    const auto slash = text.find('/');
    if (slash != std::string_view::npos && text.substr(slash) != "/tcp") continue;
    const auto port = parse_port(text.substr(0, slash));
    if (port && out.size() < kMaxPorts) out.push_back(*port);
  }
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
    out.exposed_ports = exposed_ports(registry, reference->repository, manifest.document);
    return out;
  }
  for (const auto& item : *platforms) {
    const json::value& platform = json_member(item, "platform");
    if (json_text(platform, "os") != "linux" || json_text(platform, "architecture") != kArchitecture) continue;
    TRY_ASSIGN(out.manifest_digest, oci::parse_digest(json_text(item, "digest")));
    TRY_ASSIGN(const auto chosen,
               fetch(registry, reference->repository, oci::digest_text(out.manifest_digest), out.name));
    if (chosen.digest != out.manifest_digest)
      return fail(ErrorCode::kCorrupt,
                  fmt::format("the registry's manifest of {} is not what its index says", out.name));
    out.exposed_ports = exposed_ports(registry, reference->repository, chosen.document);
    return out;
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("the image {} has no variant for linux/{}", out.name, kArchitecture));
}

}  // namespace bonus::cli
