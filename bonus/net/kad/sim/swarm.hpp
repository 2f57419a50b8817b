// Many production cores on one virtual clock, joined by a World's round-trip times.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <unordered_map>

#include "bonus/net/kad/identity.hpp"
#include "bonus/net/kad/sim/sim_checker.hpp"
#include "bonus/net/kad/sim/world.hpp"

namespace bonus::net::kad::sim {

/// Deterministic in its seed. Not thread-safe.
class Swarm {
 public:
  static constexpr UnixSeconds kUnixStart = 1'700'000'000;
  struct Options {
    std::uint64_t seed = 1;
    std::shared_ptr<const Settings> settings;
    const Checker* checker = nullptr;  ///< A SimChecker of its own when null.
    double loss = 0;                   ///< Of each datagram.
    std::size_t prefixes = 0;          ///< /24s that nodes are spread over; 0: four for each expected node.
    std::size_t expected = 1000;
    bool shared_identities = true;
  };
  struct Node {
    Ed25519PublicKey root;
    crypto::X25519Public key;
    UdpEndpoint endpoint;
    std::unique_ptr<Kad> kad;  // null: gone, or not one of ours
    Instant timer_at = Instant::max();
    std::uint64_t sequence = 1;  // of its record
    std::string country, metro;
  };
  using Done = std::function<void(std::size_t node, const LookupDone& done)>;
  /// Whether a datagram passes; for partitions and NATs.
  using Filter = std::function<bool(std::size_t from, std::size_t to)>;
  /// Takes what is sent to a node that is not one of ours.
  using Stranger = std::function<void(std::size_t to, std::size_t from, BytesView payload)>;

  explicit Swarm(Options options);
  ~Swarm();
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  /// A place and keys for a node, without a core.
  std::size_t add();
  std::size_t add_stranger(std::uint32_t attacker_prefix, const Ed25519PublicKey& root);
  /// Gives it a core, with its settings or the common ones.
  void start(std::size_t node, std::shared_ptr<const Settings> settings = nullptr, bool serves = true);
  void stop(std::size_t node);
  /// Another node takes the place: new keys, same world position.
  void reincarnate(std::size_t node);
  void bootstrap(std::size_t node, const std::vector<std::size_t>& seeds);
  void publish(std::size_t node);
  Result<LookupId> find(std::size_t node, const Ed25519PublicKey& root);
  /// Any call into a core: actions are carried out and its timer is set.
  template <class F>
  auto with(std::size_t node, F call) {
    Actions actions;
    auto out = call(*nodes_[node].kad, now_, actions);
    carry_out(node, actions);
    return out;
  }
  void send_as(std::size_t from, std::size_t to, Bytes payload) { deliver_later(from, to, std::move(payload)); }

  void run_until(Instant end);
  void run_for(Duration duration) { run_until(now_ + duration); }
  /// Runs `call` at that time.
  void at(Instant when, std::function<void()> call);
  void on_done(Done done) { done_ = std::move(done); }
  void set_filter(Filter filter) { filter_ = std::move(filter); }
  void on_stranger(Stranger stranger) { stranger_ = std::move(stranger); }

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] Node& node(std::size_t i) { return nodes_[i]; }
  [[nodiscard]] const Node& node(std::size_t i) const { return nodes_[i]; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] World& world() { return world_; }
  [[nodiscard]] runtime::sim::SeededRandom& random() { return random_; }
  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  ///< Payloads with seal and UDP/IPv4 headers.
  [[nodiscard]] const IdentityPool& pool() const { return *pool_; }
  [[nodiscard]] std::uint32_t epoch() const { return static_cast<std::uint32_t>(kUnixStart / 86400); }
  [[nodiscard]] const Checker& checker() const { return *checker_; }
  [[nodiscard]] std::size_t index_of(const crypto::X25519Public& key) const { return by_key_.at(key); }

 private:
  struct Event {
    Instant at;
    std::uint64_t order = 0;
    std::uint32_t to = 0, from = 0;
    std::uint32_t slot = 0;  // of the payload or the call
    enum class Kind : std::uint8_t { kDatagram, kTimer, kCall } kind = Kind::kDatagram;
    friend bool operator>(const Event& a, const Event& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  };
  std::size_t add_at(std::size_t place);
  void keys(Node& node);
  void carry_out(std::size_t node, Actions& actions);
  void set_timer(std::size_t node);
  void deliver_later(std::size_t from, std::size_t to, Bytes payload);
  void push(Event event);

  Options options_;
  SimChecker own_checker_;
  const Checker* checker_;
  runtime::sim::SeededRandom random_;
  World world_;
  std::shared_ptr<IdentityPool> pool_;  // shared with the cores
  std::vector<Node> nodes_;
  std::unordered_map<UdpEndpoint, std::size_t> by_endpoint_;
  std::unordered_map<crypto::X25519Public, std::size_t> by_key_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Bytes> payloads_;
  std::vector<std::uint32_t> free_;
  std::vector<std::function<void()>> calls_;
  Instant now_{};
  std::uint64_t order_ = 0, datagrams_ = 0, bytes_ = 0;
  Done done_;
  Filter filter_;
  Stranger stranger_;
};

}  // namespace bonus::net::kad::sim
