// Where the node's DNS server finds .bonus names: the Names contract, the leases of the market, the local routes.
#pragma once

#include "bonus/net/dns/source.hpp"
#include "bonus/node/lease_directory.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::node {

/// Thread-safe. Reads of the ledger run on the pool. The references must outlive it and what it began.
class NameSource final : public net::dns::NameSource {
 public:
  NameSource(const chain::LedgerReader& ledger, const MarketViews& views, LeaseDirectory& directory,
             runtime::BlockingPool& pool)
      : ledger_(ledger), views_(views), directory_(directory), pool_(pool) {}
  void registered(const std::string& label, ZoneDone done) override;
  void lease_by_id(std::uint64_t id, ZoneDone done) override;
  void lease_by_name(const std::string& label, ZoneDone done) override;
  void reverse(const net::Ipv6& address, NamesDone done) override;

 private:
  template <class T>
  void offload(std::function<Result<T>()> work, std::function<void(Result<T>)> done);
  [[nodiscard]] Result<net::dns::NameZone> registered_zone(const std::string& label) const;
  [[nodiscard]] Result<net::dns::NameZone> lease_zone(std::uint64_t id) const;
  [[nodiscard]] Result<std::vector<std::string>> names_of(const net::Ipv6& address) const;
  /// The address that the lease's container has on its worker.
  [[nodiscard]] Result<net::Ipv6> address_of(const chain::market::Lease& lease, std::uint64_t block) const;

  const chain::LedgerReader& ledger_;
  const MarketViews& views_;
  LeaseDirectory& directory_;
  runtime::BlockingPool& pool_;
};

}  // namespace bonus::node
