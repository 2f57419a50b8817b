// Delay, loss, duplication and partitions of the simulated network.
#include "bonus/runtime/sim/network.hpp"

namespace bonus::runtime::sim {

Network::Network(Events& events, SeededRandom random, std::size_t nodes)
    : events_(events), random_(random), handlers_(nodes) {}

void Network::send(std::size_t from, std::size_t to, const std::shared_ptr<const Bytes>& message) {
  if (from == to || to >= handlers_.size()) return;
  copy(from, to, message);
  if (random_.chance(quality_.duplication)) copy(from, to, message);
}

void Network::copy(std::size_t from, std::size_t to, const std::shared_ptr<const Bytes>& message) {
  // All draws are made for every copy, so that one decision does not shift the randomness of the others.
  const bool lost = random_.chance(quality_.loss);
  Duration delay = random_.between(quality_.delay_min, quality_.delay_max);
  if (shaper_) {
    const auto extra = shaper_(from, to, *message);
    if (!extra) return;
    delay += *extra;
  }
  if (lost || cut(from, to)) return;
  auto deliver = [this, from, to, message] {
    if (cut(from, to) || !handlers_[to]) return;
    ++delivered_;
    handlers_[to](from, *message);
  };
  events_.after(delay, std::move(deliver));
}

}  // namespace bonus::runtime::sim
