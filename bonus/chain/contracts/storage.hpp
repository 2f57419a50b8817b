// Solidity storage over a Host: packed fields, strings, dynamic arrays and mappings (Solidity documentation, "Layout of
// State Variables in Storage"), with the gas of reads and writes (docs/formats/market_storage.md).
#pragma once

#include <array>
#include <string>
#include <unordered_set>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/host.hpp"

namespace bonus::chain::contracts {

/// Gas schedule. Native code needs no interpreter, so it is below the EVM's for writes.
namespace gas {
inline constexpr std::uint64_t kCall = 1'000;         ///< Of any call: decoding and dispatch.
inline constexpr std::uint64_t kLoad = 50;            ///< Per word read.
inline constexpr std::uint64_t kNewWord = 5'000;      ///< First write of a word in a call, zero to something.
inline constexpr std::uint64_t kChangedWord = 1'500;  ///< First write of a word in a call otherwise.
inline constexpr std::uint64_t kAgain = 50;           ///< Each further write of the same word.
inline constexpr std::uint64_t kTransfer = 2'000;
inline constexpr std::uint64_t kLog = 375;          ///< Per log and per topic (Yellow Paper, G_log, G_logtopic).
inline constexpr std::uint64_t kLogByte = 8;        ///< G_logdata.
inline constexpr std::uint64_t kSignature = 3'000;  ///< Ed25519 verification.
inline constexpr std::uint64_t kOfferLook = 100;    ///< Per offer that preflight looks at, besides its words.
}  // namespace gas

/// One call or one block hook on a Host: sums up gas and remembers whether it ran out. Running out does not unwind (all
/// work is bounded); the caller asks exhausted() before it reports success, and the Host undoes everything of a failed
/// call.
class Context {
 public:
  enum class Metering : std::uint8_t { kCall, kFree };
  Context(Host& host, Metering metering) : host_(host), metered_(metering == Metering::kCall) {}

  [[nodiscard]] UnixSeconds now() const { return host_.block().timestamp; }
  [[nodiscard]] std::uint64_t height() const { return host_.block().number; }
  [[nodiscard]] const BlockContext& block() const { return host_.block(); }
  [[nodiscard]] const MarketParams& params() const { return host_.block().genesis->market; }

  [[nodiscard]] uint256 load(const Address& contract, const uint256& slot);
  void store(const Address& contract, const uint256& slot, const uint256& value);
  void emit(Log log);
  /// Between accounts whose amount our own books guarantee: a failure is a bug and halts (conservation would be
  /// broken).
  void pay(const Address& from, const Address& to, const uint256& amount);
  void charge(std::uint64_t gas);
  /// Hands what is summed up to the Host.
  [[nodiscard]] bool exhausted();

 private:
  Host& host_;
  bool metered_;
  bool exhausted_ = false;
  std::uint64_t due_ = 0;
  std::unordered_set<uint256> written_;  ///< Words written in this call; contracts' slots do not collide but by hash.
};

/// A packed field: `bytes` bytes at byte `offset` (from the least significant end) of the word `slot` words into a
/// struct.
struct Field {
  unsigned slot = 0, offset = 0, bytes = 32;
};
[[nodiscard]] constexpr uint256 mask_of(unsigned bytes) {
  return bytes >= 32 ? ~uint256() : (uint256(1U) << (8 * bytes)) - uint256(1U);
}
[[nodiscard]] constexpr uint256 extract(const uint256& word, Field field) {
  return (word >> (8 * field.offset)) & mask_of(field.bytes);
}
[[nodiscard]] constexpr std::uint64_t extract64(const uint256& word, Field field) {
  return extract(word, field).low64();
}

[[nodiscard]] uint256 mapping_slot(const uint256& mapping, const uint256& key);  ///< keccak(key . mapping).
[[nodiscard]] uint256 array_data(const uint256& slot);                           ///< keccak(slot).
[[nodiscard]] uint256 number_of(const Address& address);
[[nodiscard]] Address address_of(const uint256& number);

/// A struct in storage. Reads and writes go straight through, so several Rows on one struct cannot disagree.
class Row {
 public:
  Row(Context& context, const Address& contract, const uint256& base)
      : context_(&context), contract_(&contract), base_(base) {}
  [[nodiscard]] uint256 word(unsigned slot) const { return context_->load(*contract_, base_ + uint256(slot)); }
  void set_word(unsigned slot, const uint256& value) const {
    context_->store(*contract_, base_ + uint256(slot), value);
  }
  [[nodiscard]] uint256 get(Field field) const { return extract(word(field.slot), field); }
  [[nodiscard]] std::uint64_t get64(Field field) const { return extract64(word(field.slot), field); }
  [[nodiscard]] std::uint32_t get32(Field field) const { return static_cast<std::uint32_t>(get64(field)); }
  [[nodiscard]] Address address(Field field) const { return address_of(get(field)); }
  void set(Field field, const uint256& value) const;
  void set(Field field, const Address& value) const { set(field, number_of(value)); }
  /// Element of a fixed array of uint64 that starts at word `slot`.
  [[nodiscard]] static constexpr Field element(unsigned slot, unsigned index) {
    return {slot + index / 4, 8 * (index % 4), 8};
  }
  [[nodiscard]] Bytes bytes(unsigned slot) const;
  [[nodiscard]] std::string text(unsigned slot) const;
  /// Cleans the words that a longer old value used.
  void set_bytes(unsigned slot, BytesView value) const;
  void set_text(unsigned slot, std::string_view value) const { set_bytes(slot, as_bytes(value)); }
  [[nodiscard]] uint256 slot_of(unsigned slot) const { return base_ + uint256(slot); }
  [[nodiscard]] Context& context() const { return *context_; }
  [[nodiscard]] const Address& contract() const { return *contract_; }

 private:
  Context* context_;
  const Address* contract_;  ///< One of the constants of host.hpp.
  uint256 base_;
};

/// uint64[] : four to a word.
class U64Array {
 public:
  U64Array(Context& context, const Address& contract, const uint256& slot)
      : context_(&context), contract_(&contract), slot_(slot), data_(array_data(slot)) {}
  [[nodiscard]] std::uint64_t size() const { return context_->load(*contract_, slot_).low64(); }
  [[nodiscard]] std::uint64_t at(std::uint64_t index) const;
  void set(std::uint64_t index, std::uint64_t value) const;
  void push(std::uint64_t value) const;
  /// Cleans the element.
  void pop() const;

 private:
  Context* context_;
  const Address* contract_;
  uint256 slot_, data_;
};

}  // namespace bonus::chain::contracts
