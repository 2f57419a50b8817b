// An owned file descriptor, and errors of the operating system as values.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "bonus/base/result.hpp"

namespace bonus {

/// Owns a descriptor and closes it; -1 owns nothing.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Raises this process's bound on descriptors to the highest it may have, and returns that; what was there if it fails.
std::uint64_t raise_open_files();

/// "doing subject: reason" (errno(3)): kDenied for EPERM and EACCES, kNotFound for what is not there, kExists,
/// kExhausted for a full disk or table, kUnavailable and kTimeout for a peer, kIo otherwise.
[[nodiscard]] Error os_error(std::string_view doing, std::string_view subject, int code);
/// The same with errno.
[[nodiscard]] Error os_error(std::string_view doing, std::string_view subject = {});

}  // namespace bonus
