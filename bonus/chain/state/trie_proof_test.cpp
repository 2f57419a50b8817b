// Proofs of present and absent keys, damaged in every way, and those of a real Ethereum node (execution-apis).
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/test_nodes.hpp"
#include "bonus/crypto/hash.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain::state {
namespace {

namespace json = boost::json;
using testing::MapNodes;

constexpr const char* kFolder = "../shared/vectors/execution-apis/eth_getProof/";

TEST(Proof, PresentAndAbsentKeysOfRandomTries) {
  std::mt19937_64 random(21);
  for (int round = 0; round < 40; ++round) {
    std::map<Bytes, Bytes> model;
    MapNodes stored;
    Trie trie(&stored, kEmptyTrieRoot);
    const auto random_key = [&] {
      // Short keys end inside branches, embed nodes and share prefixes.
      Bytes key(1 + random() % 3);
      for (auto& b : key) b = static_cast<std::uint8_t>(random() % 3 * 16 + random() % 3);
      return key;
    };
    for (std::size_t i = 0; i < static_cast<std::size_t>(round); ++i) {
      const Bytes key = random_key();
      model[key] = Bytes(1 + random() % 50, static_cast<std::uint8_t>(random() % 255 + 1));
      ASSERT_TRUE(trie.put(key, model[key]).has_value());
    }
    if (!model.empty()) EXPECT_EQ(trie.prove(Bytes{1}).error().code, ErrorCode::kInvalid);
    NewNodes fresh;
    const Hash32 root = trie.commit(fresh);
    stored.add(fresh);
    const Trie reader(&stored, root);
    for (int i = 0; i < 60; ++i) {
      const Bytes key = random_key();
      const auto proof = reader.prove(key).value();
      ASSERT_EQ(proof, trie.prove(key).value());
      const auto shown = verify_proof(root, key, proof);
      ASSERT_TRUE(shown.has_value()) << shown.error().message;
      const auto found = model.find(key);
      if (found == model.end()) {
        EXPECT_FALSE(shown->has_value());
      } else {
        ASSERT_TRUE(shown->has_value());
        EXPECT_EQ(**shown, found->second);
      }
      if (proof.empty()) continue;
      // Every damaged form shows nothing at all.
      auto bad = proof;
      Bytes& node = bad[random() % bad.size()];
      node[random() % node.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
      EXPECT_EQ(verify_proof(root, key, bad).error().code, ErrorCode::kInvalid);
      bad = proof;
      bad.pop_back();
      EXPECT_EQ(verify_proof(root, key, bad).error().code, ErrorCode::kInvalid);
      bad = proof;
      bad.push_back(proof.front());
      EXPECT_EQ(verify_proof(root, key, bad).error().code, ErrorCode::kInvalid);
      Hash32 other = root;
      other.bytes[3] ^= 1;
      EXPECT_EQ(verify_proof(other, key, proof).error().code, ErrorCode::kInvalid);
    }
  }
}

TEST(Proof, AnEmptyTrieHasAnEmptyProof) {
  EXPECT_TRUE(Trie().prove(Bytes{1}).value().empty());
  EXPECT_EQ(verify_proof(kEmptyTrieRoot, Bytes{1}, {}).value(), std::nullopt);
  EXPECT_FALSE(verify_proof(kEmptyTrieRoot, Bytes{1}, std::vector<Bytes>{Bytes{0x80}}).has_value());
  EXPECT_FALSE(verify_proof(crypto::keccak256(Bytes{1}), Bytes{1}, {}).has_value());
}

/// Any node that hashes to the root may be what a peer made up: nothing in it is trusted.
TEST(Proof, MalformedNodesUnderTheirOwnHash) {
  for (const char* hex : {"", "80", "c0", "c3010203", "c22080", "c2c020", "c24001", "c58080808080", "e1a0"}) {
    const Bytes node = from_hex(hex).value();
    EXPECT_FALSE(verify_proof(crypto::keccak256(node), Bytes{1}, std::vector<Bytes>{node}).has_value()) << hex;
  }
}

std::vector<Bytes> nodes_of(const json::value& list) {
  std::vector<Bytes> out;
  for (const auto& node : list.as_array()) out.push_back(from_hex(std::string(node.as_string())).value());
  return out;
}

TEST(Proof, ExecutionApis) {
  BONUS_NEED_VECTORS(kFolder, 4);
  std::size_t files = 0, slots = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("<<")) continue;
      const json::value reply = json::parse(line.substr(3));
      const json::value& result = reply.at("result");
      const auto text = [&](const json::value& v) { return std::string(v.as_string()); };
      const auto address = fixed_from_hex<Address>(text(result.at("address"))).value();
      const auto nodes = nodes_of(result.at("accountProof"));
      ASSERT_FALSE(nodes.empty());
      const auto shown = verify_proof(crypto::keccak256(nodes[0]), crypto::keccak256(address), nodes);
      ASSERT_TRUE(shown.has_value()) << entry.path() << shown.error().message;
      ASSERT_TRUE(shown->has_value());
      const Account account = decode_account(**shown).value();
      EXPECT_EQ(account.balance, uint256::parse(text(result.at("balance"))).value());
      EXPECT_EQ(account.nonce, uint256::parse(text(result.at("nonce"))).value().low64());
      EXPECT_EQ(to_hex0x(account.storage_root), text(result.at("storageHash")));
      EXPECT_EQ(to_hex0x(account.code_hash), text(result.at("codeHash")));
      for (const auto& slot : result.at("storageProof").as_array()) {
        const uint256 key = uint256::parse(text(slot.at("key"))).value();
        const auto value =
            verify_proof(account.storage_root, crypto::keccak256(key.to_be()), nodes_of(slot.at("proof")));
        ASSERT_TRUE(value.has_value()) << value.error().message;
        const uint256 want = uint256::parse(text(slot.at("value"))).value();
        EXPECT_EQ(*value ? decode_slot_trie_value(**value).value() : uint256(), want);
        ++slots;
      }
      ++files;
    }
  }
  EXPECT_GE(files, 4u);
  std::printf("eth_getProof: %zu exchanges, %zu slots\n", files, slots);
}

}  // namespace
}  // namespace bonus::chain::state
