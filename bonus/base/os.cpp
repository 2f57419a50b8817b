// Errors of the operating system as values.
#include "bonus/base/os.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace bonus {

std::uint64_t raise_open_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  const rlim_t before = files.rlim_cur;
  files.rlim_cur = files.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : before;
}

Error os_error(std::string_view doing, std::string_view subject, int code) {
  ErrorCode kind = ErrorCode::kIo;
  switch (code) {
    case EPERM:
    case EACCES:
      kind = ErrorCode::kDenied;
      break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
      kind = ErrorCode::kNotFound;
      break;
    case EEXIST:
      kind = ErrorCode::kExists;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EUSERS:
      kind = ErrorCode::kExhausted;
      break;
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
      kind = ErrorCode::kUnavailable;
      break;
    case ETIMEDOUT:
      kind = ErrorCode::kTimeout;
      break;
    default:
      break;
  }
  const std::string where = subject.empty() ? std::string(doing) : fmt::format("{} {}", doing, subject);
  return Error{kind, fmt::format("{}: {}", where, std::strerror(code))};
}

Error os_error(std::string_view doing, std::string_view subject) { return os_error(doing, subject, errno); }

}  // namespace bonus
