// BIP-39 phrases (English) and BIP-32 / BIP-44 key derivation over secp256k1.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <secp256k1.h>

#include <cassert>
#include <charconv>
#include <map>

#include "bonus/crypto/bip39_english.hpp"
#include "bonus/crypto/detail.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keystore.hpp"

namespace bonus::crypto {
namespace {

constexpr std::size_t kWords = 2048;
constexpr unsigned kBitsPerWord = 11;
constexpr int kPbkdf2Rounds = 2048;
constexpr std::uint32_t kHardened = 0x80000000U;
constexpr std::size_t kMaxPathDepth = 16;
constexpr std::size_t kMaxPhrase = 1024;  ///< Characters; 24 words need at most 215.

using Seed = FixedBytes<64, SeedTag>;

struct WordList {
  std::vector<std::string_view> words;
  std::map<std::string_view, unsigned> index;
};

const WordList& word_list() {
  static const WordList list = [] {
    WordList out;
    std::string_view rest = kBip39English;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      out.index.emplace(rest.substr(0, end), static_cast<unsigned>(out.words.size()));
      out.words.push_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    assert(out.words.size() == kWords);
    return out;
  }();
  return list;
}

bool valid_entropy_size(std::size_t bytes) { return bytes >= 16 && bytes <= 32 && bytes % 4 == 0; }

/// Entropy followed by the first byte of its SHA-256, of which the top size/4 bits are the checksum.
Bytes with_checksum(BytesView entropy) {
  Bytes out(entropy.begin(), entropy.end());
  out.push_back(sha256(entropy).bytes[0]);
  return out;
}

unsigned bits_at(BytesView in, std::size_t position) {
  unsigned out = 0;
  for (std::size_t i = position; i < position + kBitsPerWord; ++i) out = out << 1 | (in[i / 8] >> (7 - i % 8) & 1U);
  return out;
}

/// Splits at white space; more than one blank between words is forgiven.
std::vector<std::string_view> split(std::string_view phrase) {
  constexpr std::string_view kBlank = " \t\r\n";
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t start = phrase.find_first_not_of(kBlank);
    if (start == std::string_view::npos) return out;
    phrase.remove_prefix(start);
    const std::size_t end = std::min(phrase.find_first_of(kBlank), phrase.size());
    out.push_back(phrase.substr(0, end));
    phrase.remove_prefix(end);
  }
}

Result<> check_phrase(const std::vector<std::string_view>& words) {
  if (words.size() < 12 || words.size() > 24 || words.size() % 3 != 0) {
    return fail(ErrorCode::kInvalid,
                fmt::format("phrase has {} words; BIP-39 allows 12, 15, 18, 21 or 24", words.size()));
  }
  Bytes bits((words.size() * kBitsPerWord + 7) / 8);
  const detail::Wiper wipe_bits(bits);
  std::size_t position = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto found = word_list().index.find(words[i]);
    if (found == word_list().index.end()) {
      return fail(ErrorCode::kInvalid, fmt::format("word {} of the phrase, '{}', is not in the English word list",
                                                   i + 1, words[i].substr(0, 32)));
    }
    for (unsigned bit = kBitsPerWord; bit-- > 0; ++position) {
      if ((found->second >> bit & 1U) != 0) bits[position / 8] |= static_cast<std::uint8_t>(0x80U >> (position % 8));
    }
  }
  const std::size_t checksum_bits = words.size() / 3;
  const std::size_t entropy_size = (position - checksum_bits) / 8;
  const unsigned shift = 8 - static_cast<unsigned>(checksum_bits);
  const std::uint8_t expected = sha256(BytesView(bits).first(entropy_size)).bytes[0];
  if (bits[entropy_size] >> shift != expected >> shift) {
    return fail(ErrorCode::kInvalid, "phrase has a wrong checksum: a word is mistyped or in the wrong place");
  }
  return {};
}

/// secp256k1_ec_seckey_tweak_add and the public key need no blinding context of their own, but one all the same.
const secp256k1_context* context() {
  static const secp256k1_context* const instance = [] {
    secp256k1_context* made = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    Hash32 blinding = random_secret();
    const int worked = secp256k1_context_randomize(made, blinding.bytes.data());
    detail::wipe(blinding.bytes.data(), blinding.bytes.size());
    assert(worked == 1);
    (void)worked;
    return made;
  }();
  return instance;
}

/// A private key with its chain code.
struct Node {
  SecretKey256 key;
  std::array<std::uint8_t, 32> chain_code{};
  ~Node() {
    detail::wipe(key.bytes.data(), key.bytes.size());
    detail::wipe(chain_code.data(), chain_code.size());
  }
};

/// BIP-32, "Master key generation".
Result<> make_master(BytesView seed, Node& out) {
  auto i = hmac_sha512(as_bytes("Bitcoin seed"), seed);
  const detail::Wiper wipe_i(i.bytes);
  std::ranges::copy(i.view().first(32), out.key.bytes.begin());
  std::ranges::copy(i.view().last(32), out.chain_code.begin());
  if (secp256k1_ec_seckey_verify(context(), out.key.bytes.data()) != 1) {
    return fail(ErrorCode::kInvalid, "seed gives no valid master key; use another phrase");
  }
  return {};
}

/// BIP-32, "Private parent key -> private child key".
Result<> step(Node& node, std::uint32_t index) {
  Bytes data;
  const detail::Wiper wipe_data(data);
  data.reserve(37);
  if (index >= kHardened) {
    data.push_back(0);
    append(data, node.key);
  } else {
    secp256k1_pubkey point;
    if (secp256k1_ec_pubkey_create(context(), &point, node.key.bytes.data()) != 1) {
      return fail(ErrorCode::kInternal, "BIP-32 parent key is not valid");
    }
    data.resize(33);
    std::size_t size = data.size();
    secp256k1_ec_pubkey_serialize(context(), data.data(), &size, &point, SECP256K1_EC_COMPRESSED);
  }
  for (unsigned shift = 32; shift > 0; shift -= 8) data.push_back(static_cast<std::uint8_t>(index >> (shift - 8)));
  auto i = hmac_sha512(node.chain_code, data);
  const detail::Wiper wipe_i(i.bytes);
  if (secp256k1_ec_seckey_tweak_add(context(), node.key.bytes.data(), i.bytes.data()) != 1) {
    return fail(ErrorCode::kInvalid, "BIP-32 child does not exist; use the next index");
  }
  std::ranges::copy(i.view().last(32), node.chain_code.begin());
  return {};
}

Result<std::vector<std::uint32_t>> parse_path(std::string_view path) {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorCode::kInvalid, fmt::format("derivation path '{}': {}", path.substr(0, 100), what));
  };
  if (!path.starts_with('m')) return bad("must begin with m");
  std::vector<std::uint32_t> out;
  for (std::string_view rest = path.substr(1); !rest.empty();) {
    if (rest[0] != '/') return bad("'/' expected");
    if (out.size() == kMaxPathDepth) return bad("deeper than 16 levels");
    rest.remove_prefix(1);
    std::uint32_t index = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (error != std::errc() || index >= kHardened) return bad("index must be a number below 2^31");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (!rest.empty() && (rest[0] == '\'' || rest[0] == 'h')) {
      index |= kHardened;
      rest.remove_prefix(1);
    }
    out.push_back(index);
  }
  return out;
}

}  // namespace

Result<std::string> mnemonic_from_entropy(BytesView entropy) {
  if (!valid_entropy_size(entropy.size())) {
    return fail(ErrorCode::kInvalid,
                fmt::format("entropy has {} bytes; BIP-39 allows 16, 20, 24, 28 or 32", entropy.size()));
  }
  Bytes bits = with_checksum(entropy);
  const detail::Wiper wipe_bits(bits);
  const std::size_t total = entropy.size() * 8 + entropy.size() / 4;
  std::string out;
  for (std::size_t position = 0; position < total; position += kBitsPerWord) {
    if (!out.empty()) out.push_back(' ');
    out += word_list().words[bits_at(bits, position)];
  }
  return out;
}

Result<Seed> mnemonic_to_seed(std::string_view phrase, std::string_view passphrase) {
  if (phrase.size() > kMaxPhrase || passphrase.size() > kMaxPhrase) {
    return fail(ErrorCode::kInvalid, "phrase or passphrase is longer than 1024 characters");
  }
  const auto words = split(phrase);
  TRY(check_phrase(words));
  // BIP-39 asks for NFKD: the word list is ASCII; a passphrase in another script must come normalised.
  std::string normal;
  const detail::Wiper wipe_normal(normal);
  normal.reserve(phrase.size());
  for (const auto word : words) {
    if (!normal.empty()) normal.push_back(' ');
    normal += word;
  }
  const std::string salt = "mnemonic" + std::string(passphrase);
  Seed out;
  if (PKCS5_PBKDF2_HMAC(normal.data(), static_cast<int>(normal.size()),
                        reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                        kPbkdf2Rounds, EVP_sha512(), static_cast<int>(out.bytes.size()), out.bytes.data()) != 1) {
    return fail(ErrorCode::kInternal, "PBKDF2 failed");
  }
  return out;
}

Result<SecretKey256> derive_key(BytesView seed, std::string_view path) {
  if (seed.size() < 16 || seed.size() > 64) {
    return fail(ErrorCode::kInvalid, fmt::format("seed has {} bytes; BIP-32 allows 16 to 64", seed.size()));
  }
  TRY_ASSIGN(const auto indices, parse_path(path));
  Node node;
  TRY(make_master(seed, node));
  for (const std::uint32_t index : indices) TRY(step(node, index));
  return node.key;
}

Result<SecretKey256> account_key(std::string_view phrase, std::uint32_t index) {
  TRY_ASSIGN(auto seed, mnemonic_to_seed(phrase));
  const detail::Wiper wipe_seed(seed.bytes);
  return derive_key(seed, fmt::format("m/44'/60'/0'/0/{}", index));
}

}  // namespace bonus::crypto
