// Hostile first contacts.
#include "bonus/net/overlay/contact.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bonus::BytesView in(data, size);
  static bonus::net::overlay::ContactFinder finder(bonus::runtime::system_random(), 4);
  if (const auto request = finder.on_request(in); request && request->reply.size() > size) std::abort();
  (void)finder.on_reply({}, {}, in, {});
  return 0;
}
