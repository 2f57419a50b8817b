// Sybils that answer with each other.
#include "bonus/net/kad/sim/attackers.hpp"

#include <cmath>

#include "bonus/net/kad/bytes_io.hpp"
#include "bonus/net/kad/messages.hpp"

namespace bonus::net::kad::sim {

Attackers::Attackers(Swarm& swarm, std::size_t nodes, const std::vector<Hash32>& keys, std::size_t sybils,
                     std::size_t prefixes)
    : swarm_(swarm), first_(swarm.size()) {
  const auto bits = static_cast<unsigned>(std::log2(static_cast<double>(nodes))) + 6;
  for (std::size_t t = 0; t < keys.size(); ++t) {
    const auto key = key_at(keys[t], swarm.epoch(), {});
    const Position target = Reader(key).u64();
    for (std::size_t s = 0; s < sybils; ++s) {
      const Position position = (target & ~Position{0} << (64 - bits)) | swarm.random().next_u64() >> bits;
      const auto prefix = static_cast<std::uint32_t>(t * prefixes + s % prefixes);
      const auto i = swarm.add_stranger(prefix, SimChecker::ground_root(position, s));
      sorted_.emplace_back(position, i);
    }
  }
  std::ranges::sort(sorted_);
  swarm.on_stranger([this](std::size_t to, std::size_t from, BytesView payload) { receive(to, from, payload); });
}

void Attackers::receive(std::size_t to, std::size_t from, BytesView payload) {
  const auto m = decode(payload);
  if (!m || to < first_) return;
  const auto& self = swarm_.node(to);
  Message reply;
  reply.transaction = m->transaction;
  reply.serves = true;
  reply.token = 0x5151515151515151ull;
  reply.coordinate = {0, 0, 4, 100};
  const auto certificate = SimChecker::make_certificate(self.root, self.key);
  if (m->wants_proof)
    reply.proof = Proof{self.root, certificate.not_before, certificate.expires, certificate.signature, 0, 0};
  switch (m->type) {
    case Type::kPing:
      reply.type = Type::kPong;
      break;
    case Type::kStore:
      reply.type = Type::kStored;
      reply.accepted = true;
      ++swallowed_;
      break;
    case Type::kFind: {
      reply.type = Type::kNodes;
      const Position target = Reader(m->target).u64();
      const auto at = std::ranges::lower_bound(sorted_, std::pair(target, std::size_t{0})) - sorted_.begin();
      std::vector<std::pair<Position, std::size_t>> close;
      for (auto i = std::max<std::ptrdiff_t>(0, at - 32); i < std::min<std::ptrdiff_t>(std::ssize(sorted_), at + 32);
           ++i) {
        const auto& [position, node] = sorted_[static_cast<std::size_t>(i)];
        if (node != to) close.emplace_back(position ^ target, node);
      }
      std::ranges::sort(close);
      for (std::size_t i = 0; i < std::min(close.size(), kBucketSize); ++i) {
        const auto& node = swarm_.node(close[i].second);
        reply.contacts.push_back({node.key, node.endpoint, close[i].first ^ target, {0, 0, 4, 0}});
      }
      break;
    }
    default:
      return;
  }
  auto bytes = encode(reply);
  swarm_.send_as(to, from, std::move(bytes));
}

}  // namespace bonus::net::kad::sim
