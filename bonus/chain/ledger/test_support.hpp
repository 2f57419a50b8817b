// For tests of this and other modules: accounts, a genesis, a temporary folder, signed transactions, a counting
// contract.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger::testing {

/// A folder that disappears with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bonus-ledger-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] std::string path(const std::string& name = "ledger") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A test account with a fixed key: keccak("test account" || index).
struct Wallet {
  crypto::SecretKey256 key;
  Address address;
};
inline Wallet wallet(unsigned index) {
  const std::string label = "test account " + std::to_string(index);
  Wallet out;
  out.key.bytes = crypto::keccak256(as_bytes(label)).bytes;
  out.address = crypto::address_of(out.key).value();
  return out;
}

inline uint256 bnc(std::uint64_t amount) { return uint256(amount) * uint256(1'000'000'000'000'000'000ULL); }

/// Four bookkeepers; wallets 0..accounts-1 own 1,000 BNC each.
inline Genesis test_genesis(unsigned accounts = 8) {
  Genesis out;
  out.chain_id = 7667;
  out.name = "test";
  out.timestamp = 1'700'000'000;
  out.base_fee = uint256(1'000'000'000);
  out.min_base_fee = uint256(7);
  for (unsigned i = 0; i < 4; ++i) {
    Genesis::Bookkeeper keeper;
    keeper.key.bytes = crypto::keccak256(as_bytes("test bookkeeper " + std::to_string(i))).bytes;
    keeper.account = wallet(1000 + i).address;
    out.bookkeepers.push_back(keeper);
  }
  for (unsigned i = 0; i < accounts; ++i) out.balances[wallet(i).address] = bnc(1000);
  out.foundation = wallet(2000).address;
  return out;
}

struct TxOptions {
  std::uint64_t nonce = 0;
  uint256 value{};
  Bytes data{};
  std::uint64_t gas_limit = 21'000;
  uint256 max_fee{20'000'000'000ULL};
  uint256 tip{1'000'000'000ULL};
  std::uint64_t chain_id = 7667;
  std::uint8_t type = 2;
};
inline TransactionPtr make_tx(const Wallet& from, std::optional<Address> to, const TxOptions& options) {
  Transaction tx;
  tx.type = options.type;
  tx.chain_id = options.chain_id;
  tx.nonce = options.nonce;
  tx.max_fee = options.max_fee;
  tx.max_priority_fee = options.type == 0 ? options.max_fee : options.tip;
  tx.gas_limit = options.gas_limit;
  tx.to = to;
  tx.value = options.value;
  tx.data = options.data;
  EXPECT_TRUE(sign_transaction(tx, from.key).has_value());
  return recover(tx).value();
}

/// A native contract: data[0] selects. 0: slot 0 += 1 and one log; 1: writes, logs and fails; 2: charges data[1..9) gas
/// and writes; 3: pays its value on to the address in data[1..21). Each end_block counts in slot 1 and logs every third
/// block.
class CounterContract final : public NativeContract {
 public:
  [[nodiscard]] Address address() const override { return system_address(0xb0f0); }
  [[nodiscard]] CallOutcome call(Host& host, const CallInput& in) const override {
    if (in.data.empty()) return {true, word(host.load(address(), 0))};
    if (!host.charge(5'000)) return {false, abi::encode_revert("out of gas")};
    switch (in.data[0]) {
      case 0:
        host.store(address(), 0, host.load(address(), 0) + uint256(1));
        host.emit({address(), {topic()}, {in.data.begin(), in.data.end()}});
        return {true, word(host.load(address(), 0))};
      case 1:
        host.store(address(), 7, 7);
        host.emit({address(), {topic()}, {}});
        return {false, abi::encode_revert("as asked")};
      case 2:
        host.store(address(), 2, 1);
        if (!host.charge(uint256::from_be(in.data.subspan(1, 8)).low64())) return {true, {}};
        return {true, {}};
      case 3: {
        const auto to = Address::from(in.data.subspan(1, 20));
        if (!to || !host.transfer(address(), *to, in.value)) return {false, {}};
        return {true, {}};
      }
      default:
        return {false, {}};
    }
  }
  void end_block(Host& host) const override {
    const uint256 count = host.load(address(), 1) + uint256(1);
    host.store(address(), 1, count);
    if ((count % uint256(3)).is_zero()) host.emit({address(), {topic(), count.to_be()}, {}});
  }
  [[nodiscard]] uint256 liabilities(const Host& host) const override { return host.balance(address()); }
  [[nodiscard]] static Hash32 topic() { return abi::event_topic("Counted(uint256)"); }

 private:
  static Bytes word(const uint256& value) {
    const Hash32 be = value.to_be();
    return {be.bytes.begin(), be.bytes.end()};
  }
};

/// Init code of an EVM contract that stores call data [32, 64) in the slot [0, 32).
inline Bytes slot_setter() {
  // PUSH7 (PUSH1 32 CALLDATALOAD PUSH0 CALLDATALOAD SSTORE STOP) PUSH0 MSTORE RETURN(25, 7)
  return from_hex(
             "66"
             "6020355f355500"
             "5f52"
             "60076019f3")
      .value();
}
inline Bytes slot_call(const uint256& slot, const uint256& value) {
  Bytes out;
  append(out, slot.to_be());
  append(out, value.to_be());
  return out;
}

class TestRegistry final : public ContractRegistry {
 public:
  [[nodiscard]] const NativeContract* find(const Address& address) const override {
    return address == counter_.address() ? &counter_ : nullptr;
  }
  [[nodiscard]] std::vector<const NativeContract*> in_order() const override { return {&counter_}; }

 private:
  CounterContract counter_;
};

/// The next block of `ledger` with these transactions, one second after the head.
inline BuildInput next_input(const LedgerReader& ledger, std::vector<TransactionPtr> candidates) {
  BuildInput in;
  const Header head = ledger.head();
  in.timestamp = head.timestamp + 1;
  in.beneficiary = ledger.genesis().bookkeepers[0].account;
  in.randao = crypto::keccak256(as_bytes("randao " + std::to_string(head.number)));
  if (head.number > 0) in.last_commit = Bytes{1, 2, 3};
  in.candidates = std::move(candidates);
  return in;
}

/// Small caches and no fsync, so that a test may open many ledgers.
inline LedgerOptions test_options() {
  LedgerOptions out;
  out.sync = false;
  out.slot_cache_entries = 1 << 12;
  out.account_cache_entries = 1 << 12;
  out.node_cache_entries = 1 << 12;
  out.store_cache_bytes = 4 << 20;
  return out;
}

}  // namespace bonus::chain::ledger::testing
