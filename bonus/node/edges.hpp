// Stock WireGuard clients of this gateway, the exit role, and networks behind other routers: who may come in, and what
// is routed where (docs/operating/network.md).
#pragma once

#include <boost/json/fwd.hpp>
#include <memory>
#include <optional>

#include "bonus/net/edge/client_config.hpp"
#include "bonus/net/edge/invites.hpp"
#include "bonus/net/edge/subnet.hpp"
#include "bonus/node/network.hpp"

namespace bonus::node {

/// Thread-safe. The references must outlive it.
class Edges {
 public:
  /// kCorrupt: the invitations cannot be read; the message names the file.
  [[nodiscard]] static Result<std::unique_ptr<Edges>> open(Network& network, const Config& config,
                                                           const Identity& identity, runtime::Disk& disk,
                                                           const runtime::Clock& clock);
  /// Brings the exit up, tells the overlay who may come in, and keeps both current until it is cancelled.
  [[nodiscard]] runtime::Task<> run();

  /// The file for the client and its QR code. kUnsupported on a node that is no gateway; kConflict for an exit client
  /// of a node that is no exit.
  [[nodiscard]] runtime::Task<Result<boost::json::object>> invite(net::edge::InviteRequest request);
  [[nodiscard]] runtime::Task<boost::json::array> list() const;
  [[nodiscard]] Result<> revoke(const std::string& name);
  /// Who may invite: the node's own account and those of net.invite_accounts.
  [[nodiscard]] bool may_invite(const Address& account) const;

 private:
  Edges(Network& network, const Config& config, const Identity& identity, const runtime::Clock& clock)
      : network_(network), config_(config), identity_(identity), clock_(clock) {}
  void apply();
  [[nodiscard]] runtime::Task<bool> accept_subnets();
  [[nodiscard]] std::optional<net::Prefix> pool() const;
  [[nodiscard]] boost::json::object describe(const net::edge::Invite& invite, const std::string& gateway) const;

  Network& network_;
  const Config config_;
  const Identity identity_;
  const runtime::Clock& clock_;
  std::unique_ptr<net::edge::InviteRegistry> registry_;  // of a gateway
};

}  // namespace bonus::node
