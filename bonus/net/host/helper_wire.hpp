// Messages between bonusd and its helper: one SOCK_SEQPACKET record each, big-endian integers, strings and lists with a
// length before them. Both ends are the same binary, so there is no version; the helper still checks every byte, as it
// has more rights outside than the process that asks.
#pragma once

#include <string>
#include <vector>

#include "bonus/net/host/exit.hpp"
#include "bonus/net/host/helper.hpp"

namespace bonus::net::host::wire {

inline constexpr std::size_t kMessageLimit = 64 << 10;
inline constexpr std::size_t kPayloadLimit = 60 << 10;
inline constexpr std::uint32_t kTimeoutLimitMs = 60'000;

enum class Kind : std::uint8_t {
  kConnectTcp = 1,
  kConnectUdp,
  kBindUdp,
  kAddresses,
  kResolve,
  kCall,
  kExitUp,  ///< Carries the descriptor of the namespace to join.
  kExitDown,
};

struct Request {
  std::uint64_t id = 0;
  Kind kind = Kind::kAddresses;
  Purpose purpose = Purpose::kDnsUpstream;
  std::string host;  ///< Or the name of a call, or the id of an exit. At most 255 bytes, printable.
  std::uint16_t port = 0;
  std::uint32_t timeout_ms = 0;  ///< 1 to kTimeoutLimitMs.
  Bytes payload;
};

/// Sockets travel beside it as a descriptor.
struct Reply {
  std::uint64_t id = 0;
  bool ok = false;
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  Bytes payload;
};

[[nodiscard]] Bytes encode(const Request& request);
[[nodiscard]] Result<Request> decode_request(BytesView in);
[[nodiscard]] Bytes encode(const Reply& reply);
[[nodiscard]] Result<Reply> decode_reply(BytesView in);

/// Payloads.
[[nodiscard]] Bytes encode(const std::vector<LinkAddress>& addresses);
[[nodiscard]] Result<std::vector<LinkAddress>> decode_addresses(BytesView in);
[[nodiscard]] Bytes encode(const std::vector<Ipv6>& addresses);
[[nodiscard]] Result<std::vector<Ipv6>> decode_ips(BytesView in);
[[nodiscard]] Bytes encode(const ExitOptions& options);
[[nodiscard]] Result<ExitOptions> decode_exit_options(BytesView in);
[[nodiscard]] Bytes encode(const ExitLink& link);
[[nodiscard]] Result<ExitLink> decode_exit_link(BytesView in);

/// One record with at most one descriptor. `flags` as sendmsg(2). kUnavailable: the other end is gone; kExhausted:
/// full.
[[nodiscard]] Result<> send_record(int socket, BytesView record, int descriptor, int flags);
struct Received {
  Bytes record;  ///< Empty: the other end is gone.
  Fd descriptor;
};
[[nodiscard]] Result<Received> receive_record(int socket);

}  // namespace bonus::net::host::wire
