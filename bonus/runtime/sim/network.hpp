// A simulated datagram network between numbered nodes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/sim/events.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::runtime::sim {

struct LinkQuality {
  Duration delay_min = std::chrono::milliseconds(1), delay_max = std::chrono::milliseconds(20);  ///< Uniform: reorders.
  double loss = 0;         ///< Probability that a message vanishes.
  double duplication = 0;  ///< Probability that it comes twice.
};

/// Not thread-safe. A message is delivered by calling the receiver's handler from an event.
class Network {
 public:
  using Handler = std::function<void(std::size_t from, BytesView message)>;
  /// Consulted for each copy: nothing drops it, otherwise it takes at least this much longer than the link's delay.
  using Shaper = std::function<std::optional<Duration>(std::size_t from, std::size_t to, BytesView message)>;

  Network(Events& events, SeededRandom random, std::size_t nodes);
  void attach(std::size_t node, Handler handler) { handlers_[node] = std::move(handler); }
  void detach(std::size_t node) { handlers_[node] = nullptr; }  ///< What arrives meanwhile is lost.
  void set_quality(const LinkQuality& quality) { quality_ = quality; }
  void set_shaper(Shaper shaper) { shaper_ = std::move(shaper); }
  /// Nodes of different groups cannot reach each other; empty heals.
  void partition(std::vector<int> group_of_node) { groups_ = std::move(group_of_node); }
  void send(std::size_t from, std::size_t to,
            const std::shared_ptr<const Bytes>& message);  // shared: one copy for all receivers
  void send(std::size_t from, std::size_t to, Bytes message) {
    send(from, to, std::make_shared<const Bytes>(std::move(message)));
  }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

 private:
  void copy(std::size_t from, std::size_t to, const std::shared_ptr<const Bytes>& message);
  [[nodiscard]] bool cut(std::size_t a, std::size_t b) const { return !groups_.empty() && groups_[a] != groups_[b]; }
  Events& events_;
  SeededRandom random_;
  std::vector<Handler> handlers_;
  LinkQuality quality_;
  Shaper shaper_;
  std::vector<int> groups_;
  std::uint64_t delivered_ = 0;
};

}  // namespace bonus::runtime::sim
