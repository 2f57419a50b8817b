// One run of `bonus-sim dht`: build, refresh, look up, count.
#include "bonus/net/kad/sim/dht_run.hpp"

#include <bit>
#include <cmath>
#include <unordered_map>

#include "bonus/net/kad/messages.hpp"
#include "bonus/net/kad/sim/attackers.hpp"
#include "bonus/net/kad/sim/swarm.hpp"
#include "bonus/net/kad/value.hpp"
#include "bonus/net/kad/vivaldi.hpp"

namespace bonus::net::kad::sim {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

std::shared_ptr<Settings> settings_of(const DhtSetup& setup) {
  auto out = std::make_shared<Settings>();
  out->policy = setup.policy;
  out->assume_reachable = true;
  out->allow_private = true;  // addresses are the world's own
  if (!setup.caps) out->limits = without_prefix_caps(out->limits);
  if (!setup.churn) {
    // Upkeep stands still between the rounds, so that each can be measured by itself.
    out->periods.refresh = out->periods.probe = out->periods.republish = std::chrono::hours(24 * 30);
    out->periods.record_life = std::chrono::hours(24);
  }
  return out;
}

class Run {
 public:
  explicit Run(const DhtSetup& setup)
      : setup_(setup),
        swarm_({.seed = setup.seed, .settings = settings_of(setup), .loss = setup.loss, .expected = setup.nodes}) {}

  DhtReport operator()() {
    for (std::size_t i = 0; i < setup_.nodes; ++i) swarm_.add();
    choose_targets();
    if (setup_.sybils > 0) attackers_.emplace(swarm_, setup_.nodes, target_keys(), setup_.sybils, setup_.prefixes);
    warm_start();
    swarm_.on_done([this](std::size_t node, const LookupDone& done) { on_done(node, done); });
    measure_quality();
    if (setup_.policy == Policy::kNear)
      for (std::size_t i = 0; i < setup_.rounds; ++i) refresh_round();
    publish_all();
    if (setup_.churn)
      churn();
    else
      look_up();
    memory();
    percentiles();
    report_.virtual_seconds = std::chrono::duration<double>(swarm_.now() - Instant{}).count();
    return report_;
  }

 private:
  void choose_targets() {
    if (setup_.sybils == 0) return;
    for (std::size_t i = 0; i < setup_.targets; ++i) targets_.push_back(swarm_.random().below(setup_.nodes));
  }

  [[nodiscard]] std::vector<Hash32> target_keys() const {
    std::vector<Hash32> out;
    for (const auto t : targets_) {
      const auto& root = swarm_.node(t).root;
      out.push_back(setup_.values ? value_key(root, salt_) : address_key(overlay_address(crypto::node_id(root))));
    }
    return out;
  }

  void publish(std::size_t i) {
    if (!setup_.values) return swarm_.publish(i);
    (void)swarm_.with(i, [&](Kad& kad, Instant now, Actions& actions) {
      return kad.put_value(SimChecker::make_value(swarm_.node(i).root, salt_, 1, salt_), now, actions);
    });
  }

  // Tables as they are after a while: of each bucket some candidates, all of the small ones, in random order.
  void warm_start() {
    const std::size_t all = swarm_.size();
    converge_coordinates(all);
    std::vector<std::pair<Position, std::uint32_t>> sorted(all);
    for (std::size_t i = 0; i < all; ++i)
      sorted[i] = {swarm_.checker().position(swarm_.node(i).root, swarm_.epoch(), {}, Ring::kGlobal, 0),
                   static_cast<std::uint32_t>(i)};
    std::ranges::sort(sorted);
    positions_.resize(all);
    for (const auto& [position, i] : sorted) positions_[i] = position;
    sorted_ = std::move(sorted);
    for (std::size_t i = 0; i < setup_.nodes; ++i) {
      swarm_.start(i);
      fill_table(i);
    }
  }

  void converge_coordinates(std::size_t all) {
    coordinates_.resize(all);
    auto& random = swarm_.random();
    for (auto& c : coordinates_)
      c = {static_cast<float>(random.below(100)), static_cast<float>(random.below(100)), 1, 1};
    for (unsigned round = 0; round < 64; ++round)
      for (std::size_t i = 0; i < all; ++i) {
        const auto other = random.below(all);
        if (other != i) observe(coordinates_[i], coordinates_[other], swarm_.world().rtt_ms(i, other), 0.3);
      }
  }

  [[nodiscard]] std::pair<std::size_t, std::size_t> range(Position base, unsigned bits) const {
    const Position mask = bits == 0 ? 0 : ~Position{0} << (64 - bits);
    const auto low = std::ranges::lower_bound(sorted_, std::pair(base & mask, std::uint32_t{0}));
    const auto high = std::ranges::upper_bound(sorted_, std::pair(base | ~mask, UINT32_MAX));
    return {static_cast<std::size_t>(low - sorted_.begin()), static_cast<std::size_t>(high - sorted_.begin())};
  }

  void fill_table(std::size_t i) {
    auto& kad = *swarm_.node(i).kad;
    kad.set_coordinate(coordinates_[i]);
    auto& random = swarm_.random();
    std::vector<std::uint32_t> candidates;
    for (unsigned b = 0; b < 63; ++b) {
      if (const auto [low, high] = range(positions_[i], b); high - low <= 1) break;
      const auto [low, high] = range(positions_[i] ^ (Position{1} << (63 - b)), b + 1);
      candidates.clear();
      const auto many = high - low;
      for (std::size_t c = 0; c < std::min(many, setup_.warm); ++c)
        candidates.push_back(sorted_[low + (many <= setup_.warm ? c : random.below(many))].second);
      for (std::size_t c = candidates.size(); c > 1; --c) std::swap(candidates[c - 1], candidates[random.below(c)]);
      for (const auto c : candidates) {
        const auto& node = swarm_.node(c);
        (void)kad.restore({node.key, node.endpoint}, node.root, swarm_.world().rtt(i, c), coordinates_[c],
                          swarm_.now());
      }
    }
  }

  // Near slots against the eight nearest nodes of each bucket that there are, over a sample of nodes.
  void measure_quality() {
    if (setup_.policy != Policy::kNear) return;
    Quality out;
    std::size_t slots = 0;
    const std::size_t sample = std::min<std::size_t>(setup_.nodes, 100);
    std::vector<double> all;
    for (std::size_t s = 0; s < sample; ++s) {
      const auto i = s * (setup_.nodes / sample);
      std::unordered_map<unsigned, std::vector<double>> near;
      for (const auto& row : swarm_.node(i).kad->table(swarm_.now()))
        if (row.slot == Slot::kNear) near[row.bucket].push_back(swarm_.world().rtt_ms(i, swarm_.index_of(row.key)));
      for (unsigned b = 0; b < 63; ++b) {
        const auto [low, high] = range(positions_[i] ^ (Position{1} << (63 - b)), b + 1);
        if (high - low <= kBucketSize || near[b].size() < kNearSlots) continue;
        all.clear();
        for (auto c = low; c < high; ++c) all.push_back(swarm_.world().rtt_ms(i, sorted_[c].second));
        std::ranges::nth_element(all, all.begin() + kNearSlots);
        for (std::size_t k = 0; k < kNearSlots; ++k) {
          out.best_ms += all[k];
          out.near_ms += near[b][k];
          ++slots;
        }
      }
    }
    if (slots == 0) return;
    out.best_ms /= static_cast<double>(slots);
    out.near_ms /= static_cast<double>(slots);
    report_.rounds.push_back(out);
  }

  void refresh_round() {
    const auto before = swarm_.bytes();
    const auto begin = swarm_.now();
    for (std::size_t i = 0; i < setup_.nodes; ++i)
      swarm_.at(begin + spread(i, seconds(10)), [this, i] {
        swarm_.with(i, [](Kad& kad, Instant now, Actions& actions) {
          kad.refresh_now(now, actions);
          return 0;
        });
      });
    swarm_.run_until(begin + seconds(30));
    report_.refresh_bytes = static_cast<double>(swarm_.bytes() - before) / static_cast<double>(setup_.nodes);
    measure_quality();
  }

  [[nodiscard]] Duration spread(std::size_t i, Duration over) const {
    return over * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(setup_.nodes);
  }

  void publish_all() {
    const auto before = swarm_.bytes();
    const auto begin = swarm_.now();
    // Without attackers all records may be looked up; of a large network some, or publishing would take the most time.
    publishers_ = setup_.churn || setup_.publishers == 0 ? setup_.nodes : std::min(setup_.nodes, setup_.publishers);
    std::vector<std::size_t> who = targets_;
    if (targets_.empty() || setup_.churn)
      for (std::size_t i = 0; i < publishers_; ++i) who.push_back(i);
    for (const auto i : who)
      swarm_.at(begin + spread(swarm_.random().below(setup_.nodes), seconds(30)), [this, i] { publish(i); });
    swarm_.run_until(begin + seconds(50));
    report_.publish_bytes = static_cast<double>(swarm_.bytes() - before) / static_cast<double>(who.size());
  }

  void look_up() {
    const auto before = swarm_.bytes();
    const auto begin = swarm_.now();
    const auto over = std::max<Duration>(seconds(20), std::chrono::milliseconds(2) * setup_.lookups);
    for (std::size_t q = 0; q < setup_.lookups; ++q)
      swarm_.at(begin + over * static_cast<std::int64_t>(q) / static_cast<std::int64_t>(setup_.lookups), [this] {
        auto& random = swarm_.random();
        const auto from = random.below(setup_.nodes);
        const auto to = targets_.empty() ? random.below(publishers_) : targets_[random.below(targets_.size())];
        if (from != to) start_lookup(from, to);
      });
    swarm_.run_until(begin + over + seconds(30));
    report_.lookups += waiting_.size();  // never answered: lost
    report_.lookup_bytes =
        static_cast<double>(swarm_.bytes() - before) / static_cast<double>(std::max<std::size_t>(report_.lookups, 1));
  }

  void start_lookup(std::size_t from, std::size_t to) {
    // Set before the call: a lookup may be done at once.
    asking_ = {from, 0};
    const auto& root = swarm_.node(to).root;
    const auto id = setup_.values
                        ? swarm_.with(from, [&](Kad& kad, Instant now,
                                                Actions& actions) { return kad.get_value(root, salt_, now, actions); })
                        : swarm_.find(from, root);
    if (!id) {
      ++report_.lookups;
      asking_ = {SIZE_MAX, 0};
      return;
    }
    if (!answered_at_once_) waiting_.insert({*id * setup_.nodes + from, swarm_.now()});
    answered_at_once_ = false;
    asking_ = {SIZE_MAX, 0};
  }

  void on_done(std::size_t node, const LookupDone& done) {
    if (done.kind != (setup_.values ? LookupKind::kValue : LookupKind::kRecord)) return;
    if (waiting_.erase(done.id * setup_.nodes + node) == 0) {
      if (asking_.first != node) return;  // of a session that is over
      answered_at_once_ = true;
    }
    ++report_.lookups;
    report_.requests += done.requests;
    if (!done.found) return;
    ++report_.found;
    report_.hops += done.named_hops;
    report_.record_hops += done.hops;
    named_.push_back(std::chrono::duration<double, std::milli>(done.named).count());
    times_.push_back(std::chrono::duration<double, std::milli>(done.took).count());
  }

  void churn() {
    const auto begin = swarm_.now();
    const auto end = begin + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(setup_.hours * 3600));
    born_.assign(setup_.nodes, begin - minutes(10));
    for (std::size_t i = 0; i < setup_.nodes; ++i) end_session_later(i);
    // Lookups begin when half of the first nodes are gone; the seeker and the sought are there for two minutes.
    const auto first = begin + std::min<Duration>(minutes(20), (end - begin) / 3);
    const auto gap = (end - first - minutes(1)) / static_cast<std::int64_t>(setup_.lookups);
    for (std::size_t q = 0; q < setup_.lookups; ++q)
      swarm_.at(first + gap * static_cast<std::int64_t>(q), [this] {
        const auto from = settled(), to = settled();
        if (from != to) start_lookup(from, to);
      });
    const auto before = swarm_.bytes();
    swarm_.run_until(end);
    report_.lookups += waiting_.size();  // not answered within a minute: lost
    report_.upkeep_bytes_per_second = static_cast<double>(swarm_.bytes() - before) / static_cast<double>(setup_.nodes) /
                                      std::chrono::duration<double>(end - begin).count();
  }

  [[nodiscard]] std::size_t settled() {
    for (;;) {
      const auto i = swarm_.random().below(setup_.nodes);
      if (swarm_.now() - born_[i] >= minutes(2)) return i;
    }
  }

  void end_session_later(std::size_t i) {
    const double u = (static_cast<double>(swarm_.random().next_u64() >> 11) + 1) * 0x1p-53;
    const auto life = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-std::log(u) * 1800));
    swarm_.at(swarm_.now() + life, [this, i] {
      ++report_.sessions_ended;
      std::erase_if(waiting_, [&](const auto& one) { return one.first % setup_.nodes == i; });
      swarm_.reincarnate(i);
      std::vector<std::size_t> seeds;
      for (unsigned s = 0; s < 3; ++s) seeds.push_back(settled());
      born_[i] = swarm_.now();
      swarm_.bootstrap(i, seeds);
      publish(i);
      end_session_later(i);
    });
  }

  void memory() {
    for (std::size_t i = 0; i < setup_.nodes; ++i) {
      const auto status = swarm_.node(i).kad->status(swarm_.now());
      report_.table_bytes += static_cast<double>(status.memory_bytes);
      report_.identity_bytes += static_cast<double>(status.identity_bytes);
      report_.record_bytes += static_cast<double>(status.record_bytes);
      report_.contacts += static_cast<double>(status.contacts);
      report_.records += static_cast<double>(status.records);
    }
    const auto nodes = static_cast<double>(setup_.nodes);
    report_.table_bytes = (report_.table_bytes + static_cast<double>(swarm_.pool().memory_bytes())) / nodes;
    for (auto* value : {&report_.identity_bytes, &report_.record_bytes, &report_.contacts, &report_.records})
      *value /= nodes;
  }

  void percentiles() {
    std::ranges::sort(times_);
    std::ranges::sort(named_);
    const auto at = [](const std::vector<double>& times, double part) {
      return times.empty() ? 0.0 : times[static_cast<std::size_t>(part * static_cast<double>(times.size()))];
    };
    report_.p50_ms = at(named_, 0.5);
    report_.p90_ms = at(named_, 0.9);
    report_.p99_ms = at(named_, 0.99);
    report_.record_p50_ms = at(times_, 0.5);
    report_.record_p90_ms = at(times_, 0.9);
    report_.record_p99_ms = at(times_, 0.99);
    const auto found = static_cast<double>(std::max<std::size_t>(report_.found, 1));
    report_.hops /= found;
    report_.record_hops /= found;
    report_.requests /= static_cast<double>(std::max<std::size_t>(report_.lookups, 1));
    std::vector<double> direct;
    for (unsigned i = 0; i < 10'001; ++i)
      direct.push_back(swarm_.world().rtt_ms(swarm_.random().below(setup_.nodes), swarm_.random().below(setup_.nodes)));
    std::ranges::nth_element(direct, direct.begin() + 5000);
    report_.direct_ms = direct[5000];
  }

  const Bytes salt_{'s', 'i', 'm'};
  DhtSetup setup_;
  Swarm swarm_;
  std::vector<std::size_t> targets_;
  std::size_t publishers_ = 0;
  std::optional<Attackers> attackers_;
  std::vector<Coordinate> coordinates_;
  std::vector<Position> positions_;
  std::vector<std::pair<Position, std::uint32_t>> sorted_;
  std::vector<Instant> born_;
  std::unordered_map<std::uint64_t, Instant> waiting_;
  std::pair<std::size_t, int> asking_{SIZE_MAX, 0};
  bool answered_at_once_ = false;
  std::vector<double> named_, times_;
  DhtReport report_;
};

}  // namespace

DhtReport simulate(const DhtSetup& setup) { return Run(setup)(); }

}  // namespace bonus::net::kad::sim
