// The records of the Names contract as a zone of the DNS server (docs/formats/names.md, net_names.md).
#pragma once

#include "bonus/chain/api/name_records.hpp"
#include "bonus/net/dns/source.hpp"

namespace bonus::net::dns {

/// NODEKEY becomes the overlay address of its node; an entry's TTL is the smallest of its records'. The zone's is at
/// most `max_ttl_s`: how long a change on chain may stay unseen.
[[nodiscard]] NameZone zone_of(const chain::names::NameRecords& records, std::uint32_t max_ttl_s = 60);

}  // namespace bonus::net::dns
