// SyncCore against honest, slow and lying peers on a small simulated network.
#include "bonus/chain/sync/sync.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::sync {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

NodeId peer_id(std::uint8_t n) {
  NodeId out;
  out.bytes[0] = n;
  return out;
}

Hash32 hash_of(std::uint64_t number, std::uint8_t fork = 0) {
  if (number == 0) return {};
  return crypto::keccak256(as_bytes("block " + std::to_string(number) + "/" + std::to_string(fork)));
}

/// A test block is its number and fork as text; its certificate is the word "final".
FinalBlock make_block(std::uint64_t number, std::uint8_t fork = 0) {
  const std::string text = std::to_string(number) + "/" + std::to_string(fork);
  return {{text.begin(), text.end()}, {'f', 'i', 'n', 'a', 'l'}};
}

Result<CheckedBlock> check_block(const FinalBlock& block) {
  if (as_text(block.commit) != "final") return fail(ErrorCode::kInvalid, "no quorum");
  const std::string text(as_text(block.block));
  const auto slash = text.find('/');
  if (slash == std::string::npos) return fail(ErrorCode::kInvalid, "not a block");
  const std::uint64_t number = std::stoull(text.substr(0, slash));
  const auto fork = static_cast<std::uint8_t>(std::stoul(text.substr(slash + 1)));
  return CheckedBlock{number, hash_of(number, fork), hash_of(number - 1, fork)};
}

Bytes reply(std::uint64_t from, std::uint32_t count, std::uint8_t fork = 0) {
  RangeReply out{from, {}};
  for (std::uint32_t i = 0; i < count; ++i) out.blocks.push_back(make_block(from + i, fork));
  return out.encode();
}

template <class T>
std::vector<T> all(const SyncActions& actions) {
  std::vector<T> out;
  for (const auto& action : actions)
    if (const T* found = std::get_if<T>(&action)) out.push_back(*found);
  return out;
}

const Instant kStart = Instant{} + seconds(100);

SyncCore make_core(std::uint64_t head = 0) { return {SyncOptions{}, check_block, head, hash_of(head)}; }

TEST(Sync, NothingToDoWhenNobodyIsAhead) {
  SyncCore core = make_core(10);
  EXPECT_TRUE(core.on_peer(kStart, peer_id(1), 10).empty());
  EXPECT_FALSE(core.progress().syncing());
  EXPECT_EQ(core.next_deadline(), Instant::max());
}

TEST(Sync, AsksAppliesInOrderAndFinishes) {
  SyncCore core = make_core();
  auto asked = all<AskPeer>(core.on_peer(kStart, peer_id(1), 100));
  ASSERT_EQ(asked.size(), 1u);  // one request per peer
  const auto second = all<AskPeer>(core.on_peer(kStart, peer_id(2), 100));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(RangeRequest::decode(asked[0].message)->from, 1u);
  EXPECT_EQ(RangeRequest::decode(second[0].message)->from, 65u);
  EXPECT_EQ(RangeRequest::decode(second[0].message)->count, 36u);
  // The later range comes first: nothing to apply yet.
  EXPECT_TRUE(all<ApplyBlock>(core.on_reply(kStart, peer_id(2), second[0].id, reply(65, 36))).empty());
  auto apply = all<ApplyBlock>(core.on_reply(kStart, peer_id(1), asked[0].id, reply(1, 64)));
  ASSERT_EQ(apply.size(), 64u);
  EXPECT_EQ(apply[0].number, 1u);
  std::vector<ApplyBlock> rest;
  for (const auto& block : apply)
    for (const auto& more : all<ApplyBlock>(core.on_head(kStart, block.number, hash_of(block.number))))
      rest.push_back(more);
  ASSERT_EQ(rest.size(), 36u);
  for (const auto& block : rest) (void)core.on_head(kStart, block.number, hash_of(block.number));
  EXPECT_EQ(core.progress().head, 100u);
  EXPECT_FALSE(core.progress().syncing());
  EXPECT_EQ(core.next_deadline(), Instant::max());
}

TEST(Sync, AShortReplyIsContinued) {
  SyncCore core = make_core();
  auto asked = all<AskPeer>(core.on_peer(kStart, peer_id(1), 20));
  const auto actions = core.on_reply(kStart, peer_id(1), asked[0].id, reply(1, 5));
  EXPECT_EQ(all<ApplyBlock>(actions).size(), 5u);
  const auto next = all<AskPeer>(actions);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(RangeRequest::decode(next[0].message)->from, 6u);
  EXPECT_EQ(RangeRequest::decode(next[0].message)->count, 15u);
}

TEST(Sync, LiesAreBannedAndAskedOfOthers) {
  RangeReply no_quorum{1, {make_block(1)}};
  no_quorum.blocks[0].commit = {'x'};
  RangeReply gap{1, {make_block(1), make_block(3)}};
  RangeReply mixed{1, {make_block(1, 0), make_block(2, 1)}};
  const std::vector<Bytes> lies{
      no_quorum.encode(), gap.encode(), mixed.encode(), reply(2, 1), reply(1, 65), Bytes{1, 0xff}, {}};
  for (const Bytes& lie : lies) {
    SyncCore core = make_core();
    const auto asked = all<AskPeer>(core.on_peer(kStart, peer_id(1), 64));
    ASSERT_EQ(asked.size(), 1u);
    ASSERT_TRUE(core.on_peer(kStart, peer_id(2), 64).empty());
    const auto actions = core.on_reply(kStart, peer_id(1), asked[0].id, lie);
    const auto banned = all<BanPeer>(actions);
    ASSERT_EQ(banned.size(), 1u);
    EXPECT_EQ(banned[0].peer, peer_id(1));
    EXPECT_FALSE(banned[0].reason.empty());
    const auto again = all<AskPeer>(actions);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].peer, peer_id(2));
    EXPECT_TRUE(core.on_peer(kStart + seconds(1), peer_id(1), 1'000).empty());
    EXPECT_EQ(core.progress().target, 64u);
    EXPECT_FALSE(core.on_peer(kStart + std::chrono::hours(1), peer_id(1), 1'000).empty());
  }
}

TEST(Sync, AClaimThatIsNotKeptIsForgotten) {
  SyncCore core = make_core(10);
  Instant now = kStart;
  for (unsigned i = 0; i < SyncOptions{}.max_strikes; ++i) {
    auto asked = all<AskPeer>(core.on_peer(now, peer_id(1), UINT64_MAX));
    ASSERT_EQ(asked.size(), 1u) << i;
    EXPECT_TRUE(all<BanPeer>(core.on_reply(now, peer_id(1), asked[0].id, reply(11, 0))).empty());
    EXPECT_FALSE(core.progress().syncing());
    now += std::chrono::minutes(1);
  }
  EXPECT_TRUE(core.on_peer(now, peer_id(1), UINT64_MAX).empty());
}

TEST(Sync, TimeoutsAndFailuresMoveToAnotherPeer) {
  SyncCore core = make_core();
  const auto asked = all<AskPeer>(core.on_peer(kStart, peer_id(1), 10));
  EXPECT_TRUE(core.on_peer(kStart, peer_id(2), 10).empty());
  EXPECT_EQ(core.next_deadline(), kStart + SyncOptions{}.timeout);
  const Instant later = core.next_deadline();
  const auto second = all<AskPeer>(core.on_tick(later));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].peer, peer_id(2));
  EXPECT_TRUE(core.on_reply(later, peer_id(1), asked[0].id, reply(1, 10)).empty());  // too late
  const auto third = core.on_failure(later, peer_id(2), second[0].id);
  EXPECT_TRUE(all<AskPeer>(third).empty());  // both rest
  EXPECT_EQ(core.next_deadline(), later + SyncOptions{}.retry_delay);
  EXPECT_EQ(all<AskPeer>(core.on_tick(core.next_deadline())).size(), 1u);
  EXPECT_TRUE(all<AskPeer>(core.on_peer_gone(later + seconds(2), peer_id(9))).empty());
}

TEST(Sync, ACertifiedBlockThatDoesNotFitStopsItsPeer) {
  SyncCore core = make_core(3);
  auto asked = all<AskPeer>(core.on_peer(kStart, peer_id(1), 5));
  auto actions = core.on_reply(kStart, peer_id(1), asked[0].id, reply(4, 2, 1));  // another fork
  EXPECT_TRUE(all<ApplyBlock>(actions).empty());
  EXPECT_EQ(all<BanPeer>(actions).size(), 1u);
  asked = all<AskPeer>(core.on_peer(kStart, peer_id(2), 5));
  ASSERT_EQ(asked.size(), 1u);
  actions = core.on_reply(kStart, peer_id(2), asked[0].id, reply(4, 2));
  ASSERT_EQ(all<ApplyBlock>(actions).size(), 2u);
  (void)core.on_head(kStart, 4, hash_of(4));
  EXPECT_EQ(all<BanPeer>(core.on_rejected(kStart, 5)).size(), 1u);
  EXPECT_EQ(core.progress().head, 4u);
}

TEST(Sync, ConsensusMayOvertake) {
  SyncCore core = make_core();
  const auto asked = all<AskPeer>(core.on_peer(kStart, peer_id(1), 10));
  (void)core.on_head(kStart, 4, hash_of(4));
  const auto apply = all<ApplyBlock>(core.on_reply(kStart, peer_id(1), asked[0].id, reply(1, 10)));
  ASSERT_EQ(apply.size(), 6u);
  EXPECT_EQ(apply[0].number, 5u);
  EXPECT_TRUE(core.on_head(kStart, 10, hash_of(10)).empty());
  EXPECT_EQ(core.progress().requests, 0u);
}

/// One honest peer among liars of every kind, on a network that loses and delays: the head always gets there.
TEST(Sync, OneHonestPeerIsEnough) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    SyncCore core = make_core();
    constexpr std::uint64_t kGoal = 300;
    std::uint64_t head = 0;
    Instant now = kStart;
    struct Pending {
      Instant at;
      NodeId peer;
      std::uint64_t id;
      std::optional<Bytes> message;
    };
    std::vector<Pending> network;
    std::size_t most_requests = 0;
    std::deque<SyncAction> todo;
    const auto push = [&](SyncActions actions) {
      for (auto& action : actions) todo.push_back(std::move(action));
    };
    const auto answer = [&](const AskPeer& ask) -> std::optional<Bytes> {
      const RangeRequest range = RangeRequest::decode(ask.message).value();
      if (random() % 10 == 0) return std::nullopt;
      const auto available = static_cast<std::uint32_t>(
          range.from > kGoal ? 0 : std::min<std::uint64_t>(range.count, kGoal - range.from + 1));
      const auto some = available == 0 ? 0 : 1 + static_cast<std::uint32_t>(random() % available);
      switch (ask.peer.bytes[0]) {
        case 0:
          return reply(range.from, some);  // honest
        case 1:
          return reply(range.from, 0);
        case 2:
          return reply(range.from + 1, some);
        case 3:
          return Bytes(random() % 50, static_cast<std::uint8_t>(random()));
        case 4: {  // the truth, and behind it a block without quorum
          RangeReply out{range.from, {make_block(range.from), make_block(range.from + 1, 1)}};
          out.blocks[1].commit = {'x'};
          return out.encode();
        }
        default:
          return std::nullopt;
      }
    };
    for (int step = 0; step < 20'000 && head < kGoal; ++step) {
      while (!todo.empty()) {
        const SyncAction action = std::move(todo.front());
        todo.pop_front();
        if (const auto* ask = std::get_if<AskPeer>(&action)) {
          network.push_back({now + milliseconds(random() % 20'000), ask->peer, ask->id, answer(*ask)});
        } else if (const auto* apply = std::get_if<ApplyBlock>(&action)) {
          ASSERT_EQ(apply->number, head + 1);
          ASSERT_EQ(as_text(apply->block.block), as_text(make_block(head + 1).block));
          ++head;
          push(core.on_head(now, head, hash_of(head)));
        } else {
          ASSERT_NE(std::get<BanPeer>(action).peer, peer_id(0)) << std::get<BanPeer>(action).reason;
        }
      }
      most_requests = std::max(most_requests, core.progress().requests);
      now += milliseconds(500);
      if (step % 20 == 0) {
        for (std::uint8_t p = 0; p < 6; ++p)
          push(core.on_peer(now, peer_id(p), p == 0 ? kGoal : kGoal + random() % 1000));
      }
      for (std::size_t i = 0; i < network.size();) {
        if (network[i].at > now) {
          ++i;
          continue;
        }
        const Pending item = std::move(network[i]);
        network.erase(network.begin() + static_cast<std::ptrdiff_t>(i));
        push(item.message ? core.on_reply(now, item.peer, item.id, *item.message)
                          : core.on_failure(now, item.peer, item.id));
      }
      if (core.next_deadline() <= now) push(core.on_tick(now));
      ASSERT_GT(core.next_deadline(), now);
    }
    ASSERT_EQ(head, kGoal) << "seed " << seed;
    EXPECT_LE(most_requests, SyncOptions{}.max_batches);
  }
}

}  // namespace
}  // namespace bonus::chain::sync
