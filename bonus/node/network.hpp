// The node's network: its namespace, BonusNet in it, the policy, containers' links, and the DNS server.
#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "bonus/compute/api/container_network.hpp"
#include "bonus/net/dns/server.hpp"
#include "bonus/net/edge/subnet.hpp"
#include "bonus/net/host/containers.hpp"
#include "bonus/net/host/netlink.hpp"
#include "bonus/net/host/policy.hpp"
#include "bonus/net/overlay/overlay.hpp"
#include "bonus/node/exit_pool.hpp"
#include "bonus/node/underlay.hpp"

namespace bonus::node {

struct NetworkParts {
  runtime::Executor executor;
  runtime::BlockingPool& pool;
  runtime::Clock& clock;
  runtime::Random& random;
  runtime::Disk& disk;
  Metrics& metrics;
};

/// A stock WireGuard client: `id` gives its overlay address with the root key, as a container's does.
struct EdgeClient {
  net::overlay::EdgePeer peer;
  Bytes id;
  bool exit = false;
};

/// Thread-safe, unless said otherwise.
class Network final : public compute::ContainerNetwork {
 public:
  /// Blocking; in the namespace that Underlay::prepare() made.
  [[nodiscard]] static Result<std::unique_ptr<Network>> open(NetworkParts parts, const Config& config,
                                                             const Identity& identity, Underlay underlay);
  ~Network() override;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void start();
  /// Every few seconds: somebody outside may have mounted over what this namespace needs.
  void housekeep();
  /// Answers names from now on. Blocking; `names` must outlive stop().
  [[nodiscard]] Result<> start_dns(net::dns::NameSource& names);
  void stop();

  [[nodiscard]] net::overlay::Overlay& overlay() { return *overlay_; }
  [[nodiscard]] Machine& machine() { return machine_; }
  [[nodiscard]] net::host::Helper& helper() { return *helper_; }
  [[nodiscard]] const net::Ipv6& address() const { return overlay_->address(); }

  // compute::ContainerNetwork
  [[nodiscard]] Result<> attach(const std::string& id, int namespace_fd, const std::vector<std::uint16_t>& ports,
                                bool internet) override;
  void detach(const std::string& id) override;
  [[nodiscard]] std::string address_of(const std::string& id) const override;
  [[nodiscard]] std::string resolver() const override;

  /// Replaces all clients; `pool` holds their IPv4 addresses.
  [[nodiscard]] Result<> set_edge_clients(std::vector<EdgeClient> clients, const std::optional<net::Prefix>& pool);
  void set_accepted_routes(const std::vector<net::edge::AcceptedRoute>& routes);
  /// The way to the Internet: needs net.exit and privileges.
  [[nodiscard]] runtime::Task<Result<>> start_exit(std::vector<net::Prefix> allow_private);
  /// Lets containers of another node out, for a minute. kUnsupported on a node that is no exit; as ExitPool::give().
  [[nodiscard]] Result<std::vector<net::Ipv6>> admit_guests(const net::NodeRecord& owner,
                                                            const std::vector<ExitWish>& wishes);
  void expire_guests();
  /// `ask` is called, and may block for half a minute, before a container begins that needs the exit of another node.
  void ask_exit_by(std::function<Result<>()> ask);
  /// Our containers that need such an exit, and the addresses that it gave them.
  [[nodiscard]] std::vector<ExitWish> exit_wishes() const;
  [[nodiscard]] Result<> set_exit_addresses(const std::map<Bytes, net::Ipv6>& given);
  /// What stock clients dial: net.advertise, else the best address that the node knows itself to have. kUnavailable on
  /// a node that strangers cannot reach directly.
  [[nodiscard]] runtime::Task<Result<std::string>> public_endpoint();

  /// Counters of the policy and the DNS server, for GET /v1/net/status.
  [[nodiscard]] boost::json::object counters();

 private:
  Network(NetworkParts parts, const Config& config, const Identity& identity, Underlay underlay);
  [[nodiscard]] Result<> configure();
  [[nodiscard]] Result<> apply_policy();  // with the lock
  void publish_containers();              // with the lock
  void apply_behind();                    // with the lock
  [[nodiscard]] static Bytes record_id(const std::string& id);
  /// IPv4 of containers at an exit: shared address space (RFC 6598), as that of clients, and apart from it.
  [[nodiscard]] static net::Prefix guest_pool();
  [[nodiscard]] net::Ipv6 container_ip(const std::string& id) const;

  const NetworkParts parts_;
  const Config config_;
  const Identity identity_;
  Machine machine_;
  Fd outside_;
  std::vector<net::UdpEndpoint> dns_upstreams_;
  std::unique_ptr<LanDevice> lan_;
  std::unique_ptr<net::host::Helper> helper_;
  std::unique_ptr<net::dns::Upstream> upstream_;
  std::unique_ptr<net::overlay::Overlay> overlay_;
  std::unique_ptr<net::dns::Server> dns_, machine_dns_;
  mutable std::mutex mutex_;
  std::optional<net::host::Policy> policy_;  // guarded by mutex_, as all below
  net::host::PolicyState state_;
  struct Attached {
    net::host::ContainerPolicy policy;
    Fd space;  // of one that may use the Internet
  };
  std::map<std::string, Attached> containers_;  // by id
  ExitPool guests_{guest_pool()};
  std::function<Result<>()> ask_exit_;
  std::map<NodeId, std::vector<net::Prefix>> behind_;  // as the overlay knows it
  std::vector<EdgeClient> clients_;
  std::optional<net::host::ExitLink> exit_;
  std::vector<net::Prefix> exit_private_;
  std::vector<net::edge::AcceptedRoute> accepted_;
};

}  // namespace bonus::node
