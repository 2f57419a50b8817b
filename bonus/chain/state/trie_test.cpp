// The trie against ethereum/tests (TrieTests), against itself rebuilt, and against damage.
#include "bonus/chain/state/trie.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/state/test_nodes.hpp"
#include "bonus/crypto/hash.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain::state {
namespace {

namespace json = boost::json;
using testing::MapNodes;

constexpr const char* kVectors = "../shared/vectors/ethereum-tests/TrieTests/";

Bytes raw(const json::value& value) {
  if (value.is_null()) return {};
  const std::string_view text(value.get_string().data(), value.get_string().size());
  if (text.starts_with("0x")) return from_hex(text).value();
  return {text.begin(), text.end()};
}

void put_pair(Trie& trie, const json::value& key, const json::value& value, bool secure) {
  const Bytes k = raw(key);
  ASSERT_TRUE(trie.put(secure ? BytesView(crypto::keccak256(k).view()) : BytesView(k), raw(value)).has_value());
}

class TrieVectors : public ::testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(TrieVectors, Roots) {
  const auto [file, secure] = GetParam();
  BONUS_NEED_VECTORS(kVectors, 5);
  std::ifstream in(std::string(kVectors) + file);
  ASSERT_TRUE(in) << file;
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const json::value suite = json::parse(text);
  std::size_t count = 0;
  for (const auto& item : suite.as_object()) {
    // Twice: once in memory, once with every node written and loaded again after each change.
    MapNodes stored;
    Trie trie;
    Hash32 root = kEmptyTrieRoot;
    const auto change = [&](const json::value& key, const json::value& value) {
      put_pair(trie, key, value, secure);
      Trie reloaded(&stored, root);
      put_pair(reloaded, key, value, secure);
      NewNodes fresh;
      root = reloaded.commit(fresh);
      stored.add(fresh);
    };
    const json::value& pairs = item.value().at("in");
    if (pairs.is_array()) {
      for (const auto& pair : pairs.get_array()) change(pair.at(0), pair.at(1));
    } else {
      for (const auto& pair : pairs.get_object()) change(json::value(pair.key()), pair.value());
    }
    NewNodes unused;
    const Bytes want = raw(item.value().at("root"));
    EXPECT_EQ(to_hex(trie.commit(unused)), to_hex(want)) << item.key();
    EXPECT_EQ(to_hex(root), to_hex(want)) << item.key();
    ++count;
  }
  EXPECT_GT(count, 0u);
  std::printf("%s: %zu vectors\n", file, count);
}

INSTANTIATE_TEST_SUITE_P(EthereumTests, TrieVectors,
                         ::testing::Values(std::pair{"trietest.json", false}, std::pair{"trieanyorder.json", false},
                                           std::pair{"trietest_secureTrie.json", true},
                                           std::pair{"trieanyorder_secureTrie.json", true},
                                           std::pair{"hex_encoded_securetrie_test.json", true}));

TEST(Trie, RandomChangesEqualATrieFromScratch) {
  std::mt19937_64 random(7);
  std::map<Bytes, Bytes> model;
  MapNodes stored;
  Hash32 root = kEmptyTrieRoot;
  for (int round = 0; round < 60; ++round) {
    Trie trie(&stored, root);
    for (int i = 0; i < 20; ++i) {
      // Keys of one to three bytes share prefixes and end inside branches; values of all lengths embed nodes or not.
      Bytes key(1 + random() % 3);
      for (auto& b : key) b = static_cast<std::uint8_t>(random() % 3 * 16 + random() % 3);
      Bytes value(random() % 3 == 0 ? 0 : random() % 40, static_cast<std::uint8_t>(random() % 255 + 1));
      ASSERT_TRUE(trie.put(key, value).has_value());
      if (value.empty()) {
        model.erase(key);
      } else {
        model[key] = value;
      }
    }
    NewNodes fresh;
    root = trie.commit(fresh);
    stored.add(fresh);
    Trie scratch;
    for (const auto& [key, value] : model) ASSERT_TRUE(scratch.put(key, value).has_value());
    NewNodes unused;
    ASSERT_EQ(scratch.commit(unused), root) << "round " << round;
    for (const auto& [key, value] : model) ASSERT_EQ(trie.get(key).value(), value);
    ASSERT_TRUE(trie.get(Bytes{0xff}).value().empty());
    Trie reader(&stored, root);
    for (const auto& [key, value] : model) ASSERT_EQ(reader.get(key).value(), value);
  }
}

/// Every node of the trie with this root, by proofs of all keys.
std::set<Hash32> reachable(const MapNodes& stored, const Hash32& root, const std::map<Bytes, Bytes>& model) {
  std::set<Hash32> out;
  for (const auto& [key, value] : model)
    for (const Bytes& node : Trie(&stored, root).prove(key).value()) out.insert(crypto::keccak256(node));
  return out;
}

/// What commit() calls replaced is all that goes out of use: after pruning there is one node for each place of the last
/// state, and the states that are kept stay readable.
TEST(Trie, ReplacedNodesAreExactlyThoseOutOfUse) {
  for (const std::uint64_t keep : {1u, 4u}) {
    std::mt19937_64 random(5 + keep);
    MapNodes stored;
    std::map<Bytes, Bytes> model;
    std::deque<std::tuple<std::uint64_t, Hash32, std::map<Bytes, Bytes>>> states;
    Hash32 root = kEmptyTrieRoot;
    for (int round = 0; round < 150; ++round) {
      Trie trie(&stored, root);
      const bool shrink = round % 30 > 20;
      for (std::uint64_t i = random() % 12; i > 0; --i) {
        Bytes key(2 + random() % 2);
        for (auto& b : key) b = static_cast<std::uint8_t>(random() % 3 * 16 + random() % 3);
        // Few values, so that nodes come back, at their old place and at others; short ones are embedded.
        Bytes value(random() % 3 == 0 || shrink ? 0 : random() % 2 * 33 + 1,
                    static_cast<std::uint8_t>(random() % 2 + 1));
        ASSERT_TRUE(trie.put(key, value).has_value());
        if (value.empty()) {
          model.erase(key);
        } else {
          model[key] = value;
        }
      }
      if (round % 50 == 49) {
        for (const auto& [key, value] : std::exchange(model, {})) ASSERT_TRUE(trie.put(key, {}).has_value());
      }
      NewNodes fresh;
      root = trie.commit(fresh);
      stored.add(fresh);
      states.emplace_back(stored.version, root, model);
      while (states.size() > keep) states.pop_front();
      stored.prune(std::get<0>(states.front()));
      const std::uint64_t head = stored.version;
      for (const auto& [version, old_root, old_model] : states) {
        if (round % 5 != 0) break;
        stored.version = version;
        for (const auto& [key, value] : old_model) ASSERT_EQ(Trie(&stored, old_root).get(key).value(), value);
        ASSERT_TRUE(Trie(&stored, old_root).get(Bytes{0x22, 0x22, 0x22, 0x22}).value().empty());
      }
      stored.version = head;
      if (keep == 1 && round % 5 < 2) {
        // Equal subtrees stand at several places, so hashes are fewer or as many.
        std::set<Hash32> present;
        for (const auto& [key, rlp] : stored.nodes) present.insert(crypto::keccak256(rlp));
        ASSERT_EQ(present, reachable(stored, root, model)) << "round " << round;
        std::set<Bytes> places;
        for (const auto& [key, rlp] : stored.nodes) ASSERT_TRUE(places.insert(key.first).second);
      }
    }
    EXPECT_EQ(stored.unknown_replaced, 0);
  }
}

TEST(Trie, AMissingNodeIsAnError) {
  MapNodes stored;
  Trie trie(&stored, kEmptyTrieRoot);
  for (std::uint8_t i = 0; i < 40; ++i) ASSERT_TRUE(trie.put(crypto::keccak256(Bytes{i}), Bytes(40, i)).has_value());
  NewNodes fresh;
  const Hash32 root = trie.commit(fresh);
  stored.add(fresh);
  const auto root_key = MapNodes::Key{node_place(accounts_trie(), {}), 1};
  ASSERT_EQ(crypto::keccak256(stored.nodes.at(root_key)), root);
  stored.nodes.erase(std::ranges::find_if(stored.nodes, [&](const auto& n) { return n.first != root_key; }));
  int missing = 0;
  for (std::uint8_t i = 0; i < 40; ++i) {
    const auto value = Trie(&stored, root).get(crypto::keccak256(Bytes{i}));
    if (!value) {
      EXPECT_EQ(value.error().code, ErrorCode::kCorrupt);
      ++missing;
    }
  }
  EXPECT_GT(missing, 0);
  stored.nodes[root_key] = Bytes{0xc3, 0x01, 0x02, 0x03};
  EXPECT_EQ(Trie(&stored, root).get(Bytes{1}).error().code, ErrorCode::kCorrupt);
}

TEST(Trie, OrderedRootOfNothingIsTheEmptyRoot) { EXPECT_EQ(ordered_root({}), kEmptyTrieRoot); }

}  // namespace
}  // namespace bonus::chain::state
