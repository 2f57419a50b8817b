// Tests of the core's rules one by one, with real signatures and messages carried by hand.
#include <gtest/gtest.h>

#include <set>

#include "bonus/chain/consensus/evidence.hpp"
#include "bonus/chain/consensus/wal.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::consensus {
namespace {

using namespace std::chrono_literals;

struct Application1 final : Application {
  std::uint64_t built = 0;
  bool future_clock = false;
  Result<Built> build(std::uint64_t height, std::uint32_t round) override {
    Bytes body{static_cast<std::uint8_t>(height), static_cast<std::uint8_t>(round), static_cast<std::uint8_t>(++built)};
    return Built{crypto::keccak256(body), body};
  }
  Result<Hash32> validate(std::uint64_t height, BytesView body, bool fresh) override {
    if (body.size() != 3 || body[0] != height) return fail(ErrorCode::kInvalid, "bad block");
    if (fresh && future_clock) return fail(ErrorCode::kInvalid, "time too far ahead");
    return crypto::keccak256(body);
  }
};

struct Machine {
  Application1 app;
  std::optional<BonusBft> core;
  std::vector<Bytes> wal;
  std::vector<Decided> decided;
  std::vector<Evidence> evidence;
  std::vector<Behind> behind;
  std::vector<Bytes> sent;  // every broadcast
  std::set<Bytes> durable_messages;
  // A new machine in the place of the old one.
  void wipe() {
    core.reset();
    app = Application1{};
    wal.clear();
    decided.clear();
    evidence.clear();
    behind.clear();
    sent.clear();
    durable_messages.clear();
  }
};

class CoreTest : public testing::Test {
 protected:
  explicit CoreTest(std::size_t n = 4) : machines(n) {
    for (std::size_t i = 0; i < n; ++i) {
      crypto::Ed25519Seed seed;
      seed.bytes[0] = static_cast<std::uint8_t>(i + 1);
      keys.push_back(crypto::Ed25519KeyPair::from_seed(seed));
      config.validators.push_back(keys.back().public_key());
    }
    config.chain_id = 42;
    rules.domain = {42, 0};
    rules.quorum = Quorum::of(n);
    rules.signatures = &signatures;
  }
  Config own(std::size_t i) {
    Config c = config;
    c.self = i;
    c.key = keys[i];
    return c;
  }
  void boot(std::size_t i, const Options& options = {}) {
    machines[i].core.emplace(own(i), machines[i].app, machines[i].wal, options);
  }
  void start(std::size_t i, std::uint64_t height = 1, Duration pause = 0s) {
    if (!machines[i].core) boot(i);
    carry(i, machines[i].core->advance(now, height, Hash32{}, now + pause));
  }
  void start_all() {
    for (std::size_t i = 0; i < machines.size(); ++i) start(i);
  }
  void carry(std::size_t i, Actions actions) {
    Machine& m = machines[i];
    for (auto& action : actions) {
      if (auto* persist = std::get_if<Persist>(&action)) {
        m.wal.push_back(persist->record);
        const auto record = wal::decode(persist->record);
        ASSERT_TRUE(record);
        if (const auto* own_message = std::get_if<wal::Own>(&record->content)) {
          EXPECT_FALSE(persist->signer_state.empty());
          m.durable_messages.insert(own_message->message);
        }
      } else if (auto* broadcast = std::get_if<Broadcast>(&action)) {
        expect_durable(m, broadcast->message);
        m.sent.push_back(broadcast->message);
        for (std::size_t to = 0; to < machines.size(); ++to)
          if (to != i) post(i, to, broadcast->message);
      } else if (auto* send = std::get_if<Send>(&action)) {
        post(i, send->to, send->message);
      } else if (auto* decided = std::get_if<Decided>(&action)) {
        m.decided.push_back(*decided);
      } else if (auto* evidence = std::get_if<Evidence>(&action)) {
        m.evidence.push_back(*evidence);
      } else if (auto* behind = std::get_if<Behind>(&action)) {
        m.behind.push_back(*behind);
      }
    }
  }
  // Rule 10: what is signed is on disk before it leaves.
  void expect_durable(const Machine& m, const Bytes& bytes) {
    auto message = decode_message(bytes);
    ASSERT_TRUE(message);
    if (std::holds_alternative<CommitRequest>(*message) || std::holds_alternative<NewHeight>(*message)) return;
    if (auto* propose = std::get_if<Propose>(&*message)) propose->body.clear();
    if (auto* change = std::get_if<RoundChange>(&*message)) change->body.clear();
    EXPECT_TRUE(m.durable_messages.contains(encode(*message)));
  }
  void post(std::size_t from, std::size_t to, const Bytes& message) {
    if (!filter || filter(from, to, *decode_message(message))) mail.push_back({from, to, message});
  }
  void deliver() {
    for (int guard = 0; guard < 5000 && !mail.empty(); ++guard) {
      const auto [from, to, message] = mail.front();
      mail.erase(mail.begin());
      if (machines[to].core) carry(to, machines[to].core->on_message(now, from, message));
    }
    ASSERT_TRUE(mail.empty());
  }
  // Steps the clock from deadline to deadline.
  void run_for(Duration duration) {
    const Instant end = now + duration;
    deliver();
    while (true) {
      Instant next = Instant::max();
      for (auto& m : machines)
        if (m.core) next = std::min(next, m.core->next_deadline());
      if (next > end) break;
      ASSERT_GT(next, now);
      now = next;
      for (std::size_t i = 0; i < machines.size(); ++i)
        if (machines[i].core && machines[i].core->next_deadline() <= now) carry(i, machines[i].core->on_tick(now));
      deliver();
    }
    now = end;
  }
  void expect_all_decided(std::size_t count) {
    for (const auto& m : machines) {
      if (!m.core) continue;
      ASSERT_EQ(m.decided.size(), count);
      EXPECT_EQ(m.decided.back().hash, machines.back().decided.back().hash);
      EXPECT_EQ(crypto::keccak256(m.decided.back().body), m.decided.back().hash);
      EXPECT_TRUE(verify_commit_cert(config, m.decided.back().cert));
    }
  }
  std::size_t primary(std::uint32_t round) { return Order(machines.size(), 1, Hash32{}).primary(round); }
  template <class M>
  std::vector<M> sent_by(std::size_t i) {
    std::vector<M> out;
    for (const auto& bytes : machines[i].sent)
      if (const auto message = decode_message(bytes))
        if (const auto* m = std::get_if<M>(&*message)) out.push_back(*m);
    return out;
  }
  template <class S>
  S sign(S m) {
    m.signature = keys[m.signer].sign(statement_bytes(rules.domain, m));
    return m;
  }

  struct Mail {
    std::size_t from, to;
    Bytes message;
  };
  Config config;
  std::vector<crypto::Ed25519KeyPair> keys;
  Ed25519Signatures signatures{config};
  Rules rules;
  std::vector<Machine> machines;
  std::vector<Mail> mail;
  std::function<bool(std::size_t from, std::size_t to, const Message&)> filter;
  Instant now = Instant{} + 1h;
};

TEST_F(CoreTest, FourNodesDecideAtOnceAndGoOn) {
  start_all();
  deliver();
  expect_all_decided(1);
  EXPECT_EQ(machines[0].decided[0].cert.round, 0U);
  for (std::size_t i = 0; i < 4; ++i) start(i, 2);
  deliver();
  expect_all_decided(2);
  for (auto& m : machines) {
    EXPECT_TRUE(m.evidence.empty());
    EXPECT_EQ(m.core->next_deadline(), Instant::max());
  }
}

TEST_F(CoreTest, PrimaryWaitsUntilNotBeforeAndWorkCanBringItForward) {
  for (std::size_t i = 0; i < 4; ++i) start(i, 1, 5s);
  run_for(4900ms);
  for (auto& m : machines) EXPECT_TRUE(m.sent.empty());
  const auto leader = primary(0);
  carry(leader, machines[leader].core->set_not_before(now, now));
  deliver();
  expect_all_decided(1);
}

TEST_F(CoreTest, SilentPrimaryIsReplacedInTheSameRoundByTheNextRank) {
  const auto dead = primary(0);
  for (std::size_t i = 0; i < 4; ++i)
    if (i != dead) start(i);
  run_for(2s);  // T_vote = 3 * 150 + 200 ms, T_round = 2350 ms
  for (std::size_t i = 0; i < 4; ++i) {
    if (i == dead) continue;
    ASSERT_EQ(machines[i].decided.size(), 1U);
    EXPECT_EQ(machines[i].decided[0].cert.round, 0U);
  }
}

TEST_F(CoreTest, TwoOfFourStallWithoutDecidingAndResumeWhenAThirdComes) {
  start(0);
  start(1);
  run_for(60s);
  EXPECT_TRUE(machines[0].decided.empty());
  EXPECT_EQ(machines[0].core->status().round, 1U);
  EXPECT_TRUE(machines[0].core->status().waiting);
  start(2);
  run_for(20s);
  EXPECT_EQ(machines[0].decided.size(), 1U);
  EXPECT_EQ(machines[2].decided.size(), 1U);
  start(3);
  run_for(10s);
  expect_all_decided(1);  // the late one is told by NewHeight and fetches the body
}

TEST_F(CoreTest, ALockSurvivesIntoTheNextRound) {
  // Everybody locks in round 0, but no Commit arrives: the next primary must offer the same block.
  filter = [](std::size_t, std::size_t, const Message& m) {
    const auto* commit = std::get_if<Commit>(&m);
    return commit == nullptr || commit->round > 0;
  };
  start_all();
  run_for(1s);
  const auto offered = sent_by<Propose>(primary(0)).at(0).hash;
  for (auto& m : machines) EXPECT_TRUE(m.core->status().locked);
  run_for(10s);
  expect_all_decided(1);
  EXPECT_EQ(machines[0].decided[0].hash, offered);
  EXPECT_EQ(machines[0].decided[0].cert.round, 1U);
  const auto again = sent_by<Propose>(primary(1));
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.back().justification.changes.size(), 3U);
  EXPECT_TRUE(again.back().justification.cert);
  for (auto& m : machines) EXPECT_EQ(m.app.built, &m == &machines[primary(0)] ? 1U : 0U);
}

TEST_F(CoreTest, RestartAfterEveryRecordSendsTheSameBytesAgain) {
  const auto leader = primary(0);
  start_all();
  filter = [](std::size_t, std::size_t, const Message&) { return false; };  // it votes alone, into the void
  mail.clear();
  run_for(5s);
  const auto log = machines[leader].wal;
  const auto before = machines[leader].sent;
  ASSERT_GE(log.size(), 3U);
  std::map<std::tuple<int, std::uint64_t, std::uint32_t>, Bytes> said;  // (type, height, round) -> bytes
  const auto slot = [](const Bytes& bytes) {
    return std::visit(
        [&](const auto& m) {
          std::uint32_t round = 0;
          if constexpr (requires { m.round; })
            round = m.round;
          else if constexpr (requires { m.statement; })
            round = m.statement.round;
          return std::tuple(static_cast<int>(decode_message(bytes)->index()), std::uint64_t{1}, round);
        },
        *decode_message(bytes));
  };
  for (const auto& bytes : before) said.emplace(slot(bytes), bytes);
  for (std::size_t cut = 0; cut <= log.size(); ++cut) {
    Machine& m = machines[leader];
    m.wipe();
    m.app.built = 100;  // what is built anew differs
    m.wal.assign(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(cut));
    for (const auto& bytes : m.wal)
      if (const auto record = wal::decode(bytes))
        if (const auto* own_message = std::get_if<wal::Own>(&record->content))
          m.durable_messages.insert(own_message->message);
    std::set<std::tuple<int, std::uint64_t, std::uint32_t>> signed_before;
    for (const auto& bytes : m.durable_messages) signed_before.insert(slot(bytes));
    boot(leader);
    start(leader);
    run_for(5s);
    EXPECT_FALSE(m.core->status().muted);
    EXPECT_FALSE(m.sent.empty());
    for (const auto& bytes : m.sent)
      if (signed_before.contains(slot(bytes))) EXPECT_EQ(bytes, said.at(slot(bytes))) << "after " << cut << " records";
  }
}

TEST_F(CoreTest, ANodeWhoseLogIsBehindDoesNotSign) {
  start_all();
  deliver();
  Options options;
  options.signer_state = SignerState{1, 0, SignerState::Step::kCommit, {}};
  machines[0].wipe();  // its disk was replaced, the signer state was kept elsewhere
  boot(0, options);
  start(0);
  EXPECT_TRUE(machines[0].core->status().muted);
  run_for(10s);
  EXPECT_TRUE(machines[0].sent.empty());
  machines[0].core.reset();
  boot(0, options);
  start(0, 2);
  EXPECT_FALSE(machines[0].core->status().muted);
  // A chain that was set back behind the log: at heights below the log's nothing is signed.
  machines[1].core.reset();
  machines[1].wal.push_back(wal::encode({7, wal::Watermark{}}));
  boot(1);
  start(1, 3);
  EXPECT_TRUE(machines[1].core->status().muted);
  machines[2].core.reset();
  machines[2].wal.push_back(Bytes{9, 9, 9});
  boot(2);
  start(2, 9);
  EXPECT_TRUE(machines[2].core->status().muted);
}

TEST_F(CoreTest, AfterARestartOfEverybodyAFinishedHeightIsStillAnswered) {
  filter = [](std::size_t, std::size_t to, const Message& m) {  // 2 and 3 do not learn the decision
    return to < 2 || (!std::holds_alternative<Commit>(m) && !std::holds_alternative<NewHeight>(m));
  };
  start_all();
  deliver();
  EXPECT_EQ(machines[0].decided.size(), 1U);
  EXPECT_TRUE(machines[2].decided.empty());
  filter = nullptr;
  mail.clear();
  for (auto& m : machines) {
    if (m.core) m.wal = m.core->live_records();
    m.core.reset();
  }
  start(0, 2);
  start(1, 2);
  start(2, 1);
  start(3, 1);
  run_for(1s);
  ASSERT_EQ(machines[2].decided.size(), 1U);
  EXPECT_EQ(machines[2].decided[0].hash, machines[0].decided[0].hash);
}

TEST_F(CoreTest, AStoredDecisionIsGivenAgainWhenTheChainMissedIt) {
  start_all();
  deliver();
  const auto hash = machines[0].decided.at(0).hash;
  machines[0].core.reset();
  machines[0].decided.clear();
  start(0, 1);  // killed between WAL and block store
  ASSERT_EQ(machines[0].decided.size(), 1U);
  EXPECT_EQ(machines[0].decided[0].hash, hash);
}

TEST_F(CoreTest, FollowersDecideWithoutSigning) {
  machines[3].core.emplace(config, machines[3].app, std::vector<Bytes>{});
  start_all();
  deliver();
  expect_all_decided(1);
  EXPECT_TRUE(machines[3].sent.empty());
  EXPECT_TRUE(machines[3].wal.empty());
}

TEST_F(CoreTest, DoubleVotesAndForgottenLocksAreReportedOnceWithProof) {
  start(0, 1, 1h);
  const Hash32 a = crypto::keccak256(Bytes{1}), b = crypto::keccak256(Bytes{2});
  const auto give = [this](const Message& m) { carry(0, machines[0].core->on_message(now, 3, encode(m))); };
  give(sign(VoteBlock{1, 0, 2, a, a, 4, {}}));
  give(sign(VoteBlock{1, 0, 2, a, a, 4, {}}));
  EXPECT_TRUE(machines[0].evidence.empty());
  give(sign(VoteBlock{1, 0, 2, b, b, 4, {}}));
  give(sign(VoteBlock{1, 0, 2, b, a, 4, {}}));
  ASSERT_EQ(machines[0].evidence.size(), 1U);
  EXPECT_EQ(machines[0].evidence[0].offender, 2U);
  EXPECT_EQ(verify_evidence(config, machines[0].evidence[0].proof)->offence, Offence::kTwoVotes);
  RoundChange change;
  change.statement = sign(RoundChangeStatement{1, 2, 3, std::nullopt, {}});
  give(change);
  give(sign(Commit{1, 1, 3, a, {}}));
  ASSERT_EQ(machines[0].evidence.size(), 2U);
  EXPECT_EQ(verify_evidence(config, machines[0].evidence[1].proof)->offence, Offence::kForgottenLock);
  auto forged = VoteBlock{1, 0, 1, a, a, 4, {}};
  give(forged);
  give(sign(VoteBlock{1, 0, 1, b, b, 4, {}}));
  EXPECT_EQ(machines[0].evidence.size(), 2U);
}

TEST_F(CoreTest, JoinsARoundOnlyWhenFPlusOneAreThere) {
  start(0, 1, 1h);
  const auto give = [this](Validator from, std::uint32_t round) {
    RoundChange m;
    m.statement = sign(RoundChangeStatement{1, round, from, std::nullopt, {}});
    carry(0, machines[0].core->on_message(now, from, encode(m)));
  };
  give(3, UINT32_MAX);
  EXPECT_EQ(machines[0].core->status().round, 0U);
  give(2, 5);
  EXPECT_EQ(machines[0].core->status().round, 5U);  // the second highest
  EXPECT_TRUE(machines[0].core->status().waiting);
  give(1, 5);
  EXPECT_EQ(machines[0].core->status().round, 5U);
  EXPECT_FALSE(machines[0].core->status().waiting);  // Q = {0, 1, 2}
  EXPECT_EQ(sent_by<RoundChange>(0).size(), 1U);
}

TEST_F(CoreTest, NeverVotesOrCommitsBelowItsRoundChange) {
  filter = [](std::size_t, std::size_t, const Message&) { return false; };
  start_all();
  const auto leader = primary(0);
  const std::size_t node = (leader + 1) % 4;
  const auto offer = sent_by<Propose>(leader).at(0);
  run_for(3s);  // round 0 is over
  ASSERT_TRUE(machines[node].core->status().waiting);
  const auto votes = sent_by<VoteBlock>(node).size();
  const auto commits = sent_by<Commit>(node).size();
  carry(node, machines[node].core->on_message(now, leader, encode(offer)));
  CommitRequest request;
  request.cert = VoteCert{1, 0, offer.hash, {}};
  const Hash32 ph = proposal_hash(rules.domain, offer);
  for (Validator v = 0; v < 4; ++v)
    request.cert.seals.push_back({v, ph, 4, sign(VoteBlock{1, 0, v, offer.hash, ph, 4, {}}).signature});
  ASSERT_TRUE(valid(rules, request.cert));
  carry(node, machines[node].core->on_message(now, leader, encode(request)));
  EXPECT_EQ(sent_by<VoteBlock>(node).size(), votes);
  EXPECT_EQ(sent_by<Commit>(node).size(), commits);
  EXPECT_FALSE(machines[node].core->status().locked);
}

TEST_F(CoreTest, ABlockThatOurClockRefusedIsAcceptedWhenItIsFinal) {
  machines[2].app.future_clock = primary(0) != 2;
  start_all();
  run_for(2s);
  expect_all_decided(1);
}

TEST_F(CoreTest, AProofOfALaterHeightMeansBehind) {
  start_all();
  deliver();
  for (std::size_t i = 1; i < 4; ++i) start(i, 2);
  // Node 0 restarts from nothing at height 1 and hears of height 2.
  filter = [](std::size_t, std::size_t to, const Message&) { return to != 0; };
  run_for(5s);
  ASSERT_EQ(machines[1].decided.size(), 2U);
  filter = nullptr;
  machines[0].wipe();
  start(0, 1, 1h);
  carry(0, machines[0].core->on_message(now, 1, encode(NewHeight{machines[1].decided[1].cert})));
  ASSERT_EQ(machines[0].behind.size(), 1U);
  EXPECT_EQ(machines[0].behind[0].peer, 1U);
  EXPECT_EQ(machines[0].behind[0].from, 1U);
  auto lie = machines[1].decided[1].cert;
  lie.height = 90;
  now += 10s;
  carry(0, machines[0].core->on_message(now, 1, encode(NewHeight{lie})));
  EXPECT_EQ(machines[0].behind.size(), 1U);
}

TEST_F(CoreTest, GarbageChangesNothing) {
  start(0, 1, 1h);
  std::uint64_t state = 1;
  for (int i = 0; i < 2000; ++i) {
    Bytes noise(static_cast<std::size_t>(i % 90));
    for (auto& byte : noise) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::uint8_t>(state >> 56);
    }
    if (!noise.empty()) noise[0] = 1;
    EXPECT_TRUE(machines[0].core->on_message(now, static_cast<std::size_t>(i % 6), noise).empty());
  }
  EXPECT_EQ(machines[0].core->status().round, 0U);
}

}  // namespace
}  // namespace bonus::chain::consensus
