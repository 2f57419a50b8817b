// The candidates of one peer: probing, proof, round trip times, MTU, and the choice with hysteresis.
#pragma once

#include <optional>
#include <vector>

#include "bonus/net/nat/budget.hpp"
#include "bonus/net/nat/observed.hpp"
#include "bonus/net/nat/path_message.hpp"
#include "bonus/net/nat/relay_client.hpp"

namespace bonus::net::nat {

/// What the peers of one node share.
struct PathContext {
  const PathOptions& options;
  runtime::Random& random;
  ProbeBudget budget;
  Observer observer;
  RelayClient relays;
  Bytes self_record;
  std::uint64_t self_sequence = 0;

  /// Whether a stranger's word may make us send there at all.
  [[nodiscard]] bool may_probe(const UdpEndpoint& endpoint) const;
  [[nodiscard]] PathKind kind(const PathEndpoint& path) const;
};

/// Not thread-safe.
class PathSet {
 public:
  PathSet(PathContext& context, const crypto::X25519Public& peer, Instant now);

  /// Probes an endpoint: `burst` times until it answers (1 to 5).
  void offer(const PathEndpoint& path, Word word, int burst, Instant now);
  /// The channel or socket is gone.
  void remove(std::uint32_t via, Instant now, Actions& out);
  /// Our own address changed: everything is probed again.
  void moved(Instant now);
  void on_traffic(bool received, Instant now);

  /// Answers; `peer_record` is what we could return, `needed`: we do not know the peer's record of that sequence.
  void on_probe(const PathEndpoint& path, const Probe& m, bool needed, BytesView own_record, Instant now, Actions& out);
  struct Answer {
    bool matched = false;  ///< Fresh: answers a probe of ours.
  };
  Answer on_ack(const PathEndpoint& path, const Ack& m, Instant now, Actions& out);
  Answer on_confirm(const PathEndpoint& path, const Confirm& m, Instant now, Actions& out);
  /// An answer to a probe that was sent by birthday probing.
  void proven(const PathEndpoint& path, Instant sent, const Ack& m, Instant now, Actions& out);
  void on_timer(Instant now, Actions& out);
  [[nodiscard]] std::optional<Instant> next_timer() const;

  /// The next probe of an endpoint that has not answered yet brings our record and asks for the peer's: a round trip
  /// less. One probe only, and not small: never because of what a stranger sent us.
  void hurry() { hurried_ = true; }
  void set_record_known(bool known) { record_known_ = known; }
  [[nodiscard]] bool has_direct() const { return current_ && context_.kind(*current_) == PathKind::kDirect; }
  /// Known to answer there, lately.
  [[nodiscard]] bool confirmed(const PathEndpoint& path, Instant now) const;
  [[nodiscard]] bool any_confirmed() const;
  [[nodiscard]] bool active(Instant now) const;
  [[nodiscard]] const std::optional<PathEndpoint>& current() const { return current_; }
  [[nodiscard]] const std::optional<Actions::PathChanged>& announced() const { return announced_; }
  [[nodiscard]] std::size_t size() const { return candidates_.size(); }
  [[nodiscard]] std::uint64_t switches() const { return switches_; }
  [[nodiscard]] double loss() const;

 private:
  struct Outstanding {
    std::uint64_t id = 0;
    Instant at;
    std::size_t size = 0;
    std::uint16_t mtu = 0;  // of a probe of the MTU
    bool lost = false;      // counted already; a late answer still proves the path
  };
  struct Candidate {
    PathEndpoint path;
    Word word = Word::kRecord;
    int burst = 0, burst_sent = 0;  // probes without an answer
    bool proven = false;
    int acks = 0, fails = 0, deaths = 0;
    Duration rtt{};
    Instant last_ok, added, penalty_until;
    std::optional<Instant> next;
    std::vector<Outstanding> probes;
    std::uint64_t challenge = 0;
    Instant challenge_at;
    std::uint32_t history = 0;  // bit 0: the latest probe was lost
    std::uint16_t mtu = 1280;
    int mtu_tries = 0;
    std::optional<Instant> mtu_next;
    std::uint16_t mtu_trying = 0;
    Instant mtu_failed_at;
  };

  Candidate* find(const PathEndpoint& path);
  [[nodiscard]] const Candidate* find(const PathEndpoint& path) const;
  Candidate* add(const PathEndpoint& path, Word word, Instant now);
  void send_probe(Candidate& c, Instant now, Actions& out, std::uint16_t mtu = 0);
  void send_confirm(const Candidate& c, const Ack& m, Actions& out);
  void sample(Candidate& c, Duration rtt, Instant now);
  void died(Candidate& c, Instant now);
  void expire_probes(Candidate& c, Instant now);
  void step_mtu(Candidate& c, Instant now, Actions& out);
  void mtu_answer(Candidate& c, std::uint16_t mtu, Instant now);
  void choose(Instant now, Actions& out);
  void announce(Instant now, Actions& out);
  [[nodiscard]] bool better(const Candidate& a, const Candidate& b, Instant now) const;
  [[nodiscard]] Duration timeout(const Candidate& c) const;
  [[nodiscard]] std::optional<Duration> heartbeat(const Candidate& c, Instant now) const;

  PathContext& context_;
  crypto::X25519Public peer_;
  std::vector<Candidate> candidates_;
  std::optional<PathEndpoint> current_;
  std::optional<Actions::PathChanged> announced_;
  Instant announced_at_, switched_at_, last_traffic_, roamed_until_;
  bool known_to_peer_ = false;  // it has our record
  bool record_known_ = false;   // it has shown its record
  bool hurried_ = false;
  std::uint64_t switches_ = 0;
};

}  // namespace bonus::net::nat
