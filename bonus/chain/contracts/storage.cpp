// Solidity storage layout over a Host and the gas of its use.
#include "bonus/chain/contracts/storage.hpp"

#include <cassert>
#include <cstdlib>

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::contracts {
namespace {
/// Small sums are handed on in one go: Host::charge is virtual and a load costs little.
constexpr std::uint64_t kChargeBatch = 20'000;
/// Distinguishes contracts in the set of written words: plain slots (0, 1, ...) of two contracts are equal numbers.
uint256 word_key(const Address& contract, const uint256& slot) { return slot ^ (uint256(contract.bytes[19]) << 248); }
}  // namespace

uint256 Context::load(const Address& contract, const uint256& slot) {
  charge(gas::kLoad);
  return host_.load(contract, slot);
}

void Context::store(const Address& contract, const uint256& slot, const uint256& value) {
  const uint256 old = host_.load(contract, slot);
  if (old == value) return;
  if (metered_) {
    const bool first = written_.insert(word_key(contract, slot)).second;
    charge(!first ? gas::kAgain : old.is_zero() ? gas::kNewWord : gas::kChangedWord);
  }
  host_.store(contract, slot, value);
}

void Context::emit(Log log) {
  charge(gas::kLog * (1 + log.topics.size()) + gas::kLogByte * log.data.size());
  host_.emit(std::move(log));
}

void Context::pay(const Address& from, const Address& to, const uint256& amount) {
  if (amount.is_zero()) return;
  charge(gas::kTransfer);
  const auto done = host_.transfer(from, to, amount);
  assert(done && "a system contract owes more than it holds");
  if (!done) std::abort();
}

void Context::charge(std::uint64_t amount) {
  if (!metered_) return;
  due_ += amount;
  if (due_ >= kChargeBatch) (void)exhausted();
}

bool Context::exhausted() {
  if (due_ != 0 && !exhausted_) exhausted_ = !host_.charge(due_).has_value();
  due_ = 0;
  return exhausted_;
}

uint256 mapping_slot(const uint256& mapping, const uint256& key) {
  return uint256::from_be(crypto::keccak256(key.to_be(), mapping.to_be()));
}

uint256 array_data(const uint256& slot) { return uint256::from_be(crypto::keccak256(slot.to_be())); }

uint256 number_of(const Address& address) { return uint256::from_be(address); }

Address address_of(const uint256& number) {
  Address out;
  std::ranges::copy(number.to_be().view().last(out.bytes.size()), out.bytes.begin());
  return out;
}

void Row::set(Field field, const uint256& value) const {
  const uint256 mask = mask_of(field.bytes) << (8 * field.offset);
  const uint256 shifted = value << (8 * field.offset);
  assert(extract(shifted, field) == value && "value does not fit its field");
  set_word(field.slot, (word(field.slot) & ~mask) | (shifted & mask));
}

Bytes Row::bytes(unsigned slot) const {
  const uint256 head = word(slot);
  const Hash32 raw = head.to_be();
  if ((raw.bytes[31] & 1) == 0) {
    const std::size_t length = raw.bytes[31] / 2;
    return {raw.bytes.begin(), raw.bytes.begin() + static_cast<std::ptrdiff_t>(length)};
  }
  const std::uint64_t length = head.low64() / 2;
  uint256 at = array_data(base_ + uint256(slot));
  Bytes out;
  out.reserve(length + 31);
  while (out.size() < length) {
    append(out, context_->load(*contract_, at).to_be());
    at += uint256(1U);
  }
  out.resize(length);
  return out;
}

std::string Row::text(unsigned slot) const { return std::string(as_text(bytes(slot))); }

void Row::set_bytes(unsigned slot, BytesView value) const {
  const uint256 head = word(slot);
  const bool was_long = (head.low64() & 1) != 0;
  const std::uint64_t old_words = was_long ? (head.low64() / 2 + 31) / 32 : 0;
  std::uint64_t new_words = 0;
  Hash32 raw;
  if (value.size() < 32) {
    std::ranges::copy(value, raw.bytes.begin());
    raw.bytes[31] = static_cast<std::uint8_t>(value.size() * 2);
    set_word(slot, uint256::from_be(raw));
  } else {
    new_words = (value.size() + 31) / 32;
    set_word(slot, uint256(value.size() * 2 + 1));
  }
  if (old_words == 0 && new_words == 0) return;
  const uint256 data = array_data(base_ + uint256(slot));
  for (std::uint64_t i = 0; i < std::max(old_words, new_words); ++i) {
    raw = {};
    if (i < new_words)
      std::ranges::copy(value.subspan(i * 32, std::min<std::size_t>(32, value.size() - i * 32)), raw.bytes.begin());
    context_->store(*contract_, data + uint256(i), uint256::from_be(raw));
  }
}

std::uint64_t U64Array::at(std::uint64_t index) const {
  return extract64(context_->load(*contract_, data_ + uint256(index / 4)),
                   {0, 8 * static_cast<unsigned>(index % 4), 8});
}

void U64Array::set(std::uint64_t index, std::uint64_t value) const {
  const Row word(*context_, *contract_, data_ + uint256(index / 4));
  word.set({0, 8 * static_cast<unsigned>(index % 4), 8}, uint256(value));
}

void U64Array::push(std::uint64_t value) const {
  const std::uint64_t length = size();
  context_->store(*contract_, slot_, uint256(length + 1));
  set(length, value);
}

void U64Array::pop() const {
  const std::uint64_t length = size();
  assert(length != 0);
  set(length - 1, 0);
  context_->store(*contract_, slot_, uint256(length - 1));
}

}  // namespace bonus::chain::contracts
