// Small blocking helpers over files for .cpp files of this folder: hash, compress, unpack an archive.
#pragma once

#include <map>
#include <string>

#include "bonus/base/bytes.hpp"

namespace bonus::compute::oci {

struct FileDigest {
  Hash32 sha256;
  std::uint64_t size_bytes = 0;
};
[[nodiscard]] Result<FileDigest> digest_file(const std::string& path);
[[nodiscard]] Result<Bytes> read_small_file(const std::string& path, std::size_t limit_bytes);
/// gzip without name and time, so that the same tar gives the same blob.
[[nodiscard]] Result<> gzip_file(const std::string& from, const std::string& to);
/// First bytes say gzip or zstd.
[[nodiscard]] Result<std::string> layer_media_type(const std::string& path);

/// Unpacks the regular files of a tar (plain or compressed) under names of our own into `folder`: nothing in the
/// archive decides where a byte goes. Gives name in the archive -> path; links inside of the archive are followed.
/// Bounded (kExhausted).
[[nodiscard]] Result<std::map<std::string, std::string>> unpack_flat(const std::string& archive,
                                                                     const std::string& folder);

}  // namespace bonus::compute::oci
