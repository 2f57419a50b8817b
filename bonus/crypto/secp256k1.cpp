// Ethereum accounts: ECDSA over secp256k1 with recovery (SEC 1, RFC 6979, EIP-2), EIP-55 text, EIP-191 messages.
#include <fmt/format.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <cassert>

#include "bonus/base/uint256.hpp"
#include "bonus/crypto/detail.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::crypto {
namespace {

constexpr uint256 kHalfOrder(0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x5D576E7357A4501D, 0xDFE92F46681B20A0);

/// Immutable after its randomisation (a side-channel blinding), so it is shared by all threads and never freed.
const secp256k1_context* context() {
  static const secp256k1_context* const instance = [] {
    secp256k1_context* made = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    Hash32 blinding = random_secret();
    const int worked = secp256k1_context_randomize(made, blinding.bytes.data());
    detail::wipe(blinding.bytes.data(), blinding.bytes.size());
    assert(worked == 1);
    (void)worked;
    return made;
  }();
  return instance;
}

Address to_address(const secp256k1_pubkey& key) {
  std::array<std::uint8_t, 65> raw{};
  std::size_t size = raw.size();
  secp256k1_ec_pubkey_serialize(context(), raw.data(), &size, &key, SECP256K1_EC_UNCOMPRESSED);
  const Hash32 digest = keccak256(BytesView(raw).subspan(1));  // Without the 0x04 that marks the form.
  Address out;
  std::ranges::copy(digest.view().last(out.bytes.size()), out.bytes.begin());
  return out;
}

}  // namespace

Result<Address> address_of(const SecretKey256& key) {
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_create(context(), &point, key.bytes.data()) != 1) {
    return fail(ErrorCode::kInvalid, "secret key is zero or not below the group order");
  }
  return to_address(point);
}

Result<Secp256k1Signature> secp256k1_sign(const SecretKey256& key, const Hash32& digest) {
  secp256k1_ecdsa_recoverable_signature signature;
  if (secp256k1_ecdsa_sign_recoverable(context(), &signature, digest.bytes.data(), key.bytes.data(),
                                       secp256k1_nonce_function_rfc6979, nullptr) != 1) {
    return fail(ErrorCode::kInvalid, "secret key is zero or not below the group order");
  }
  std::array<std::uint8_t, 64> compact{};
  int recovery = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), compact.data(), &recovery, &signature);
  if (recovery > 1) {
    // r was above the group order before reduction: about one message in 2^127.
    return fail(ErrorCode::kInternal, "signature cannot be expressed with one recovery bit");
  }
  Secp256k1Signature out;
  std::ranges::copy(BytesView(compact).first(32), out.r.bytes.begin());
  std::ranges::copy(BytesView(compact).last(32), out.s.bytes.begin());
  out.recovery = static_cast<std::uint8_t>(recovery);
  return out;  // libsecp256k1 makes low s only.
}

Result<Address> secp256k1_recover(const Hash32& digest, const Secp256k1Signature& signature) {
  if (signature.recovery > 1) return fail(ErrorCode::kInvalid, "recovery bit is neither 0 nor 1");
  if (signature.r.is_zero() || signature.s.is_zero()) return fail(ErrorCode::kInvalid, "signature has a zero r or s");
  if (uint256::from_be(signature.s) > kHalfOrder) {
    return fail(ErrorCode::kInvalid, "signature has s in the upper half of the group order (EIP-2)");
  }
  std::array<std::uint8_t, 64> compact{};
  std::ranges::copy(signature.r.bytes, compact.begin());
  std::ranges::copy(signature.s.bytes, compact.begin() + 32);
  secp256k1_ecdsa_recoverable_signature parsed;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, compact.data(), signature.recovery) !=
      1) {
    return fail(ErrorCode::kInvalid, "signature has r not below the group order");
  }
  secp256k1_pubkey point;
  if (secp256k1_ecdsa_recover(context(), &point, &parsed, digest.bytes.data()) != 1) {
    return fail(ErrorCode::kInvalid, "no public key fits the signature");
  }
  return to_address(point);
}

Hash32 personal_message_hash(BytesView message) {
  const std::string prefix = fmt::format(
      "\x19"
      "Ethereum Signed Message:\n{}",
      message.size());
  return keccak256(as_bytes(prefix), message);
}

std::string to_checksum(const Address& address) {
  std::string text = to_hex(address);
  const Hash32 digest = keccak256(as_bytes(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned nibble = digest.bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15U;
    if (nibble >= 8 && text[i] >= 'a') text[i] = static_cast<char>(text[i] - 'a' + 'A');
  }
  return "0x" + text;
}

Result<Address> parse_address(std::string_view text) {
  if (!text.starts_with("0x") && !text.starts_with("0X"))
    return fail(ErrorCode::kInvalid, "address must begin with 0x");
  const std::string_view digits = text.substr(2);
  if (digits.size() != 40) {
    return fail(ErrorCode::kInvalid, fmt::format("address must have 40 hexadecimal digits, not {}", digits.size()));
  }
  auto address = fixed_from_hex<Address>(digits);
  if (!address) return fail(std::move(address).error().wrap("address"));
  bool lower = false;
  bool upper = false;
  for (const char c : digits) {
    lower = lower || (c >= 'a' && c <= 'f');
    upper = upper || (c >= 'A' && c <= 'F');
  }
  if (lower && upper && std::string_view(to_checksum(*address)).substr(2) != digits) {
    return fail(ErrorCode::kInvalid, "address has a wrong EIP-55 checksum: a character may be mistyped");
  }
  return *address;
}

}  // namespace bonus::crypto
