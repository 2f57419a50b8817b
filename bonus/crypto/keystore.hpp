// Where people's keys come from and rest: BIP-39 phrases, BIP-32 derivation, Ethereum's V3 keystore files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bonus/crypto/keys.hpp"

namespace bonus::crypto {

/// BIP-39, English word list. 16, 20, 24, 28 or 32 bytes of entropy. kInvalid for other lengths.
[[nodiscard]] Result<std::string> mnemonic_from_entropy(BytesView entropy);
/// kInvalid names the unknown word or the wrong checksum.
[[nodiscard]] Result<FixedBytes<64, struct SeedTag>> mnemonic_to_seed(std::string_view phrase,
                                                                      std::string_view passphrase = "");
/// BIP-32 / BIP-44 path such as "m/44'/60'/0'/0/0".
[[nodiscard]] Result<SecretKey256> derive_key(BytesView seed, std::string_view path);
/// m/44'/60'/0'/0/index of a phrase, as wallets do.
[[nodiscard]] Result<SecretKey256> account_key(std::string_view phrase, std::uint32_t index);

struct ScryptCost {
  std::uint32_t log2_n = 18;  ///< 2^log2_n * r * 128 bytes of memory.
  std::uint32_t r = 8, p = 1;
};
/// Web3 Secret Storage V3 (scrypt, aes-128-ctr). Reading also accepts pbkdf2. The cost is bounded when reading (1 GiB).
[[nodiscard]] Result<std::string> keystore_encrypt(const SecretKey256& key, std::string_view password,
                                                   ScryptCost cost = {});
[[nodiscard]] Result<SecretKey256> keystore_decrypt(std::string_view json, std::string_view password);

}  // namespace bonus::crypto
