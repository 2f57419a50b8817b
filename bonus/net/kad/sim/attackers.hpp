// Sybils that have ground their keys to stand around records: they answer, name only each other, and hold nothing.
#pragma once

#include "bonus/net/kad/sim/swarm.hpp"

namespace bonus::net::kad::sim {

class Attackers {
 public:
  /// `sybils` around each key (as given, before epochs), in `prefixes` /24s of their own. They share log2(nodes) + 6
  /// leading bits with the key: closer than any honest node. Takes the swarm's strangers.
  Attackers(Swarm& swarm, std::size_t nodes, const std::vector<Hash32>& keys, std::size_t sybils, std::size_t prefixes);
  [[nodiscard]] std::uint64_t swallowed() const { return swallowed_; }  ///< Stores that were accepted and forgotten.

 private:
  void receive(std::size_t to, std::size_t from, BytesView payload);
  Swarm& swarm_;
  std::size_t first_ = 0;
  std::vector<std::pair<Position, std::size_t>> sorted_;
  std::uint64_t swallowed_ = 0;
};

}  // namespace bonus::net::kad::sim
