// Names by views of the ledger, read on the blocking pool.
#include "bonus/node/name_source.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/names_views.hpp"
#include "bonus/net/dns/chain_zone.hpp"
#include "bonus/net/dns/labels.hpp"
#include "bonus/node/lease_host.hpp"

namespace bonus::node {

namespace dns = net::dns;
namespace names = chain::names;

namespace {
constexpr std::uint32_t kLeaseTtl = 10;  // a lease moves when its worker dies
constexpr std::size_t kMaxReverse = 8;
}  // namespace

template <class T>
void NameSource::offload(std::function<Result<T>()> work, std::function<void(Result<T>)> done) {
  if (!pool_.post([work = std::move(work), done] { done(work()); }))
    done(fail(ErrorCode::kExhausted, "too many names are being looked up"));
}

void NameSource::registered(const std::string& label, ZoneDone done) {
  offload<dns::NameZone>([this, label] { return registered_zone(label); }, std::move(done));
}
void NameSource::lease_by_id(std::uint64_t id, ZoneDone done) {
  offload<dns::NameZone>([this, id] { return lease_zone(id); }, std::move(done));
}
void NameSource::lease_by_name(const std::string& label, ZoneDone done) {
  offload<dns::NameZone>(
      [this, label]() -> Result<dns::NameZone> {
        TRY_ASSIGN(const auto target, directory_.resolve(label));
        return lease_zone(target.lease);
      },
      std::move(done));
}
void NameSource::reverse(const net::Ipv6& address, NamesDone done) {
  offload<std::vector<std::string>>([this, address] { return names_of(address); }, std::move(done));
}

Result<dns::NameZone> NameSource::registered_zone(const std::string& label) const {
  auto found = names::resolve_name(ledger_, label, ledger_.head().number);
  if (!found && found.error().code == ErrorCode::kUnsupported)
    return fail(ErrorCode::kNotFound, "this chain has no names");
  if (!found) return fail(std::move(found).error());
  return dns::zone_of(found->records);
}

Result<net::Ipv6> NameSource::address_of(const chain::market::Lease& lease, std::uint64_t block) const {
  TRY_ASSIGN(const auto worker, views_.node_of(lease.worker, block));
  if (worker.account.is_zero()) return fail(ErrorCode::kNotFound, "the lease's worker is not registered any more");
  return net::container_address(worker.node_key, as_bytes(container_name(lease.id)));
}

Result<dns::NameZone> NameSource::lease_zone(std::uint64_t id) const {
  const std::uint64_t block = views_.head();
  TRY_ASSIGN(const auto lease, views_.lease(id, block));
  if (lease.state != chain::market::LeaseState::kRunning)
    return fail(ErrorCode::kNotFound, fmt::format("lease {} does not run", id));
  TRY_ASSIGN(const auto address, address_of(lease, block));
  dns::NameZone zone;
  zone.ttl_s = kLeaseTtl;
  dns::NameEntry entry;
  entry.addresses.push_back(address);
  zone.entries.push_back(std::move(entry));
  for (const std::uint16_t port : lease.ports) {
    dns::NameEntry service;
    service.sub = fmt::format("_{}._tcp", port);
    service.services.push_back({0, 0, port, fmt::format("lease-{}.bonus", id)});
    zone.entries.push_back(std::move(service));
  }
  return zone;
}

Result<std::vector<std::string>> NameSource::names_of(const net::Ipv6& address) const {
  const std::uint64_t block = views_.head();
  std::vector<std::string> out;
  if (const auto name = names::reverse_name(ledger_, address, block)) out.push_back(*name + ".bonus");
  TRY_ASSIGN(const auto nodes, views_.nodes(block));
  for (const auto& node : nodes) {
    if (net::overlay_address(node.node_id) == address) out.push_back(dns::node_name(node.node_id));
    const auto leases = views_.live_leases_of(node.account, block);
    if (!leases) continue;
    for (const auto& lease : *leases)
      if (net::container_address(node.node_key, as_bytes(container_name(lease.id))) == address)
        out.push_back(container_name(lease.id) + ".bonus");
    if (out.size() >= kMaxReverse) break;
  }
  for (const auto& bookkeeper : ledger_.genesis().bookkeepers) {
    const NodeId id = crypto::node_id(bookkeeper.key);
    if (net::overlay_address(id) == address) out.push_back(dns::node_name(id));
  }
  if (out.empty()) return fail(ErrorCode::kNotFound, "no name is known for this address");
  out.resize(std::min(out.size(), kMaxReverse));
  return out;
}

}  // namespace bonus::node
