// A run: draws the circumstances from the seed, lets the hostile phase pass, then demands progress.
#include "bonus/chain/consensus/sim/simulation.hpp"

#include <fmt/format.h>

#include <set>

#include "bonus/chain/consensus/sim/adversary.hpp"
#include "bonus/chain/consensus/sim/signatures.hpp"

namespace bonus::chain::consensus::sim {

using namespace std::chrono_literals;
using runtime::sim::SeededRandom;

namespace {

std::uint8_t type_of(BytesView message) {
  if (message.size() < 4 || message[1] < 0xc0) return 0;
  const std::size_t at = message[1] < 0xf8 ? 2 : 2U + (message[1] - 0xf7U);
  return at < message.size() ? message[at] : 0;
}

class Run {
 public:
  Run(const Setup& setup, std::uint64_t seed)
      : setup_(setup), random_(seed), network_(events_, random_.fork(), setup.nodes) {
    make_members();
    draw_circumstances();
  }
  Outcome go();

 private:
  void make_members();
  void draw_circumstances();
  void starve(std::uint64_t plan);
  void connect();
  void hostile_phase();
  void calm_phase();
  std::optional<Duration> shape(std::size_t from, std::size_t to, BytesView message);
  void decided(std::size_t node, const Block& block, std::uint64_t height);
  void behind(std::size_t node, std::size_t peer, std::uint64_t from);
  void schedule_act();
  [[nodiscard]] std::uint64_t shortest() const;
  [[nodiscard]] std::uint64_t longest() const;
  void trouble(std::string text) {
    if (outcome_.trouble.empty()) outcome_.trouble = std::move(text);
  }

  Setup setup_;
  SeededRandom random_;
  runtime::sim::Events events_;
  runtime::sim::Network network_;
  Config config_;
  std::vector<std::unique_ptr<Signatures>> signatures_;
  std::vector<std::unique_ptr<Config>> own_configs_;
  std::optional<Surroundings> around_;
  std::vector<std::unique_ptr<Node>> nodes_;  // empty at the places of Byzantine nodes
  std::vector<std::size_t> honest_;
  std::set<std::size_t> byzantine_;
  std::optional<Adversary> adversary_;
  std::map<std::uint64_t, Hash32> chain_;
  Outcome outcome_;

  bool hostile_ = true;
  std::set<std::pair<std::uint8_t, std::size_t>> slow_;  // (message type, receiver)
  std::array<std::vector<std::size_t>, 2> halves_;
  std::vector<int> half_of_;
  bool parted_ = false;
  Duration act_pause_{};  // between the adversary's moves; 0 for none
  Duration slowness_{};
};

void Run::make_members() {
  std::vector<std::size_t> order(setup_.nodes);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random_.below(i))]);
  byzantine_.insert(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(setup_.byzantine));
  const auto cut = static_cast<std::size_t>(random_.below(std::max<std::size_t>(setup_.nodes, 2) - 1)) + 1;
  half_of_.resize(setup_.nodes);
  for (std::size_t i = 0; i < order.size(); ++i) {
    half_of_[order[i]] = 0;
  }
  // The split is drawn among the honest: Byzantine nodes stand on both sides.
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random_.below(i))]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t side = i < cut ? 0 : 1;
    half_of_[order[i]] = static_cast<int>(side);
    if (!byzantine_.contains(order[i])) halves_[side].push_back(order[i]);
  }
  config_.chain_id = 7;
  std::vector<crypto::Ed25519KeyPair> keys;
  std::vector<std::uint64_t> hash_keys;
  for (std::size_t i = 0; i < setup_.nodes; ++i) {
    hash_keys.push_back(random_.next_u64());
    Ed25519PublicKey id;
    id.bytes[0] = static_cast<std::uint8_t>(i);
    if (setup_.ed25519) {
      crypto::Ed25519Seed seed;
      random_.fill(seed.bytes);
      keys.push_back(crypto::Ed25519KeyPair::from_seed(seed));
      id = keys.back().public_key();
    }
    config_.validators.push_back(id);
  }
  for (std::size_t i = 0; i < setup_.nodes; ++i) {
    own_configs_.push_back(std::make_unique<Config>(config_));
    own_configs_[i]->self = i;
    if (setup_.ed25519) {
      own_configs_[i]->key = keys[i];
      signatures_.push_back(std::make_unique<Ed25519Signatures>(*own_configs_[i]));
    } else {
      signatures_.push_back(std::make_unique<KeyedHashSignatures>(hash_keys, i));
    }
  }
}

// Two delays that hurt most: one node alone learns that Q have committed, or certificates come when the round is over.
void Run::starve(std::uint64_t plan) {
  const auto favourite = static_cast<std::size_t>(random_.below(setup_.nodes));
  for (std::size_t to = 0; to < setup_.nodes; ++to) {
    if (plan == 0 && to != favourite)
      for (const auto type : {MessageType::kCommit, MessageType::kNewHeight})
        slow_.emplace(static_cast<std::uint8_t>(type), to);
    if (plan == 1 && to != favourite)
      for (const auto type : {MessageType::kVoteBlock, MessageType::kCommitRequest})
        slow_.emplace(static_cast<std::uint8_t>(type), to);
  }
}

void Run::draw_circumstances() {
  const double share = std::array{0.0, 0.3, 0.6}[static_cast<std::size_t>(random_.below(3))];
  for (std::uint8_t type = 1; type <= 8; ++type)
    for (std::size_t to = 0; to < setup_.nodes; ++to) {
      const bool announces = type == static_cast<std::uint8_t>(MessageType::kNewHeight);
      if (random_.chance(announces ? 0.75 : share)) slow_.emplace(type, to);
    }
  starve(random_.below(4));
  parted_ = random_.chance(0.5);
  act_pause_ = std::array{10ms, 25ms, 60ms, 200ms}[static_cast<std::size_t>(random_.below(4))];
  slowness_ = random_.between(2s, 20s);
  runtime::sim::LinkQuality quality;
  quality.delay_max = random_.between(5ms, 300ms);
  quality.loss = random_.chance(0.5) ? 0.1 : 0.0;
  quality.duplication = random_.chance(0.5) ? 0.1 : 0.0;
  network_.set_quality(quality);
}

void Run::connect() {
  Rules rules;
  rules.quorum = Quorum::of(setup_.nodes);
  rules.signatures = signatures_.front().get();
  rules.domain = {config_.chain_id, config_.epoch};
  if (setup_.mutation == Mutation::kSmallQuorum) --rules.quorum.size;  // blocks of such nodes carry fewer seals
  around_.emplace(Surroundings{events_, network_, rules, {}, 0, {}, {}, {}, {}, {}, 0});
  random_.fill(around_->order_seed.bytes);
  around_->crash_rate = std::array{0.0, 0.002, 0.01}[static_cast<std::size_t>(random_.below(3))];
  around_->on_decided = [this](std::size_t node, const Block& block, std::uint64_t height) {
    decided(node, block, height);
  };
  around_->on_broadcast = [this](std::size_t, const Bytes& message) {
    if (adversary_) adversary_->observe(message);
  };
  around_->on_evidence = [this](std::size_t offender, bool verified) {
    ++outcome_.evidence;
    if (verified && byzantine_.contains(offender)) return;
    if (setup_.mutation != Mutation::kNone) return;
    outcome_.honest_blamed = true;
    trouble(verified ? fmt::format("honest node {} was convicted", offender) : "evidence did not verify");
  };
  around_->on_muted = [this](std::size_t node) {
    outcome_.honest_blamed = true;
    trouble(fmt::format("node {} refuses to sign although its WAL is whole", node));
  };
  around_->on_behind = [this](std::size_t node, std::size_t peer, std::uint64_t from) { behind(node, peer, from); };
  nodes_.resize(setup_.nodes);
  std::vector<Adversary::Puppet> puppets;
  for (std::size_t i = 0; i < setup_.nodes; ++i) {
    if (byzantine_.contains(i)) {
      puppets.push_back({i, signatures_[i].get()});
      continue;
    }
    honest_.push_back(i);
    Options options;
    options.signatures = signatures_[i].get();
    options.mutation = setup_.mutation;
    nodes_[i] = std::make_unique<Node>(*around_, *own_configs_[i], options, i, random_.fork());
  }
  if (!puppets.empty()) adversary_.emplace(*around_, puppets, honest_, halves_, random_.fork());
  network_.set_shaper([this](std::size_t from, std::size_t to, BytesView message) { return shape(from, to, message); });
}

// In virtual time, not per event: its messages are events too, and would multiply.
void Run::schedule_act() {
  auto move = [this] {
    if (act_pause_ == Duration(0)) return;
    adversary_->act([this](std::size_t node) { return nodes_[node]->status(); });
    schedule_act();
  };
  events_.after(random_.between(Duration(0), 2 * act_pause_), std::move(move));
}

std::optional<Duration> Run::shape(std::size_t from, std::size_t to, BytesView message) {
  if (!hostile_ || byzantine_.contains(from)) return Duration(0);
  if (parted_ && half_of_[from] != half_of_[to] && random_.chance(0.9)) return std::nullopt;
  if (slow_.contains({type_of(message), to}) && random_.chance(0.97)) {
    if (random_.chance(0.3)) return std::nullopt;
    return random_.between(100ms, slowness_);
  }
  return Duration(0);
}

void Run::decided(std::size_t node, const Block& block, std::uint64_t height) {
  const auto [it, first] = chain_.emplace(height, block.hash);
  if (first || it->second == block.hash) return;
  outcome_.agreed = false;
  trouble(fmt::format("node {} decided another block at height {}", node, height));
}

void Run::behind(std::size_t node, std::size_t peer, std::uint64_t from) {
  if (byzantine_.contains(peer)) return;  // it would not answer
  if (hostile_ && random_.chance(0.8)) return;
  auto fetch = [this, node, peer, from] {
    const auto& have = nodes_[peer]->chain();
    if (!nodes_[peer]->up() || !nodes_[node]->up() || from == 0 || from > have.size()) return;
    nodes_[node]->adopt({have.begin() + static_cast<std::ptrdiff_t>(from - 1), have.end()});
  };
  events_.after(random_.between(10ms, 400ms), std::move(fetch));
}

std::uint64_t Run::shortest() const {
  std::uint64_t out = UINT64_MAX;
  for (const std::size_t i : honest_) out = std::min<std::uint64_t>(out, nodes_[i]->chain().size());
  return out;
}
std::uint64_t Run::longest() const {
  std::uint64_t out = 0;
  for (const std::size_t i : honest_) out = std::max<std::uint64_t>(out, nodes_[i]->chain().size());
  return out;
}

void Run::hostile_phase() {
  const Instant end = events_.now() + random_.between(2s, 20s);
  for (const std::size_t i : honest_) nodes_[i]->start();
  if (adversary_) schedule_act();
  while (events_.now() < end && outcome_.agreed && longest() < 12) {
    if (!events_.step()) break;
    for (const std::size_t i : honest_)
      outcome_.highest_round = std::max(outcome_.highest_round, nodes_[i]->status().round);
    if (adversary_) adversary_->forget_below(shortest());
  }
}

void Run::calm_phase() {
  hostile_ = false;
  around_->crash_rate = 0;
  runtime::sim::LinkQuality calm;
  calm.delay_max = 75ms;
  network_.set_quality(calm);
  act_pause_ = random_.chance(0.5) ? 8 * act_pause_ : Duration(0);
  const std::uint64_t target = longest() + 2;
  const Instant limit = events_.now() + 600s;
  while (outcome_.agreed && shortest() < target) {
    if (events_.now() > limit || !events_.step()) {
      outcome_.decided = false;
      std::string where;
      for (const std::size_t i : honest_) {
        const auto at = nodes_[i]->status();
        where += fmt::format(" {}:h{}r{}{}{}", i, at.height, at.round, at.waiting ? "w" : "", at.locked ? "L" : "");
      }
      trouble(fmt::format("no decision of height {} within 600 s of calm;{}", shortest() + 1, where));
      return;
    }
    if (adversary_) adversary_->forget_below(shortest());
  }
}

Outcome Run::go() {
  connect();
  hostile_phase();
  if (outcome_.agreed) calm_phase();
  outcome_.heights = shortest();
  outcome_.messages = network_.delivered();
  outcome_.crashes = around_->crashes;
  return outcome_;
}

}  // namespace

Outcome simulate(const Setup& setup, std::uint64_t seed) {
  Run run(setup, seed);
  return run.go();
}

std::string_view to_string(Mutation mutation) {
  switch (mutation) {
    case Mutation::kNone:
      return "none";
    case Mutation::kNoLock:
      return "nolock";
    case Mutation::kAmnesia:
      return "amnesia";
    case Mutation::kNoJustification:
      return "nojustification";
    case Mutation::kCommitAfterRoundChange:
      return "commit-after-roundchange";
    case Mutation::kSmallQuorum:
      return "small-quorum";
  }
  return "unknown";
}

}  // namespace bonus::chain::consensus::sim
