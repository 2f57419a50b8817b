// The state of a BonusBFT core and its rules; private to this folder. bonusbft.hpp is the interface.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "bonus/chain/consensus/evidence.hpp"
#include "bonus/chain/consensus/wal.hpp"

namespace bonus::chain::consensus {

struct Proposal {
  enum class State : std::uint8_t { kUnknown, kValid, kInvalid };
  Propose message;
  Hash32 id;  ///< ph
  std::size_t rank = 0;
  std::optional<Hash32> forced;  ///< What J forces; nothing: a fresh block.
  State state = State::kUnknown;
  bool judged_final = false;  ///< Its body was tried once for a decision.
};

/// What was seen and sent in one round. First statement of each signer only; a second one is evidence.
struct Round {
  std::map<Validator, Proposal> proposals;
  std::map<Validator, VoteBlock> votes;
  std::map<Validator, Commit> commits;
  std::map<Validator, RoundChange> changes;  ///< To enter this round; without bodies.
  std::optional<VoteCert> cert;
  bool commit_requested = false;
  Bytes own_propose, own_vote, own_commit, own_change;  ///< As sent (own_change without body); empty: not sent.
};

struct Height {
  Height(std::uint64_t h, std::size_t n, const Hash32& seed) : height(h), order(n, h, seed) {}
  std::uint64_t height;
  Order order;
  Instant entered_at, not_before;
  std::uint32_t round = 0;
  bool waiting = false;  ///< RoundChange(round) was sent, its quorum has not come: neither vote nor commit.
  std::optional<VoteCert> lock;
  std::map<std::uint32_t, Round> rounds;
  std::map<Validator, std::uint32_t> highest_change;  ///< Highest RoundChange of each validator, whatever the distance.
  std::map<Hash32, Bytes> bodies;                     ///< Executed and found good.
  std::set<Hash32> durable_bodies;
  std::uint32_t entry_round = 0;  ///< Highest round entered, and the RoundChanges that opened it (none for round 0).
  std::vector<Bytes> entry;
  std::optional<CommitCert> pending;  ///< Final; its body may still be missing.
  bool finished_in_wal = false;
  bool decided = false;
  bool muted = false;  ///< Signs nothing at this height: the WAL is behind (rule 10).
  std::set<std::pair<Validator, Offence>> reported;
  Instant retransmit_at = Instant::max();
  unsigned backoff = 0;
  Instant retry_at = Instant::max();  ///< After the application could not build or judge just now.
  std::optional<Hash32> wanted;       ///< A body that is being asked for.
  std::vector<Validator> holders;
  std::size_t asked = 0;
  Instant fetch_at = Instant::max();
};

/// A height that is final, kept so that peers which missed it can be answered.
struct PastHeight {
  CommitCert cert;
  Bytes body;
  Instant at;
};

struct PeerLimits {
  Instant new_height, body, entry, behind;  ///< Earliest time of the next message of this kind.
  std::vector<Bytes> future;                ///< Messages of the next height.
  std::size_t future_bytes = 0;
};

struct BonusBft::Impl {
  static constexpr std::uint32_t kAhead = 32;   ///< Votes, commits, changes of that many later rounds are kept,
  static constexpr std::uint32_t kBehind = 64;  ///< and of that many earlier ones.
  static constexpr std::uint32_t kProposalsAhead = 2;
  static constexpr std::size_t kFutureMessages = 12;

  Impl(Config c, Application& a, const std::vector<Bytes>& wal_records, Options o);

  // Entry points (core.cpp).
  void begin_height(std::uint64_t height, const Hash32& seed, Instant not_before);
  void receive(std::size_t from, BytesView bytes);
  void progress();
  [[nodiscard]] Instant deadline() const;

  // What comes in (core_receive.cpp). The message belongs to the current height.
  void on(std::size_t from, Propose& m);
  void on(std::size_t from, VoteBlock& m);
  void on(std::size_t from, CommitRequest& m);
  void on(std::size_t from, Commit& m);
  void on(std::size_t from, NewHeight& m);
  void on(std::size_t from, RoundChange& m);
  void on(std::size_t from, BodyRequest& m);
  void on(std::size_t from, Body& m);
  void store(const VoteBlock& verified);
  void store(const Commit& verified);
  void store(const RoundChange& verified);
  void report(const Statement& a, const Statement& b);
  [[nodiscard]] bool near(std::uint32_t round) const;
  void keep_for_later(std::size_t from, BytesView bytes, const Message& message);
  void answer_stale(std::size_t from, const Message& message);

  // Rules 2 to 7 (core_rules.cpp). Each try_ returns whether something changed.
  void evaluate_proposals();
  bool try_propose();
  bool try_vote();
  bool try_commit();
  bool commit_in(std::uint32_t round);
  bool try_decide();
  [[nodiscard]] bool have_body(const Hash32& hash);
  [[nodiscard]] bool accept_body(const Hash32& hash, const Bytes& body, bool fresh);
  void propose(const Hash32& hash, const Bytes& body, Justification j);

  // Rules 1, 8, 9 (core_round.cpp).
  bool try_change_round();
  bool try_timeout();
  void change_to(std::uint32_t round);
  void enter(std::uint32_t round);
  [[nodiscard]] std::optional<Justification> justification(const Round& round) const;
  [[nodiscard]] Duration delay(std::uint32_t round) const;  ///< Dr
  [[nodiscard]] Instant timer_start() const;
  [[nodiscard]] Instant vote_time() const;
  [[nodiscard]] Instant round_end() const;
  [[nodiscard]] Instant propose_time(std::size_t rank) const;

  // Sending, repeating, fetching (core_send.cpp).
  [[nodiscard]] bool can_sign() const;
  template <class S>
  void sign(S& statement, SignerState::Step step);
  void persist(const wal::Record& record);
  void persist_body(const Hash32& hash);
  void broadcast(Bytes message) { out.emplace_back(Broadcast{std::move(message)}); }
  void send(std::size_t to, Bytes message) { out.emplace_back(Send{to, std::move(message)}); }
  void sent_something();
  void retransmit();
  void fetch();
  void want(const Hash32& hash, const std::vector<Validator>& holders, Duration patience);

  // After a restart (core_restart.cpp).
  void load_past();
  void restore();
  void restore(const Message& own);
  [[nodiscard]] bool must_be_muted(std::uint64_t height) const;

  [[nodiscard]] Round& current() { return s->rounds[s->round]; }
  [[nodiscard]] std::size_t rank(std::uint32_t round, std::size_t validator) const {
    return s->order.rank(round, validator);
  }
  [[nodiscard]] Validator self() const { return static_cast<Validator>(*config.self); }

  Config config;
  Application& app;
  Options options;
  Ed25519Signatures ed25519;
  Rules rules;
  wal::Ledger ledger;
  bool wal_understood = true;
  std::optional<SignerState> signed_up_to;
  std::map<std::uint64_t, PastHeight> past;
  std::vector<PeerLimits> peers;
  std::optional<Height> s;
  Instant now;
  Actions out;
};

template <class S>
void BonusBft::Impl::sign(S& statement, SignerState::Step step) {
  const Bytes bytes = statement_bytes(rules.domain, statement);
  statement.signature = rules.signatures->sign(bytes);
  SignerState state{statement.height, statement.round, step, {}};
  if constexpr (requires { statement.hash; }) state.hash = statement.hash;
  if (!signed_up_to || *signed_up_to < state) signed_up_to = state;
}

}  // namespace bonus::chain::consensus
