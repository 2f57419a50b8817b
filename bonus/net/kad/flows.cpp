// Token bucket and memory of endpoints: how many new ones a second, how many at a time.
#include "bonus/net/kad/flows.hpp"

#include <algorithm>

namespace bonus::net::kad {

namespace {

// Milliseconds for which NATs keep a mapping open: RFC 4787 asks for two minutes at least; five are common.
constexpr std::uint32_t kMapping = 300'000;

template <class T>
std::uint32_t short_hash(const T& value) {
  return static_cast<std::uint32_t>(std::hash<T>()(value));
}
}  // namespace

std::uint32_t Flows::stamp(Instant now) const {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now - start_).count());
}

bool Flows::alive(const Flow& flow, std::uint32_t now) const {
  return now - flow.at < std::chrono::duration_cast<std::chrono::milliseconds>(settings_.periods.flow_memory).count();
}

bool Flows::kept(const Flow& flow, std::uint32_t now) const {
  return alive(flow, now) || (prove_ && now - flow.at < kMapping);
}

void Flows::refill(Instant now) {
  if (tokens_ < 0) {
    start_ = filled_ = now;
    tokens_ = settings_.limits.new_flow_burst;
  }
  const auto passed = std::chrono::duration<double>(now - filled_).count();
  tokens_ = std::min(settings_.limits.new_flow_burst, tokens_ + passed * settings_.limits.new_flows_per_second);
  filled_ = now;
}

bool Flows::allow(const UdpEndpoint& to, Instant now, bool maintenance) {
  refill(now);
  const auto at = stamp(now);
  const auto endpoint = short_hash(to);
  for (auto& flow : flows_)
    if (flow.endpoint == endpoint && alive(flow, at)) {
      flow.at = at;
      return true;
    }
  if (tokens_ < (maintenance ? settings_.limits.new_flow_burst / 2 : 1)) return false;
  std::erase_if(flows_, [&](const Flow& flow) { return !kept(flow, at); });
  const auto live = std::ranges::count_if(flows_, [&](const Flow& flow) { return alive(flow, at); });
  const auto most = settings_.limits.live_flows - (maintenance ? settings_.limits.live_flows / 4 : 0);
  if (static_cast<std::size_t>(live) >= most) return false;
  tokens_ -= 1;
  flows_.push_back({endpoint, short_hash(to.address), at});
  return true;
}

Instant Flows::next_token(Instant now) const {
  const double seconds = 1 / std::max(settings_.limits.new_flows_per_second, 0.01);
  return now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

void Flows::expire(Instant now) {
  std::erase_if(flows_, [&, at = stamp(now)](const Flow& flow) { return !kept(flow, at); });
  flows_.shrink_to_fit();
}

bool Flows::knows(const UdpEndpoint& endpoint, Instant now) const {
  const auto at = stamp(now);
  const auto same = [&, address = short_hash(endpoint.address), whole = short_hash(endpoint)](const Flow& f) {
    return kept(f, at) && (settings_.allow_private ? f.endpoint == whole : f.address == address);
  };
  return std::ranges::any_of(flows_, same);
}

std::size_t Flows::live(Instant now) const {
  const auto at = stamp(now);
  return static_cast<std::size_t>(std::ranges::count_if(flows_, [&](const Flow& f) { return alive(f, at); }));
}

}  // namespace bonus::net::kad
