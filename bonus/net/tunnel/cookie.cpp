// mac1, mac2 and cookies: who cannot receive at the address it claims makes us do no key agreement (whitepaper,
// sections 5.3, 5.4.4 and 5.4.7).
#include <sodium.h>

#include "bonus/crypto/blake2s.hpp"
#include "bonus/net/tunnel/noise.hpp"

namespace bonus::net::tunnel {
namespace {

constexpr std::size_t kMac = 16;

Mac16 mac(BytesView key, BytesView in) {
  crypto::Blake2s state(kMac, key);
  state.update(in);
  Mac16 out;
  state.finish(out.bytes);
  return out;
}

bool equal(const Mac16& a, BytesView b) { return sodium_memcmp(a.bytes.data(), b.data(), kMac) == 0; }

}  // namespace

Mac16 add_macs(std::span<std::uint8_t> message, const Hash32& mac1_key, const std::optional<Mac16>& cookie) {
  const auto mac1_at = message.size() - 2 * kMac, mac2_at = message.size() - kMac;
  const Mac16 mac1 = mac(mac1_key, message.first(mac1_at));
  std::ranges::copy(mac1.bytes, message.subspan(mac1_at).begin());
  const Mac16 mac2 = cookie ? mac(*cookie, message.first(mac2_at)) : Mac16{};
  std::ranges::copy(mac2.bytes, message.subspan(mac2_at).begin());
  return mac1;
}

bool check_mac1(BytesView message, const Hash32& mac1_key) {
  if (message.size() < 2 * kMac) return false;
  const auto at = message.size() - 2 * kMac;
  return equal(mac(mac1_key, message.first(at)), message.subspan(at, kMac));
}

Mac16 mac1_of(BytesView message) {
  Mac16 out;
  std::ranges::copy(message.subspan(message.size() - 2 * kMac, kMac), out.bytes.begin());
  return out;
}

CookieJar::~CookieJar() {
  sodium_memzero(secret_.bytes.data(), secret_.bytes.size());
  sodium_memzero(before_.bytes.data(), before_.bytes.size());
}

void CookieJar::rotate(Instant now) {
  if (made_ && now - *made_ < kCookieLifetime) return;
  // A secret of two lifetimes ago must not be honoured any more.
  if (made_ && now - *made_ < 2 * kCookieLifetime) {
    before_ = secret_;
  } else {
    random_.fill(before_.bytes);
  }
  random_.fill(secret_.bytes);
  made_ = now;
}

Mac16 CookieJar::cookie(const Hash32& secret, const Endpoint& from) {
  std::array<std::uint8_t, 22> source;
  std::ranges::copy(from.udp.address.bytes, source.begin());
  source[16] = static_cast<std::uint8_t>(from.udp.port >> 8);
  source[17] = static_cast<std::uint8_t>(from.udp.port);
  for (std::size_t i = 0; i < 4; ++i) source[18 + i] = static_cast<std::uint8_t>(from.via >> (8 * i));
  return mac(secret, source);
}

bool CookieJar::check_mac2(BytesView message, const Endpoint& from, Instant now) {
  if (message.size() < 2 * kMac) return false;
  const BytesView given = message.last(kMac);
  if (std::ranges::all_of(given, [](std::uint8_t b) { return b == 0; })) return false;
  rotate(now);
  const BytesView covered = message.first(message.size() - kMac);
  return equal(mac(cookie(secret_, from), covered), given) || equal(mac(cookie(before_, from), covered), given);
}

CookieReplyBytes CookieJar::reply(BytesView message, const Endpoint& from, const Hash32& cookie_key, Instant now) {
  rotate(now);
  CookieReplyBytes out{};
  out[0] = static_cast<std::uint8_t>(MessageType::kCookieReply);
  std::ranges::copy(message.subspan(4, 4), &out[4]);  // their sender index is the receiver
  random_.fill(std::span(out).subspan(8, 24));
  const Mac16 plain = cookie(secret_, from);
  const Mac16 mac1 = mac1_of(message);
  crypto_aead_xchacha20poly1305_ietf_encrypt(&out[32], nullptr, plain.bytes.data(), kMac, mac1.bytes.data(), kMac,
                                             nullptr, &out[8], cookie_key.bytes.data());
  return out;
}

std::optional<Mac16> open_cookie_reply(BytesView message, const Hash32& cookie_key, const Mac16& mac1) {
  if (message.size() != kCookieReplySize) return std::nullopt;
  Mac16 out;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(out.bytes.data(), nullptr, nullptr, &message[32], 32,
                                                 mac1.bytes.data(), kMac, &message[8], cookie_key.bytes.data()) != 0) {
    return std::nullopt;
  }
  return out;
}

}  // namespace bonus::net::tunnel
