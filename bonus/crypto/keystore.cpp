// Web3 Secret Storage, version 3: scrypt or PBKDF2 stretches the password, AES-128-CTR encrypts, Keccak-256 checks.
#include "bonus/crypto/keystore.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <boost/json.hpp>
#include <memory>

#include "bonus/crypto/detail.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::crypto {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFile = 64 * 1024;
constexpr std::uint64_t kMaxMemory = 1ULL << 30;  ///< Bytes that scrypt may take: 128 * n * r.
constexpr std::uint64_t kMaxWork = 1ULL << 32;    ///< 128 * n * r * p.
constexpr std::uint64_t kMaxPbkdf2Rounds = 10'000'000;
constexpr std::size_t kMaxSalt = 1024;
constexpr std::size_t kDerivedSize = 32;

using DerivedKey = std::array<std::uint8_t, kDerivedSize>;

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::kInvalid, "keystore: " + std::move(message)); }

Result<> run_scrypt(std::string_view password, BytesView salt, std::uint64_t n, std::uint64_t r, std::uint64_t p,
                    DerivedKey& out) {
  constexpr std::uint64_t kMaxFactor = 1U << 24;
  if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0) return bad("scrypt parameters are not valid");
  if (n > kMaxMemory || r > kMaxFactor || p > kMaxFactor || n * r > kMaxMemory / 128 || n * r * p > kMaxWork / 128) {
    return bad("scrypt parameters ask for more than 1 GiB of memory or too much work");
  }
  detail::init_sodium();
  if (crypto_pwhash_scryptsalsa208sha256_ll(reinterpret_cast<const std::uint8_t*>(password.data()), password.size(),
                                            salt.data(), salt.size(), n, static_cast<std::uint32_t>(r),
                                            static_cast<std::uint32_t>(p), out.data(), out.size()) != 0) {
    return fail(ErrorCode::kExhausted,
                fmt::format("keystore: scrypt needs {} MiB of memory, which are not available", (128 * n * r) >> 20));
  }
  return {};
}

Result<> run_pbkdf2(std::string_view password, BytesView salt, std::uint64_t rounds, DerivedKey& out) {
  if (rounds == 0 || rounds > kMaxPbkdf2Rounds) return bad("pbkdf2 count must be between 1 and 10000000");
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(), static_cast<int>(salt.size()),
                        static_cast<int>(rounds), EVP_sha256(), static_cast<int>(out.size()), out.data()) != 1) {
    return fail(ErrorCode::kInternal, "keystore: PBKDF2 failed");
  }
  return {};
}

/// Encryption and decryption are the same in counter mode.
Result<> aes_128_ctr(BytesView key, BytesView iv, BytesView in, std::uint8_t* out) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  int length = 0;
  if (!context || EVP_EncryptInit_ex(context.get(), EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) != 1 ||
      EVP_EncryptUpdate(context.get(), out, &length, in.data(), static_cast<int>(in.size())) != 1) {
    return fail(ErrorCode::kInternal, "keystore: AES-128-CTR failed");
  }
  return {};
}

Hash32 mac_of(const DerivedKey& derived, BytesView ciphertext) {
  return keccak256(BytesView(derived).last(16), ciphertext);
}

/// RFC 9562 version 4, of random bits.
std::string make_uuid() {
  Hash32 random = random_secret();
  random.bytes[6] = static_cast<std::uint8_t>((random.bytes[6] & 0x0f) | 0x40);
  random.bytes[8] = static_cast<std::uint8_t>((random.bytes[8] & 0x3f) | 0x80);
  const std::string hex = to_hex(random.view().first(16));
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
         hex.substr(20);
}

// ---------------------------------------------------------------- reading

/// The member whatever the case of its name: old files say "Crypto".
const json::value* member(const json::object& in, std::string_view name) {
  for (const auto& entry : in) {
    const std::string_view key(entry.key().data(), entry.key().size());
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
    if (std::ranges::equal(key, name, same)) return &entry.value();
  }
  return nullptr;
}

Result<const json::object*> object_at(const json::object& in, std::string_view name) {
  const auto* value = member(in, name);
  if (value == nullptr || !value->is_object()) return bad(fmt::format("member '{}' is missing or not an object", name));
  return &value->get_object();
}

Result<std::string_view> text_at(const json::object& in, std::string_view name) {
  const auto* value = member(in, name);
  if (value == nullptr || !value->is_string()) return bad(fmt::format("member '{}' is missing or not a string", name));
  return std::string_view(value->get_string().data(), value->get_string().size());
}

Result<std::uint64_t> number_at(const json::object& in, std::string_view name) {
  const auto* value = member(in, name);
  if (value != nullptr && value->is_uint64()) return value->get_uint64();
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0) {
    return static_cast<std::uint64_t>(value->get_int64());
  }
  return bad(fmt::format("member '{}' is missing or not a whole number", name));
}

Result<Bytes> hex_at(const json::object& in, std::string_view name, std::size_t least, std::size_t most) {
  TRY_ASSIGN(const std::string_view text, text_at(in, name));
  auto raw = from_hex(text);
  if (!raw) return fail(std::move(raw).error().wrap(fmt::format("keystore: member '{}'", name)));
  if (raw->size() < least || raw->size() > most) return bad(fmt::format("member '{}' has a wrong length", name));
  return raw;
}

Result<> derive(const json::object& crypto, std::string_view password, DerivedKey& out) {
  TRY_ASSIGN(const std::string_view kdf, text_at(crypto, "kdf"));
  TRY_ASSIGN(const json::object* params, object_at(crypto, "kdfparams"));
  TRY_ASSIGN(const std::uint64_t size, number_at(*params, "dklen"));
  if (size != kDerivedSize) return bad("dklen must be 32");
  TRY_ASSIGN(const Bytes salt, hex_at(*params, "salt", 0, kMaxSalt));
  if (kdf == "scrypt") {
    TRY_ASSIGN(const std::uint64_t n, number_at(*params, "n"));
    TRY_ASSIGN(const std::uint64_t r, number_at(*params, "r"));
    TRY_ASSIGN(const std::uint64_t p, number_at(*params, "p"));
    return run_scrypt(password, salt, n, r, p, out);
  }
  if (kdf == "pbkdf2") {
    TRY_ASSIGN(const std::string_view prf, text_at(*params, "prf"));
    if (prf != "hmac-sha256") return fail(ErrorCode::kUnsupported, "keystore: only the prf hmac-sha256 is supported");
    TRY_ASSIGN(const std::uint64_t rounds, number_at(*params, "c"));
    return run_pbkdf2(password, salt, rounds, out);
  }
  return fail(ErrorCode::kUnsupported, "keystore: only the kdf scrypt and pbkdf2 are supported");
}

Result<SecretKey256> decrypt(const json::value& document, std::string_view password) {
  if (!document.is_object()) return bad("file is not a JSON object");
  const json::object& root = document.get_object();
  TRY_ASSIGN(const std::uint64_t version, number_at(root, "version"));
  if (version != 3) return fail(ErrorCode::kUnsupported, fmt::format("keystore: version {} is not 3", version));
  TRY_ASSIGN(const json::object* crypto, object_at(root, "crypto"));
  TRY_ASSIGN(const std::string_view cipher, text_at(*crypto, "cipher"));
  if (cipher != "aes-128-ctr")
    return fail(ErrorCode::kUnsupported, "keystore: only the cipher aes-128-ctr is supported");
  TRY_ASSIGN(const json::object* cipher_params, object_at(*crypto, "cipherparams"));
  TRY_ASSIGN(const Bytes iv, hex_at(*cipher_params, "iv", 16, 16));
  TRY_ASSIGN(const Bytes ciphertext, hex_at(*crypto, "ciphertext", 32, 32));
  TRY_ASSIGN(const Bytes mac, hex_at(*crypto, "mac", 32, 32));

  DerivedKey derived{};
  const detail::Wiper wipe_derived(derived);
  TRY(derive(*crypto, password, derived));
  const Hash32 expected = mac_of(derived, ciphertext);
  if (sodium_memcmp(expected.bytes.data(), mac.data(), mac.size()) != 0) {
    return fail(ErrorCode::kDenied, "keystore: wrong password, or the file was changed");
  }
  SecretKey256 out;
  TRY(aes_128_ctr(BytesView(derived).first(16), iv, ciphertext, out.bytes.data()));
  return out;
}

}  // namespace

Result<std::string> keystore_encrypt(const SecretKey256& key, std::string_view password, ScryptCost cost) {
  TRY_ASSIGN(const Address address, address_of(key));
  if (cost.log2_n > 30) return bad("scrypt parameters ask for more than 1 GiB of memory or too much work");
  const Hash32 salt = random_secret();
  const Hash32 iv_source = random_secret();
  const BytesView iv = iv_source.view().first(16);
  const std::uint64_t n = 1ULL << cost.log2_n;
  DerivedKey derived{};
  const detail::Wiper wipe_derived(derived);
  TRY(run_scrypt(password, salt, n, cost.r, cost.p, derived));
  Bytes ciphertext(key.bytes.size());
  TRY(aes_128_ctr(BytesView(derived).first(16), iv, key, ciphertext.data()));

  json::object params{{"dklen", kDerivedSize}, {"n", n}, {"r", cost.r}, {"p", cost.p}, {"salt", to_hex(salt)}};
  json::object crypto{{"cipher", "aes-128-ctr"},          {"cipherparams", json::object{{"iv", to_hex(iv)}}},
                      {"ciphertext", to_hex(ciphertext)}, {"kdf", "scrypt"},
                      {"kdfparams", std::move(params)},   {"mac", to_hex(mac_of(derived, ciphertext))}};
  const json::object root{
      {"version", 3}, {"id", make_uuid()}, {"address", to_hex(address)}, {"crypto", std::move(crypto)}};
  return json::serialize(root);
}

Result<SecretKey256> keystore_decrypt(std::string_view text, std::string_view password) {
  if (text.size() > kMaxFile) return bad("file is larger than 64 KiB");
  if (password.size() > kMaxFile) return bad("password is longer than 64 KiB");
  json::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return bad("file is not JSON: " + error.message());
  return decrypt(document, password);
}

}  // namespace bonus::crypto
