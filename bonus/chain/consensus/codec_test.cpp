// Tests of order, codecs, certificates and evidence.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "bonus/chain/consensus/evidence.hpp"
#include "bonus/chain/consensus/wal.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::consensus {
namespace {

Hash32 hash(std::string_view text) { return crypto::keccak256(as_bytes(text)); }

class CodecTest : public testing::Test {
 protected:
  CodecTest() {
    for (std::uint8_t i = 0; i < 4; ++i) {
      crypto::Ed25519Seed seed;
      seed.bytes[0] = static_cast<std::uint8_t>(i + 1);
      keys.push_back(crypto::Ed25519KeyPair::from_seed(seed));
      config.validators.push_back(keys.back().public_key());
    }
    config.chain_id = 42;
    config.epoch = 3;
    rules.domain = {42, 3};
    rules.quorum = Quorum::of(4);
    rules.signatures = &signatures;
  }
  template <class S>
  S sign(S m) {
    m.signature = keys[m.signer].sign(statement_bytes(rules.domain, m));
    return m;
  }
  VoteBlock vote(Validator signer, std::uint32_t round, std::string_view block) {
    return sign(VoteBlock{9, round, signer, hash(block), hash("proposal"), 4, {}});
  }
  VoteCert cert(std::uint32_t round, std::string_view block, int seals = 3) {
    VoteCert out{9, round, hash(block), {}};
    for (Validator i = 0; i < seals; ++i)
      out.seals.push_back({i, hash("proposal"), 4, vote(i, round, block).signature});
    return out;
  }
  RoundChange change(Validator signer, std::uint32_t round, std::optional<VoteCert> lock = std::nullopt) {
    RoundChange m;
    m.statement.height = 9;
    m.statement.round = round;
    m.statement.signer = signer;
    if (lock) m.statement.lock = LockPoint{lock->round, lock->hash};
    m.statement = sign(m.statement);
    m.cert = std::move(lock);
    return m;
  }
  CommitCert commits(std::string_view block, int seals = 3) {
    CommitCert out{9, 1, hash(block), {}};
    for (Validator i = 0; i < seals; ++i) out.seals.push_back({i, sign(Commit{9, 1, i, hash(block), {}}).signature});
    return out;
  }
  Propose proposal() {
    Propose m;
    m.height = 9, m.round = 2, m.signer = 1, m.hash = hash("a");
    m.justification.changes = {change(0, 2).statement, change(1, 2).statement, change(2, 2, cert(1, "a")).statement};
    m.justification.cert = cert(1, "a");
    m.justification_hash = hash_of(m.justification);
    m.body = Bytes(100, 7);
    return sign(m);
  }
  std::vector<Message> examples() {
    auto with_body = change(2, 2, cert(1, "a"));
    with_body.body = Bytes(40, 1);
    return {proposal(),
            vote(1, 0, "a"),
            CommitRequest{cert(0, "a")},
            sign(Commit{9, 1, 2, hash("a"), {}}),
            NewHeight{commits("a")},
            change(3, 1),
            with_body,
            BodyRequest{9, hash("a")},
            Body{9, hash("a"), Bytes(50, 2)}};
  }
  Config config;
  std::vector<crypto::Ed25519KeyPair> keys;
  Ed25519Signatures signatures{config};
  Rules rules;
};

TEST(Quorum, AsTheDesignSays) {
  const std::array<std::array<std::size_t, 3>, 8> expected{
      {{1, 0, 1}, {2, 0, 2}, {3, 0, 3}, {4, 1, 3}, {5, 1, 4}, {6, 1, 5}, {7, 2, 5}, {21, 6, 15}}};
  for (const auto& [n, f, size] : expected) {
    EXPECT_EQ(Quorum::of(n).f, f) << n;
    EXPECT_EQ(Quorum::of(n).size, size) << n;
  }
}

TEST(Order, EveryoneIsPrimaryOncePerCycleAndMissedTurnsPassOn) {
  const Hash32 seed = hash("seed");
  std::set<std::size_t> primaries;
  for (std::uint64_t height = 70; height < 77; ++height) {
    const Order order(7, height, seed);
    primaries.insert(order.primary(0));
    std::set<std::size_t> ranks;
    for (std::size_t v = 0; v < 7; ++v) {
      ranks.insert(order.rank(3, v));
      EXPECT_EQ(order.rank(3, v), (order.rank(2, v) + 6) % 7);  // one step nearer with each round
    }
    EXPECT_EQ(ranks.size(), 7U);
    EXPECT_EQ(order.rank(5, order.primary(5)), 0U);
  }
  EXPECT_EQ(primaries.size(), 7U);
}

TEST_F(CodecTest, MessagesComeBackAndEveryCutIsRefused) {
  for (const auto& message : examples()) {
    const Bytes bytes = encode(message);
    const auto back = decode_message(bytes);
    ASSERT_TRUE(back) << message.index();
    EXPECT_EQ(encode(*back), bytes);
    EXPECT_EQ(height_of(*back), 9U);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(decode_message(BytesView(bytes).first(size))) << message.index() << " " << size;
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_FALSE(decode_message(longer));
    Bytes other_version = bytes;
    other_version[0] = 2;
    EXPECT_FALSE(decode_message(other_version));
  }
}

TEST_F(CodecTest, GoldenFilesAreTheFuzzCorpus) {
  // The corpus doubles as golden files: whoever changes a format changes its version and renews them with
  // BONUS_WRITE_CORPUS=1.
  const std::filesystem::path folder("fuzz/corpora/consensus_message_fuzz");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "run from the top of the source tree";
  std::vector<Bytes> all;
  for (const auto& message : examples()) all.push_back(encode(message));
  all.push_back(commits("a").encode());
  all.push_back(encode_evidence(rules.domain, vote(1, 0, "a"), vote(1, 0, "b")));
  all.push_back(wal::encode({9, wal::Own{encode(vote(1, 0, "a"))}}));
  all.push_back(wal::encode({1, wal::Lock{cert(0, "a")}}));
  all.push_back(wal::encode({1, wal::StoredBody{hash("a"), Bytes(9, 9)}}));
  all.push_back(wal::encode({1, wal::Entered{1, {encode(change(0, 1)), encode(change(1, 1))}}}));
  all.push_back(wal::encode({1, wal::Finished{commits("a")}}));
  all.push_back(wal::encode({1, wal::Watermark{}}));
  all.push_back(SignerState{9, 1, SignerState::Step::kVote, hash("a")}.encode());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto path = folder / std::to_string(i);
    if (std::getenv("BONUS_WRITE_CORPUS") != nullptr) {
      std::ofstream out(path, std::ios::binary);
      out.write(reinterpret_cast<const char*>(all[i].data()), static_cast<std::streamsize>(all[i].size()));
    }
    std::ifstream in(path, std::ios::binary);
    const std::string stored{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(to_hex(as_bytes(stored)), to_hex(all[i])) << path;
  }
}

TEST_F(CodecTest, VoteCertificates) {
  EXPECT_TRUE(valid(rules, cert(0, "a")));
  EXPECT_FALSE(valid(rules, cert(0, "a", 2)));
  auto bad = cert(0, "a");
  bad.hash = hash("b");
  EXPECT_FALSE(valid(rules, bad));
  bad = cert(0, "a");
  bad.seals[1] = bad.seals[0];  // one signer twice
  EXPECT_FALSE(valid(rules, bad));
  bad = cert(0, "a");
  bad.round = 1;
  EXPECT_FALSE(valid(rules, bad));
  bad = cert(0, "a");
  bad.seals[0].weight = 1;  // rank 3 never proposes
  EXPECT_FALSE(valid(rules, bad));
}

TEST_F(CodecTest, CommitCertificates) {
  EXPECT_TRUE(verify_commit_cert(config, commits("a")));
  EXPECT_TRUE(verify_commit_cert(config, commits("a", 4)));
  EXPECT_FALSE(verify_commit_cert(config, commits("a", 2)));
  auto bad = commits("a");
  std::swap(bad.seals[0], bad.seals[1]);
  EXPECT_FALSE(verify_commit_cert(config, bad));
  bad = commits("a");
  bad.seals[2].signature.bytes[5] ^= 1;
  EXPECT_FALSE(verify_commit_cert(config, bad));
  Config other_epoch = config;
  other_epoch.epoch = 4;
  EXPECT_FALSE(verify_commit_cert(other_epoch, commits("a")));
}

TEST_F(CodecTest, RoundChangesMustProveTheirLock) {
  EXPECT_TRUE(valid(rules, change(0, 1)));
  EXPECT_TRUE(valid(rules, change(0, 2, cert(1, "a"))));
  EXPECT_FALSE(valid(rules, change(0, 1, cert(1, "a"))));  // rho < r
  EXPECT_FALSE(valid(rules, change(0, 2, cert(1, "a", 2))));
  auto lie = change(0, 2, cert(1, "a"));
  lie.cert = cert(1, "b");
  EXPECT_FALSE(valid(rules, lie));
  lie.cert.reset();
  EXPECT_FALSE(valid(rules, lie));
}

TEST_F(CodecTest, JustificationsForceTheHighestLock) {
  const auto verdict = [this](std::vector<RoundChangeStatement> changes, std::optional<VoteCert> c,
                              std::uint32_t round = 3) {
    Justification j;
    j.changes = std::move(changes);
    j.cert = std::move(c);
    return judge(rules, 9, round, j);
  };
  const auto nil0 = change(0, 3).statement, nil1 = change(1, 3).statement, nil2 = change(2, 3).statement;
  const auto low1 = change(1, 3, cert(0, "a")).statement, high2 = change(2, 3, cert(2, "b")).statement;
  ASSERT_TRUE(verdict({nil0, nil1, nil2}, std::nullopt));
  EXPECT_FALSE(verdict({nil0, nil1, nil2}, std::nullopt)->forced);
  ASSERT_TRUE(verdict({nil0, low1, high2}, cert(2, "b")));
  EXPECT_EQ(verdict({nil0, low1, high2}, cert(2, "b"))->forced, hash("b"));
  EXPECT_FALSE(verdict({nil0, low1, high2}, cert(0, "a")));  // not the highest
  EXPECT_FALSE(verdict({nil0, low1, high2}, std::nullopt));
  EXPECT_FALSE(verdict({nil0, nil1}, std::nullopt));           // no quorum
  EXPECT_FALSE(verdict({nil0, nil1, nil1}, std::nullopt));     // not distinct
  EXPECT_FALSE(verdict({nil0, nil1, nil2}, cert(2, "b")));     // a certificate nobody reported
  EXPECT_FALSE(verdict({nil0, nil1, nil2}, std::nullopt, 4));  // of another round
  auto forged = nil2;
  forged.signature.bytes[0] ^= 1;
  EXPECT_FALSE(verdict({nil0, nil1, forged}, std::nullopt));
  EXPECT_TRUE(verdict({}, std::nullopt, 0));
  EXPECT_FALSE(verdict({nil0, nil1, nil2}, std::nullopt, 0));
}

TEST_F(CodecTest, EvidenceConvictsAndNothingElseDoes) {
  const auto convict = [this](const Statement& a, const Statement& b) {
    return verify_evidence(config, encode_evidence(rules.domain, a, b));
  };
  const auto two_votes = convict(vote(1, 0, "a"), vote(1, 0, "b"));
  ASSERT_TRUE(two_votes);
  EXPECT_EQ(two_votes->offence, Offence::kTwoVotes);
  EXPECT_EQ(two_votes->offender, 1U);
  EXPECT_FALSE(convict(vote(1, 0, "a"), vote(1, 0, "a")));
  EXPECT_FALSE(convict(vote(1, 0, "a"), vote(1, 1, "b")));
  EXPECT_FALSE(convict(vote(1, 0, "a"), vote(2, 0, "b")));
  auto forged = vote(1, 0, "b");
  forged.signature.bytes[3] ^= 1;
  EXPECT_FALSE(convict(vote(1, 0, "a"), forged));

  auto other = proposal();
  other.hash = hash("b");
  const auto two_proposals = convict(proposal(), sign(other));
  ASSERT_TRUE(two_proposals);
  EXPECT_EQ(two_proposals->offence, Offence::kTwoProposals);

  const auto commit = [this](std::uint32_t round, std::string_view block) {
    return sign(Commit{9, round, 2, hash(block), {}});
  };
  EXPECT_TRUE(convict(commit(1, "a"), commit(1, "b")));
  EXPECT_FALSE(convict(commit(1, "a"), commit(2, "b")));
  EXPECT_TRUE(convict(commit(1, "a"), change(2, 2).statement));
  EXPECT_TRUE(convict(commit(1, "a"), change(2, 3, cert(0, "b")).statement));
  EXPECT_FALSE(convict(commit(1, "a"), change(2, 3, cert(1, "a")).statement));
  EXPECT_FALSE(convict(commit(1, "a"), change(2, 1).statement));  // sent before the Commit's round was entered
  Bytes bytes = encode_evidence(rules.domain, vote(1, 0, "a"), vote(1, 0, "b"));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(verify_evidence(config, BytesView(bytes).first(size)));
  config.chain_id = 43;
  EXPECT_FALSE(verify_evidence(config, bytes));
}

TEST_F(CodecTest, WalRecordsAndPruning) {
  const std::vector<wal::Record> records{{7, wal::StoredBody{hash("x"), Bytes(3, 1)}},
                                         {7, wal::StoredBody{hash("a"), Bytes(3, 2)}},
                                         {7, wal::Own{encode(vote(1, 0, "a"))}},
                                         {7, wal::Finished{CommitCert{7, 0, hash("a"), {}}}},
                                         {8, wal::Lock{cert(0, "a")}},
                                         {9, wal::Entered{2, {encode(change(0, 2))}}}};
  std::vector<Bytes> log;
  for (const auto& record : records) {
    log.push_back(wal::encode(record));
    const auto back = wal::decode(log.back());
    ASSERT_TRUE(back);
    EXPECT_EQ(wal::encode(*back), log.back());
    for (std::size_t size = 0; size < log.back().size(); ++size)
      EXPECT_FALSE(wal::decode(BytesView(log.back()).first(size)));
  }
  wal::Ledger ledger;
  EXPECT_TRUE(ledger.load(log));
  EXPECT_EQ(ledger.highest(), 9U);
  ledger.prune(9);
  EXPECT_EQ(ledger.at(7).size(), 2U);  // the final block and its certificate
  EXPECT_TRUE(ledger.at(8).empty());   // never finished here: nothing to tell others
  EXPECT_EQ(ledger.at(9).size(), 1U);
  ledger.prune(10);
  EXPECT_EQ(ledger.live().size(), 1U);  // the watermark stays
  wal::Ledger again;
  EXPECT_TRUE(again.load(ledger.live()));
  EXPECT_EQ(again.highest(), 9U);
  EXPECT_FALSE(again.load({Bytes{1, 2, 3}}));

  const SignerState state{9, 1, SignerState::Step::kVote, hash("a")};
  const auto back = SignerState::decode(state.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode(), state.encode());
  EXPECT_TRUE(state < (SignerState{9, 1, SignerState::Step::kCommit, {}}));
  EXPECT_TRUE(state < (SignerState{10, 0, SignerState::Step::kRoundChange, {}}));
}

}  // namespace
}  // namespace bonus::chain::consensus
