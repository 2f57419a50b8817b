// Choices and the words that are made of them.
#include <cstring>

#include "bonus/chain/vectors/random_program.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::vectors {

Choices::Choices(BytesView bytes) : bytes_(bytes) {
  const Hash32 hash = crypto::keccak256(bytes);
  std::memcpy(&state_, hash.bytes.data(), sizeof state_);
}

std::uint64_t Choices::word() {
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::uint64_t Choices::below(std::uint64_t bound) {
  if (!bytes_.empty()) {
    // One byte where it is enough, so that a fuzzer's change of a byte changes one choice.
    std::uint64_t value = bytes_[0];
    std::size_t used = 1;
    for (; used < 4 && used < bytes_.size() && bound > (std::uint64_t{1} << (8 * used)); ++used)
      value = value << 8 | bytes_[used];
    bytes_ = bytes_.subspan(used);
    return value % bound;
  }
  return word() % bound;
}

uint256 random_word(Choices& choices) {
  const auto bit = [&] { return uint256(1) << static_cast<unsigned>(choices.below(256)); };
  switch (choices.below(10)) {
    case 0:
      return uint256();
    case 1:
      return uint256(1);
    case 2:
      return bit();
    case 3:
      return bit() - uint256(1);
    case 4:
      return uint256() - bit();
    case 5:
      return ~uint256() - uint256(choices.below(3));
    case 6:
      return uint256(choices.below(300));
    case 7:
      return uint256(choices.word());
    case 8: {
      const unsigned shift = 64 * static_cast<unsigned>(choices.below(4));
      return uint256(choices.word()) << shift;
    }
    default:
      return {choices.word(), choices.word(), choices.word(), choices.word()};
  }
}

}  // namespace bonus::chain::vectors
