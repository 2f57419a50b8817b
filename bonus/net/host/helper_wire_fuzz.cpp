// The helper has rights outside that bonusd may not have: whatever bytes come, it reads them or refuses them, and what
// it reads it writes again in the same way.
#include <cstdlib>

#include "bonus/net/host/helper_wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::net::host;
  const bonus::BytesView in(data, size);
  const auto same = [&](const auto& decoded) {
    if (decoded && !std::ranges::equal(wire::encode(*decoded), in)) std::abort();
  };
  same(wire::decode_request(in));
  same(wire::decode_reply(in));
  same(wire::decode_addresses(in));
  same(wire::decode_ips(in));
  same(wire::decode_exit_options(in));
  same(wire::decode_exit_link(in));
  return 0;
}
