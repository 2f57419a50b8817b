// Path walking with openat(O_NOFOLLOW) and overlayfs markers (Linux, Documentation/filesystems/overlayfs.rst).
#include "bonus/compute/vm/safe_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>

namespace bonus::compute::vm {

std::string shown_path(std::string_view path) {
  std::string out;
  for (const char c : path.substr(0, 120)) out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
  return "'" + out + (path.size() > 120 ? "...'" : "'");
}

namespace {

constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxDepth = 256;

std::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kInvalid, fmt::format("entry {}: {}", shown_path(path), why));
}

Result<std::vector<std::string>> split(std::string_view path) {
  if (path.size() > kMaxPathBytes) return refuse(path, fmt::format("the path is longer than {} bytes", kMaxPathBytes));
  if (path.starts_with('/')) return refuse(path, "the path is absolute");
  if (path.find('\0') != std::string_view::npos) return refuse(path, "the path contains a zero byte");
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse(path, "the path contains '..'");
    if (part.size() > kMaxNameBytes) return refuse(path, fmt::format("a name is longer than {} bytes", kMaxNameBytes));
    parts.emplace_back(part);
    if (parts.size() > kMaxDepth) return refuse(path, fmt::format("more than {} folders deep", kMaxDepth));
  }
  return parts;
}

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

Result<> apply(int fd, const FileMeta& meta) {
  // The order counts: chown clears set-id bits and file capabilities.
  if (::fchown(fd, meta.uid, meta.gid) != 0) return fail(os_error("setting an owner"));
  if (::fchmod(fd, meta.mode & 07777) != 0) return fail(os_error("setting a mode"));
  for (const auto& [name, value] : meta.xattrs)
    // Attributes of users are a courtesy that not every file system knows (tmpfs before Linux 6.6); capabilities are
    // not.
    if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0 &&
        !(errno == EOPNOTSUPP && name.starts_with("user.")))
      return fail(os_error("setting the attribute", name));
  const std::array<timespec, 2> times{meta.mtime, meta.mtime};
  if (::futimens(fd, times.data()) != 0) return fail(os_error("setting a time"));
  return {};
}

Result<> apply_at(int parent, const std::string& name, const FileMeta& meta) {
  if (::fchownat(parent, name.c_str(), meta.uid, meta.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(os_error("setting the owner of", name));
  const std::array<timespec, 2> times{meta.mtime, meta.mtime};
  if (::utimensat(parent, name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
    return fail(os_error("setting the time of", name));
  return {};
}

}  // namespace

Result<SafeTree> SafeTree::open(const std::string& folder) {
  Fd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return fail(os_error("opening", folder));
  return SafeTree(std::move(root));
}

Result<Fd> SafeTree::walk(const std::vector<std::string>& parts, bool create) const {
  Fd at(::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return fail(os_error("opening the layer's folder"));
  for (const auto& part : parts) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Fd next(::openat(at.get(), part.c_str(), kFlags));
    if (!next && errno == ENOENT && create) {
      if (::mkdirat(at.get(), part.c_str(), 0755) != 0) return fail(os_error("making the folder", shown_path(part)));
      next = Fd(::openat(at.get(), part.c_str(), kFlags));
    }
    if (!next && (errno == ENOTDIR || errno == ELOOP)) {
      struct stat info{};
      const bool link = ::fstatat(at.get(), part.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
      return fail(ErrorCode::kInvalid, fmt::format("{} is {}, a path must not go through it", shown_path(part),
                                                   link ? "a symbolic link" : "not a folder"));
    }
    if (!next) return fail(os_error("opening the folder", shown_path(part)));
    at = std::move(next);
  }
  return at;
}

Result<SafeTree::Place> SafeTree::locate(std::string_view path, bool create) {
  TRY_ASSIGN(auto parts, split(path));
  if (parts.empty()) return Place{root_.get(), ""};
  std::string name = std::move(parts.back());
  parts.pop_back();
  if (parts.empty()) return Place{root_.get(), std::move(name)};
  if (!parent_ || parts != parent_parts_) {
    auto found = walk(parts, create);
    if (!found) return fail(std::move(found).error().wrap("entry " + shown_path(path)));
    parent_ = std::move(*found);
    parent_parts_ = std::move(parts);
  }
  return Place{parent_.get(), std::move(name)};
}

// Makes room for a new entry: a later entry of the same name replaces a file, never a folder that has content.
Result<> SafeTree::clear(const Place& place, std::string_view path) {
  if (place.name.empty()) return refuse(path, "the layer's root can only be a folder");
  struct stat info{};
  if (::fstatat(place.parent, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return fail(os_error("looking at", shown_path(path)));
  }
  if (S_ISDIR(info.st_mode)) {
    if (::unlinkat(place.parent, place.name.c_str(), AT_REMOVEDIR) != 0)
      return refuse(path, "would replace a folder that has content");
    // A descriptor of the removed folder may be the cached parent of the next entry.
    if (place.parent == root_.get()) {
      parent_.reset();
      parent_parts_.clear();
    }
    return {};
  }
  if (::unlinkat(place.parent, place.name.c_str(), 0) != 0) return fail(os_error("replacing", shown_path(path)));
  return {};
}

Result<> SafeTree::directory(std::string_view path, const FileMeta& meta) {
  TRY_ASSIGN(const Place place, locate(path, true));
  const char* name = place.name.empty() ? "." : place.name.c_str();
  struct stat info{};
  bool hides_lower = false;
  if (::fstatat(place.parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode)) {
    hides_lower = is_whiteout(info);
    TRY(clear(place, path));
  }
  if (::mkdirat(place.parent, name, 0755) != 0 && errno != EEXIST) return fail(os_error("making", shown_path(path)));
  const Fd fd(::openat(place.parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(os_error("opening", shown_path(path)));
  if (auto done = apply(fd.get(), meta); !done) return fail(std::move(done).error().wrap("entry " + shown_path(path)));
  if (hides_lower && ::fsetxattr(fd.get(), "trusted.overlay.opaque", "y", 1, 0) != 0)
    return fail(os_error("marking as opaque", shown_path(path)));
  folder_times_.emplace_back(std::string(path), meta.mtime);
  return {};
}

Result<Fd> SafeTree::create_file(std::string_view path) {
  TRY_ASSIGN(const Place place, locate(path, true));
  TRY(clear(place, path));
  Fd fd(::openat(place.parent, place.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(os_error("creating", shown_path(path)));
  return fd;
}

Result<> SafeTree::seal(const Fd& file, const FileMeta& meta) { return apply(file.get(), meta); }

Result<> SafeTree::symlink(std::string_view path, const std::string& target, const FileMeta& meta) {
  if (target.empty() || target.size() >= kMaxPathBytes) return refuse(path, "the link's target is empty or too long");
  TRY_ASSIGN(const Place place, locate(path, true));
  TRY(clear(place, path));
  if (::symlinkat(target.c_str(), place.parent, place.name.c_str()) != 0)
    return fail(os_error("linking", shown_path(path)));
  return apply_at(place.parent, place.name, meta);
}

Result<> SafeTree::hard_link(std::string_view path, std::string_view target) {
  TRY_ASSIGN(auto parts, split(target));
  if (parts.empty()) return refuse(path, "links to the layer's root");
  const std::string name = parts.back();
  parts.pop_back();
  auto folder = walk(parts, false);
  if (!folder) {
    if (folder.error().code == ErrorCode::kNotFound)
      return refuse(path, fmt::format("links to {}, which the layer does not have", shown_path(target)));
    return fail(std::move(folder).error().wrap("entry " + shown_path(path) + ": its target"));
  }
  struct stat info{};
  if (::fstatat(folder->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return refuse(path, fmt::format("links to {}, which the layer does not have", shown_path(target)));
  if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) return refuse(path, "links to something that is not a file");
  TRY_ASSIGN(const Place place, locate(path, true));
  struct stat present{};
  if (!place.name.empty() && ::fstatat(place.parent, place.name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0 &&
      present.st_ino == info.st_ino && present.st_dev == info.st_dev)
    return {};  // the same file already; removing it first could remove the target
  TRY(clear(place, path));
  if (::linkat(folder->get(), name.c_str(), place.parent, place.name.c_str(), 0) != 0)
    return fail(os_error("linking", shown_path(path)));
  return {};
}

Result<> SafeTree::fifo(std::string_view path, const FileMeta& meta) {
  TRY_ASSIGN(const Place place, locate(path, true));
  TRY(clear(place, path));
  if (::mkfifoat(place.parent, place.name.c_str(), 0600) != 0)
    return fail(os_error("making the fifo", shown_path(path)));
  TRY(apply_at(place.parent, place.name, meta));
  // Nobody else writes here: the fifo made above is still the one of that name.
  if (::fchmodat(place.parent, place.name.c_str(), meta.mode & 07777, 0) != 0)
    return fail(os_error("setting the mode of", shown_path(path)));
  return {};
}

Result<> SafeTree::whiteout(std::string_view path) {
  TRY_ASSIGN(const Place place, locate(path, true));
  if (place.name.empty()) return refuse(path, "hides the layer's root");
  struct stat info{};
  if (::fstatat(place.parent, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    // The layer itself has the name: its own entry hides a lower file, a folder must be made opaque.
    return S_ISDIR(info.st_mode) ? opaque(path) : Result<>();
  }
  if (::mknodat(place.parent, place.name.c_str(), S_IFCHR, makedev(0, 0)) != 0)
    return fail(os_error("making the whiteout", shown_path(path)));
  return {};
}

Result<> SafeTree::opaque(std::string_view folder) {
  TRY_ASSIGN(const auto parts, split(folder));
  auto fd = walk(parts, true);
  if (!fd) return fail(std::move(fd).error().wrap("entry " + shown_path(folder)));
  if (::fsetxattr(fd->get(), "trusted.overlay.opaque", "y", 1, 0) != 0)
    return fail(os_error("marking as opaque", shown_path(folder)));
  return {};
}

Result<> SafeTree::finish() {
  for (const auto& [path, mtime] : folder_times_) {
    TRY_ASSIGN(const auto parts, split(path));
    auto fd = walk(parts, false);
    if (!fd) continue;  // a later entry of the same layer replaced the folder
    const std::array<timespec, 2> times{mtime, mtime};
    if (::futimens(fd->get(), times.data()) != 0) return fail(os_error("setting the time of", shown_path(path)));
  }
  return {};
}

}  // namespace bonus::compute::vm
