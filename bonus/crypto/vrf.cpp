// ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381, section 5, suite 0x03) on libsodium's group operations.
#include <sodium.h>

#include <cassert>

#include "bonus/crypto/detail.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::crypto {
namespace {

using Point = std::array<std::uint8_t, 32>;
using Scalar = std::array<std::uint8_t, 32>;
using Challenge = std::array<std::uint8_t, 16>;

constexpr std::uint8_t kSuite = 0x03;
constexpr std::uint8_t kEncodeFront = 0x01;
constexpr std::uint8_t kChallengeFront = 0x02;
constexpr std::uint8_t kOutputFront = 0x03;
constexpr std::uint8_t kBack = 0x00;

constexpr Point kIdentity{1};

/// RFC 8032, 5.1.3. libsodium's addition checks the curve equation but not that the encoding is canonical; adding the
/// neutral element encodes the point afresh, which shows it.
bool decodes(const Point& in) {
  Point again{};
  return crypto_core_ed25519_add(again.data(), in.data(), kIdentity.data()) == 0 && again == in;
}

Point times_cofactor(Point p) {
  for (int i = 0; i < 3; ++i) {
    Point doubled{};
    const int worked = crypto_core_ed25519_add(doubled.data(), p.data(), p.data());
    assert(worked == 0 && "caller gives points of the curve");
    (void)worked;
    p = doubled;
  }
  return p;
}

/// Section 5.4.1.1, encode_to_curve_try_and_increment; the salt is the public key.
std::optional<Point> encode_to_curve(const Ed25519PublicKey& key, BytesView alpha) {
  Bytes input{kSuite, kEncodeFront};
  append(input, key);
  append(input, alpha);
  input.push_back(0);
  input.push_back(kBack);
  for (unsigned counter = 0; counter < 256; ++counter) {
    input[input.size() - 2] = static_cast<std::uint8_t>(counter);
    const auto digest = sha512(input);
    Point candidate{};
    std::ranges::copy(digest.view().first(32), candidate.begin());
    if (!decodes(candidate)) continue;
    const Point out = times_cofactor(candidate);
    if (out != kIdentity) return out;
  }
  return std::nullopt;  // Each try fails with probability about 1/2: never seen.
}

/// Section 5.4.3.
Challenge challenge(const Point& key, const Point& h, const Point& gamma, const Point& u, const Point& v) {
  Bytes input{kSuite, kChallengeFront};
  for (const Point* point : {&key, &h, &gamma, &u, &v}) append(input, *point);
  input.push_back(kBack);
  const auto digest = sha512(input);
  Challenge out{};
  std::ranges::copy(digest.view().first(out.size()), out.begin());
  return out;
}

Scalar widen(const Challenge& c) {
  Scalar out{};
  std::ranges::copy(c, out.begin());
  return out;
}

/// Section 5.2, proof_to_hash.
VrfOutput output_of(const Point& gamma) {
  Bytes input{kSuite, kOutputFront};
  append(input, times_cofactor(gamma));
  input.push_back(kBack);
  return VrfOutput{sha512(input).bytes};
}

/// s < group order; reducing a 64-byte number gives the canonical form to compare with.
bool canonical_scalar(const Scalar& s) {
  std::array<std::uint8_t, 64> wide{};
  std::ranges::copy(s, wide.begin());
  Scalar reduced{};
  crypto_core_ed25519_scalar_reduce(reduced.data(), wide.data());
  return reduced == s;
}

}  // namespace

VrfProof Ed25519KeyPair::vrf_prove(BytesView alpha) const {
  auto expanded = sha512(seed_);
  const detail::Wiper wipe_expanded(expanded.bytes);
  Scalar x{};
  const detail::Wiper wipe_x(x);
  std::ranges::copy(expanded.view().first(32), x.begin());
  x[0] &= 248;
  x[31] &= 127;
  x[31] |= 64;

  const auto h = encode_to_curve(public_, alpha);
  assert(h && "encode_to_curve fails with probability 2^-256");
  Point gamma{};
  Point u{};
  Point v{};

  // Section 5.4.2.2: the nonce of RFC 8032 over the encoded point.
  Bytes nonce_input;
  const detail::Wiper wipe_nonce_input(nonce_input);
  nonce_input.reserve(64);
  append(nonce_input, expanded.view().last(32));
  append(nonce_input, *h);
  auto nonce_wide = sha512(nonce_input);
  const detail::Wiper wipe_nonce_wide(nonce_wide.bytes);
  Scalar k{};
  const detail::Wiper wipe_k(k);
  crypto_core_ed25519_scalar_reduce(k.data(), nonce_wide.bytes.data());

  const int worked = crypto_scalarmult_ed25519_noclamp(gamma.data(), x.data(), h->data()) |
                     crypto_scalarmult_ed25519_base_noclamp(u.data(), k.data()) |
                     crypto_scalarmult_ed25519_noclamp(v.data(), k.data(), h->data());
  assert(worked == 0);
  (void)worked;

  const Challenge c = challenge(public_.bytes, *h, gamma, u, v);
  Scalar s{};
  Scalar product{};
  const detail::Wiper wipe_product(product);
  const Scalar c_wide = widen(c);
  crypto_core_ed25519_scalar_mul(product.data(), c_wide.data(), x.data());
  crypto_core_ed25519_scalar_add(s.data(), k.data(), product.data());

  VrfProof out;
  std::ranges::copy(gamma, out.bytes.begin());
  std::ranges::copy(c, out.bytes.begin() + 32);
  std::ranges::copy(s, out.bytes.begin() + 48);
  return out;
}

std::optional<VrfOutput> vrf_verify(const Ed25519PublicKey& key, BytesView alpha, const VrfProof& proof) {
  detail::init_sodium();
  Point gamma{};
  Challenge c{};
  Scalar s{};
  std::ranges::copy(proof.view().first(32), gamma.begin());
  std::ranges::copy(proof.view().subspan(32, 16), c.begin());
  std::ranges::copy(proof.view().last(32), s.begin());
  // Validates the key (section 5.4.5) more strictly than the RFC asks: the key and gamma must lie in the prime-order
  // subgroup, where every honest prover's are. This also keeps the output unique.
  if (crypto_core_ed25519_is_valid_point(key.bytes.data()) != 1) return std::nullopt;
  if (crypto_core_ed25519_is_valid_point(gamma.data()) != 1) return std::nullopt;
  if (!decodes(key.bytes) || !decodes(gamma) || !canonical_scalar(s)) return std::nullopt;
  const auto h = encode_to_curve(key, alpha);
  if (!h) return std::nullopt;

  const Scalar c_wide = widen(c);
  Point s_base{};
  Point c_key{};
  Point s_h{};
  Point c_gamma{};
  Point u{};
  Point v{};
  if (crypto_scalarmult_ed25519_base_noclamp(s_base.data(), s.data()) != 0 ||
      crypto_scalarmult_ed25519_noclamp(c_key.data(), c_wide.data(), key.bytes.data()) != 0 ||
      crypto_scalarmult_ed25519_noclamp(s_h.data(), s.data(), h->data()) != 0 ||
      crypto_scalarmult_ed25519_noclamp(c_gamma.data(), c_wide.data(), gamma.data()) != 0 ||
      crypto_core_ed25519_sub(u.data(), s_base.data(), c_key.data()) != 0 ||
      crypto_core_ed25519_sub(v.data(), s_h.data(), c_gamma.data()) != 0) {
    return std::nullopt;
  }
  if (challenge(key.bytes, *h, gamma, u, v) != c) return std::nullopt;
  return output_of(gamma);
}

}  // namespace bonus::crypto
