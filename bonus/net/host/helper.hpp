// The small process that stays outside: forked before bonusd leaves for its own namespace, it hands connected and bound
// sockets in by SCM_RIGHTS (unix(7)) to who may ask, tells the machine's addresses, and does the exit role's link work.
// Wire format of its socket: private to the pair, both ends are the same binary.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/net/host/exit.hpp"
#include "bonus/net/host/netlink.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::host {

/// Why a socket is wanted. A purpose that no rule names gets nothing.
enum class Purpose : std::uint8_t {
  kDnsUpstream = 1,  ///< Split DNS: names that are not ours.
  kImageMirror = 2,  ///< A registry on the Internet.
  kUnderlay = 3,     ///< The overlay's own further UDP sockets (hole punching) and TLS relays.
  kGateway = 4,      ///< UPnP, NAT-PMP, PCP on the home router.
};
[[nodiscard]] std::string_view to_string(Purpose purpose);

struct AllowRule {
  Purpose purpose = Purpose::kDnsUpstream;
  std::string host = "*";  ///< Exactly as asked for, "*.suffix", or "*".
  std::uint16_t port = 0;  ///< 0: any.
  bool udp = false;        ///< TCP otherwise.
  /// Rules with "*" lead to global addresses only, unless this is set: the name is chosen by whoever asks.
  bool private_addresses = false;
};

/// Runs in a child of the helper, outside, single-threaded, for at most the request's timeout: may block.
using HelperCall = std::function<Result<Bytes>(Bytes request)>;

struct HelperOptions {
  std::vector<AllowRule> allow{};
  std::size_t concurrent = 64;                ///< Requests under way; more get kExhausted.
  bool may_exit = false;                      ///< Keep CAP_NET_ADMIN for exit_up(). All else is dropped in any case.
  std::map<std::string, HelperCall> calls{};  ///< By name; for library code that opens its own sockets (port mapping).
};

/// The running helper. Start it while the process has one thread; it ends with this process, or with this object.
class HelperProcess {
 public:
  [[nodiscard]] static Result<HelperProcess> start(const HelperOptions& options);
  HelperProcess(HelperProcess&& other) noexcept;
  HelperProcess& operator=(HelperProcess&&) noexcept = delete;
  ~HelperProcess();
  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] int socket() const { return socket_.get(); }

 private:
  HelperProcess(int pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}
  int pid_ = -1;
  Fd socket_;
};

/// Thread-safe; one per HelperProcess, made after the process has entered its namespace (it starts a thread). Errors of
/// all requests: kDenied (no rule allows it), kUnavailable (refused, unreachable, unknown name, helper gone), kTimeout,
/// kExhausted, kInvalid. `timeout` is cut to 60 s. Awaiting tasks continue on their own executor.
class Helper {
 public:
  explicit Helper(HelperProcess process);
  ~Helper();  ///< Requests under way fail with kCancelled.
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  /// A connected, non-blocking TCP socket of the machine's namespace. Names are resolved outside; all addresses of a
  /// name are tried in order.
  [[nodiscard]] runtime::Task<Result<Fd>> connect_tcp(Purpose purpose, std::string host, std::uint16_t port,
                                                      Duration timeout);
  /// A connected, non-blocking UDP socket.
  [[nodiscard]] runtime::Task<Result<Fd>> connect_udp(Purpose purpose, std::string host, std::uint16_t port,
                                                      Duration timeout);
  /// A bound, non-blocking UDP socket for both families; port 0: any. Needs a udp rule with host "*".
  [[nodiscard]] runtime::Task<Result<Fd>> bind_udp(Purpose purpose, std::uint16_t port);

  /// The machine's own addresses that are up, without loopback and fe80::/10; for local candidates.
  [[nodiscard]] runtime::Task<Result<std::vector<LinkAddress>>> addresses();
  /// Addresses of a name as the machine resolves it; some rule must match the name.
  [[nodiscard]] runtime::Task<Result<std::vector<Ipv6>>> resolve(std::string name, Duration timeout);
  /// A call registered in HelperOptions; request and reply at most 60 KiB. kNotFound.
  [[nodiscard]] runtime::Task<Result<Bytes>> call(std::string name, Bytes request, Duration timeout);

  /// The outside half of the exit role (exit.hpp); needs HelperOptions::may_exit. Removes what a killed predecessor of
  /// the same id left, joins this process's namespace to the outside and configures both ends.
  [[nodiscard]] runtime::Task<Result<ExitLink>> exit_up(ExitOptions options);
  [[nodiscard]] runtime::Task<Result<>> exit_down(std::string id);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the reading thread and with requests under way
};

}  // namespace bonus::net::host
