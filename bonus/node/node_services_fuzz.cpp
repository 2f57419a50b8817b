// Everything that peers and users write in the node's own formats: lease requests, exec documents, signatures,
// configuration. The first byte chooses the decoder.
#include <tuple>

#include "bonus/node/auth.hpp"
#include "bonus/node/config.hpp"
#include "bonus/node/lease_protocol.hpp"
#include "bonus/node/route_table.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  if (size == 0) return 0;
  const BytesView rest(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto request = node::LeaseRequest::decode(rest)) {
        const Bytes again = request->encode();
        if (again != Bytes(rest.begin(), rest.end())) __builtin_trap();  // one encoding for each value
      }
      break;
    case 1:
      std::ignore = node::parse_exec_request(as_text(rest));
      break;
    case 2:
      std::ignore = node::parse_resize(as_text(rest));
      break;
    case 3:
      if (node::verify_authorization(as_text(rest), "GET", "/v1/leases/1", 1'700'000'000)) {
        if (!as_text(rest).starts_with("Bonus ")) __builtin_trap();
      }
      break;
    case 4:
      std::ignore = node::parse_config(as_text(rest), "fuzz.toml", "/");
      break;
    default:
      std::ignore = node::check_route_name(as_text(rest));
      std::ignore = node::parse_listen(as_text(rest));
      break;
  }
  return 0;
}
