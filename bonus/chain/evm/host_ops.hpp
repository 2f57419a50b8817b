// The instructions that touch state or start frames, once for both interpreters: what they cost and what they do.
// Internal.
#pragma once

#include "bonus/chain/evm/frame.hpp"
#include "bonus/chain/evm/machine.hpp"

namespace bonus::chain::evm {

inline constexpr std::int64_t kColdAccountGas = 2600;  ///< EIP-2929.
inline constexpr std::int64_t kColdSlotGas = 2100;     ///< EIP-2929.
inline constexpr std::int64_t kWarmGas = 100;          ///< EIP-2929.
inline constexpr std::int64_t kCallStipend = 2300;

[[nodiscard]] inline Address to_address(const uint256& word) {
  Address out;
  const std::uint32_t high = __builtin_bswap32(static_cast<std::uint32_t>(word.limb[2]));
  const std::uint64_t middle = __builtin_bswap64(word.limb[1]);
  const std::uint64_t low = __builtin_bswap64(word.limb[0]);
  std::memcpy(out.bytes.data(), &high, 4);
  std::memcpy(out.bytes.data() + 4, &middle, 8);
  std::memcpy(out.bytes.data() + 12, &low, 8);
  return out;
}
[[nodiscard]] inline uint256 to_word(const Address& address) {
  std::uint32_t high = 0;
  std::uint64_t middle = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.bytes.data(), 4);
  std::memcpy(&middle, address.bytes.data() + 4, 8);
  std::memcpy(&low, address.bytes.data() + 12, 8);
  return {0, __builtin_bswap32(high), __builtin_bswap64(middle), __builtin_bswap64(low)};
}
/// 32 big-endian bytes. Limb by limb: a vector load of what was just stored in limbs would stall.
[[nodiscard]] inline uint256 load_word(const std::uint8_t* in) {
  const auto limb = [&](std::size_t at) {
    std::uint64_t out = 0;
    std::memcpy(&out, in + at, sizeof out);
    return __builtin_bswap64(out);
  };
  return {limb(0), limb(8), limb(16), limb(24)};
}
inline void store_word(std::uint8_t* out, const uint256& word) {
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t limb = __builtin_bswap64(word.limb[3 - i]);
    std::memcpy(out + 8 * i, &limb, sizeof limb);
  }
}
[[nodiscard]] constexpr std::int64_t words_of(std::uint64_t bytes) {
  return static_cast<std::int64_t>((bytes + 31) / 32);
}

/// Makes [offset, offset + size) usable and pays for it; false: out of gas. An area of size 0 needs nothing.
[[nodiscard]] bool expand_slow(Memory& memory, std::int64_t& gas, std::uint64_t end);
[[nodiscard]] inline bool expand(Memory& memory, std::int64_t& gas, const uint256& offset, std::uint64_t size) {
  if (!offset.fits_u64() || offset.limb[0] > kMemoryLimit) return false;
  const std::uint64_t end = offset.limb[0] + size;
  if (end <= memory.size()) return true;
  return expand_slow(memory, gas, end);
}
[[nodiscard]] inline bool expand(Memory& memory, std::int64_t& gas, const uint256& offset, const uint256& size) {
  if (size.is_zero()) return true;
  if (!size.fits_u64() || size.limb[0] > kMemoryLimit) return false;
  return expand(memory, gas, offset, size.limb[0]);
}
/// Takes `amount`; false: out of gas.
[[nodiscard]] inline bool charge(std::int64_t& gas, std::int64_t amount) { return (gas -= amount) >= 0; }

/// Copies `size` bytes of `from` at `offset` to memory, zeros behind its end. The area is expanded already.
void copy_padded(std::uint8_t* to, BytesView from, const uint256& offset, std::size_t size);
/// The word at `offset` of the call data.
[[nodiscard]] uint256 load_padded(BytesView from, const uint256& offset);

/// Extra gas of an access by its temperature; makes it warm. 0 before Berlin.
[[nodiscard]] std::int64_t access_account(Machine& machine, const Address& address);
[[nodiscard]] std::int64_t access_slot(Machine& machine, const SlotKey& key);

/// SSTORE (EIP-1283, 2200, 2929, 3529). Takes its gas and keeps the refund counter.
[[nodiscard]] Status sstore(Machine& machine, Frame& frame, std::int64_t& gas, const uint256& slot,
                            const uint256& value);
/// The gas of EXP's exponent (EIP-160).
[[nodiscard]] std::int64_t exponent_gas(Revision revision, const uint256& exponent);

/// CALL, CALLCODE, DELEGATECALL, STATICCALL in two halves: first everything is paid and decided, then the frame runs.
/// `top` is the stack's top item, arguments lie below it.
struct CallPlan {
  Message message;
  std::size_t output_offset = 0, output_size = 0;
};
[[nodiscard]] Status plan_call(Machine& machine, Frame& frame, std::int64_t& gas, std::uint8_t op, const uint256* top,
                               CallPlan& plan);
/// True when the call succeeded; its gas is given back, return data is in place.
[[nodiscard]] bool finish_call(Machine& machine, Frame& frame, std::int64_t& gas, const CallPlan& plan);

/// CREATE and CREATE2, likewise. The second half yields the new address or zero.
[[nodiscard]] Status plan_create(Machine& machine, Frame& frame, std::int64_t& gas, std::uint8_t op, const uint256* top,
                                 CallPlan& plan);
[[nodiscard]] uint256 finish_create(Machine& machine, Frame& frame, std::int64_t& gas, std::uint8_t op,
                                    const uint256* top, CallPlan& plan);

/// SELFDESTRUCT in two halves.
[[nodiscard]] Status plan_selfdestruct(Machine& machine, Frame& frame, std::int64_t& gas, const Address& heir);
void finish_selfdestruct(Machine& machine, Frame& frame, const Address& heir);

/// LOGn: gas and memory, then the log.
[[nodiscard]] Status plan_log(Machine& machine, Frame& frame, std::int64_t& gas, const uint256* top);
void finish_log(Machine& machine, Frame& frame, unsigned topics, const uint256* top);

// The two interpreters. `frame.gas` holds what is left afterwards (nothing is promised after an exceptional halt).
[[nodiscard]] Status run_reference(Machine& machine, Frame& frame);
[[nodiscard]] Status run_threaded(Machine& machine, Frame& frame);

}  // namespace bonus::chain::evm
