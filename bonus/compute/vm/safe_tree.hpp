// Writes files below one folder, never through a symbolic link and never outside: every path is walked a component at a
// time.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/os.hpp"

namespace bonus::compute::vm {

struct FileMeta {
  mode_t mode = 0755;  ///< Permission bits with set-id and sticky.
  uid_t uid = 0;
  gid_t gid = 0;
  timespec mtime{};
  std::vector<std::pair<std::string, Bytes>> xattrs;
};

/// A stranger's path as it may stand in a log: shortened, control characters replaced, in quotes.
[[nodiscard]] std::string shown_path(std::string_view path);

/// For one unpacking of one layer. Not thread-safe. Paths are relative, '/'-separated; a leading "./" is allowed.
/// kInvalid: a path or a link that leaves the tree, goes through a link, or collides with another entry.
class SafeTree {
 public:
  [[nodiscard]] static Result<SafeTree> open(const std::string& folder);

  [[nodiscard]] Result<> directory(std::string_view path, const FileMeta& meta);
  /// Creates the (empty) file and returns it open for writing; `seal` after the content.
  [[nodiscard]] Result<Fd> create_file(std::string_view path);
  [[nodiscard]] static Result<> seal(const Fd& file, const FileMeta& meta);
  [[nodiscard]] Result<> symlink(std::string_view path, const std::string& target, const FileMeta& meta);
  [[nodiscard]] Result<> hard_link(std::string_view path, std::string_view target);
  [[nodiscard]] Result<> fifo(std::string_view path, const FileMeta& meta);
  /// Overlayfs: `path` of the lower layers is hidden (character device 0/0).
  [[nodiscard]] Result<> whiteout(std::string_view path);
  /// Overlayfs: the folder hides what lower layers have in it (trusted.overlay.opaque).
  [[nodiscard]] Result<> opaque(std::string_view folder);
  /// Folder times are set last: writing into a folder changes them.
  [[nodiscard]] Result<> finish();

 private:
  explicit SafeTree(Fd root) : root_(std::move(root)) {}
  struct Place {
    int parent;        // borrowed from root_ or parent_
    std::string name;  // empty: the root itself
  };
  [[nodiscard]] Result<Place> locate(std::string_view path, bool create);
  [[nodiscard]] Result<Fd> walk(const std::vector<std::string>& parts, bool create) const;
  [[nodiscard]] Result<> clear(const Place& place, std::string_view path);

  Fd root_;
  Fd parent_;  // the folder of the last path: archives list a folder's files together
  std::vector<std::string> parent_parts_;
  std::vector<std::pair<std::string, timespec>> folder_times_;
};

}  // namespace bonus::compute::vm
