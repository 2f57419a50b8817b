// What a native system contract sees of the chain while it runs. Deterministic; everything is undone when the call
// fails.
#pragma once

#include <array>
#include <optional>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/genesis.hpp"
#include "bonus/chain/api/revision.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

/// Hashes of earlier blocks, for BLOCKHASH.
class BlockHashes {
 public:
  virtual ~BlockHashes() = default;
  /// Zero when it is unknown. Asked for the last 256 blocks only.
  [[nodiscard]] virtual Hash32 block_hash(std::uint64_t number) const = 0;
};

struct BlockContext {
  Revision revision = kBonusRevision;
  std::uint64_t number = 0;
  UnixSeconds timestamp = 0;
  Hash32 randao;  ///< prevRandao of this block: the seed of draws.
  Address beneficiary;
  std::uint64_t chain_id = 0;
  std::uint64_t gas_limit = 0;
  uint256 base_fee;
  uint256 difficulty;                   ///< Before Paris only.
  uint256 blob_base_fee{1};             ///< Wei per blob gas (EIP-7516).
  std::uint32_t max_blobs = 0;          ///< Per block (EIP-7892); 0: as blob_schedule() of the revision says.
  const BlockHashes* hashes = nullptr;  ///< Null: every hash is zero.
  const Genesis* genesis = nullptr;     ///< Parameters of BonusChain; null under Ethereum's rules.
};

class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual const BlockContext& block() const = 0;
  [[nodiscard]] virtual uint256 balance(const Address& account) const = 0;
  /// kExhausted when `from` has less.
  [[nodiscard]] virtual Result<> transfer(const Address& from, const Address& to, const uint256& amount) = 0;
  /// Storage of a contract by 256-bit slot, Solidity layout. Fast: served from memory at the head.
  [[nodiscard]] virtual uint256 load(const Address& contract, const uint256& slot) const = 0;
  virtual void store(const Address& contract, const uint256& slot, const uint256& value) = 0;
  virtual void emit(Log log) = 0;
  /// kExhausted when the gas is used up. Free outside transactions (block hooks, preflight from RPC is bounded by its
  /// gas cap).
  [[nodiscard]] virtual Result<> charge(std::uint64_t gas) = 0;
};

struct CallInput {
  Address caller;
  Address contract;
  uint256 value;  ///< Already moved to the contract's balance.
  BytesView data;
  bool read_only = false;  ///< eth_call of a view, STATICCALL: state changes must fail.
};
struct CallOutcome {
  bool success = false;
  Bytes output;  ///< Return data, or `Error(string)` when it failed.
};

/// One system contract at a fixed address (market.md). Stateless: everything it knows is in the Host's storage.
class NativeContract {
 public:
  virtual ~NativeContract() = default;
  [[nodiscard]] virtual Address address() const = 0;
  [[nodiscard]] virtual CallOutcome call(Host& host, const CallInput& input) const = 0;
  /// After the last transaction of each block. Must not fail; its work is bounded by genesis parameters.
  virtual void end_block(Host& host) const = 0;
  /// Sum of all wei that the contract owes to others. Its balance is never less; it is more only by what was forced
  /// upon it (the heir of a self-destructing contract is not asked). Tests compare them after every block.
  [[nodiscard]] virtual uint256 liabilities(const Host& host) const = 0;
  /// Whether chains with this genesis have it. Elsewhere its address is an account like any other, so that contracts
  /// can be added without a change to chains that began before.
  [[nodiscard]] virtual bool exists_in(const Genesis& /*genesis*/) const { return true; }
};

/// Order of end_block calls; implemented by chain/contracts.
class ContractRegistry {
 public:
  virtual ~ContractRegistry() = default;
  [[nodiscard]] virtual const NativeContract* find(const Address& address) const = 0;
  [[nodiscard]] virtual std::vector<const NativeContract*> in_order() const = 0;
};

/// 0x…b001 and so on (market.md).
[[nodiscard]] constexpr Address system_address(std::uint16_t low) {
  Address out;
  out.bytes[18] = static_cast<std::uint8_t>(low >> 8);
  out.bytes[19] = static_cast<std::uint8_t>(low & 0xff);
  return out;
}
inline constexpr Address kNodesAddress = system_address(0xb002);
inline constexpr Address kMarketAddress = system_address(0xb003);
inline constexpr Address kNamesAddress = system_address(0xb005);
inline constexpr Address kFoundationAddress = system_address(0xb008);

}  // namespace bonus::chain
