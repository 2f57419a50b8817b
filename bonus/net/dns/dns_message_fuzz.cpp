// Fuzz target: what is read can be written, and reads the same again.
#include <cstdlib>

#include "bonus/net/dns/message.hpp"
#include "bonus/net/dns/rebinding.hpp"

namespace {

using namespace bonus::net::dns;

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(const std::vector<Record>& a, const std::vector<Record>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Record& x, const Record& y) {
    return x.owner.equals(y.owner) && x.type == y.type && x.klass == y.klass && x.ttl == y.ttl &&
           x.rdata.size() == y.rdata.size();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = parse_message({data, size});
  if (!message) return 0;
  static_cast<void>(names_overlay(*message));
  const auto wire = encode_message(*message);
  if (!wire) return 0;  // compression undone may be too long, or ldns reads a type that it cannot write
  const auto again = parse_message(*wire);
  require(again.has_value());
  if (((*wire)[2] & 2) != 0 && !message->header.tc) return 0;
  require(again->questions.size() == message->questions.size());
  require(same(again->answers, message->answers) && same(again->authority, message->authority));
  const auto small = encode_message(*message, 512);
  require(!small || small->size() <= 512);
  return 0;
}
