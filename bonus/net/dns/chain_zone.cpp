// The records of the Names contract as a zone of the DNS server.
#include "bonus/net/dns/chain_zone.hpp"

#include <map>

#include "bonus/crypto/keys.hpp"

namespace bonus::net::dns {

NameZone zone_of(const chain::names::NameRecords& records, std::uint32_t max_ttl_s) {
  namespace names = chain::names;
  std::map<std::string, NameEntry> entries;
  for (const names::Record& record : records) {
    NameEntry& entry = entries[record.name];
    entry.sub = record.name;
    const std::uint32_t ttl = std::max<std::uint32_t>(record.ttl_s, 1);
    entry.ttl_s = entry.ttl_s == 0 ? ttl : std::min(entry.ttl_s, ttl);
    if (const auto* address = std::get_if<names::Aaaa>(&record.data)) {
      entry.addresses.push_back(address->address);
    } else if (const auto* text = std::get_if<names::Txt>(&record.data)) {
      entry.texts.emplace_back(as_text(text->text));
    } else if (const auto* service = std::get_if<names::Srv>(&record.data)) {
      entry.services.push_back({service->priority, service->weight, service->port, service->target});
    } else if (const auto* alias = std::get_if<names::Alias>(&record.data)) {
      entry.alias = alias->target;
    } else if (const auto* node = std::get_if<names::NodeKey>(&record.data)) {
      entry.addresses.push_back(overlay_address(crypto::node_id(node->key)));
    }
  }
  NameZone out;
  out.ttl_s = max_ttl_s;
  for (auto& [sub, entry] : entries) out.entries.push_back(std::move(entry));
  return out;
}

}  // namespace bonus::net::dns
