// A chain of Ethereum on disk, for the RPC: blocks are checked by Ethereum's rules as they come, every state stays
// readable. Tables and records: docs/formats/eth-ledger.md.
#pragma once

#include <memory>
#include <string>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/eth/genesis.hpp"

namespace bonus::chain::eth {

struct EthLedgerOptions {
  std::string path;          ///< Of the database; made when it is missing.
  std::string genesis_json;  ///< geth's genesis.json; may be empty when the database has one.
  std::size_t store_cache_bytes = 64 << 20;
  std::size_t node_cache_entries = 100'000;
};

/// Readers as LedgerReader; one thread appends. One line of blocks: a block beside the head is refused.
class EthLedger : public LedgerReader {
 public:
  /// kConflict when the database belongs to another genesis or another process, kNotFound when it is empty and there is
  /// no genesis, kCorrupt when it is damaged.
  [[nodiscard]] static Result<std::unique_ptr<EthLedger>> open(const EthLedgerOptions& options);

  enum class Appended : std::uint8_t { kNew, kKnown };
  /// One encoded block. kKnown when it is here already; kInvalid names the field or transaction; kConflict when it does
  /// not stand on the head. Durable with the next sync().
  [[nodiscard]] virtual Result<Appended> append(BytesView rlp) = 0;
  /// What was appended is on the disk when this returns.
  [[nodiscard]] virtual Result<> sync() = 0;

  /// A block that is built, not appended, and what it pays its beneficiary: all tips.
  struct Built {
    Block block;
    std::vector<Bytes> requests;
    uint256 tips;
  };
  struct BuildOptions {
    Hash32 parent;
    UnixSeconds timestamp = 0;
    Address beneficiary;
    Hash32 randao, beacon_root;
    Bytes extra_data;
    std::vector<Withdrawal> withdrawals;
    std::vector<TransactionPtr> transactions;
    bool skip_invalid = false;  ///< Leave out what does not apply, instead of failing.
  };
  /// A block of proof of stake on any block that is here; its gas limit moves towards 60 million, as geth's.
  [[nodiscard]] virtual Result<Built> build(const BuildOptions& options) const = 0;

  [[nodiscard]] virtual const ChainConfig& config() const = 0;
  /// What will hold in the block after the head.
  [[nodiscard]] virtual Rules next_rules() const = 0;
};

}  // namespace bonus::chain::eth
