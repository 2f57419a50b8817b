// DNS rebinding: an answer from outside must not lead a browser into the overlay.
#include "bonus/net/dns/rebinding.hpp"

#include "bonus/net/api/address.hpp"

namespace bonus::net::dns {

namespace {

constexpr std::size_t kIpv6Hint = 6;  // RFC 9460, section 14.3.2

std::size_t get_u16(BytesView in) { return static_cast<std::size_t>(in[0]) << 8 | in[1]; }

bool any_overlay(BytesView addresses) {
  for (std::size_t at = 0; at + 16 <= addresses.size(); at += 16)
    if (addresses[at] == 0xfd) return true;
  return false;
}

/// RFC 9460, section 2.2: priority, target, then parameters of key, length, value.
bool service_names_overlay(BytesView rdata) {
  if (rdata.size() < 3) return true;
  rdata = rdata.subspan(2);
  while (!rdata.empty() && rdata[0] != 0) {
    const std::size_t label = rdata[0] + std::size_t{1};
    if (label > 64 || label >= rdata.size()) return true;
    rdata = rdata.subspan(label);
  }
  if (rdata.empty()) return true;
  rdata = rdata.subspan(1);
  while (!rdata.empty()) {
    if (rdata.size() < 4) return true;
    const std::size_t key = get_u16(rdata), size = get_u16(rdata.subspan(2));
    if (rdata.size() < 4 + size) return true;
    if (key == kIpv6Hint && any_overlay(rdata.subspan(4, size))) return true;
    rdata = rdata.subspan(4 + size);
  }
  return false;
}

bool record_names_overlay(const Record& record) {
  if (record.type == type::kAaaa) return any_overlay(record.rdata);
  if (record.type == type::kSvcb || record.type == type::kHttps) return service_names_overlay(record.rdata);
  return false;
}

}  // namespace

bool names_overlay(const Message& message) {
  return std::ranges::any_of(message.answers, record_names_overlay) ||
         std::ranges::any_of(message.authority, record_names_overlay) ||
         std::ranges::any_of(message.additional, record_names_overlay);
}

}  // namespace bonus::net::dns
