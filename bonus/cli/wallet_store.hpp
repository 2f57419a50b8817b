// The keys of the user: Ethereum V3 keystore files, one for each wallet, mode 0600 in a folder of mode 0700.
#pragma once

#include <string>
#include <vector>

#include "bonus/crypto/keystore.hpp"

namespace bonus::cli {

struct WalletInfo {
  std::string name;
  Address address;
  bool open = false;  ///< Its password is empty (wallets of a devnet).
};

class WalletStore {
 public:
  explicit WalletStore(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// By name. Files that are no wallets are left out.
  [[nodiscard]] Result<std::vector<WalletInfo>> list() const;
  /// kNotFound names the wallets that there are.
  [[nodiscard]] Result<WalletInfo> info(const std::string& name) const;
  /// kExists; kInvalid for a bad name. An empty password makes an open wallet, encrypted with a small cost.
  [[nodiscard]] Result<WalletInfo> add(const std::string& name, const crypto::SecretKey256& key,
                                       std::string_view password) const;
  /// kDenied: wrong password.
  [[nodiscard]] Result<crypto::SecretKey256> unlock(const std::string& name, std::string_view password) const;

 private:
  [[nodiscard]] std::string path_of(const std::string& name) const;

  std::string folder_;
};

/// [a-z0-9] and inner hyphens, at most 32.
[[nodiscard]] bool valid_name(std::string_view name);

/// What people paste: a BIP-39 phrase (the key of `index`), a private key of 64 hexadecimal digits, or a V3 keystore
/// (opened with `password`). kInvalid says which form it looked like and what is wrong.
[[nodiscard]] Result<crypto::SecretKey256> parse_secret(std::string_view text, std::uint32_t index,
                                                        std::string_view password);

}  // namespace bonus::cli
