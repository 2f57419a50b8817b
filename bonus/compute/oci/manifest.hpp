// Image manifests, indexes and configurations: OCI image-spec 1.1 (manifest.md, image-index.md, config.md) and Docker's
// schema 2. Strict and bounded: what comes out is safe to use. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bonus/compute/api/images.hpp"

namespace bonus::compute::oci {

inline constexpr std::size_t kMaxManifestBytes = 4 << 20;  ///< distribution-spec "Pushing Manifests": at least 4 MiB.
inline constexpr std::size_t kMaxConfigBytes = 4 << 20;
inline constexpr std::size_t kMaxLayers = 128;
inline constexpr std::size_t kMaxIndexEntries = 1024;
inline constexpr std::size_t kMaxAnnotations = 1024;
inline constexpr std::uint64_t kMaxLayerBytes = 64ULL << 30;

inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kOciLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kDockerLayerTar = "application/vnd.docker.image.rootfs.diff.tar";

struct Platform {
  std::string architecture, os, variant;  ///< In Go's words: "amd64", "linux", "v8".
};
[[nodiscard]] Platform this_platform();

struct Descriptor {
  std::string media_type;
  Hash32 digest;
  std::uint64_t size_bytes = 0;
  bool foreign = false;  ///< Has `urls`, or is non-distributable: the registry need not hold it.
  std::optional<Platform> platform;
  std::map<std::string, std::string> annotations;
};
struct Manifest {
  bool is_index = false;
  std::string media_type;
  std::string artifact_type;          ///< As referrers list it: the field, or the config's media type.
  Descriptor config;                  ///< Not in an index.
  std::vector<Descriptor> layers;     ///< Bottom first; not in an index.
  std::vector<Descriptor> manifests;  ///< Of an index.
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};
/// `content_type` is what it was sent as; empty: whatever it says it is. kInvalid names the field; kUnsupported: a
/// media type or digest algorithm that is not offered. A document that could be read as manifest and as index is
/// refused (CVE-2021-41190).
[[nodiscard]] Result<Manifest> parse_manifest(BytesView json, std::string_view content_type);

struct ImageConfig {
  Platform platform;
  std::vector<std::string> entrypoint, cmd, env;
  std::string working_directory, user;
  std::vector<std::uint16_t> exposed_ports;  ///< TCP only, ascending.
  std::vector<Hash32> diff_ids;              ///< Bottom first.
};
[[nodiscard]] Result<ImageConfig> parse_config(BytesView json);

/// The entry of an index for a platform. kNotFound lists what there is.
[[nodiscard]] Result<Descriptor> pick_platform(const Manifest& index, const Platform& wanted);
/// Puts both together for the container agent. kInvalid: layers and diff_ids do not match, or a layer cannot be
/// unpacked; kUnsupported: another platform.
[[nodiscard]] Result<Image> make_image(const Hash32& manifest_digest, const Manifest& manifest,
                                       const ImageConfig& config, const Platform& wanted);

}  // namespace bonus::compute::oci
