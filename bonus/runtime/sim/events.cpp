// The event queue of a simulated world.
#include "bonus/runtime/sim/events.hpp"

namespace bonus::runtime::sim {

UnixMillis Events::unix_ms() const {
  return unix_start_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
}

Events::Id Events::schedule(Instant at, std::function<void()> event) {
  const Id id(std::max(at, now_), made_++);
  queue_.emplace(id, std::move(event));
  return id;
}

bool Events::step() {
  if (queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  now_ = node.key().first;
  node.mapped()();
  return true;
}

void Events::run_until(Instant end) {
  while (!queue_.empty() && queue_.begin()->first.first <= end) (void)step();
  now_ = std::max(now_, end);
}

}  // namespace bonus::runtime::sim
