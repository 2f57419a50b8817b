// For the tests of compute/vm: tar archives made by hand (also such as no honest program writes), and images in memory.
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "bonus/compute/api/images.hpp"
#include "bonus/compute/vm/layer_stream.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::compute::vm::testing {

/// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bonus-vm-XXXXXX").string();
    path_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// ustar (POSIX.1-1988) with pax headers where asked for.
class Tar {
 public:
  Tar& entry(const std::string& name, char type, const std::string& content = "", const std::string& link = "",
             unsigned mode = 0644, unsigned uid = 0, unsigned gid = 0, long long claimed_size = -1) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
    const auto octal = [&](std::size_t at, int width, unsigned long long value) {
      char text[32];
      std::snprintf(text, sizeof text, "%0*llo", width - 1, value);
      put(at, text);
    };
    put(0, name.substr(0, 100));
    octal(100, 8, mode);
    octal(108, 8, uid);
    octal(116, 8, gid);
    octal(124, 12, claimed_size >= 0 ? static_cast<unsigned long long>(claimed_size) : content.size());
    octal(136, 12, 1'700'000'000);
    header.replace(148, 8, "        ");
    header[156] = type;
    put(157, link.substr(0, 100));
    put(257, std::string("ustar\00000", 8));
    octal(329, 8, 0);
    octal(337, 8, 0);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    octal(148, 7, sum);
    data_ += header + content;
    data_.resize((data_.size() + 511) / 512 * 512, '\0');
    return *this;
  }
  Tar& file(const std::string& name, const std::string& content, unsigned mode = 0644) {
    return entry(name, '0', content, "", mode);
  }
  Tar& folder(const std::string& name, unsigned mode = 0755) { return entry(name, '5', "", "", mode); }
  Tar& symlink(const std::string& name, const std::string& target) { return entry(name, '2', "", target, 0777); }
  Tar& hard_link(const std::string& name, const std::string& target) { return entry(name, '1', "", target); }
  /// "key=value" for the next entry.
  Tar& pax(const std::string& key, const std::string& value) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) ++length;
    return entry("pax", 'x', std::to_string(length) + rest);
  }
  [[nodiscard]] std::string finish() const { return data_ + std::string(1024, '\0'); }

 private:
  std::string data_;
};

inline std::string gzip(const std::string& in) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, in.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
inline std::string zstd(const std::string& in) {
  std::string out(ZSTD_compressBound(in.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 3));
  return out;
}

inline BlobReader reader_of(const std::string& blob) {
  return [blob](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<std::size_t> {
    if (offset >= blob.size()) return std::size_t{0};
    const std::size_t n = std::min(out.size(), blob.size() - static_cast<std::size_t>(offset));
    std::memcpy(out.data(), blob.data() + offset, n);
    return n;
  };
}

/// Images whose layers lie in memory.
class MemoryImages final : public ImageSource {
 public:
  /// Adds an image of these tars (stored gzipped) and returns its "manifest digest".
  Hash32 add(Image image, const std::vector<std::string>& tars) {
    for (const auto& tar : tars) {
      const std::string blob = gzip(tar);
      ImageLayer layer{crypto::sha256(as_bytes(blob)), crypto::sha256(as_bytes(tar)), blob.size(),
                       "application/vnd.oci.image.layer.v1.tar+gzip"};
      blobs_[layer.digest] = blob;
      image.layers.push_back(layer);
    }
    const std::string name = "image " + std::to_string(images_.size());
    image.manifest_digest = crypto::sha256(as_bytes(name));
    images_[image.manifest_digest] = image;
    return image.manifest_digest;
  }
  runtime::Task<Result<Image>> pull(Hash32 manifest_digest, std::function<void(PullProgress)> progress) override {
    const auto it = images_.find(manifest_digest);
    if (it == images_.end()) co_return fail(ErrorCode::kNotFound, "no such image");
    progress({1, 1});
    co_return it->second;
  }
  runtime::Task<Result<Bytes>> fetch_small(Hash32, std::size_t) override {
    co_return fail(ErrorCode::kNotFound, "no such blob");
  }
  Result<std::size_t> read_layer(const Hash32& digest, std::uint64_t offset, std::span<std::uint8_t> out) override {
    const auto it = blobs_.find(digest);
    if (it == blobs_.end()) return fail(ErrorCode::kNotFound, "no such layer");
    return reader_of(it->second)(offset, out);
  }

 private:
  std::map<Hash32, Image> images_;
  std::map<Hash32, std::string> blobs_;
};

}  // namespace bonus::compute::vm::testing
