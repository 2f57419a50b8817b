// Calls and creations on a journal: who pays, what moves, which code runs, what is undone (Yellow Paper 7 and 8).
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/evm/message.hpp"
#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/evm/program.hpp"
#include "bonus/chain/evm/tracer.hpp"
#include "bonus/chain/state/journal.hpp"

namespace bonus::chain::evm {

struct Frame;

/// What all frames of one transaction share.
struct TransactionContext {
  Address origin;
  uint256 gas_price;
  std::span<const Hash32> blob_hashes{};  ///< Must live as long as the transaction.
};

/// Precompiles that a simulation moved: the precompile that answers at an address instead of the usual one; an entry
/// without a value: none does.
using MovedPrecompiles = std::unordered_map<Address, std::optional<Address>>;

struct MachineOptions {
  const ContractRegistry* natives = nullptr;  ///< System contracts; null: none.
  ProgramCache* programs = nullptr;           ///< Null: a program is kept for the life of the machine only.
  Tracer* tracer = nullptr;
  const MovedPrecompiles* moved = nullptr;  ///< Null: all are where they belong.
  bool reference = false;                   ///< Run the reference interpreter (a tracer does so anyway).
};

/// Not thread-safe. One for the transactions of a block, or for one call. `journal` and `context` are borrowed.
class Machine {
 public:
  static constexpr std::uint32_t kMaxDepth = 1024;

  Machine(state::Journal& journal, const BlockContext& context, const MachineOptions& options = {});
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void set_transaction(const TransactionContext& context) { transaction_ = context; }
  /// Runs a call or creation; changes are undone unless it succeeds. For a creation the caller has chosen the address
  /// (create_address) and raised the sender's nonce.
  [[nodiscard]] Outcome run(const Message& message);

  [[nodiscard]] state::Journal& journal() { return journal_; }
  [[nodiscard]] const BlockContext& block() const { return context_; }
  [[nodiscard]] const TransactionContext& transaction() const { return transaction_; }
  [[nodiscard]] Revision revision() const { return context_.revision; }
  [[nodiscard]] const GasCosts& costs() const { return costs_; }
  [[nodiscard]] Tracer* tracer() const { return options_.tracer; }
  [[nodiscard]] bool is_precompile(const Address& address) const;
  /// Code as EXTCODESIZE and its kin see it: of system contracts the single byte INVALID.
  [[nodiscard]] state::Journal::Code code(const Address& address) const { return journal_.code(address); }
  /// The hash of block `number` for BLOCKHASH; zero when it is not among the last 256.
  [[nodiscard]] Hash32 block_hash(const uint256& number) const;

 private:
  struct Pools;
  [[nodiscard]] Outcome dispatch(const Message& message);
  [[nodiscard]] Outcome call(const Message& message);
  [[nodiscard]] Outcome create(const Message& message);
  [[nodiscard]] Outcome run_code(const Message& message, const Program& program);
  [[nodiscard]] Outcome run_precompile(const Message& message);
  [[nodiscard]] Outcome run_native(const NativeContract& contract, const Message& message);
  [[nodiscard]] std::int64_t deposit_code(const Message& message, Outcome& outcome);
  [[nodiscard]] std::shared_ptr<const Program> program_of(const Address& address);
  [[nodiscard]] Frame& frame(std::uint32_t depth);

  state::Journal& journal_;
  const BlockContext& context_;
  const MachineOptions options_;
  const GasCosts& costs_;
  TransactionContext transaction_;
  std::unique_ptr<Pools> pools_;
};

/// EIP-7702: the account that `code` delegates to.
[[nodiscard]] std::optional<Address> delegation_target(BytesView code);
inline constexpr std::array<std::uint8_t, 3> kDelegationPrefix{0xef, 0x01, 0x00};

}  // namespace bonus::chain::evm
