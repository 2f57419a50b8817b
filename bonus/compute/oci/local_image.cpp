// Reading OCI image layouts (image-spec, image-layout.md) and docker-archives.
#include "bonus/compute/oci/local_image.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "bonus/compute/oci/json_reader.hpp"
#include "bonus/compute/oci/local_files.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::compute::oci {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;
constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";

std::string blob_name(const Hash32& digest) { return "blobs/sha256/" + to_hex(digest); }

// "registry/name:tag" or "tag" alone both name `tag`.
bool names_tag(std::string_view text, std::string_view tag) {
  return text == tag || (text.size() > tag.size() && text.ends_with(tag) && text[text.size() - tag.size() - 1] == ':');
}

}  // namespace

LocalImage::~LocalImage() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

Result<std::string> LocalImage::temporary() {
  if (temporary_.empty()) {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "bonus-image-XXXXXX").string();
    if (error || ::mkdtemp(name.data()) == nullptr) return fail(ErrorCode::kIo, "no temporary folder can be made");
    temporary_ = name;
  }
  return temporary_;
}

Result<std::unique_ptr<LocalImage>> LocalImage::open(const std::string& path, const std::string& tag) {
  std::unique_ptr<LocalImage> out(new LocalImage());
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    return fail(ErrorCode::kNotFound, fmt::format("{} does not exist", path));
  if (status.type() == fs::file_type::directory) {
    const Locate locate = [&path](const std::string& name) -> Result<std::string> {
      std::error_code ignored;
      const std::string file = path + "/" + name;
      if (!fs::is_regular_file(file, ignored))
        return fail(ErrorCode::kNotFound, fmt::format("{} has no {}", path, name));
      return file;
    };
    if (!locate("oci-layout"))
      return fail(ErrorCode::kInvalid, fmt::format("{} is not an OCI image layout: it has no file oci-layout", path));
    TRY(out->read_layout(locate, tag));
    return out;
  }
  TRY_ASSIGN(const auto folder, out->temporary());
  TRY_ASSIGN(const auto files, unpack_flat(path, folder));
  const Locate locate = [&files, &path](const std::string& name) -> Result<std::string> {
    const auto at = files.find(name);
    if (at == files.end()) return fail(ErrorCode::kNotFound, fmt::format("{} has no {}", path, name));
    return at->second;
  };
  if (files.contains("index.json")) {
    TRY(out->read_layout(locate, tag));
  } else if (files.contains("manifest.json")) {
    TRY(out->read_docker(locate, tag));
  } else {
    return fail(ErrorCode::kInvalid, fmt::format("{} is neither an oci-archive nor the output of docker save", path));
  }
  return out;
}

Result<> LocalImage::read_layout(const Locate& locate, const std::string& tag) {
  TRY_ASSIGN(const auto path, locate("index.json"));
  TRY_ASSIGN(const auto text, read_small_file(path, kMaxManifestBytes));
  auto index = parse_manifest(text, {});
  if (!index) return fail(std::move(index).error().wrap("index.json"));
  if (!index->is_index || index->manifests.empty()) return fail(ErrorCode::kInvalid, "index.json names no image");
  const Descriptor* chosen = nullptr;
  std::string names;
  for (const auto& entry : index->manifests) {
    const auto at = entry.annotations.find(std::string(kRefName));
    if (at == entry.annotations.end()) continue;
    if (names_tag(at->second, tag)) chosen = &entry;
    if (names.size() < 400) names += (names.empty() ? "" : ", ") + at->second;
  }
  if (chosen == nullptr && index->manifests.size() == 1) chosen = index->manifests.data();
  if (chosen == nullptr)
    return fail(ErrorCode::kNotFound, fmt::format("the layout has several images and none is called {}; it has: {}",
                                                  tag, names.empty() ? "none with a name" : names));
  return add_manifest(locate, *chosen, 0);
}

Result<> LocalImage::add_manifest(const Locate& locate, const Descriptor& descriptor, int depth) {
  if (depth > 1) return fail(ErrorCode::kInvalid, "an index within an index of the image is not offered");
  if (std::ranges::any_of(manifests_, [&](const auto& m) { return m.digest == descriptor.digest; })) return {};
  TRY_ASSIGN(const auto path, locate(blob_name(descriptor.digest)));
  TRY_ASSIGN(auto text, read_small_file(path, kMaxManifestBytes));
  if (crypto::sha256(text) != descriptor.digest)
    return fail(ErrorCode::kCorrupt, fmt::format("{} does not have its digest", path));
  auto manifest = parse_manifest(text, descriptor.media_type);
  if (!manifest) return fail(std::move(manifest).error().wrap(digest_text(descriptor.digest)));
  for (const auto& child : manifest->manifests) TRY(add_manifest(locate, child, depth + 1));
  if (!manifest->is_index) {
    TRY(add_blob(locate, manifest->config));
    for (const auto& layer : manifest->layers)
      if (!layer.foreign) TRY(add_blob(locate, layer));
  }
  manifests_.push_back({std::move(text), descriptor.digest, manifest->media_type});
  return {};
}

Result<> LocalImage::add_blob(const Locate& locate, const Descriptor& descriptor) {
  if (std::ranges::any_of(blobs_, [&](const auto& b) { return b.digest == descriptor.digest; })) return {};
  TRY_ASSIGN(const auto path, locate(blob_name(descriptor.digest)));
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size != descriptor.size_bytes)
    return fail(ErrorCode::kCorrupt, fmt::format("{} does not have {} bytes", path, descriptor.size_bytes));
  blobs_.push_back({descriptor.digest, descriptor.size_bytes, path});  // its digest is checked by the registry
  return {};
}

Result<LocalBlob> LocalImage::add_layer_tar(const std::string& from) {
  TRY_ASSIGN(const auto type, layer_media_type(from));
  std::string path = from;
  if (type == kOciLayerTar) {
    TRY_ASSIGN(const auto folder, temporary());
    path = fmt::format("{}/layer-{}.gz", folder, blobs_.size());
    TRY(gzip_file(from, path));
  }
  TRY_ASSIGN(const auto digest, digest_file(path));
  const LocalBlob blob{digest.sha256, digest.size_bytes, path};
  if (std::ranges::none_of(blobs_, [&](const auto& b) { return b.digest == blob.digest; })) blobs_.push_back(blob);
  return blob;
}

Result<> LocalImage::read_docker(const Locate& locate, const std::string& tag) {
  TRY_ASSIGN(const auto list_path, locate("manifest.json"));
  TRY_ASSIGN(auto text, read_small_file(list_path, kMaxManifestBytes));
  // A list, so that it fits the reader of objects.
  const std::string_view head = R"({"images":)";
  text.insert(text.begin(), head.begin(), head.end());
  text.push_back('}');
  TRY_ASSIGN(const auto root, json::parse_object(text, 2 * kMaxManifestBytes, "manifest.json"));
  const auto* images = json::find(root, "images");
  if (images == nullptr || !images->is_array() || images->get_array().empty())
    return json::wrong("manifest.json", "a list of images");
  const bj::object* chosen = nullptr;
  std::string names;
  for (const auto& image : images->get_array()) {
    if (!image.is_object()) return json::wrong("manifest.json", "a list of images");
    TRY_ASSIGN(const auto tags, json::texts(image.get_object(), "RepoTags", 1024, 1024));
    for (const auto& name : tags) {
      if (names_tag(name, tag)) chosen = &image.get_object();
      if (names.size() < 400) names += (names.empty() ? "" : ", ") + name;
    }
  }
  if (chosen == nullptr && images->get_array().size() == 1) chosen = &images->get_array()[0].get_object();
  if (chosen == nullptr)
    return fail(ErrorCode::kNotFound,
                fmt::format("the archive has several images and none is called {}; it has: {}", tag, names));

  TRY_ASSIGN(const auto config_name, json::text(*chosen, "Config", 4096, true));
  TRY_ASSIGN(const auto layer_names, json::texts(*chosen, "Layers", kMaxLayers, 4096));
  TRY_ASSIGN(const auto config_path, locate(config_name));
  TRY_ASSIGN(const auto config_text, read_small_file(config_path, kMaxConfigBytes));
  auto config = parse_config(config_text);
  if (!config) return fail(std::move(config).error().wrap(config_name));
  if (config->diff_ids.size() != layer_names.size())
    return fail(ErrorCode::kInvalid, "the configuration and manifest.json have different layers");

  bj::array layers;
  const auto describe = [](std::string_view type, const LocalBlob& blob) {
    return bj::object{{"mediaType", type}, {"digest", digest_text(blob.digest)}, {"size", blob.size_bytes}};
  };
  const LocalBlob config_blob{crypto::sha256(config_text), config_text.size(), config_path};
  blobs_.push_back(config_blob);
  for (const auto& name : layer_names) {
    TRY_ASSIGN(const auto path, locate(name));
    TRY_ASSIGN(const auto blob, add_layer_tar(path));
    TRY_ASSIGN(const auto type, layer_media_type(blob.path));
    layers.push_back(describe(type, blob));
  }
  bj::object manifest{{"schemaVersion", 2}, {"mediaType", kOciManifest}};
  manifest["config"] = describe(kOciConfig, config_blob);
  manifest["layers"] = std::move(layers);
  const std::string manifest_text = bj::serialize(manifest);
  const auto view = as_bytes(manifest_text);
  manifests_.push_back({Bytes(view.begin(), view.end()), crypto::sha256(view), std::string(kOciManifest)});
  return {};
}

}  // namespace bonus::compute::oci
