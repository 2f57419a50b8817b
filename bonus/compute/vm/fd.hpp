// A file descriptor that closes itself, and errno as an Error.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "bonus/base/result.hpp"

namespace bonus::compute::vm {

/// Owns a descriptor; -1 owns nothing.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// "what name: reason" from errno. kNotFound for ENOENT, kExhausted for a full disk or table, else kIo.
[[nodiscard]] inline Error os_error(std::string_view what, std::string_view name = {}) {
  const int code = errno;
  ErrorCode kind = ErrorCode::kIo;
  if (code == ENOENT) kind = ErrorCode::kNotFound;
  if (code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE) kind = ErrorCode::kExhausted;
  return {kind, fmt::format("{}{}{}: {}", what, name.empty() ? "" : " ", name, std::strerror(code))};
}

}  // namespace bonus::compute::vm
