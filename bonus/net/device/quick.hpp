// A tunnel from a wg-quick(8) file: device, socket, peers, addresses and routes. What bonus-tunnel runs.
#pragma once

#include <map>
#include <mutex>

#include "bonus/net/device/engine.hpp"
#include "bonus/net/tunnel/config.hpp"

namespace bonus::net::device {

struct QuickOptions {
  std::string interface;
  std::uint32_t mtu = 0;  ///< 0: the file's, or 1420.
  bool offload = true;
  bool routes = true;  ///< Routes for AllowedIPs.
};

/// Sets the machine up in the calling thread's network namespace; the kernel removes the interface, and with it
/// addresses and routes, when this object goes. Thread-safe.
class QuickTunnel final : private EngineHooks {
 public:
  [[nodiscard]] static Result<std::unique_ptr<QuickTunnel>> up(const tunnel::TunnelConfig& config,
                                                               const QuickOptions& options, const runtime::Clock& clock,
                                                               runtime::Random& random);
  [[nodiscard]] Engine& engine() { return *engine_; }
  /// Several lines, as `wg show` prints them, and the counters.
  [[nodiscard]] std::string status() const;
  /// One line: rates since the last call.
  [[nodiscard]] std::string rates();

 private:
  explicit QuickTunnel(const runtime::Clock& clock) : clock_(clock) {}
  void on_event(const tunnel::Event& event) override;
  void on_session_ready(tunnel::PeerRef peer) override;
  [[nodiscard]] std::string name_of(tunnel::PeerRef peer) const;

  const runtime::Clock& clock_;
  mutable std::mutex names_mutex_;
  std::map<tunnel::PeerRef, std::string> names_;
  EngineStats last_;
  Instant last_at_;
  std::unique_ptr<Engine> engine_;  // last: its threads call the hooks
};

}  // namespace bonus::net::device
