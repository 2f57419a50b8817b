// Images that lie on disk in the forms other tools write: an OCI image layout, as a folder or a tar (oci-archive), and
// `docker save` (docker-archive). Made ready to be pushed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bonus/compute/oci/manifest.hpp"

namespace bonus::compute::oci {

struct LocalBlob {
  Hash32 digest;
  std::uint64_t size_bytes = 0;
  std::string path;  ///< Of a file with exactly this content.
};
struct LocalManifest {
  Bytes text;
  Hash32 digest;
  std::string media_type;
};

/// Blocking. What had to be unpacked or compressed lives in a temporary folder as long as this does.
class LocalImage {
 public:
  /// `tag` chooses where the source holds several images. kInvalid: none of the forms, or damaged (names the part);
  /// kNotFound: no image of this tag (lists those there are).
  [[nodiscard]] static Result<std::unique_ptr<LocalImage>> open(const std::string& path, const std::string& tag);
  ~LocalImage();
  LocalImage(const LocalImage&) = delete;
  LocalImage& operator=(const LocalImage&) = delete;

  [[nodiscard]] const std::vector<LocalBlob>& blobs() const { return blobs_; }  ///< Each once.
  [[nodiscard]] const std::vector<LocalManifest>& manifests() const {
    return manifests_;
  }  ///< The one to be tagged comes last.

 private:
  LocalImage() = default;
  using Locate = std::function<Result<std::string>(const std::string& name)>;

  Result<> read_layout(const Locate& locate, const std::string& tag);
  Result<> read_docker(const Locate& locate, const std::string& tag);
  Result<> add_manifest(const Locate& locate, const Descriptor& descriptor, int depth);
  Result<> add_blob(const Locate& locate, const Descriptor& descriptor);
  Result<LocalBlob> add_layer_tar(const std::string& path);
  Result<std::string> temporary();

  std::string temporary_;
  std::vector<LocalBlob> blobs_;
  std::vector<LocalManifest> manifests_;
};

}  // namespace bonus::compute::oci
