// Precompile 0x01: the address that signed a digest with ECDSA over secp256k1 (Yellow Paper, appendix E).
// Unlike transactions (EIP-2) it takes s of the upper half as well.
#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "bonus/chain/precompiles/internal.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::precompiles {

bool ecrecover(BytesView input, Bytes& output) {
  const auto words = padded<128>(input, 0);  // digest, v, r, s
  const BytesView all(words);
  const BytesView v = all.subspan(32, 32);
  const bool small = std::ranges::all_of(v.first(31), [](std::uint8_t b) { return b == 0; });
  if (!small || (v[31] != 27 && v[31] != 28)) return true;  // No answer is a success with nothing in it.

  // Verification draws no secrets, so the library's own static context serves.
  const secp256k1_context* context = secp256k1_context_static;
  secp256k1_ecdsa_recoverable_signature signature;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context, &signature, all.data() + 64, v[31] - 27) != 1) {
    return true;
  }
  secp256k1_pubkey key;
  if (secp256k1_ecdsa_recover(context, &key, &signature, all.data()) != 1) return true;
  std::array<std::uint8_t, 65> raw{};
  std::size_t size = raw.size();
  secp256k1_ec_pubkey_serialize(context, raw.data(), &size, &key, SECP256K1_EC_UNCOMPRESSED);
  const Hash32 digest = crypto::keccak256(BytesView(raw).subspan(1));
  output.resize(12);
  append(output, digest.view().last(20));
  return true;
}

}  // namespace bonus::chain::precompiles
