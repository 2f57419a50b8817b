// What goes into a call or creation and what comes out of it.
#pragma once

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"

namespace bonus::chain::evm {

enum class Status : std::uint8_t {
  kSuccess,
  kRevert,
  // Exceptional halts: all gas of the frame is gone (Yellow Paper 9.4.2).
  kOutOfGas,
  kUndefinedInstruction,
  kInvalidInstruction,  ///< 0xfe.
  kStackUnderflow,
  kStackOverflow,
  kBadJump,
  kStaticViolation,   ///< A state change inside STATICCALL (EIP-214).
  kReturnDataBounds,  ///< RETURNDATACOPY behind the end (EIP-211).
  kCodeTooLarge,      ///< EIP-170.
  kBadCode,           ///< New code begins with 0xef (EIP-3541).
  kCollision,         ///< The new contract's address is taken (EIP-684, 7610).
  kInitCodeTooLarge,  ///< EIP-3860.
  kPrecompileFailure,
  // Refused before a frame exists: the gas comes back.
  kInsufficientBalance,
  kDepth,
  kNonceOverflow,
};
[[nodiscard]] constexpr bool is_refused(Status status) { return status >= Status::kInsufficientBalance; }
/// The text of geth's vm errors, which tools parse: "out of gas", "execution reverted", ...
[[nodiscard]] std::string_view to_string(Status status);

enum class CallKind : std::uint8_t { kCall, kStaticCall, kDelegateCall, kCallCode, kCreate, kCreate2 };
[[nodiscard]] constexpr bool is_create(CallKind kind) { return kind >= CallKind::kCreate; }

struct Message {
  CallKind kind = CallKind::kCall;
  bool is_static = false;
  std::uint32_t depth = 0;
  std::int64_t gas = 0;
  Address sender;        ///< CALLER.
  Address recipient;     ///< ADDRESS: whose storage and balance; the new address for a creation.
  Address code_address;  ///< Whose code runs; not used by a creation.
  uint256 value;         ///< CALLVALUE. Moved by kCall and creations only.
  BytesView input;       ///< Call data, or init code. Must live as long as the call.
};

struct Outcome {
  Status status = Status::kSuccess;
  std::int64_t gas_left = 0;
  /// Of kSuccess and kRevert; of a creation that succeeded, the new code. Valid until the next call of the machine.
  BytesView output;
};

/// Addresses of new contracts (Yellow Paper 7; EIP-1014).
[[nodiscard]] Address create_address(const Address& sender, std::uint64_t nonce);
[[nodiscard]] Address create2_address(const Address& sender, const Hash32& salt, BytesView init_code);

}  // namespace bonus::chain::evm
