// The heap: a word compares as (at, kind, id), since the later members of the struct lie in its higher bytes.
#include "bonus/chain/contracts/timers.hpp"

namespace bonus::chain::contracts {
namespace {

constexpr Field kId{0, 0, 8}, kKind{0, 8, 1}, kAt{0, 9, 8};
const uint256 kLength(market_layout::kTimers);

const uint256& data() {
  static const uint256 slot = array_data(kLength);
  return slot;
}

uint256 encode(const Timer& timer) {
  return (uint256(timer.at) << (8 * kAt.offset)) |
         (uint256(static_cast<std::uint64_t>(timer.kind)) << (8 * kKind.offset)) | uint256(timer.id);
}

}  // namespace

uint256 Timers::at(std::uint64_t index) const { return context_->load(kMarketAddress, data() + uint256(index)); }

void Timers::set(std::uint64_t index, const uint256& word) const {
  context_->store(kMarketAddress, data() + uint256(index), word);
}

void Timers::push(const Timer& timer) const {
  const std::uint64_t size = context_->load(kMarketAddress, kLength).low64();
  context_->store(kMarketAddress, kLength, uint256(size + 1));
  const uint256 word = encode(timer);
  std::uint64_t hole = size;
  while (hole != 0) {
    const std::uint64_t parent = (hole - 1) / 2;
    const uint256 above = at(parent);
    if (above <= word) break;
    set(hole, above);
    hole = parent;
  }
  set(hole, word);
}

std::optional<Timer> Timers::pop_due(UnixSeconds now) const {
  const std::uint64_t size = context_->load(kMarketAddress, kLength).low64();
  if (size == 0) return std::nullopt;
  const uint256 top = at(0);
  Timer out{
      .at = extract64(top, kAt), .kind = static_cast<TimerKind>(extract64(top, kKind)), .id = extract64(top, kId)};
  if (out.at > now) return std::nullopt;
  const std::uint64_t last = size - 1;
  const uint256 moved = at(last);
  set(last, uint256());
  context_->store(kMarketAddress, kLength, uint256(last));
  if (last == 0) return out;
  std::uint64_t hole = 0;
  for (std::uint64_t child = 1; child < last; child = 2 * hole + 1) {
    uint256 below = at(child);
    if (child + 1 < last) {
      const uint256 right = at(child + 1);
      if (right < below) {
        below = right;
        ++child;
      }
    }
    if (moved <= below) break;
    set(hole, below);
    hole = child;
  }
  set(hole, moved);
  return out;
}

}  // namespace bonus::chain::contracts
