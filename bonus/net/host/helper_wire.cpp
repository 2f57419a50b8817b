// Encoding of the helper's messages, and records with descriptors (unix(7), cmsg(3)).
#include "bonus/net/host/helper_wire.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace bonus::net::host::wire {
namespace {

constexpr std::size_t kNameLimit = 255;
constexpr std::size_t kListLimit = 512;

class Writer {
 public:
  Writer& u8(std::uint8_t value) {
    out_.push_back(value);
    return *this;
  }
  template <class Int>
  Writer& integer(Int value) {
    for (int shift = static_cast<int>(sizeof(Int)) * 8 - 8; shift >= 0; shift -= 8)
      out_.push_back(static_cast<std::uint8_t>(value >> shift));
    return *this;
  }
  Writer& bytes(BytesView in) {
    integer(static_cast<std::uint32_t>(in.size()));
    append(out_, in);
    return *this;
  }
  Writer& text(std::string_view in) { return bytes(as_bytes(in)); }
  Writer& ip(const Ipv6& address) {
    append(out_, address);
    return *this;
  }
  Writer& prefix(const Prefix& prefix) { return ip(prefix.address).u8(prefix.bits); }
  [[nodiscard]] Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

class Reader {
 public:
  explicit Reader(BytesView in) : in_(in) {}
  template <class Int>
  Int integer() {
    Int out = 0;
    for (const std::uint8_t byte : take(sizeof(Int)))
      out = static_cast<Int>((static_cast<std::uint64_t>(out) << 8) | byte);
    return out;
  }
  std::uint8_t u8() { return integer<std::uint8_t>(); }
  bool flag() {
    const auto value = u8();
    good_ = good_ && value <= 1;
    return value == 1;
  }
  BytesView bytes(std::size_t limit) {
    const auto size = integer<std::uint32_t>();
    good_ = good_ && size <= limit;
    return good_ ? take(size) : BytesView();
  }
  std::string text(std::size_t limit) { return std::string(as_text(bytes(limit))); }
  std::uint32_t count() {
    const auto out = integer<std::uint32_t>();
    good_ = good_ && out <= kListLimit;
    return good_ ? out : 0;
  }
  Ipv6 ip() {
    Ipv6 out;
    std::ranges::copy(take(16), out.bytes.begin());
    return out;
  }
  Prefix prefix() {
    Prefix out{.address = ip(), .bits = u8()};
    good_ = good_ && out.bits <= 128;
    return out;
  }
  void require(bool condition) { good_ = good_ && condition; }
  /// All read, nothing wrong.
  [[nodiscard]] Result<> finish() const {
    if (good_ && in_.empty()) return {};
    return fail(ErrorCode::kInvalid, "a message of the helper's socket is malformed");
  }

 private:
  BytesView take(std::size_t size) {
    if (!good_ || in_.size() < size) {
      good_ = false;
      return {};
    }
    const auto out = in_.first(size);
    in_ = in_.subspan(size);
    return out;
  }
  BytesView in_;
  bool good_ = true;
};

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

Bytes encode(const Request& request) {
  Writer out;
  out.integer(request.id).u8(static_cast<std::uint8_t>(request.kind)).u8(static_cast<std::uint8_t>(request.purpose));
  out.text(request.host).integer(request.port).integer(request.timeout_ms).bytes(request.payload);
  return out.take();
}

Result<Request> decode_request(BytesView in) {
  Reader reader(in);
  Request out;
  out.id = reader.integer<std::uint64_t>();
  const auto kind = reader.u8();
  const auto purpose = reader.u8();
  reader.require(kind >= 1 && kind <= static_cast<std::uint8_t>(Kind::kExitDown));
  reader.require(purpose >= 1 && purpose <= static_cast<std::uint8_t>(Purpose::kGateway));
  out.kind = static_cast<Kind>(kind);
  out.purpose = static_cast<Purpose>(purpose);
  out.host = reader.text(kNameLimit);
  reader.require(printable(out.host));
  out.port = reader.integer<std::uint16_t>();
  out.timeout_ms = reader.integer<std::uint32_t>();
  reader.require(out.timeout_ms >= 1 && out.timeout_ms <= kTimeoutLimitMs);
  const auto payload = reader.bytes(kPayloadLimit);
  out.payload.assign(payload.begin(), payload.end());
  TRY(reader.finish());
  return out;
}

Bytes encode(const Reply& reply) {
  Writer out;
  out.integer(reply.id).u8(reply.ok ? 1 : 0).u8(static_cast<std::uint8_t>(reply.code));
  out.text(std::string_view(reply.message).substr(0, 1024)).bytes(reply.payload);
  return out.take();
}

Result<Reply> decode_reply(BytesView in) {
  Reader reader(in);
  Reply out;
  out.id = reader.integer<std::uint64_t>();
  out.ok = reader.flag();
  const auto code = reader.u8();
  reader.require(code <= static_cast<std::uint8_t>(ErrorCode::kInternal));
  out.code = static_cast<ErrorCode>(code);
  out.message = reader.text(1024);
  const auto payload = reader.bytes(kPayloadLimit);
  out.payload.assign(payload.begin(), payload.end());
  TRY(reader.finish());
  return out;
}

Bytes encode(const std::vector<LinkAddress>& addresses) {
  const std::size_t count = std::min(addresses.size(), kListLimit);
  Writer out;
  out.integer(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i)
    out.integer(static_cast<std::uint32_t>(addresses[i].index))
        .ip(addresses[i].address)
        .u8(addresses[i].bits)
        .u8(addresses[i].scope);
  return out.take();
}

Result<std::vector<LinkAddress>> decode_addresses(BytesView in) {
  Reader reader(in);
  std::vector<LinkAddress> out(reader.count());
  for (auto& address : out) {
    address.index = static_cast<int>(reader.integer<std::uint32_t>());
    address.address = reader.ip();
    address.bits = reader.u8();
    address.scope = reader.u8();
    reader.require(address.bits <= 128);
  }
  TRY(reader.finish());
  return out;
}

Bytes encode(const std::vector<Ipv6>& addresses) {
  const std::size_t count = std::min(addresses.size(), kListLimit);
  Writer out;
  out.integer(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) out.ip(addresses[i]);
  return out.take();
}

Result<std::vector<Ipv6>> decode_ips(BytesView in) {
  Reader reader(in);
  std::vector<Ipv6> out(reader.count());
  for (auto& address : out) address = reader.ip();
  TRY(reader.finish());
  return out;
}

Bytes encode(const ExitOptions& options) {
  Writer out;
  out.text(options.id).prefix(options.pool).u8(options.ipv6 ? 1 : 0).integer(options.mtu);
  out.integer(static_cast<std::uint32_t>(options.allow_private.size()));
  for (const auto& prefix : options.allow_private) out.prefix(prefix);
  return out.take();
}

Result<ExitOptions> decode_exit_options(BytesView in) {
  Reader reader(in);
  ExitOptions out;
  out.id = reader.text(kNameLimit);
  out.pool = reader.prefix();
  out.ipv6 = reader.flag();
  out.mtu = reader.integer<std::uint32_t>();
  out.allow_private.resize(reader.count());
  for (auto& prefix : out.allow_private) prefix = reader.prefix();
  TRY(reader.finish());
  return out;
}

Bytes encode(const ExitLink& link) {
  Writer out;
  out.text(link.device).ip(link.inside4).ip(link.inside6).ip(link.outside4).ip(link.outside6);
  return out.take();
}

Result<ExitLink> decode_exit_link(BytesView in) {
  Reader reader(in);
  ExitLink out;
  out.device = reader.text(15);
  out.inside4 = reader.ip();
  out.inside6 = reader.ip();
  out.outside4 = reader.ip();
  out.outside6 = reader.ip();
  TRY(reader.finish());
  return out;
}

Result<> send_record(int socket, BytesView record, int descriptor, int flags) {
  iovec data{.iov_base = const_cast<std::uint8_t*>(record.data()), .iov_len = record.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  ssize_t n = 0;
  do n = ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(record.size())) return {};
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return fail(ErrorCode::kExhausted, "too many requests wait for the helper");
  if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
    return fail(ErrorCode::kUnavailable, "the helper outside has ended; restart bonusd");
  return fail(os_error("writing to", "the helper's socket"));
}

Result<Received> receive_record(int socket) {
  Received out;
  out.record.resize(kMessageLimit);
  iovec data{.iov_base = out.record.data(), .iov_len = out.record.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = 0;
  do n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == ECONNRESET) n = 0;
  if (n < 0) return fail(os_error("reading from", "the helper's socket"));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof(int));  // room for one only: the kernel closes what is more
    out.descriptor.reset(descriptor);
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) return fail(ErrorCode::kInvalid, "a record of the helper's is too long");
  out.record.resize(static_cast<std::size_t>(n));
  return out;
}

}  // namespace bonus::net::host::wire
