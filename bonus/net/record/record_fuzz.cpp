// Hostile records and sealed datagrams.
#include "bonus/net/record/record.hpp"
#include "bonus/net/record/sealed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bonus::BytesView in(data, size);
  if (const auto record = bonus::net::open_record(in, 0)) std::abort();  // nobody can sign at time 0 by chance
  static bonus::net::Sealer sealer({}, bonus::runtime::system_random(), 16);
  (void)sealer.open(in);
  return 0;
}
