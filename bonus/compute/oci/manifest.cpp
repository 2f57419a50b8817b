// Parsers of OCI image-spec 1.1 documents and Docker's schema 2.
#include "bonus/compute/oci/manifest.hpp"

#include <fmt/format.h>

#include <charconv>

#include "bonus/compute/oci/json_reader.hpp"
#include "bonus/compute/oci/names.hpp"

namespace bonus::compute::oci {
namespace {

namespace bj = boost::json;

// RFC 6838, section 4.2, as the image-spec asks for media types.
bool valid_media_type(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size() || text.size() > 255) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$&-^_.+/").contains(c);
  });
}

Result<Platform> parse_platform(const bj::object& from) {
  Platform out;
  TRY_ASSIGN(out.architecture, json::text(from, "architecture", 64, true));
  TRY_ASSIGN(out.os, json::text(from, "os", 64, true));
  TRY_ASSIGN(out.variant, json::text(from, "variant", 64, false));
  return out;
}

Result<Descriptor> parse_descriptor(const bj::value& value, std::string_view field) {
  const auto within = [field](Error error) { return fail(std::move(error).wrap(field)); };
  if (!value.is_object()) return json::wrong(field, "a descriptor");
  const auto& from = value.get_object();
  Descriptor out;
  auto media_type = json::text(from, "mediaType", 255, true);
  if (!media_type) return within(std::move(media_type).error());
  if (!valid_media_type(*media_type)) return json::wrong(fmt::format("{}: mediaType", field), "a media type");
  out.media_type = *std::move(media_type);
  auto digest_field = json::text(from, "digest", 256, true);
  if (!digest_field) return within(std::move(digest_field).error());
  auto digest = parse_digest(*digest_field);
  if (!digest) return within(std::move(digest).error());
  out.digest = *digest;
  auto size = json::number(from, "size", kMaxLayerBytes);
  if (!size) return within(std::move(size).error());
  out.size_bytes = *size;
  auto urls = json::texts(from, "urls", 64, 4096);
  if (!urls) return within(std::move(urls).error());
  out.foreign =
      !urls->empty() || out.media_type.contains("nondistributable") || out.media_type.contains("rootfs.foreign");
  auto annotations = json::text_map(from, "annotations", kMaxAnnotations);
  if (!annotations) return within(std::move(annotations).error());
  out.annotations = *std::move(annotations);
  if (const auto* platform = json::find(from, "platform")) {
    if (!platform->is_object()) return json::wrong(fmt::format("{}: platform", field), "an object");
    auto parsed = parse_platform(platform->get_object());
    if (!parsed) return within(std::move(parsed).error());
    out.platform = *std::move(parsed);
  }
  return out;
}

Result<std::vector<Descriptor>> parse_descriptors(const bj::object& from, std::string_view key, std::size_t limit) {
  const auto* list = json::find(from, key);
  if (list == nullptr || !list->is_array() || list->get_array().size() > limit)
    return json::wrong(key, fmt::format("a list of at most {} descriptors", limit));
  std::vector<Descriptor> out;
  out.reserve(list->get_array().size());
  for (const auto& item : list->get_array()) {
    TRY_ASSIGN(auto descriptor, parse_descriptor(item, fmt::format("{}[{}]", key, out.size())));
    out.push_back(std::move(descriptor));
  }
  return out;
}

Result<std::vector<std::uint16_t>> parse_ports(const bj::object& config) {
  std::vector<std::uint16_t> out;
  const auto* value = json::find(config, "ExposedPorts");
  if (value == nullptr) return out;
  if (!value->is_object() || value->get_object().size() > 1024)
    return json::wrong("ExposedPorts", "at most 1024 ports");
  for (const auto& entry : value->get_object()) {
    const std::string_view text(entry.key().data(), entry.key().size());
    const auto slash = text.find('/');
    const auto protocol = slash == std::string_view::npos ? std::string_view("tcp") : text.substr(slash + 1);
    const auto digits = text.substr(0, slash);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port == 0)
      return json::wrong("ExposedPorts", "ports like \"80/tcp\"");
    if (protocol == "tcp") out.push_back(port);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

std::string describe(const Platform& platform) {
  return platform.os + "/" + platform.architecture + (platform.variant.empty() ? "" : "/" + platform.variant);
}

bool unpackable(std::string_view media_type) {
  return media_type == kOciLayerGzip || media_type == kOciLayerZstd || media_type == kOciLayerTar ||
         media_type == kDockerLayerGzip || media_type == kDockerLayerTar;
}

}  // namespace

Platform this_platform() {
#if defined(__x86_64__)
  return {"amd64", "linux", ""};
#elif defined(__aarch64__)
  return {"arm64", "linux", ""};
#elif defined(__riscv)
  return {"riscv64", "linux", ""};
#else
#error "name this architecture as Go does"
#endif
}

Result<Manifest> parse_manifest(BytesView text, std::string_view content_type) {
  TRY_ASSIGN(const auto root, json::parse_object(text, kMaxManifestBytes, "the manifest"));
  Manifest out;
  TRY_ASSIGN(const auto version, json::number(root, "schemaVersion", 1000));
  if (version != 2)
    return fail(ErrorCode::kUnsupported, fmt::format("schemaVersion {} is not offered, only 2", version));
  TRY_ASSIGN(out.media_type, json::text(root, "mediaType", 255, false));
  const bool has_list = json::find(root, "manifests") != nullptr;
  const bool has_image = json::find(root, "config") != nullptr || json::find(root, "layers") != nullptr;
  if (has_list && has_image) return fail(ErrorCode::kInvalid, "the document is a manifest and an index at once");
  if (out.media_type.empty()) out.media_type = content_type;
  if (out.media_type.empty()) out.media_type = has_list ? kOciIndex : kOciManifest;
  if (!content_type.empty() && out.media_type != content_type)
    return fail(ErrorCode::kInvalid,
                fmt::format("mediaType is {}, but it was sent as {}", out.media_type, content_type));
  if (out.media_type == kOciIndex || out.media_type == kDockerList) {
    out.is_index = true;
  } else if (out.media_type != kOciManifest && out.media_type != kDockerManifest) {
    return fail(ErrorCode::kUnsupported, fmt::format("manifests of type \"{}\" are not offered", out.media_type));
  }

  TRY_ASSIGN(out.artifact_type, json::text(root, "artifactType", 255, false));
  if (!out.artifact_type.empty() && !valid_media_type(out.artifact_type))
    return json::wrong("artifactType", "a media type");
  TRY_ASSIGN(out.annotations, json::text_map(root, "annotations", kMaxAnnotations));
  if (const auto* subject = json::find(root, "subject")) {
    TRY_ASSIGN(out.subject, parse_descriptor(*subject, "subject"));
  }
  if (out.is_index) {
    TRY_ASSIGN(out.manifests, parse_descriptors(root, "manifests", kMaxIndexEntries));
    return out;
  }
  const auto* config = json::find(root, "config");
  if (config == nullptr) return fail(ErrorCode::kInvalid, "config is missing");
  TRY_ASSIGN(out.config, parse_descriptor(*config, "config"));
  TRY_ASSIGN(out.layers, parse_descriptors(root, "layers", kMaxLayers));
  if (out.artifact_type.empty()) out.artifact_type = out.config.media_type;
  return out;
}

Result<ImageConfig> parse_config(BytesView text) {
  TRY_ASSIGN(const auto root, json::parse_object(text, kMaxConfigBytes, "the image configuration"));
  ImageConfig out;
  TRY_ASSIGN(out.platform, parse_platform(root));
  if (const auto* config = json::find(root, "config")) {
    if (!config->is_object()) return json::wrong("config", "an object");
    const auto& from = config->get_object();
    TRY_ASSIGN(out.entrypoint, json::texts(from, "Entrypoint", 256, 64 << 10));
    TRY_ASSIGN(out.cmd, json::texts(from, "Cmd", 256, 64 << 10));
    TRY_ASSIGN(out.env, json::texts(from, "Env", 1024, 64 << 10));
    for (const auto& variable : out.env)
      if (variable.find('=') == std::string::npos || variable[0] == '=')
        return json::wrong("Env", "a list of NAME=value");
    TRY_ASSIGN(out.working_directory, json::text(from, "WorkingDir", 4096, false));
    TRY_ASSIGN(out.user, json::text(from, "User", 256, false));
    TRY_ASSIGN(out.exposed_ports, parse_ports(from));
  }
  const auto* rootfs = json::find(root, "rootfs");
  if (rootfs == nullptr || !rootfs->is_object()) return json::wrong("rootfs", "an object");
  TRY_ASSIGN(const auto type, json::text(rootfs->get_object(), "type", 64, true));
  if (type != "layers") return json::wrong("rootfs.type", "\"layers\"");
  TRY_ASSIGN(const auto ids, json::texts(rootfs->get_object(), "diff_ids", kMaxLayers, 256));
  for (const auto& id : ids) {
    auto digest = parse_digest(id);
    if (!digest) return fail(std::move(digest).error().wrap("rootfs.diff_ids"));
    out.diff_ids.push_back(*digest);
  }
  return out;
}

Result<Descriptor> pick_platform(const Manifest& index, const Platform& wanted) {
  std::string offered;
  for (const auto& entry : index.manifests) {
    if (!entry.platform) continue;
    const auto& p = *entry.platform;
    const bool fits = p.os == wanted.os && p.architecture == wanted.architecture &&
                      (wanted.variant.empty() || p.variant.empty() || p.variant == wanted.variant);
    if (fits) return entry;
    if (offered.size() < 400) offered += (offered.empty() ? "" : ", ") + describe(p);
  }
  // An index of one image without a platform says nothing against it; its configuration is checked later.
  if (index.manifests.size() == 1 && !index.manifests[0].platform) return index.manifests[0];
  return fail(ErrorCode::kNotFound, fmt::format("the image has no variant for {}; it has: {}", describe(wanted),
                                                offered.empty() ? "none" : offered));
}

Result<Image> make_image(const Hash32& manifest_digest, const Manifest& manifest, const ImageConfig& config,
                         const Platform& wanted) {
  if (config.platform.os != wanted.os || config.platform.architecture != wanted.architecture)
    return fail(ErrorCode::kUnsupported,
                fmt::format("the image is for {}, this machine is {}", describe(config.platform), describe(wanted)));
  if (config.diff_ids.size() != manifest.layers.size())
    return fail(ErrorCode::kInvalid, fmt::format("the manifest has {} layers, the configuration {}",
                                                 manifest.layers.size(), config.diff_ids.size()));
  Image out;
  out.manifest_digest = manifest_digest;
  out.config_digest = manifest.config.digest;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const auto& layer = manifest.layers[i];
    if (!unpackable(layer.media_type))
      return fail(ErrorCode::kUnsupported, fmt::format("layers of type {} cannot be unpacked", layer.media_type));
    out.layers.push_back({layer.digest, config.diff_ids[i], layer.size_bytes, layer.media_type});
  }
  out.entrypoint = config.entrypoint;
  out.cmd = config.cmd;
  out.env = config.env;
  out.working_directory = config.working_directory;
  out.user = config.user;
  out.exposed_ports = config.exposed_ports;
  out.architecture = config.platform.architecture;
  out.os = config.platform.os;
  return out;
}

}  // namespace bonus::compute::oci
