// passwd(5) and group(5) of an image.
#include "bonus/compute/vm/image_user.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "bonus/base/os.hpp"

namespace bonus::compute::vm {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > 0x7fffffff)
    return std::nullopt;
  return value;
}

std::string read_regular(int folder, const std::string& name, std::size_t limit) {
  const Fd file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > static_cast<off_t>(limit))
    return {};
  std::string out(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < out.size()) {
    const ssize_t n = ::read(file.get(), out.data() + have, out.size() - have);
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

}  // namespace

std::string read_from_layers(const std::vector<std::string>& layers, const std::string& folder, const std::string& name,
                             std::size_t limit) {
  for (const auto& layer : layers) {
    const Fd root(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) continue;
    struct stat info{};
    if (::fstatat(root.get(), folder.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISDIR(info.st_mode)) return {};  // a whiteout, or something that is no folder, hides all below
    const Fd at(::openat(root.get(), folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!at) return {};
    if (::fstatat(at.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
      return S_ISREG(info.st_mode) ? read_regular(at.get(), name, limit) : std::string();
    char flag = 0;
    if (::fgetxattr(at.get(), "trusted.overlay.opaque", &flag, 1) == 1 && flag == 'y') return {};
  }
  return {};
}

Result<UserIds> resolve_user(const std::string& user, const std::string& passwd, const std::string& group) {
  UserIds out;
  const std::size_t colon = user.find(':');
  const std::string_view wanted = user.empty() ? "0" : std::string_view(user).substr(0, colon);
  const auto uid = number(wanted);
  std::string_view name;
  bool found = false;
  for (const auto line : split(passwd, '\n')) {
    const auto fields = split(line, ':');  // name:password:uid:gid:comment:home:shell
    if (fields.size() < 7) continue;
    const auto line_uid = number(fields[2]);
    if (!line_uid || (uid ? *line_uid != *uid : fields[0] != wanted)) continue;
    out.uid = *line_uid;
    out.gid = number(fields[3]).value_or(0);
    if (fields[5].starts_with('/')) out.home = std::string(fields[5]);
    name = fields[0];
    found = true;
    break;
  }
  if (!found && !uid)
    return fail(ErrorCode::kInvalid, fmt::format("the image runs as '{}', which its /etc/passwd does not have", user));
  if (!found) out.uid = *uid;

  const std::string_view wanted_group = colon == std::string::npos ? "" : std::string_view(user).substr(colon + 1);
  const auto gid = number(wanted_group);
  bool group_found = wanted_group.empty() || gid.has_value();
  if (gid) out.gid = *gid;
  for (const auto line : split(group, '\n')) {
    const auto fields = split(line, ':');  // name:password:gid:members
    if (fields.size() < 4) continue;
    const auto line_gid = number(fields[2]);
    if (!line_gid) continue;
    if (!group_found && fields[0] == wanted_group) {
      out.gid = *line_gid;
      group_found = true;
    }
    // As login does; an explicit group replaces them all.
    if (wanted_group.empty() && !name.empty() && out.additional_gids.size() < 64)
      if (const auto members = split(fields[3], ','); std::ranges::find(members, name) != members.end())
        out.additional_gids.push_back(*line_gid);
  }
  if (!group_found)
    return fail(ErrorCode::kInvalid,
                fmt::format("the image runs as '{}', whose group its /etc/group does not have", user));
  return out;
}

}  // namespace bonus::compute::vm
