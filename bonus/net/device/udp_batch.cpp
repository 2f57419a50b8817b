// recvmmsg and sendmmsg with UDP_GRO and UDP_SEGMENT control messages (udp(7), cmsg(3)); a group of two sockets at one
// port that a filter chooses from (socket(7), SO_ATTACH_REUSEPORT_CBPF).
#include "bonus/net/device/udp_batch.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

namespace bonus::net::device {
namespace {

constexpr std::size_t kSlotBytes = 65536;           // the greatest message that UDP_GRO makes
constexpr std::size_t kInitiationSlotBytes = 2048;  // an initiation has 148; longer ones are dropped
constexpr int kInitiationBuffer = 2 << 20;          // some 5,000 of them, as the kernel counts
constexpr std::size_t kControlBytes = 128;
constexpr int kSendPatienceMs = 20;
constexpr std::size_t kSendBatch = 64;
constexpr std::size_t kAskLarge = 8;
constexpr std::size_t kSmallBatchBytes = 64 * 1024;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

socklen_t encode(const UdpEndpoint& endpoint, bool v6, SocketAddress& out) {
  std::memset(&out, 0, sizeof out);
  if (v6) {
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(endpoint.port);
    std::memcpy(&out.v6.sin6_addr, endpoint.address.bytes.data(), 16);
    return sizeof out.v6;
  }
  out.v4.sin_family = AF_INET;
  out.v4.sin_port = htons(endpoint.port);
  std::memcpy(&out.v4.sin_addr, endpoint.address.bytes.data() + 12, 4);
  return sizeof out.v4;
}

UdpEndpoint decode(const SocketAddress& in) {
  UdpEndpoint out;
  if (in.any.sa_family == AF_INET6) {
    std::memcpy(out.address.bytes.data(), &in.v6.sin6_addr, 16);
    out.port = ntohs(in.v6.sin6_port);
  } else {
    out.address.bytes[10] = out.address.bytes[11] = 0xff;
    std::memcpy(out.address.bytes.data() + 12, &in.v4.sin_addr, 4);
    out.port = ntohs(in.v4.sin_port);
  }
  return out;
}

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// As large as asked, or as the kernel allows. FORCE needs CAP_NET_ADMIN and passes the system's limit.
void set_buffer(int fd, int forced, int plain, int bytes) {
  if (!set_option(fd, SOL_SOCKET, forced, bytes)) std::ignore = set_option(fd, SOL_SOCKET, plain, bytes);
}

constexpr std::size_t kSendControl = CMSG_SPACE(sizeof(std::uint16_t)) + CMSG_SPACE(sizeof(in6_pktinfo));

// Control messages one behind the other; `control` has room for both kinds.
template <class Value>
void add_control(msghdr& message, std::uint8_t* control, int level, int type, const Value& value) {
  std::uint8_t* const at = control + message.msg_controllen;
  std::memset(at, 0, CMSG_SPACE(sizeof value));
  auto* header = reinterpret_cast<cmsghdr*>(at);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  message.msg_control = control;
  message.msg_controllen += CMSG_SPACE(sizeof value);
}

// The address that the message shall leave from (ipv6(7), ip(7)). A socket for both families takes mapped ones.
void add_local(msghdr& message, std::uint8_t* control, const tunnel::LocalAddress& local, bool v6) {
  if (v6) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.address.bytes.data(), 16);
    info.ipi6_ifindex = local.interface;
    add_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, local.address.bytes.data() + 12, 4);
    add_control(message, control, IPPROTO_IP, IP_PKTINFO, info);
  }
}

// Of what was received. Multicast is nobody's address; interfaces matter where an address means nothing without one.
tunnel::LocalAddress decode_local(const cmsghdr& header) {
  tunnel::LocalAddress out;
  if (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info;
    std::memcpy(&info, CMSG_DATA(&header), sizeof info);
    std::memcpy(out.address.bytes.data(), &info.ipi6_addr, 16);
    if (out.address.bytes[0] == 0xfe && (out.address.bytes[1] & 0xc0) == 0x80) out.interface = info.ipi6_ifindex;
  } else if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO) {
    in_pktinfo info;
    std::memcpy(&info, CMSG_DATA(&header), sizeof info);
    out.address.bytes[10] = out.address.bytes[11] = 0xff;
    std::memcpy(out.address.bytes.data() + 12, &info.ipi_addr, 4);
  }
  const bool mapped = is_ipv4(out.address);
  if (out.address.bytes[0] == 0xff || (mapped && out.address.bytes[12] >= 224)) return {};
  return out;
}

// What the system answers when an address that a message shall leave from is not, or no longer, the machine's, or
// leads nowhere.
bool may_be_vanished(int error) {
  return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH || error == EHOSTUNREACH;
}

// So that receiving tells which own address a datagram came to.
void ask_local(int fd, bool v6) {
  if (v6)
    std::ignore = set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  else
    std::ignore = set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

// After a failed send: whether to repeat it. A full buffer of the socket is waited for. Of other memory that the kernel
// lacks (ENOBUFS) the socket says nothing: a few short waits, so that a machine without memory is not kept busy by us.
bool may_try_again(int fd, int& no_memory) {
  if (errno == EINTR) return true;
  pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
  if (errno == EAGAIN) return ::poll(&wait, 1, kSendPatienceMs) > 0;
  if (errno != ENOBUFS || ++no_memory > kSendPatienceMs) return false;
  std::ignore = ::poll(nullptr, 0, 1);
  return true;
}

}  // namespace

struct UdpSocket::Slots {
  explicit Slots(std::size_t size) : slot_bytes(size), bytes(new std::uint8_t[kBatch * size]) {}
  std::size_t slot_bytes;
  std::unique_ptr<std::uint8_t[]> bytes;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> pieces{};
  std::array<SocketAddress, kBatch> from{};
  alignas(cmsghdr) std::array<std::array<std::uint8_t, kControlBytes>, kBatch> control{};
};

UdpSocket::UdpSocket(Fd fd, bool v6)
    : fd_(std::move(fd)), v6_(v6), slots_(std::make_unique<Slots>(kSlotBytes)), ask_(kAskLarge) {
  received_.reserve(kBatch);
}
UdpSocket::~UdpSocket() = default;

Result<std::unique_ptr<UdpSocket>> UdpSocket::open(const UdpOptions& options) {
  bool v6 = true;
  Fd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (!fd && errno == EAFNOSUPPORT) {
    v6 = false;
    fd.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  }
  if (!fd) return fail(os_error("opening", "a UDP socket"));
  if (v6) std::ignore = set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (options.reuse_port) std::ignore = set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, options.buffer_bytes);
  set_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, options.buffer_bytes);
  if (options.mark != 0 && !set_option(fd.get(), SOL_SOCKET, SO_MARK, static_cast<int>(options.mark)))
    return fail(os_error("setting the mark of", "the UDP socket"));
  if (!v6 && !options.bind.is_zero() && !is_ipv4(options.bind))
    return fail(ErrorCode::kUnsupported, "this machine has no IPv6 to bind " + to_string(options.bind));
  SocketAddress address;
  const socklen_t size = encode({.address = options.bind, .port = options.port}, v6, address);
  if (::bind(fd.get(), &address.any, size) != 0) {
    const std::string where = to_string(UdpEndpoint{.address = options.bind, .port = options.port});
    if (errno == EADDRINUSE) return fail(ErrorCode::kConflict, "UDP " + where + " is used by another program");
    return fail(os_error("binding UDP", where));
  }
  TRY_ASSIGN(auto out, adopt(std::move(fd), options.offload));
  if (options.split && !options.reuse_port) out->split({.address = options.bind, .port = out->port_});
  return out;
}

// The first socket was bound alone, so that a port in use has been noticed; only now it allows a second one.
void UdpSocket::split(const UdpEndpoint& bound) {
  Fd second(::socket(v6_ ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (!second) return;
  if (v6_) std::ignore = set_option(second.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  set_buffer(second.get(), SO_RCVBUFFORCE, SO_RCVBUF, kInitiationBuffer);
  std::ignore = set_option(second.get(), SOL_SOCKET, SO_RXQ_OVFL, 1);
  ask_local(second.get(), v6_);
  SocketAddress address;
  const socklen_t size = encode(bound, v6_, address);
  // The number of the socket in the group, in order of binding, by the first byte of the datagram.
  std::array<sock_filter, 4> code{{BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
                                   BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)}};
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  if (set_option(fd_.get(), SOL_SOCKET, SO_REUSEPORT, 1) && set_option(second.get(), SOL_SOCKET, SO_REUSEPORT, 1) &&
      ::bind(second.get(), &address.any, size) == 0 &&
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0) {
    initiations_ = std::move(second);
    initiation_slots_ = std::make_unique<Slots>(kInitiationSlotBytes);
    initiations_received_.reserve(kBatch);
    return;
  }
  second.reset();
  std::ignore = set_option(fd_.get(), SOL_SOCKET, SO_REUSEPORT, 0);
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::adopt(Fd fd, bool offload) {
  SocketAddress bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd.get(), &bound.any, &size) != 0) return fail(os_error("reading the address of", "a socket"));
  if (bound.any.sa_family != AF_INET6 && bound.any.sa_family != AF_INET)
    return fail(ErrorCode::kInvalid, "not an Internet socket");
  auto out = std::unique_ptr<UdpSocket>(new UdpSocket(std::move(fd), bound.any.sa_family == AF_INET6));
  out->port_ = decode(bound).port;
  ask_local(out->fd_.get(), out->v6_);
  if (out->port_ == 0) return fail(ErrorCode::kInvalid, "the UDP socket is not bound");
  if (auto ready = out->prepare(offload); !ready) return fail(std::move(ready).error());
  return out;
}

Result<> UdpSocket::prepare(bool offload) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM)
    return fail(ErrorCode::kInvalid, "not a UDP socket");
  std::ignore = set_option(fd_.get(), SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (offload) {
    std::ignore = set_option(fd_.get(), SOL_UDP, UDP_GRO, 1);
    int segment = 0;  // reading the option tells whether the kernel knows it
    size = sizeof segment;
    gso_ = ::getsockopt(fd_.get(), SOL_UDP, UDP_SEGMENT, &segment, &size) == 0;
  }
  return {};
}

bool UdpSocket::send_singly(const UdpMessage& message) {
  if (!has_family_of(message.to)) return false;
  SocketAddress address;
  const socklen_t size = encode(message.to, v6_, address);
  const std::size_t step = message.segment == 0 ? std::max<std::size_t>(message.bytes.size(), 1) : message.segment;
  alignas(cmsghdr) std::array<std::uint8_t, kSendControl> control;
  bool sent = true, from_local = message.local.known();
  for (std::size_t at = 0; at < message.bytes.size(); at += step) {
    const auto piece = message.bytes.subspan(at, std::min(step, message.bytes.size() - at));
    iovec data{const_cast<std::uint8_t*>(piece.data()), piece.size()};
    const auto once = [&](bool with_local) {
      msghdr header{};
      header.msg_name = &address.any;
      header.msg_namelen = size;
      header.msg_iov = &data;
      header.msg_iovlen = 1;
      if (with_local) add_local(header, control.data(), message.local, v6_);
      ssize_t result = 0;
      int no_memory = 0;
      do {
        result = ::sendmsg(fd_.get(), &header, MSG_DONTWAIT);
      } while (result < 0 && may_try_again(fd_.get(), no_memory));
      return result >= 0;
    };
    bool good = once(from_local);
    if (!good && from_local && may_be_vanished(errno) && once(false)) {
      good = true;
      from_local = false;
      note_vanished(message.local.address);
    }
    sent = sent && good;
  }
  return sent;
}

void UdpSocket::note_vanished(const Ipv6& address) {
  const std::lock_guard guard(vanished_mutex_);
  if (vanished_.size() >= kSendBatch || std::ranges::find(vanished_, address) != vanished_.end()) return;
  vanished_.push_back(address);
  any_vanished_.store(true, std::memory_order_relaxed);
}

std::optional<Ipv6> UdpSocket::take_vanished() {
  if (!any_vanished_.load(std::memory_order_relaxed)) return std::nullopt;
  const std::lock_guard guard(vanished_mutex_);
  if (vanished_.empty()) return std::nullopt;
  const Ipv6 out = vanished_.back();
  vanished_.pop_back();
  any_vanished_.store(!vanished_.empty(), std::memory_order_relaxed);
  return out;
}

std::size_t UdpSocket::send(std::span<const UdpMessage> messages) {
  std::size_t refused = 0;
  int no_memory = 0;
  while (!messages.empty()) {
    const std::size_t count = std::min(messages.size(), kSendBatch);
    std::array<mmsghdr, kSendBatch> headers;
    std::array<iovec, kSendBatch> pieces;
    std::array<SocketAddress, kSendBatch> to;
    alignas(cmsghdr) std::array<std::array<std::uint8_t, kSendControl>, kSendBatch> control;
    const bool gso = has_offload();
    std::size_t ready = 0;
    for (; ready < count; ++ready) {
      const UdpMessage& message = messages[ready];
      const bool many = message.segment != 0 && message.bytes.size() > message.segment;
      if ((many && !gso) || !has_family_of(message.to)) break;
      msghdr& header = headers[ready].msg_hdr;
      header = {};
      pieces[ready] = {const_cast<std::uint8_t*>(message.bytes.data()), message.bytes.size()};
      header.msg_iov = &pieces[ready];
      header.msg_iovlen = 1;
      header.msg_name = &to[ready];
      header.msg_namelen = encode(message.to, v6_, to[ready]);
      if (message.local.known()) add_local(header, control[ready].data(), message.local, v6_);
      if (many)
        add_control(header, control[ready].data(), SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(message.segment));
    }
    if (ready == 0) {
      refused += send_singly(messages[0]) ? 0 : 1;
      messages = messages.subspan(1);
      continue;
    }
    const int sent = ::sendmmsg(fd_.get(), headers.data(), static_cast<unsigned>(ready), MSG_DONTWAIT);
    if (sent > 0) {
      no_memory = 0;
      messages = messages.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    const int error = errno;
    if (may_try_again(fd_.get(), no_memory)) continue;
    // EIO: the device cannot checksum, so that segmentation will never work here; EINVAL and EMSGSIZE: segments above
    // this path's MTU, which single datagrams may pass as fragments.
    if (error == EIO) gso_.store(false, std::memory_order_relaxed);
    const bool retry =
        error == EIO || error == EINVAL || error == EMSGSIZE || (messages[0].local.known() && may_be_vanished(error));
    if (!retry || !send_singly(messages[0])) ++refused;
    messages = messages.subspan(1);
  }
  return refused;
}

std::pair<std::size_t, std::size_t> UdpSocket::take(int fd, std::size_t ask, Slots& slots,
                                                    std::vector<Received>& received,
                                                    std::atomic<std::uint64_t>& overflows) {
  received.clear();
  const auto slot = [&](std::size_t i) { return slots.bytes.get() + i * slots.slot_bytes; };
  for (std::size_t i = 0; i < ask; ++i) {
    slots.pieces[i] = {slot(i), slots.slot_bytes};
    msghdr& header = slots.messages[i].msg_hdr;
    header = {};
    header.msg_iov = &slots.pieces[i];
    header.msg_iovlen = 1;
    header.msg_name = &slots.from[i];
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_control = slots.control[i].data();
    header.msg_controllen = kControlBytes;
  }
  const int result = ::recvmmsg(fd, slots.messages.data(), static_cast<unsigned>(ask), MSG_DONTWAIT, nullptr);
  const std::size_t count = result > 0 ? static_cast<std::size_t>(result) : 0;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    msghdr& header = slots.messages[i].msg_hdr;
    const std::size_t size = slots.messages[i].msg_len;
    std::size_t segment = size;
    tunnel::LocalAddress local;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
        int value = 0;
        std::memcpy(&value, CMSG_DATA(c), sizeof value);
        if (value > 0) segment = static_cast<std::size_t>(value);
      } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
        std::uint32_t value = 0;
        std::memcpy(&value, CMSG_DATA(c), sizeof value);
        overflows.store(value, std::memory_order_relaxed);
      } else if (c->cmsg_level == IPPROTO_IPV6 || c->cmsg_level == IPPROTO_IP) {
        local = decode_local(*c);
      }
    }
    total += size;
    if ((header.msg_flags & MSG_TRUNC) != 0 || size == 0) continue;
    received.push_back(
        {.from = decode(slots.from[i]), .bytes = {slot(i), size}, .segment = std::min(segment, size), .local = local});
  }
  return {count, total};
}

std::span<const UdpSocket::Received> UdpSocket::receive(bool& more) {
  const auto [count, total] = take(fd_.get(), ask_, *slots_, received_, overflows_);
  more = count == ask_;
  ask_ = more && total < kSmallBatchBytes ? kBatch : kAskLarge;
  return received_;
}

std::span<const UdpSocket::Received> UdpSocket::receive_initiations(bool& more) {
  more = false;
  if (!initiation_slots_) return {};
  const auto [count, total] =
      take(initiations_.get(), kBatch, *initiation_slots_, initiations_received_, initiation_overflows_);
  more = count == kBatch;
  return initiations_received_;
}

}  // namespace bonus::net::device
