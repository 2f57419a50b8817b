// Hashing, compressing and unpacking files; the adapters of zlib and libarchive.
#include "bonus/compute/oci/local_files.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "bonus/compute/oci/manifest.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::compute::oci {
namespace {

constexpr std::size_t kMaxEntries = 20'000;
constexpr std::uint64_t kMaxUnpackedBytes = 128ULL << 30;

struct CloseFile {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Result<File> open_file(const std::string& path, const char* mode) {
  File out(std::fopen(path.c_str(), mode));
  if (!out) return fail(ErrorCode::kNotFound, fmt::format("{} cannot be opened", path));
  return out;
}

// "./a//b/../c" -> "a/c"; nothing when it leads outside.
std::string normal(const std::string& name) {
  const std::string out = std::filesystem::path(name).lexically_normal().generic_string();
  if (out.starts_with("..") || out.starts_with("/")) return {};
  return out;
}

struct CloseArchive {
  void operator()(archive* a) const { (void)archive_read_free(a); }
};

Result<> copy_entry(archive* from, const std::string& path, std::uint64_t& total) {
  TRY_ASSIGN(const auto file, open_file(path, "wb"));
  std::vector<char> buffer(256 << 10);
  while (true) {
    const auto n = archive_read_data(from, buffer.data(), buffer.size());
    if (n < 0) return fail(ErrorCode::kInvalid, fmt::format("the archive is damaged: {}", archive_error_string(from)));
    if (n == 0) break;
    total += static_cast<std::uint64_t>(n);
    if (total > kMaxUnpackedBytes) return fail(ErrorCode::kExhausted, "the archive unpacks to too much");
    if (std::fwrite(buffer.data(), 1, static_cast<std::size_t>(n), file.get()) != static_cast<std::size_t>(n))
      return fail(ErrorCode::kIo, fmt::format("{} cannot be written", path));
  }
  if (std::fflush(file.get()) != 0) return fail(ErrorCode::kIo, fmt::format("{} cannot be written", path));
  return {};
}

}  // namespace

Result<FileDigest> digest_file(const std::string& path) {
  TRY_ASSIGN(const auto file, open_file(path, "rb"));
  crypto::Sha256 hash;
  FileDigest out;
  std::vector<std::uint8_t> buffer(1 << 20);
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    hash.update(BytesView(buffer).first(n));
    out.size_bytes += n;
  }
  if (std::ferror(file.get()) != 0) return fail(ErrorCode::kIo, fmt::format("{} cannot be read", path));
  out.sha256 = hash.finish();
  return out;
}

Result<Bytes> read_small_file(const std::string& path, std::size_t limit_bytes) {
  TRY_ASSIGN(const auto file, open_file(path, "rb"));
  Bytes out(limit_bytes + 1);
  out.resize(std::fread(out.data(), 1, out.size(), file.get()));
  if (std::ferror(file.get()) != 0) return fail(ErrorCode::kIo, fmt::format("{} cannot be read", path));
  if (out.size() > limit_bytes)
    return fail(ErrorCode::kExhausted, fmt::format("{} has more than {} bytes", path, limit_bytes));
  return out;
}

Result<> gzip_file(const std::string& from, const std::string& to) {
  TRY_ASSIGN(const auto in, open_file(from, "rb"));
  TRY_ASSIGN(const auto out, open_file(to, "wb"));
  z_stream stream{};
  // 15 + 16: with a gzip header, which zlib leaves without time and name. Level 1: a push waits for this.
  if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(ErrorCode::kInternal, "zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, deflateEnd);
  std::vector<unsigned char> input(256 << 10), output(256 << 10);
  int flush = Z_NO_FLUSH;
  while (flush != Z_FINISH) {
    const std::size_t n = std::fread(input.data(), 1, input.size(), in.get());
    if (std::ferror(in.get()) != 0) return fail(ErrorCode::kIo, fmt::format("{} cannot be read", from));
    flush = n == 0 ? Z_FINISH : Z_NO_FLUSH;
    stream.next_in = input.data();
    stream.avail_in = static_cast<uInt>(n);
    do {
      stream.next_out = output.data();
      stream.avail_out = static_cast<uInt>(output.size());
      if (deflate(&stream, flush) == Z_STREAM_ERROR) return fail(ErrorCode::kInternal, "zlib failed");
      const std::size_t made = output.size() - stream.avail_out;
      if (std::fwrite(output.data(), 1, made, out.get()) != made)
        return fail(ErrorCode::kIo, fmt::format("{} cannot be written", to));
    } while (stream.avail_out == 0);
  }
  if (std::fflush(out.get()) != 0) return fail(ErrorCode::kIo, fmt::format("{} cannot be written", to));
  return {};
}

Result<std::string> layer_media_type(const std::string& path) {
  TRY_ASSIGN(const auto file, open_file(path, "rb"));
  std::array<std::uint8_t, 4> magic{};
  const std::size_t n = std::fread(magic.data(), 1, magic.size(), file.get());
  if (n >= 2 && magic[0] == 0x1F && magic[1] == 0x8B) return std::string(kOciLayerGzip);
  if (n == 4 && magic == std::array<std::uint8_t, 4>{0x28, 0xB5, 0x2F, 0xFD}) return std::string(kOciLayerZstd);
  return std::string(kOciLayerTar);
}

Result<std::map<std::string, std::string>> unpack_flat(const std::string& path, const std::string& folder) {
  const std::unique_ptr<archive, CloseArchive> from(archive_read_new());
  archive_read_support_filter_all(from.get());
  archive_read_support_format_tar(from.get());
  if (archive_read_open_filename(from.get(), path.c_str(), 256 << 10) != ARCHIVE_OK)
    return fail(ErrorCode::kInvalid,
                fmt::format("{} is not a tar archive: {}", path, archive_error_string(from.get())));
  std::map<std::string, std::string> files, links;
  std::uint64_t total = 0;
  for (std::size_t count = 0;; ++count) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(from.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN)
      return fail(ErrorCode::kInvalid, fmt::format("{} is damaged: {}", path, archive_error_string(from.get())));
    if (count >= kMaxEntries)
      return fail(ErrorCode::kExhausted, fmt::format("{} has more than {} entries", path, kMaxEntries));
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw == nullptr ? std::string() : normal(raw);
    if (name.empty())
      return fail(ErrorCode::kInvalid, fmt::format("{} has an entry with a name that leads outside", path));
    if (const char* target = archive_entry_hardlink(entry)) {
      links[name] = normal(target);
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
      const char* symlink = archive_entry_symlink(entry);
      links[name] = symlink == nullptr ? "" : normal((std::filesystem::path(name).parent_path() / symlink).string());
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      const std::string to = fmt::format("{}/{}", folder, files.size());
      TRY(copy_entry(from.get(), to, total));
      files[name] = to;
    }
  }
  // docker save writes layers that are the same as links; one step is all it uses.
  for (const auto& [name, target] : links)
    if (const auto at = files.find(target); at != files.end()) files.emplace(name, at->second);
  return files;
}

}  // namespace bonus::compute::oci
