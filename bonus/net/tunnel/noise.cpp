// The handshake, message by message as in the whitepaper's section 5.4; names of variables in the comments are its own.
#include "bonus/net/tunnel/noise.hpp"

#include <sodium.h>

#include <cstring>

#include "bonus/crypto/blake2s.hpp"

namespace bonus::net::tunnel {
namespace {

constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
constexpr std::string_view kLabelMac1 = "mac1----";
constexpr std::string_view kLabelCookie = "cookie--";
constexpr std::size_t kTag = 16;

// Offsets in the messages (section 5.4.2, 5.4.3).
constexpr std::size_t kSender = 4, kInitEphemeral = 8, kInitStatic = 40, kInitTimestamp = 88;
constexpr std::size_t kReceiver = 8, kRespEphemeral = 12, kRespEmpty = 44;

Hash32 hash(BytesView a, BytesView b = {}) {
  crypto::Blake2s state;
  state.update(a);
  state.update(b);
  return state.finish();
}

/// HMAC (RFC 2104) over BLAKE2s; keys here have 32 bytes.
Hash32 hmac(const Hash32& key, BytesView a, BytesView b = {}) {
  std::array<std::uint8_t, 64> pad;
  pad.fill(0x36);
  for (std::size_t i = 0; i < 32; ++i) pad[i] ^= key.bytes[i];
  crypto::Blake2s inner;
  inner.update(pad);
  inner.update(a);
  inner.update(b);
  const Hash32 middle = inner.finish();
  for (auto& byte : pad) byte ^= 0x36 ^ 0x5c;
  crypto::Blake2s outer;
  outer.update(pad);
  outer.update(middle);
  Hash32 out = outer.finish();
  inner.wipe(), outer.wipe();
  sodium_memzero(pad.data(), pad.size());
  return out;
}

struct Kdf {
  Hash32 one, two, three;
  ~Kdf() { sodium_memzero(this, sizeof *this); }
};
/// HKDF (RFC 5869) without info: `count` outputs.
Kdf kdf(const Hash32& key, BytesView input, int count) {
  Kdf out;
  Hash32 secret = hmac(key, input);
  constexpr std::array<std::uint8_t, 3> kCounter{1, 2, 3};
  out.one = hmac(secret, BytesView(&kCounter[0], 1));
  if (count > 1) out.two = hmac(secret, out.one, BytesView(&kCounter[1], 1));
  if (count > 2) out.three = hmac(secret, out.two, BytesView(&kCounter[2], 1));
  sodium_memzero(secret.bytes.data(), secret.bytes.size());
  return out;
}

constexpr std::array<std::uint8_t, 12> kZeroNonce{};

void seal(const Hash32& key, BytesView plain, const Hash32& aad, std::uint8_t* out) {
  crypto_aead_chacha20poly1305_ietf_encrypt(out, nullptr, plain.data(), plain.size(), aad.bytes.data(),
                                            aad.bytes.size(), nullptr, kZeroNonce.data(), key.bytes.data());
}
bool unseal(const Hash32& key, BytesView sealed, const Hash32& aad, std::uint8_t* out) {
  return crypto_aead_chacha20poly1305_ietf_decrypt(out, nullptr, nullptr, sealed.data(), sealed.size(),
                                                   aad.bytes.data(), aad.bytes.size(), kZeroNonce.data(),
                                                   key.bytes.data()) == 0;
}

/// ck = KDF1(ck, input)
void mix_key(Hash32& chaining, BytesView input) { chaining = kdf(chaining, input, 1).one; }
/// (ck, k) = KDF2(ck, input)
Hash32 mix_key_out(Hash32& chaining, BytesView input) {
  const Kdf out = kdf(chaining, input, 2);
  chaining = out.one;
  return out.two;
}
/// ck = KDF1(ck, DH(secret, key)); false for a low-order point.
bool mix_dh(Hash32& chaining, const crypto::X25519Secret& secret, const crypto::X25519Public& key) {
  auto shared = crypto::x25519(secret, key);
  if (!shared) return false;
  mix_key(chaining, *shared);
  sodium_memzero(shared->bytes.data(), shared->bytes.size());
  return true;
}

Hash32 initial_chaining() {
  static const Hash32 value = hash(as_bytes(kConstruction));
  return value;
}
Hash32 initial_hash(const crypto::X25519Public& responder) {
  return hash(hash(initial_chaining(), as_bytes(kIdentifier)), responder);
}

void put_u32(std::uint8_t* out, std::uint32_t value) { std::memcpy(out, &value, 4); }  // little-endian hosts only
std::uint32_t get_u32(const std::uint8_t* in) {
  std::uint32_t value;
  std::memcpy(&value, in, 4);
  return value;
}
static_assert(std::endian::native == std::endian::little);

template <class Fixed>
void wipe(Fixed& value) {
  sodium_memzero(value.bytes.data(), value.bytes.size());
}

/// (ck, tau, k) = KDF3(ck, Q); h = Hash(h || tau): the preshared key enters, a zero one when there is none.
Hash32 mix_preshared(Hash32& chaining, Hash32& transcript, const Hash32& preshared) {
  const Kdf out = kdf(chaining, preshared, 3);
  chaining = out.one;
  transcript = hash(transcript, out.two);
  return out.three;
}
SessionKeys derive(const Hash32& chaining, std::uint32_t remote_index) {
  const Kdf out = kdf(chaining, {}, 2);
  return SessionKeys{out.one, out.two, remote_index};
}

}  // namespace

Tai64n tai64n(Duration since_unix_epoch) {
  // TAI64: 2^62 + seconds since 1970 TAI, which is 10 s ahead at the epoch; leap seconds since then are not followed,
  // as nobody else does here: labels are only compared with labels of the same sender.
  constexpr std::uint64_t kBase = 0x400000000000000aull;
  const auto total = std::max<std::int64_t>(since_unix_epoch.count(), 0);
  const auto seconds = kBase + static_cast<std::uint64_t>(total / 1'000'000'000);
  const auto nanos = static_cast<std::uint32_t>(total % 1'000'000'000) & ~((1u << 24) - 1);
  Tai64n out;
  for (std::size_t i = 0; i < 8; ++i) out.bytes[i] = static_cast<std::uint8_t>(seconds >> (56 - 8 * i));
  for (std::size_t i = 0; i < 4; ++i) out.bytes[8 + i] = static_cast<std::uint8_t>(nanos >> (24 - 8 * i));
  return out;
}

Identity::Identity(const crypto::X25519Secret& secret_key)
    : secret(secret_key),
      public_key(crypto::x25519_public(secret_key)),
      initial_hash(tunnel::initial_hash(public_key)),
      mac1_key(hash(as_bytes(kLabelMac1), public_key)),
      cookie_key(hash(as_bytes(kLabelCookie), public_key)) {}
Identity::~Identity() { wipe(secret); }
Remote::~Remote() {
  wipe(static_static);
  wipe(preshared_key);
}
InitiatorState::~InitiatorState() {
  wipe(ephemeral);
  wipe(chaining);
}
ReceivedInitiation::~ReceivedInitiation() { wipe(chaining); }
SessionKeys::~SessionKeys() {
  wipe(from_initiator);
  wipe(from_responder);
}

Result<Remote> make_remote(const Identity& identity, const crypto::X25519Public& key, const Hash32& preshared_key) {
  Remote out;
  out.public_key = key;
  out.preshared_key = preshared_key;
  TRY_ASSIGN(out.static_static, crypto::x25519(identity.secret, key));
  out.initial_hash = initial_hash(key);
  out.mac1_key = hash(as_bytes(kLabelMac1), key);
  out.cookie_key = hash(as_bytes(kLabelCookie), key);
  return out;
}

std::optional<InitiatorState> create_initiation(const Identity& identity, const Remote& remote,
                                                std::uint32_t local_index, const Tai64n& timestamp,
                                                const crypto::X25519Secret& ephemeral, InitiationBytes& out) {
  out.fill(0);
  out[0] = static_cast<std::uint8_t>(MessageType::kInitiation);
  put_u32(&out[kSender], local_index);
  const crypto::X25519Public ephemeral_public = crypto::x25519_public(ephemeral);
  std::ranges::copy(ephemeral_public.bytes, &out[kInitEphemeral]);

  InitiatorState state;
  state.ephemeral = ephemeral;
  state.local_index = local_index;
  state.chaining = initial_chaining();
  state.hash = hash(remote.initial_hash, ephemeral_public);
  mix_key(state.chaining, ephemeral_public);
  auto shared = crypto::x25519(ephemeral, remote.public_key);
  if (!shared) return std::nullopt;
  Hash32 key = mix_key_out(state.chaining, *shared);
  wipe(*shared);
  seal(key, identity.public_key, state.hash, &out[kInitStatic]);
  state.hash = hash(state.hash, BytesView(&out[kInitStatic], 32 + kTag));
  key = mix_key_out(state.chaining, remote.static_static);
  seal(key, timestamp, state.hash, &out[kInitTimestamp]);
  state.hash = hash(state.hash, BytesView(&out[kInitTimestamp], Tai64n::kSize + kTag));
  wipe(key);
  return state;
}

std::optional<ReceivedInitiation> open_initiation(const Identity& identity, BytesView message) {
  if (message.size() != kInitiationSize) return std::nullopt;
  ReceivedInitiation out;
  out.remote_index = get_u32(&message[kSender]);
  std::ranges::copy(message.subspan(kInitEphemeral, 32), out.ephemeral.bytes.begin());
  std::ranges::copy(message.subspan(kInitTimestamp, out.sealed_timestamp.size()), out.sealed_timestamp.begin());
  out.chaining = initial_chaining();
  out.hash = hash(identity.initial_hash, out.ephemeral);
  mix_key(out.chaining, out.ephemeral);
  auto shared = crypto::x25519(identity.secret, out.ephemeral);
  if (!shared) return std::nullopt;
  Hash32 key = mix_key_out(out.chaining, *shared);
  wipe(*shared);
  const BytesView sealed = message.subspan(kInitStatic, 32 + kTag);
  const bool good = unseal(key, sealed, out.hash, out.peer.bytes.data());
  wipe(key);
  if (!good) return std::nullopt;
  out.hash = hash(out.hash, sealed);
  return out;
}

std::optional<Tai64n> open_timestamp(ReceivedInitiation& received, const Remote& remote) {
  Hash32 chaining = received.chaining;
  Hash32 key = mix_key_out(chaining, remote.static_static);
  Tai64n out;
  const bool good = unseal(key, received.sealed_timestamp, received.hash, out.bytes.data());
  wipe(key);
  if (!good) return std::nullopt;
  received.chaining = chaining;
  received.hash = hash(received.hash, received.sealed_timestamp);
  wipe(chaining);
  return out;
}

std::optional<SessionKeys> create_response(const ReceivedInitiation& received, const Remote& remote,
                                           std::uint32_t local_index, const crypto::X25519Secret& ephemeral,
                                           ResponseBytes& out) {
  out.fill(0);
  out[0] = static_cast<std::uint8_t>(MessageType::kResponse);
  put_u32(&out[kSender], local_index);
  put_u32(&out[kReceiver], received.remote_index);
  const crypto::X25519Public ephemeral_public = crypto::x25519_public(ephemeral);
  std::ranges::copy(ephemeral_public.bytes, &out[kRespEphemeral]);

  Hash32 chaining = received.chaining;
  Hash32 transcript = hash(received.hash, ephemeral_public);
  mix_key(chaining, ephemeral_public);
  if (!mix_dh(chaining, ephemeral, received.ephemeral)) return std::nullopt;
  if (!mix_dh(chaining, ephemeral, received.peer)) return std::nullopt;
  Hash32 key = mix_preshared(chaining, transcript, remote.preshared_key);
  seal(key, {}, transcript, &out[kRespEmpty]);
  wipe(key);
  SessionKeys keys = derive(chaining, received.remote_index);
  wipe(chaining);
  return keys;
}

std::optional<SessionKeys> open_response(const Identity& identity, const Remote& remote, const InitiatorState& state,
                                         BytesView message) {
  if (message.size() != kResponseSize || get_u32(&message[kReceiver]) != state.local_index) return std::nullopt;
  crypto::X25519Public ephemeral;
  std::ranges::copy(message.subspan(kRespEphemeral, 32), ephemeral.bytes.begin());
  Hash32 chaining = state.chaining;
  Hash32 transcript = hash(state.hash, ephemeral);
  mix_key(chaining, ephemeral);
  if (!mix_dh(chaining, state.ephemeral, ephemeral)) return std::nullopt;
  if (!mix_dh(chaining, identity.secret, ephemeral)) return std::nullopt;
  Hash32 key = mix_preshared(chaining, transcript, remote.preshared_key);
  std::uint8_t nothing = 0;
  const bool good = unseal(key, message.subspan(kRespEmpty, kTag), transcript, &nothing);
  wipe(key);
  std::optional<SessionKeys> out;
  if (good) out = derive(chaining, get_u32(&message[kSender]));
  wipe(chaining);
  return out;
}

}  // namespace bonus::net::tunnel
