// The secret of table hashes.
#include "bonus/base/hash_table.hpp"

#include <unistd.h>

#include <cstdlib>

namespace bonus {
namespace {

std::array<std::uint64_t, 4> make_secret() {
  std::array<std::uint64_t, 4> out{};
  if (::getentropy(out.data(), sizeof out) != 0) std::abort();  // the system has no randomness: no key is safe either
  for (std::uint64_t& word : out) word |= 1;                    // a zero factor would drop the other one
  return out;
}

}  // namespace

// Before all other objects of static storage: tables among them may hash already.
[[gnu::init_priority(101)]] const std::array<std::uint64_t, 4> kHashSecret = make_secret();

}  // namespace bonus
