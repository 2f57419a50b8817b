// Many cores on one queue of events.
#include "bonus/net/kad/sim/swarm.hpp"

#include "bonus/net/kad/messages.hpp"

namespace bonus::net::kad::sim {

namespace {
constexpr std::size_t kHeaders = kSealOverhead + 8 + 20;  // UDP, IPv4
}

Swarm::Swarm(Options options)
    : options_(std::move(options)),
      checker_(options_.checker != nullptr ? options_.checker : &own_checker_),
      random_(options_.seed),
      world_(options_.seed * 7919 + 13),
      pool_(std::make_shared<IdentityPool>()) {
  if (options_.prefixes == 0) options_.prefixes = 4 * options_.expected;
}
Swarm::~Swarm() = default;

void Swarm::keys(Node& node) {
  random_.fill(node.root.bytes);
  random_.fill(node.key.bytes);
}

std::size_t Swarm::add_at(std::size_t place) {
  Node node;
  keys(node);
  node.endpoint = world_.endpoint(place);
  nodes_.push_back(std::move(node));
  by_endpoint_[nodes_.back().endpoint] = place;
  by_key_[nodes_.back().key] = place;
  return place;
}

std::size_t Swarm::add() { return add_at(world_.add(options_.prefixes)); }

std::size_t Swarm::add_stranger(std::uint32_t prefix, const Ed25519PublicKey& root) {
  const auto out = add_at(world_.add_attacker(prefix));
  nodes_[out].root = root;
  return out;
}

void Swarm::start(std::size_t i, std::shared_ptr<const Settings> settings, bool serves) {
  auto& node = nodes_[i];
  Config config;
  config.settings = settings != nullptr ? std::move(settings) : options_.settings;
  config.root = node.root;
  config.certificate = SimChecker::make_certificate(node.root, node.key);
  config.serves_dht = serves;
  config.country = node.country;
  config.metro = node.metro;
  if (options_.shared_identities) config.pool = pool_;
  node.kad = std::make_unique<Kad>(
      std::move(config), random_, *checker_, now_,
      kUnixStart +
          static_cast<UnixSeconds>(std::chrono::duration_cast<std::chrono::seconds>(now_ - Instant{}).count()));
  set_timer(i);
}

void Swarm::stop(std::size_t i) {
  nodes_[i].kad.reset();
  nodes_[i].timer_at = Instant::max();
}

void Swarm::reincarnate(std::size_t i) {
  stop(i);
  by_key_.erase(nodes_[i].key);
  keys(nodes_[i]);
  by_key_[nodes_[i].key] = i;
  nodes_[i].sequence = 1;
  start(i);
}

void Swarm::bootstrap(std::size_t i, const std::vector<std::size_t>& seeds) {
  std::vector<Kad::Seed> list;
  for (const auto seed : seeds) list.push_back({nodes_[seed].key, nodes_[seed].endpoint, std::nullopt});
  Actions actions;
  nodes_[i].kad->bootstrap(list, now_, actions);
  carry_out(i, actions);
}

void Swarm::publish(std::size_t i) {
  auto& node = nodes_[i];
  Actions actions;
  (void)node.kad->set_own_record(SimChecker::make_record(node.root, node.key, node.sequence++), now_, actions);
  carry_out(i, actions);
}

Result<LookupId> Swarm::find(std::size_t i, const Ed25519PublicKey& root) {
  return with(i, [&](Kad& kad, Instant now, Actions& actions) {
    return kad.find_address(overlay_address(crypto::node_id(root)), now, actions);
  });
}

void Swarm::push(Event event) {
  event.order = ++order_;
  events_.push(event);
}

void Swarm::at(Instant when, std::function<void()> call) {
  calls_.push_back(std::move(call));
  push({when, 0, 0, 0, static_cast<std::uint32_t>(calls_.size() - 1), Event::Kind::kCall});
}

void Swarm::deliver_later(std::size_t from, std::size_t to, Bytes payload) {
  ++datagrams_;
  bytes_ += payload.size() + kHeaders;
  if (options_.loss > 0 && random_.chance(options_.loss)) return;
  if (filter_ && !filter_(from, to)) return;
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(payloads_.size());
    payloads_.push_back(std::move(payload));
  } else {
    slot = free_.back();
    free_.pop_back();
    payloads_[slot] = std::move(payload);
  }
  push({now_ + world_.rtt(from, to) / 2, 0, static_cast<std::uint32_t>(to), static_cast<std::uint32_t>(from), slot,
        Event::Kind::kDatagram});
}

void Swarm::carry_out(std::size_t i, Actions& actions) {
  for (auto& send : actions.sends) {
    const auto to = by_endpoint_.find(send.endpoint);
    if (to == by_endpoint_.end() || nodes_[to->second].key != send.to) continue;  // could not be opened there
    deliver_later(i, to->second, std::move(send.payload));
  }
  const auto done = std::move(actions.done);
  set_timer(i);
  if (done_)
    for (const auto& one : done) done_(i, one);
}

void Swarm::set_timer(std::size_t i) {
  auto& node = nodes_[i];
  if (node.kad == nullptr) return;
  const auto next = node.kad->next_timer();
  if (!next || *next >= node.timer_at) return;
  node.timer_at = std::max(*next, now_);
  push({node.timer_at, 0, static_cast<std::uint32_t>(i), 0, 0, Event::Kind::kTimer});
}

void Swarm::run_until(Instant end) {
  while (!events_.empty() && events_.top().at <= end) {
    const auto event = events_.top();
    events_.pop();
    now_ = event.at;
    auto& node = nodes_[event.to];
    switch (event.kind) {
      case Event::Kind::kCall:
        std::exchange(calls_[event.slot], nullptr)();
        break;
      case Event::Kind::kTimer: {
        if (node.kad == nullptr || node.timer_at != event.at) break;  // another timer has taken its place
        node.timer_at = Instant::max();
        Actions actions;
        node.kad->on_timer(now_, actions);
        carry_out(event.to, actions);
        break;
      }
      case Event::Kind::kDatagram: {
        const auto payload = std::move(payloads_[event.slot]);
        free_.push_back(event.slot);
        if (node.kad != nullptr) {
          Actions actions;
          (void)node.kad->on_payload(nodes_[event.from].key, nodes_[event.from].endpoint, payload, now_, actions);
          carry_out(event.to, actions);
        } else if (stranger_) {
          stranger_(event.to, event.from, payload);
        }
        break;
      }
    }
  }
  now_ = std::max(now_, end);
}

}  // namespace bonus::net::kad::sim
