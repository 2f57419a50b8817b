// Random operations on Names beside a model that knows nothing of storage: every outcome and every view must agree,
// money is conserved at each step.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "bonus/chain/contracts/names_world_testing.hpp"

namespace bonus::chain::contracts {
namespace {

namespace encode = names::encode;
using names::NameState;

constexpr std::uint8_t kUsers = 4;

struct Model {
  struct Name {
    std::uint8_t owner = 0, manager = 0;
    std::uint64_t registered_at = 0, expires = 0;
    std::uint32_t revision = 0;
    Bytes records;
  };
  std::map<std::string, Name> names;
  std::map<Hash32, std::uint64_t> commitments;
  NameParams params;

  [[nodiscard]] NameState state(const std::string& name, std::uint64_t now) const {
    const auto found = names.find(name);
    if (found == names.end() || now >= found->second.expires + params.grace_s) return NameState::kFree;
    return now < found->second.expires ? NameState::kLive : NameState::kGrace;
  }
  [[nodiscard]] bool owns(std::uint8_t user, const std::string& name, std::uint64_t now) const {
    return state(name, now) == NameState::kLive && names.at(name).owner == user;
  }
};

class RandomNames {
 public:
  explicit RandomNames(std::uint64_t seed) : world_(genesis()), rng_(seed) { model_.params = *genesis().names; }

  void step() {
    if (below(3) == 0) world_.pass(1 + below(below(40) == 0 ? 1'000 : 20));
    const std::uint8_t user = any_user();
    const std::string name = any_name();
    const std::uint64_t now = world_.now();
    const uint256 before = world_.balance(NamesWorld::user(user));
    const uint256 fees = world_.balance(NamesWorld::foundation());
    const std::uint64_t duration = below(8) == 0 ? below(3'000) : 100 + below(900);
    const uint256 cost = names::price(model_.params, name.size(), duration);
    const uint256 value = below(6) == 0 ? uint256(below(1'000)) : cost + uint256(below(50));
    bool expected = false;
    bool paid = false;
    std::string done;
    switch (below(7)) {
      case 0: {
        const Hash32 hash = names::commitment(name, NamesWorld::user(user), duration_of(name), secret());
        done = world_.send(NamesWorld::user(user), encode::commit(hash));
        expected = true;
        auto& at = model_.commitments[hash];
        if (at == 0 || now - at > model_.params.max_commitment_age_s) at = now;
        break;
      }
      case 1:
      case 2: {
        const std::uint64_t seconds = duration_of(name);
        const uint256 price = names::price(model_.params, name.size(), seconds);
        const uint256 sent = below(6) == 0 && !price.is_zero() ? price - uint256(1U) : price + uint256(below(9));
        const Hash32 hash = names::commitment(name, NamesWorld::user(user), seconds, secret());
        const auto commitment = model_.commitments.find(hash);
        expected = commitment != model_.commitments.end() &&
                   now - commitment->second >= model_.params.min_commitment_age_s &&
                   now - commitment->second <= model_.params.max_commitment_age_s && sent >= price &&
                   model_.state(name, now) == NameState::kFree;
        done = world_.send(NamesWorld::user(user),
                           encode::register_name(name, NamesWorld::user(user), seconds, secret()), sent);
        if (expected) {
          model_.commitments.erase(commitment);
          Model::Name& entry = model_.names[name];
          entry = {user, 0, now, now + seconds, entry.revision + 1, {}};
          EXPECT_EQ(before - world_.balance(NamesWorld::user(user)), price);
          EXPECT_EQ(world_.balance(NamesWorld::foundation()) - fees, price);
          ++registered;
        }
        paid = true;
        break;
      }
      case 3: {
        const NameState state = model_.state(name, now);
        const auto found = model_.names.find(name);
        expected = state != NameState::kFree && duration >= model_.params.min_duration_s &&
                   duration <= model_.params.max_duration_s && value >= cost &&
                   found->second.expires + duration > now &&
                   found->second.expires + duration <= now + model_.params.max_duration_s;
        done = world_.send(NamesWorld::user(user), encode::renew(name, duration), value);
        if (expected) {
          found->second.expires += duration;
          EXPECT_EQ(before - world_.balance(NamesWorld::user(user)), cost);
          ++renewed;
        }
        paid = true;
        break;
      }
      case 4: {
        const std::uint8_t to = any_user();
        expected = model_.owns(user, name, now) && to != user;
        done = world_.send(NamesWorld::user(user), encode::transfer(name, NamesWorld::user(to)));
        if (expected) {
          Model::Name& entry = model_.names[name];
          entry.owner = to;
          entry.manager = 0;
          ++entry.revision;
          ++transferred;
        }
        break;
      }
      case 5: {
        const std::uint8_t manager = any_user();
        expected = model_.owns(user, name, now);
        done = world_.send(NamesWorld::user(user), encode::approve(name, NamesWorld::user(manager)));
        if (expected) model_.names[name].manager = manager;
        break;
      }
      default: {
        names::NameRecords list;
        for (std::uint64_t i = below(8); i > 0; --i) {
          list.push_back(
              {.name = "", .ttl_s = 60, .data = names::Txt{Bytes(1 + below(150), static_cast<std::uint8_t>('a' + i))}});
        }
        const auto records = names::encode_records(list);
        const Bytes raw = records ? *records : Bytes(1025, 1);
        const auto found = model_.names.find(name);
        expected = records.has_value() && model_.state(name, now) == NameState::kLive &&
                   (found->second.owner == user || found->second.manager == user);
        done = world_.send(NamesWorld::user(user), encode::set_records(name, raw));
        if (expected) {
          found->second.records = raw;
          ++found->second.revision;
        }
        break;
      }
    }
    EXPECT_EQ(done.empty(), expected) << name << ": " << done;
    if (!expected || !paid) {
      EXPECT_EQ(world_.balance(NamesWorld::user(user)), before);
    }
    EXPECT_EQ(world_.conservation(), "");
    check(name);
  }

  void check_all() {
    for (std::uint8_t i = 0; i < 12; ++i) check(name_of(i));
    for (std::uint8_t user = 1; user <= kUsers; ++user) {
      // Also names that have been released since stand in their last owner's list, until somebody else takes them.
      std::vector<std::string> live;
      for (const std::string& name : world_.names_of(user))
        if (model_.state(name, world_.now()) != NameState::kFree) live.push_back(name);
      std::vector<std::string> expected;
      for (const auto& [name, entry] : model_.names)
        if (entry.owner == user && model_.state(name, world_.now()) != NameState::kFree) expected.push_back(name);
      EXPECT_EQ(live, expected);
    }
    EXPECT_FALSE(world_.host().view_wrote);
  }

  std::uint64_t registered = 0, renewed = 0, transferred = 0;

 private:
  static Genesis genesis() {
    Genesis out = NamesWorld::make_genesis();
    out.names->min_commitment_age_s = 5;
    out.names->max_commitment_age_s = 300;
    out.names->min_duration_s = 50;
    out.names->max_duration_s = 2'000;
    out.names->grace_s = 200;
    return out;
  }
  static std::string name_of(std::uint8_t number) {
    const std::string base(1U + number % 3U, static_cast<char>('a' + number));
    return "n-" + base;
  }
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  std::uint8_t any_user() { return static_cast<std::uint8_t>(1 + below(kUsers)); }
  std::string any_name() { return name_of(static_cast<std::uint8_t>(below(12))); }
  /// One for each name, so that a commitment and its reveal often meet.
  static std::uint64_t duration_of(const std::string& name) { return 100 + name.size() * 60; }
  static Hash32 secret() { return NamesWorld::secret(7); }

  void check(const std::string& name) {
    const auto info = world_.info(name);
    const NameState state = model_.state(name, world_.now());
    ASSERT_EQ(info.state, state) << name;
    EXPECT_EQ(world_.available(name), state == NameState::kFree);
    if (state == NameState::kFree) {
      EXPECT_TRUE(info.owner.is_zero() && info.records.empty() && info.expires == 0);
      return;
    }
    const Model::Name& entry = model_.names.at(name);
    EXPECT_EQ(info.owner, NamesWorld::user(entry.owner));
    EXPECT_EQ(info.manager, entry.manager == 0 ? Address{} : NamesWorld::user(entry.manager));
    EXPECT_EQ(info.registered_at, entry.registered_at);
    EXPECT_EQ(info.expires, entry.expires);
    EXPECT_EQ(info.revision, entry.revision);
    EXPECT_EQ(info.records, state == NameState::kLive ? entry.records : Bytes{});
  }

  NamesWorld world_;
  Model model_;
  std::mt19937_64 rng_;
};

TEST(NamesRandom, AgreesWithAModel) {
  std::uint64_t registered = 0, renewed = 0, transferred = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    RandomNames random(seed);
    for (int i = 0; i < 1'500; ++i) {
      random.step();
      if (i % 100 == 0) random.check_all();
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << ", step " << i;
    }
    random.check_all();
    registered += random.registered;
    renewed += random.renewed;
    transferred += random.transferred;
  }
  // The walk reached what it is about.
  EXPECT_GT(registered, 100U);
  EXPECT_GT(renewed, 100U);
  EXPECT_GT(transferred, 50U);
}

}  // namespace
}  // namespace bonus::chain::contracts
