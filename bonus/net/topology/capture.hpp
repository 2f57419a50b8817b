// Everything that enters the wire, as a pcap file (draft-ietf-opsawg-pcap) of raw IP packets, for tools and tests.
#pragma once

#include <memory>
#include <string>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/net/topology/system.hpp"

namespace bonus::net::topology {

/// Not thread-safe. Large frames are written as one packet, checksums may be unfinished.
class Capture {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Capture>> create(const std::string& path);
  explicit Capture(Fd file) : file_(std::move(file)) {}
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  void add(BytesView packet, UnixMillis now);
  void flush();

 private:
  static constexpr std::uint64_t kMaxBytes = 1ull << 30;  ///< Then nothing more is written.
  Fd file_;
  Bytes buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace bonus::net::topology
