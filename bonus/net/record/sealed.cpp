// XChaCha20-Poly1305 under the static-static secret; token buckets per prefix.
#include "bonus/net/record/sealed.hpp"

#include <sodium.h>

#include <algorithm>

#include "bonus/crypto/hash.hpp"

namespace bonus::net {

namespace {
constexpr std::size_t kHead = 33, kNonce = 24, kTag = 16;
static_assert(kSealOverhead == kHead + kNonce + kTag);

bool is_sealed_kind(std::uint8_t byte) {
  return byte >= 0xB0 && byte <= 0xB4 && byte != static_cast<std::uint8_t>(DatagramKind::kRelayed);
}
}  // namespace

Sealer::Sealer(const crypto::X25519Secret& secret, runtime::Random& random, std::size_t cache)
    : secret_(secret),
      public_(crypto::x25519_public(secret)),
      random_(random),
      limit_(std::max<std::size_t>(cache, 1)) {}

Sealer::~Sealer() {
  sodium_memzero(secret_.bytes.data(), secret_.bytes.size());
  for (auto& entry : recent_) sodium_memzero(entry.key.bytes.data(), entry.key.bytes.size());
}

Result<std::pair<Hash32, bool>> Sealer::key_for(const crypto::X25519Public& peer) {
  if (const auto found = index_.find(peer); found != index_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return std::pair(found->second->key, true);
  }
  TRY_ASSIGN(const auto shared, crypto::x25519(secret_, peer));
  // Both ends derive the same key: the two public keys enter in order of their bytes.
  Bytes in;
  append(in, as_bytes("bonus/datagram/v1"));
  append(in, shared);
  append(in, std::min(public_, peer));
  append(in, std::max(public_, peer));
  const Hash32 key = crypto::blake2s(in);
  sodium_memzero(in.data(), in.size());
  return std::pair(key, false);
}

void Sealer::remember(const crypto::X25519Public& peer, const Hash32& key) {
  recent_.push_front({peer, key});
  index_[peer] = recent_.begin();
  if (recent_.size() > limit_) {
    sodium_memzero(recent_.back().key.bytes.data(), Hash32::kSize);
    index_.erase(recent_.back().peer);
    recent_.pop_back();
  }
}

Result<Bytes> Sealer::seal(DatagramKind kind, const crypto::X25519Public& to, BytesView payload) {
  TRY_ASSIGN(const auto known, key_for(to));
  const auto& [key, cached] = known;
  if (!cached) remember(to, key);
  Bytes out(kSealOverhead + payload.size());
  out[0] = static_cast<std::uint8_t>(kind);
  std::ranges::copy(public_.bytes, out.begin() + 1);
  random_.fill(std::span(out).subspan(kHead, kNonce));
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kHead + kNonce, nullptr, payload.data(), payload.size(),
                                             out.data(), kHead, nullptr, out.data() + kHead, key.bytes.data());
  return out;
}

bool Sealer::knows(BytesView datagram) const {
  if (datagram.size() < kSealOverhead) return false;
  crypto::X25519Public from;
  std::ranges::copy(datagram.subspan(1, 32), from.bytes.begin());
  return index_.contains(from);
}

Result<Sealer::Opened> Sealer::open(BytesView datagram) {
  if (datagram.size() < kSealOverhead || !is_sealed_kind(datagram[0]))
    return fail(ErrorCode::kCorrupt, "not a sealed datagram");
  Opened out;
  out.kind = static_cast<DatagramKind>(datagram[0]);
  std::ranges::copy(datagram.subspan(1, 32), out.from.bytes.begin());
  const auto known = key_for(out.from);
  if (!known) return fail(ErrorCode::kCorrupt, "the datagram's sender has no usable key");
  out.payload.resize(datagram.size() - kSealOverhead);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(out.payload.data(), nullptr, nullptr, datagram.data() + kHead + kNonce,
                                                 datagram.size() - kHead - kNonce, datagram.data(), kHead,
                                                 datagram.data() + kHead, known->first.bytes.data()) != 0)
    return fail(ErrorCode::kCorrupt, "the datagram was not sealed for this node");
  if (!known->second) remember(out.from, known->first);
  return out;
}

Ipv6 rate_prefix(const Ipv6& address) {
  Ipv6 out = address;
  const std::size_t keep = is_ipv4(address) ? 15 : 7;
  std::fill(out.bytes.begin() + static_cast<std::ptrdiff_t>(keep), out.bytes.end(), 0);
  return out;
}

PrefixLimiter::PrefixLimiter(double per_second, double burst, std::size_t max_prefixes)
    : rate_(per_second), burst_(burst), limit_(std::max<std::size_t>(max_prefixes, 1)) {}

bool PrefixLimiter::allow(const Ipv6& from, Instant now) {
  const Ipv6 prefix = rate_prefix(from);
  auto found = index_.find(prefix);
  if (found == index_.end()) {
    recent_.push_front({prefix, burst_, now});
    found = index_.emplace(prefix, recent_.begin()).first;
    if (recent_.size() > limit_) {
      index_.erase(recent_.back().prefix);
      recent_.pop_back();
    }
  } else {
    recent_.splice(recent_.begin(), recent_, found->second);
  }
  Bucket& bucket = *found->second;
  const double seconds = std::chrono::duration<double>(now - bucket.at).count();
  bucket.tokens = std::min(burst_, bucket.tokens + std::max(0.0, seconds) * rate_);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace bonus::net
