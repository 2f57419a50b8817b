// Fuzz target: signed documents of the edge, and the rules for networks. What opens has been signed.
#include <cstdlib>

#include "bonus/net/edge/delegation.hpp"
#include "bonus/net/edge/subnet.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  using namespace bonus::net::edge;
  constexpr UnixSeconds kNow = 1'800'000'000;
  const BytesView in(data, size);
  if (const auto client = open_client(in, kNow); client && client->not_before > kNow + 300) std::abort();
  if (const auto subnet = open_subnet(in, kNow); subnet && !check_subnet(subnet->prefix)) std::abort();
  if (const auto rule = parse_accept(as_text(in)); rule && !check_subnet(rule->second)) std::abort();
  return 0;
}
