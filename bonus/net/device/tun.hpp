// A TUN device with virtio headers (Linux Documentation/networking/tuntap.rst): one read or write moves a super packet.
#pragma once

#include <sys/uio.h>

#include <span>
#include <string>

#include "bonus/base/os.hpp"
#include "bonus/net/device/offload.hpp"

namespace bonus::net::device {

struct TunOptions {
  std::string name;          ///< At most 15 bytes; "%d" is numbered by the kernel, empty: "bonus%d".
  bool offload = true;       ///< False: no super packets either way (kernels or bugs that cannot have them).
  bool multi_queue = false;  ///< IFF_MULTI_QUEUE: several descriptors with one name.
};

/// Owns a descriptor. read() and write() may be called at once from several threads.
class Tun {
 public:
  /// Creates the device, or attaches to a persistent one of this name, in the calling thread's network namespace; it
  /// stays usable from any other. kDenied (needs CAP_NET_ADMIN), kNotFound (no /dev/net/tun), kConflict (in use).
  [[nodiscard]] static Result<Tun> open(const TunOptions& options);
  /// A descriptor made elsewhere by open()'s rules (IFF_TUN | IFF_NO_PI | IFF_VNET_HDR).
  [[nodiscard]] static Result<Tun> adopt(Fd fd, bool offload);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool has_tcp_offload() const { return tcp_offload_; }
  [[nodiscard]] bool has_udp_offload() const { return udp_offload_; }

  /// One packet into `buffer` (at least kMaxIpPacket bytes). Bytes of the packet; 0: none waits. kIo.
  [[nodiscard]] Result<std::size_t> read(VnetHeader& header, std::span<std::uint8_t> buffer) const;
  /// pieces[0] is the VnetHeader. False when the kernel refuses it (device down, malformed, no memory).
  [[nodiscard]] bool write(std::span<const iovec> pieces) const;

 private:
  Tun(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  void enable_offload();
  Fd fd_;
  std::string name_;
  bool tcp_offload_ = false, udp_offload_ = false;
};

}  // namespace bonus::net::device
