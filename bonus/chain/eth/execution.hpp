// One block of Ethereum in execution, step by step: what the block does before its transactions, each of them, and what
// it does afterwards (Yellow Paper 11; EIP-2935, 4788, 4895, 6110, 7002, 7251). Tools build blocks with it,
// process_block() checks them with it.
#pragma once

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/eth/config.hpp"
#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/state/state_diff.hpp"

namespace bonus::chain::eth {

/// The contracts that blocks call, by EIP-7910's names, as far as the fork has them.
[[nodiscard]] std::vector<std::pair<std::string, Address>> system_contracts(const Rules& rules,
                                                                            const Address& deposit_contract);
/// What a block is executed in. `hashes` may be null.
[[nodiscard]] BlockContext make_context(const Header& header, const Rules& rules, std::uint64_t chain_id,
                                        const BlockHashes* hashes);
/// Wei for a proof-of-work block; nothing from Paris on.
[[nodiscard]] std::optional<uint256> block_reward(Revision revision);

/// What the block pays at its end, besides fees.
struct Payments {
  /// Of the block's own work; nothing under proof of stake. A reward of zero touches its accounts all the same.
  std::optional<uint256> reward;
  struct Ommer {
    Address beneficiary;
    std::uint64_t distance = 1;  ///< Blocks before this one.
  };
  std::vector<Ommer> ommers;
  std::vector<Withdrawal> withdrawals;
};

struct ExecutionOptions {
  evm::ProgramCache* programs = nullptr;  ///< Null: none is shared.
  evm::Tracer* tracer = nullptr;
  /// As geth's t8n: where the contract of EIP-7002 or 7251 is missing there are no requests. Else the block is invalid.
  bool tolerate_missing_contracts = false;
};

/// Not thread-safe. `base`, `nodes` and what `context` points to are borrowed; `base` is the state at `parent_root`.
class BlockExecution {
 public:
  using Options = ExecutionOptions;

  BlockExecution(const StateView& base, const state::NodeSource& nodes, const Hash32& parent_root,
                 const BlockContext& context, const Rules& rules, const Options& options = {});

  /// System calls before the first transaction; each is made when its value is given and the rules have it.
  void begin(const std::optional<Hash32>& beacon_root, const std::optional<Hash32>& parent_hash);
  /// An error means that the transaction is not valid at this place and changed nothing.
  [[nodiscard]] Result<Receipt> apply(const SenderTransaction& tx);
  /// Pays, and makes the system calls after the last transaction. The requests, EIP-7685: only those with data; none
  /// before Prague. kInvalid when a block with these effects is invalid.
  [[nodiscard]] Result<std::vector<Bytes>> finish(const Payments& payments, const Address& deposit_contract,
                                                  const std::vector<Receipt>& receipts);
  /// The change of the state so far.
  [[nodiscard]] Result<state::StateDiff> diff() const;

  [[nodiscard]] std::uint64_t gas_used() const { return gas_used_; }
  [[nodiscard]] std::uint64_t blob_gas_used() const { return blob_gas_used_; }
  [[nodiscard]] evm::Machine& machine() { return machine_; }

 private:
  [[nodiscard]] Result<> check_storage() const;
  [[nodiscard]] Result<Bytes> request_call(const Address& to, std::uint8_t type, const char* name);
  void pay(const Payments& payments);

  const StateView& base_;
  const state::NodeSource& nodes_;
  const Hash32 parent_root_;
  const BlockContext context_;
  const Rules rules_;
  const bool tolerant_;
  state::Journal journal_;
  evm::Machine machine_;
  std::uint64_t gas_used_ = 0, blob_gas_used_ = 0;
};

}  // namespace bonus::chain::eth
