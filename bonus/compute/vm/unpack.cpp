// The tar reader is libarchive; paths, links, whiteouts (OCI image-spec, layer.md "Whiteouts") and limits are ours.
#include "bonus/compute/vm/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>

#include <memory>
#include <optional>

#include "bonus/compute/vm/safe_tree.hpp"

namespace bonus::compute::vm {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kAufsPrefix = ".wh..wh.";
constexpr std::size_t kMaxXattrs = 64;
constexpr std::size_t kMaxXattrBytes = 64 << 10;
constexpr std::uint32_t kMaxId = 0x7fffffff;

// libarchive converts pax names to the charset of the locale; in "C" everything beyond ASCII would become '?'.
class Utf8Locale {
 public:
  Utf8Locale() : mine_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (mine_ != nullptr) before_ = ::uselocale(mine_);
  }
  ~Utf8Locale() {
    if (mine_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(mine_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t mine_;
  locale_t before_ = nullptr;
};

struct Source {
  LayerStream stream;
  std::optional<Error> error;  // what `next` said, to be told instead of libarchive's words
};

la_ssize_t read_callback(archive* a, void* data, const void** buffer) {
  auto* source = static_cast<Source*>(data);
  auto piece = source->stream.next();
  if (!piece) {
    source->error = std::move(piece).error();
    archive_set_error(a, EIO, "layer stream failed");
    return ARCHIVE_FATAL;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

class Unpacker {
 public:
  Unpacker(BlobReader reader, const UnpackLimits& limits, SafeTree tree)
      : source_{LayerStream(std::move(reader), limits.stream), {}}, limits_(limits), tree_(std::move(tree)) {}

  Result<UnpackStats> run(const Hash32& diff_id) {
    const Utf8Locale locale;
    TRY(read_entries());
    TRY(tree_.finish());
    TRY_ASSIGN(const Hash32 found, source_.stream.finish());
    if (found != diff_id)
      return fail(ErrorCode::kCorrupt, fmt::format("the layer's content is sha256:{}, its image says sha256:{}",
                                                   to_hex(found), to_hex(diff_id)));
    stats_.unpacked_bytes = source_.stream.unpacked_bytes();
    return stats_;
  }

 private:
  using Reader = std::unique_ptr<archive, int (*)(archive*)>;

  Error reader_error(archive* a) {
    if (source_.error) return std::move(*source_.error);
    const char* text = archive_error_string(a);
    return {ErrorCode::kCorrupt, fmt::format("not a usable tar archive: {}", text == nullptr ? "unknown" : text)};
  }

  Result<> read_entries() {
    const Reader reader(archive_read_new(), &archive_read_free);
    if (!reader) return fail(ErrorCode::kExhausted, "no memory to read the archive");
    archive* a = reader.get();
    archive_read_support_format_tar(a);
    if (archive_read_open(a, &source_, nullptr, &read_callback, nullptr) != ARCHIVE_OK) return fail(reader_error(a));
    archive_entry* entry = nullptr;
    while (true) {
      const int code = archive_read_next_header(a, &entry);
      if (code == ARCHIVE_EOF) return {};
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return fail(reader_error(a));
      if (++stats_.entries > limits_.entries)
        return fail(ErrorCode::kExhausted, fmt::format("more than {} entries", limits_.entries));
      TRY(one(a, entry));
    }
  }

  Result<> one(archive* a, archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) return fail(ErrorCode::kInvalid, "an entry has no name that can be read");
    std::string_view path(raw);
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    if (path.empty()) return fail(ErrorCode::kInvalid, "an entry has an empty name");
    const std::size_t slash = path.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    const std::string_view folder = slash == std::string_view::npos ? "" : path.substr(0, slash + 1);
    if (name.starts_with(kWhiteoutPrefix)) return whiteout(folder, name);

    if (const char* target = archive_entry_hardlink(entry); target != nullptr) return tree_.hard_link(path, target);
    TRY_ASSIGN(const FileMeta meta, meta_of(path, entry));
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG:
        return file(a, entry, path, meta);
      case AE_IFDIR:
        return tree_.directory(path, meta);
      case AE_IFIFO:
        return tree_.fifo(path, meta);
      case AE_IFLNK: {
        const char* target = archive_entry_symlink(entry);
        return tree_.symlink(path, target == nullptr ? "" : target, meta);
      }
      case AE_IFBLK:
      case AE_IFCHR:
        return fail(ErrorCode::kInvalid,
                    fmt::format("entry {}: is a device; an image must not bring devices", shown_path(path)));
      default:
        return fail(ErrorCode::kInvalid, fmt::format("entry {}: is of an unknown kind", shown_path(path)));
    }
  }

  Result<> whiteout(std::string_view folder, std::string_view name) {
    if (name == kOpaqueName) return tree_.opaque(folder);
    if (name.starts_with(kAufsPrefix)) return {};  // bookkeeping of aufs, without meaning here
    const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..")
      return fail(ErrorCode::kInvalid,
                  fmt::format("entry {}: hides no name", shown_path(std::string(folder) + std::string(name))));
    return tree_.whiteout(std::string(folder) + std::string(hidden));
  }

  static Result<FileMeta> meta_of(std::string_view path, archive_entry* entry) {
    FileMeta meta;
    meta.mode = archive_entry_perm(entry);
    const la_int64_t uid = archive_entry_uid(entry);
    const la_int64_t gid = archive_entry_gid(entry);
    if (uid < 0 || gid < 0 || uid > kMaxId || gid > kMaxId)
      return fail(ErrorCode::kInvalid, fmt::format("entry {}: its owner is out of range", shown_path(path)));
    meta.uid = static_cast<uid_t>(uid);
    meta.gid = static_cast<gid_t>(gid);
    meta.mtime = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      const std::string_view key(name == nullptr ? "" : name);
      if (key != "security.capability" && !(key.starts_with("user.") && key.size() <= 255)) continue;
      if (size > kMaxXattrBytes || meta.xattrs.size() >= kMaxXattrs)
        return fail(ErrorCode::kInvalid, fmt::format("entry {}: too many or too long attributes", shown_path(path)));
      const auto* bytes = static_cast<const std::uint8_t*>(value);
      meta.xattrs.emplace_back(std::string(key), Bytes(bytes, bytes + size));
    }
    return meta;
  }

  Result<> file(archive* a, archive_entry* entry, std::string_view path, const FileMeta& meta) {
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0) return fail(ErrorCode::kInvalid, fmt::format("entry {}: negative size", shown_path(path)));
    // A sparse file may claim more than the stream brings, so claims are bounded as well.
    claimed_bytes_ += static_cast<std::uint64_t>(size);
    if (static_cast<std::uint64_t>(size) > limits_.stream.unpacked_bytes ||
        claimed_bytes_ > limits_.stream.unpacked_bytes)
      return fail(ErrorCode::kExhausted, fmt::format("unpacks to more than {} bytes", limits_.stream.unpacked_bytes));
    TRY_ASSIGN(const Fd fd, tree_.create_file(path));
    la_int64_t end = 0;
    while (true) {
      const void* data = nullptr;
      std::size_t length = 0;
      la_int64_t offset = 0;
      const int code = archive_read_data_block(a, &data, &length, &offset);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK) return fail(reader_error(a));
      if (offset < 0 || offset > size || static_cast<la_int64_t>(length) > size - offset)
        return fail(ErrorCode::kCorrupt, fmt::format("entry {}: data beyond its size", shown_path(path)));
      const auto* bytes = static_cast<const std::uint8_t*>(data);
      for (std::size_t at = 0; at < length;) {
        const ssize_t n = ::pwrite(fd.get(), bytes + at, length - at, offset + static_cast<la_int64_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail(os_error("writing", shown_path(path)));
        at += static_cast<std::size_t>(n);
      }
      end = std::max(end, offset + static_cast<la_int64_t>(length));
    }
    if (end < size && ::ftruncate(fd.get(), size) != 0) return fail(os_error("writing", shown_path(path)));
    if (auto done = SafeTree::seal(fd, meta); !done)
      return fail(std::move(done).error().wrap("entry " + shown_path(path)));
    return {};
  }

  Source source_;
  const UnpackLimits& limits_;
  SafeTree tree_;
  UnpackStats stats_;
  std::uint64_t claimed_bytes_ = 0;
};

}  // namespace

Result<UnpackStats> unpack_layer(BlobReader reader, const Hash32& diff_id, const std::string& target,
                                 const UnpackLimits& limits) {
  TRY_ASSIGN(auto tree, SafeTree::open(target));
  Unpacker unpacker(std::move(reader), limits, std::move(tree));
  return unpacker.run(diff_id);
}

}  // namespace bonus::compute::vm
