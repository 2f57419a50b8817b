// The wire between real TUN devices: one thread, epoll and a timer (docs/formats/topology.md, "The wire").
#pragma once

#include <array>
#include <memory>
#include <string>

#include "bonus/net/topology/system.hpp"
#include "bonus/net/topology/wire_core.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::topology {

struct WireFiles {
  std::string config;   ///< Read again when asked to.
  std::string control;  ///< Path of the SOCK_SEQPACKET socket: "reload", "stats"; empty: none.
};

class Capture;

/// Opens devices with the privileges it finds (CAP_SYS_ADMIN to enter namespaces, CAP_NET_ADMIN there); running needs
/// none. Not thread-safe.
class Wire {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Wire>> open(const WireFiles& files, runtime::Clock& clock);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// Until SIGTERM or SIGINT, which must be blocked in the calling thread, as SIGUSR1 (prints counters to stderr).
  [[nodiscard]] Result<> run();
  [[nodiscard]] std::string stats() const;

 private:
  Wire(WireFiles files, WireConfig config, runtime::Clock& clock);
  [[nodiscard]] Result<> open_devices();
  [[nodiscard]] Result<> open_control();
  /// To the file of the configuration; ends another one.
  [[nodiscard]] Result<> start_capture();
  [[nodiscard]] Result<> watch(int fd, std::uint64_t tag);
  [[nodiscard]] std::string command(std::string_view word);
  void take_in(std::size_t attachment);
  void give_out();
  void arm();
  void accept_client();
  void serve_client(std::size_t slot);
  [[nodiscard]] bool take_signal();

  WireFiles files_;
  runtime::Clock& clock_;
  WireCore core_;
  Instant started_;
  std::vector<Fd> devices_;
  std::vector<std::uint64_t> write_errors_;
  Fd epoll_, timer_, signals_, listener_;
  static constexpr std::size_t kClients = 8;
  std::array<Fd, kClients> clients_;
  std::unique_ptr<Capture> capture_;
  std::string capture_path_;
  std::size_t lost_devices_ = 0;
  Bytes buffer_;
  std::vector<WireCore::Delivery> due_;
};

/// Asks a running wire. kUnavailable: nobody listens there.
[[nodiscard]] Result<std::string> ask_wire(const std::string& control, std::string_view command);

}  // namespace bonus::net::topology
