// Path and relay messages from anybody: what decodes must encode to something that decodes to the same.
#include <cstdlib>

#include "bonus/net/nat/path_message.hpp"
#include "bonus/net/nat/pcp.hpp"
#include "bonus/net/nat/port_mapping.hpp"
#include "bonus/net/nat/relay_message.hpp"

using namespace bonus;
using namespace bonus::net::nat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView in(data, size);
  if (const auto path = decode_path(in)) {
    const Bytes again = std::visit([](const auto& m) { return encode(m); }, *path);
    const auto twice = decode_path(again);
    if (!twice || std::visit([](const auto& m) { return encode(m); }, *twice) != again) std::abort();
  }
  if (const auto relay = decode_relay(in)) {
    const Bytes again = std::visit([](const auto& m) { return encode(m); }, *relay);
    const auto twice = decode_relay(again);
    if (!twice || std::visit([](const auto& m) { return encode(m); }, *twice) != again) std::abort();
  }
  if (const auto pcp = decode_pcp_answer(in))
    if (pcp->result == 0 && pcp->map.lifetime_s != 0 && !pcp->map.external.valid()) std::abort();
  (void)parse_routes(as_text(in));
  return 0;
}
