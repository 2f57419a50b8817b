// Read access to one fixed state, and the keys of flat storage.
#pragma once

#include <cstring>
#include <memory>
#include <optional>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

struct Account {
  std::uint64_t nonce = 0;
  uint256 balance;
  Hash32 storage_root, code_hash;
};

struct SlotKey {
  Address contract;
  uint256 slot;
  friend bool operator==(const SlotKey&, const SlotKey&) = default;
};

/// Slots are hashes plus small offsets, or small numbers: multiply to spread both.
[[nodiscard]] inline std::uint64_t cache_hash(const SlotKey& key) {
  std::uint64_t a = 0;
  std::memcpy(&a, key.contract.bytes.data() + 12, sizeof a);
  std::uint64_t h = (key.slot.limb[0] ^ (key.slot.limb[1] << 1)) + 0x9E3779B97F4A7C15ULL * (a ^ key.slot.limb[3]);
  h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9ULL;
  h = (h ^ key.slot.limb[2] ^ (h >> 32)) * 0x94D049BB133111EBULL;
  return h ^ (h >> 31);
}
[[nodiscard]] inline std::uint64_t cache_hash(const Address& key) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::memcpy(&a, key.bytes.data(), sizeof a);
  std::memcpy(&b, key.bytes.data() + 12, sizeof b);
  const std::uint64_t h = (a ^ (b << 1) ^ (b >> 7)) * 0x9E3779B97F4A7C15ULL;
  return h ^ (h >> 31);
}
[[nodiscard]] inline std::uint64_t cache_hash(const Hash32& key) {
  std::uint64_t a = 0;
  std::memcpy(&a, key.bytes.data(), sizeof a);
  return a;
}
struct CacheHasher {
  template <class Key>
  std::size_t operator()(const Key& key) const noexcept {
    return cache_hash(key);
  }
};

/// EIP-161: an account that is not stored at all.
[[nodiscard]] inline bool is_missing(const Account& account) { return account.code_hash.is_zero(); }
[[nodiscard]] inline bool has_code(const Account& account) {
  return !is_missing(account) && account.code_hash != kEmptyCodeHash;
}
[[nodiscard]] inline bool is_empty(const Account& account) {
  return account.nonce == 0 && account.balance.is_zero() && !has_code(account);
}
[[nodiscard]] inline bool same(const Account& a, const Account& b) {
  return a.nonce == b.nonce && a.balance == b.balance && a.storage_root == b.storage_root && a.code_hash == b.code_hash;
}

/// Not thread-safe: one view serves one execution. A storage error reads as zero and stays in error(), so that an
/// execution asks once at its end instead of at each load.
class StateView {
 public:
  virtual ~StateView() = default;
  /// All zero when missing.
  [[nodiscard]] virtual Account account(const Address& address) const = 0;
  [[nodiscard]] virtual uint256 storage(const SlotKey& key) const = 0;
  /// The code with this keccak-256; empty for kEmptyCodeHash.
  /// Shared: caches, frames and tracers hold the same immutable bytes. Never null.
  [[nodiscard]] virtual std::shared_ptr<const Bytes> code(const Hash32& code_hash) const = 0;
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 protected:
  void remember(Error error) const {
    if (!error_) error_ = std::move(error);
  }

 private:
  mutable std::optional<Error> error_;
};

}  // namespace bonus::chain
