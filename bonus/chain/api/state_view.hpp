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

[[nodiscard]] inline std::uint64_t cache_hash(const Address& key) {
  return hash_bytes(key.bytes.data(), Address::kSize);
}
[[nodiscard]] inline std::uint64_t cache_hash(const Hash32& key) { return hash_bytes(key.bytes.data(), Hash32::kSize); }
[[nodiscard]] inline std::uint64_t cache_hash(const SlotKey& key) {
  const std::uint64_t slot =
      hash_mix(key.slot.limb[0], key.slot.limb[1]) ^ hash_mix(key.slot.limb[2], key.slot.limb[3], 2);
  return hash_mix(slot, cache_hash(key.contract), 1);
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
