// Ethereum's data types as BonusChain uses them: transactions, headers, blocks, receipts.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain {

using Bloom = FixedBytes<256, struct BloomTag>;  ///< Yellow Paper, 4.3.1.

/// EIP-7702: an account's signed wish to run the code of `address`.
struct Authorization {
  uint256 chain_id;  ///< 0: any chain.
  Address address;   ///< All zero: no code any more.
  std::uint64_t nonce = 0;
  std::uint8_t y_parity = 0;
  uint256 r, s;
  /// keccak(0x05 || rlp([chain_id, address, nonce])).
  [[nodiscard]] Hash32 signing_hash() const;
  /// Recovers. kInvalid for a signature that is none; s must be in the lower half.
  [[nodiscard]] Result<Address> authority() const;
};

/// Types 0 (legacy), 1 (EIP-2930), 2 (EIP-1559), 3 (EIP-4844) and 4 (EIP-7702). All amounts in wei.
struct Transaction {
  std::uint8_t type = 2;
  std::uint64_t chain_id = 0;  ///< 0 in a type-0 transaction without EIP-155 protection (refused by the mempool).
  std::uint64_t nonce = 0;
  uint256 max_priority_fee;  ///< Types 0 and 1: equal to gas price.
  uint256 max_fee;           ///< Types 0 and 1: gas price.
  std::uint64_t gas_limit = 0;
  std::optional<Address> to;  ///< Nothing: contract creation.
  uint256 value;
  Bytes data;
  struct AccessEntry {
    Address address;
    std::vector<Hash32> keys;
  };
  std::vector<AccessEntry> access_list;       ///< Not in type 0.
  uint256 max_fee_per_blob_gas;               ///< Type 3 only.
  std::vector<Hash32> blob_hashes;            ///< Versioned hashes; type 3 only.
  std::vector<Authorization> authorizations;  ///< Type 4 only.
  crypto::Secp256k1Signature signature;

  [[nodiscard]] Bytes encode() const;  ///< EIP-2718 form, as in eth_sendRawTransaction; type 3 without its blobs.
  /// At most kMaxTransactionBytes, bounds of the chain's own fork (transaction_rules.hpp has the others). kInvalid says
  /// what is malformed. The signature is checked by sender(), not here.
  [[nodiscard]] static Result<Transaction> decode(BytesView raw);
  [[nodiscard]] Hash32 hash() const;  ///< keccak256(encode()).
  [[nodiscard]] Hash32 signing_hash() const;
  [[nodiscard]] Result<Address> sender() const;  ///< Recovers; costs about 50 us.
  /// min(max_fee, base_fee + max_priority_fee).
  [[nodiscard]] uint256 effective_gas_price(const uint256& base_fee) const;
};
/// Fills `signature` for the chain id in `tx`.
[[nodiscard]] Result<> sign_transaction(Transaction& tx, const crypto::SecretKey256& key);

/// A transaction whose sender is known; shared because mempool, block and RPC hold the same immutable object.
struct SenderTransaction {
  Transaction tx;
  Address sender;
  Hash32 hash;
};
using TransactionPtr = std::shared_ptr<const SenderTransaction>;
[[nodiscard]] Result<TransactionPtr> recover(Transaction tx);

struct Log {
  Address address;
  std::vector<Hash32> topics;
  Bytes data;
};

struct Receipt {
  std::uint8_t type = 2;
  bool success = false;
  std::optional<Hash32> state_root;  ///< Before Byzantium (EIP-658): encoded in place of `success`.
  std::uint64_t cumulative_gas = 0;
  std::vector<Log> logs;
  // Not part of the consensus encoding:
  std::uint64_t gas_used = 0;
  uint256 effective_gas_price;
  Bytes return_data;  ///< Of a failed call: the revert data (at most 4 KiB are kept).
  [[nodiscard]] Bloom bloom() const;
  [[nodiscard]] Bytes encode() const;  ///< EIP-2718 consensus form.
};

/// The number of a header's fields: each of these forks appended some (EIP-1559, 4895, 4844 with 4788, 7685).
enum class HeaderForm : std::uint8_t { kFrontier = 15, kLondon = 16, kShanghai = 17, kCancun = 20, kPrague = 21 };

/// The Prague header; BonusChain's own values ride in extraData (docs/formats/block.md), so that keccak(rlp(header)) is
/// the block hash for any Ethereum tool. Headers of Ethereum's other forks (ethereum_block.hpp) have another `form`; on
/// BonusChain what stands behind `base_fee` is as the defaults say.
struct Header {
  Hash32 parent_hash;
  Hash32 ommers_hash;   ///< Always keccak(rlp([])).
  Address beneficiary;  ///< The proposer's account: receives the fees.
  Hash32 state_root, transactions_root, receipts_root;
  Bloom logs_bloom;
  std::uint64_t number = 0, gas_limit = 0, gas_used = 0;
  UnixSeconds timestamp = 0;
  Bytes extra_data;         ///< rlp(ExtraData).
  Hash32 prev_randao;       ///< First 32 bytes of the VRF output: the seed of the next height is derived from it.
  std::uint64_t nonce = 0;  ///< Creation round.
  uint256 base_fee;
  uint256 difficulty;  ///< Before Paris.
  Hash32 withdrawals_root = kEmptyTrieRoot;
  std::uint64_t blob_gas_used = 0, excess_blob_gas = 0;
  Hash32 parent_beacon_root;
  Hash32 requests_hash = kEmptyRequestsHash;
  HeaderForm form = HeaderForm::kPrague;  ///< Fields that it does not have are neither written nor hashed.
  [[nodiscard]] bool has(HeaderForm fields) const { return form >= fields; }
  [[nodiscard]] Bytes encode() const;
  /// BonusChain's header only: kInvalid when a field that is fixed there has another value.
  [[nodiscard]] static Result<Header> decode(BytesView rlp);
  [[nodiscard]] Hash32 hash() const;
};
struct ExtraData {
  std::uint8_t version = 1;
  crypto::VrfProof vrf_proof;
  Hash32 validators_hash, next_validators_hash;
  Hash32 last_commit;          ///< keccak of the commit certificate of the parent; zero for block 1.
  std::uint16_t proposer = 0;  ///< Index of the creator in the validator list.
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<ExtraData> decode(BytesView rlp);
};

/// EIP-4895: a payment of the beacon chain.
struct Withdrawal {
  std::uint64_t index = 0, validator = 0;
  Address address;
  std::uint64_t amount_gwei = 0;
};

struct Block {
  Header header;
  std::vector<TransactionPtr> transactions;
  std::vector<Header> ommers;           ///< Ethereum before Paris only.
  std::vector<Withdrawal> withdrawals;  ///< Ethereum from Shanghai on only.
  Bytes last_commit;                    ///< Encoded consensus::CommitCert of the parent; empty for block 1.
  [[nodiscard]] Bytes encode() const;   ///< rlp([header, [tx...], last_commit]).
  /// Recovers all senders. kInvalid names the part. At most kMaxBlockBytes.
  [[nodiscard]] static Result<Block> decode(BytesView in);
};
inline constexpr std::size_t kMaxBlockBytes = 4 << 20;
inline constexpr std::size_t kMaxTransactionBytes = 128 << 10;

}  // namespace bonus::chain
