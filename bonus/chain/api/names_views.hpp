// Questions to the Names contract, answered from a ledger: what a node's DNS server and its other services ask.
#pragma once

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/name_records.hpp"
#include "bonus/chain/api/names.hpp"

namespace bonus::chain::names {

/// Thread-safe as the ledger is. `name` without ".bonus". A name that breaks the rules, is free or in its grace period
/// is answered with that state, not with an error. kUnsupported: this chain has no Names contract.
[[nodiscard]] Result<NameInfo> find_name(const LedgerReader& ledger, std::string_view name, std::uint64_t block);
/// A live name with its records decoded. kNotFound: free or expired.
struct Resolved {
  NameInfo info;
  NameRecords records;
};
[[nodiscard]] Result<Resolved> resolve_name(const LedgerReader& ledger, std::string_view name, std::uint64_t block);
/// The live name whose owner holds the signed consent of the address (PTR), without ".bonus". kNotFound. That the name
/// leads back to the address is the asker's to check.
[[nodiscard]] Result<std::string> reverse_name(const LedgerReader& ledger, const net::Ipv6& address,
                                               std::uint64_t block);
/// All names of an account, live or in grace, at most `limit`.
[[nodiscard]] Result<std::vector<NameInfo>> names_of(const LedgerReader& ledger, const Address& owner,
                                                     std::size_t limit, std::uint64_t block);

}  // namespace bonus::chain::names
