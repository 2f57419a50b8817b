// TUN ioctls and calls (linux/if_tun.h).
#include "bonus/net/device/tun.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace bonus::net::device {
namespace {

// Linux 6.2; the build's headers may be older.
constexpr unsigned kUso4 = 0x20, kUso6 = 0x40;

}  // namespace

Result<Tun> Tun::open(const TunOptions& options) {
  const std::string name = options.name.empty() ? "bonus%d" : options.name;
  if (name.size() >= IFNAMSIZ)
    return fail(ErrorCode::kInvalid, "the interface name " + name + " is longer than 15 bytes");
  Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(os_error("opening", "/dev/net/tun"));
  ifreq request{};
  request.ifr_flags =
      static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (options.multi_queue ? IFF_MULTI_QUEUE : 0));
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    if (errno == EBUSY) return fail(ErrorCode::kConflict, "the interface " + name + " is used by another program");
    return fail(os_error("creating the TUN interface", name));
  }
  return adopt(std::move(fd), options.offload);
}

Result<Tun> Tun::adopt(Fd fd, bool offload) {
  ifreq request{};
  if (::ioctl(fd.get(), TUNGETIFF, &request) != 0) return fail(os_error("asking a descriptor for its", "TUN device"));
  const auto flags = static_cast<unsigned short>(request.ifr_flags);
  if ((flags & IFF_TUN) == 0 || (flags & IFF_NO_PI) == 0 || (flags & IFF_VNET_HDR) == 0)
    return fail(ErrorCode::kInvalid, "the TUN descriptor must have IFF_TUN, IFF_NO_PI and IFF_VNET_HDR");
  const int now = ::fcntl(fd.get(), F_GETFL);
  if (now < 0 || ::fcntl(fd.get(), F_SETFL, now | O_NONBLOCK) != 0)
    return fail(os_error("preparing the TUN device", request.ifr_name));
  int header = sizeof(VnetHeader);
  if (::ioctl(fd.get(), TUNSETVNETHDRSZ, &header) != 0)
    return fail(os_error("setting the header size of the TUN device", request.ifr_name));
  Tun tun(std::move(fd), request.ifr_name);
  if (offload)
    tun.enable_offload();
  else
    std::ignore = ::ioctl(tun.fd_.get(), TUNSETOFFLOAD, 0ul);
  return tun;
}

void Tun::enable_offload() {
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  if (::ioctl(fd_.get(), TUNSETOFFLOAD, static_cast<unsigned long>(kTcp | kUso4 | kUso6)) == 0) {
    tcp_offload_ = udp_offload_ = true;
  } else if (::ioctl(fd_.get(), TUNSETOFFLOAD, static_cast<unsigned long>(kTcp)) == 0) {
    tcp_offload_ = true;
  }
}

Result<std::size_t> Tun::read(VnetHeader& header, std::span<std::uint8_t> buffer) const {
  iovec pieces[2] = {{&header, sizeof header}, {buffer.data(), buffer.size()}};
  const ssize_t got = ::readv(fd_.get(), pieces, 2);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return fail(os_error("reading from the TUN device", name_));
  }
  if (static_cast<std::size_t>(got) <= sizeof header)
    return fail(ErrorCode::kIo, "the TUN device " + name_ + " has ended");
  return static_cast<std::size_t>(got) - sizeof header;
}

bool Tun::write(std::span<const iovec> pieces) const {
  while (::writev(fd_.get(), pieces.data(), static_cast<int>(pieces.size())) < 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

}  // namespace bonus::net::device
