// Texts of VM errors.
#include "bonus/chain/rpc/vm_error.hpp"

#include <fmt/format.h>

#include "bonus/chain/evm/opcodes.hpp"

namespace bonus::chain::rpc {
namespace {

constexpr std::size_t kStackLimit = 1024;  // Yellow Paper 9.1.

/// Solidity's panic codes in geth's words.
std::string_view panic_text(std::uint64_t code) {
  switch (code) {
    case 0x00:
      return "generic panic";
    case 0x01:
      return "assert(false)";
    case 0x11:
      return "arithmetic underflow or overflow";
    case 0x12:
      return "division or modulo by zero";
    case 0x21:
      return "enum overflow";
    case 0x22:
      return "invalid encoded storage byte array accessed";
    case 0x31:
      return "out-of-bounds array access; popping on an empty array";
    case 0x32:
      return "out-of-bounds access of an array or bytesN";
    case 0x41:
      return "out of memory";
    case 0x51:
      return "uninitialized function";
    default:
      return {};
  }
}

}  // namespace

std::string op_name(std::uint8_t op, Revision revision) {
  const auto& info = evm::op_infos()[op];
  if (op == evm::OP_PREVRANDAO && revision < Revision::kParis) return "DIFFICULTY";
  return info.name.empty() ? fmt::format("opcode {:#x} not defined", op) : std::string(info.name);
}

std::string vm_error(evm::Status status, const FaultPlace* place) {
  using evm::Status;
  if (place == nullptr) return std::string(to_string(status));
  const auto& info = evm::op_infos()[place->op];
  switch (status) {
    case Status::kUndefinedInstruction:
      return fmt::format("invalid opcode: opcode {:#x} not defined", place->op);
    case Status::kInvalidInstruction:
      return "invalid opcode: INVALID";
    case Status::kStackUnderflow:
      return fmt::format("stack underflow ({} <=> {})", place->stack_height, info.pops);
    case Status::kStackOverflow:
      return fmt::format("stack limit reached {} ({})", place->stack_height,
                         static_cast<int>(kStackLimit) - info.change);
    default:
      return std::string(to_string(status));
  }
}

std::string vm_error(const evm::Step& step) {
  const FaultPlace place{step.op, step.stack.size()};
  return vm_error(step.error, &place);
}

std::optional<std::string> revert_reason(BytesView output) {
  constexpr std::array<std::uint8_t, 4> kPanic{0x4e, 0x48, 0x7b, 0x71};        // Panic(uint256)
  constexpr std::array<std::uint8_t, 4> kErrorString{0x08, 0xc3, 0x79, 0xa0};  // Error(string)
  if (output.size() < kPanic.size()) return std::nullopt;
  const BytesView selector = output.first(kPanic.size());
  const BytesView rest = output.subspan(kPanic.size());
  if (std::ranges::equal(selector, kPanic) && rest.size() >= 32) {
    const uint256 code = uint256::from_be(rest.first(32));
    const auto known = code.fits_u64() ? panic_text(code.low64()) : std::string_view();
    return known.empty() ? fmt::format("unknown panic code: {}", code.to_quantity()) : std::string(known);
  }
  if (!std::ranges::equal(selector, kErrorString)) return std::nullopt;
  // abi.encode(string), but contracts leave out the padding at the end and geth does not ask for it.
  constexpr std::size_t kWord = 32;
  if (rest.size() < kWord) return std::nullopt;
  const uint256 offset = uint256::from_be(rest.first(kWord));
  if (offset > uint256(rest.size() - kWord)) return std::nullopt;
  const BytesView tail = rest.subspan(static_cast<std::size_t>(offset.low64()));
  const uint256 length = uint256::from_be(tail.first(kWord));
  if (length > uint256(tail.size() - kWord)) return std::nullopt;
  return std::string(as_text(tail.subspan(kWord, static_cast<std::size_t>(length.low64()))));
}

std::string revert_text(BytesView output) {
  const auto reason = revert_reason(output);
  return reason ? "execution reverted: " + *reason : "execution reverted";
}

std::unexpected<Failure> reverted(BytesView output) {
  return std::unexpected(Failure{kReverted, revert_text(output), to_hex0x(output)});
}

}  // namespace bonus::chain::rpc
