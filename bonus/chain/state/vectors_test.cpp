// A real Ethereum chain (execution-apis, tests/chain.rlp): our roots of its transactions, our hashes, and the state
// root of its genesis from its accounts.
#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/state_diff.hpp"
#include "bonus/chain/state/trie.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain::state {
namespace {

namespace json = boost::json;

constexpr const char* kFolder = "../shared/vectors/execution-apis/";

std::string read(const std::string& name) {
  std::ifstream in(kFolder + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ExecutionApis, TransactionRootsOfARealChain) {
  BONUS_NEED_VECTORS(kFolder, 54);
  const std::string text = read("chain.rlp");
  ASSERT_FALSE(text.empty());
  rlp::Decoder file(as_bytes(text));
  std::size_t blocks = 0;
  std::array<std::size_t, 5> by_type{};
  while (!file.at_end()) {
    auto block = file.list().value();
    auto header = block.list().value();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(header.raw_item().has_value());
    const Hash32 root = header.fixed<Hash32>().value();
    auto items = block.list().value();
    std::vector<Bytes> raw;
    while (!items.at_end()) {
      const BytesView item = items.next_is_list() ? items.raw_item().value() : items.bytes().value();
      raw.emplace_back(item.begin(), item.end());
      const auto tx = Transaction::decode(item);
      ASSERT_TRUE(tx.has_value()) << "block " << blocks + 1 << ": " << tx.error().message;
      EXPECT_EQ(tx->encode(), raw.back());
      EXPECT_TRUE(tx->sender().has_value());
      for (const auto& entry : tx->authorizations) EXPECT_TRUE(entry.authority().has_value());
      ++by_type.at(tx->type);
    }
    EXPECT_EQ(to_hex(ordered_root(raw)), to_hex(root)) << "block " << blocks + 1;
    ++blocks;
  }
  EXPECT_GT(blocks, 10u);
  for (const std::size_t count : by_type) EXPECT_GT(count, 0u);
  std::printf("chain.rlp: %zu blocks, transactions of types 0 to 4: %zu, %zu, %zu, %zu, %zu\n", blocks, by_type[0],
              by_type[1], by_type[2], by_type[3], by_type[4]);
}

TEST(ExecutionApis, StateRootOfItsGenesis) {
  BONUS_NEED_VECTORS(kFolder, 1);
  const std::string text = read("genesis.json");
  ASSERT_FALSE(text.empty());
  const std::string answer = read("eth_getBlockByNumber/get-genesis.io");
  const auto at = answer.find("\"stateRoot\":\"0x");
  ASSERT_NE(at, std::string::npos);
  const std::string want = answer.substr(at + 15, 64);
  const auto string_of = [](const json::value& v) { return std::string(v.as_string()); };
  Trie accounts;
  NewNodes nodes;
  std::size_t slots = 0;
  const json::value genesis = json::parse(text);
  for (const auto& item : genesis.at("alloc").as_object()) {
    const json::object& fields = item.value().as_object();
    Account account;
    account.code_hash = kEmptyCodeHash;
    account.storage_root = kEmptyTrieRoot;
    if (const auto* v = fields.if_contains("balance")) account.balance = uint256::parse(string_of(*v)).value();
    if (const auto* v = fields.if_contains("nonce")) account.nonce = uint256::parse(string_of(*v)).value().low64();
    if (const auto* v = fields.if_contains("code"))
      account.code_hash = crypto::keccak256(from_hex(string_of(*v)).value());
    if (const auto* v = fields.if_contains("storage")) {
      Trie storage;
      for (const auto& slot : v->as_object()) {
        const uint256 key = uint256::parse(std::string(slot.key())).value();
        rlp::Encoder e;
        e.number(uint256::parse(string_of(slot.value())).value());
        ASSERT_TRUE(storage.put(crypto::keccak256(key.to_be()), e.take()).has_value());
        ++slots;
      }
      account.storage_root = storage.commit(nodes);
    }
    const auto address = fixed_from_hex<Address>(std::string(item.key())).value();
    ASSERT_TRUE(accounts.put(crypto::keccak256(address), encode_account(account)).has_value());
  }
  EXPECT_EQ(to_hex(accounts.commit(nodes)), want);
  std::printf("genesis.json: %zu storage slots\n", slots);
}

}  // namespace
}  // namespace bonus::chain::state
