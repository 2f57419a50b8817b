// Marks in the place of signatures; the rest is as in production.
#include "bonus/net/kad/sim/sim_checker.hpp"

#include "bonus/net/kad/bytes_io.hpp"

namespace bonus::net::kad::sim {

namespace {

std::uint64_t mark_of(BytesView root, BytesView body) {
  std::uint64_t h = 0x9E3779B97F4A7C15ull;
  for (const auto part : {root, body})
    for (const auto byte : part) h = (h ^ byte) * 0x100000001B3ull;
  h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9ull;
  return h ^ (h >> 32);
}

Bytes value_body(const SignedValue& value) {
  auto body = encode_value(value);
  body.resize(body.size() - Ed25519Signature::kSize);
  return body;
}

}  // namespace

Result<RecordFacts> SimChecker::record(BytesView encoded, UnixSeconds now) const {
  Reader in(encoded);
  RecordFacts out;
  in.fixed(out.root);
  in.fixed(out.tunnel);
  out.sequence = in.u64();
  const auto mark = in.u64();
  if (!in.done()) return fail(ErrorCode::kInvalid, "simulated record: wrong size");
  if (mark != mark_of(out.root, encoded.first(72))) return fail(ErrorCode::kDenied, "simulated record: wrong mark");
  out.keys = {address_key(overlay_address(crypto::node_id(out.root)))};
  out.expires = now + 86400;
  return out;
}

bool SimChecker::certificate(const Ed25519PublicKey& root, const TunnelCertificate& certificate, UnixSeconds) const {
  return Reader(certificate.signature).u64() == mark_of(root, certificate.key);
}

Result<SignedValue> SimChecker::value(BytesView encoded) const {
  TRY_ASSIGN(auto out, decode_value(encoded));
  if (Reader(out.signature).u64() != mark_of(out.key, value_body(out)))
    return fail(ErrorCode::kDenied, "simulated value: wrong mark");
  return out;
}

Position SimChecker::position(const Ed25519PublicKey& root, std::uint64_t epoch, const Hash32& beacon, Ring ring,
                              std::uint64_t ring_id) const {
  if (std::ranges::equal(root.view().first(kGround.size()), kGround))
    return Reader(root.view().subspan(kGround.size())).u64();
  return Checker::position(root, epoch, beacon, ring, ring_id);
}

Bytes SimChecker::make_record(const Ed25519PublicKey& root, const crypto::X25519Public& key, std::uint64_t sequence) {
  Writer out;
  out.bytes(root);
  out.bytes(key);
  out.u64(sequence);
  out.u64(mark_of(root, out.out));
  return std::move(out.out);
}

TunnelCertificate SimChecker::make_certificate(const Ed25519PublicKey& root, const crypto::X25519Public& key) {
  TunnelCertificate out{key, 0, UINT32_MAX, {}};
  Writer mark;
  mark.u64(mark_of(root, key));
  std::ranges::copy(mark.out, out.signature.bytes.begin());
  return out;
}

SignedValue SimChecker::make_value(const Ed25519PublicKey& root, BytesView salt, std::uint64_t sequence,
                                   BytesView value) {
  SignedValue out{root, Bytes(salt.begin(), salt.end()), sequence, Bytes(value.begin(), value.end()), {}};
  Writer mark;
  mark.u64(mark_of(root, value_body(out)));
  std::ranges::copy(mark.out, out.signature.bytes.begin());
  return out;
}

Ed25519PublicKey SimChecker::ground_root(Position position, std::uint64_t salt) {
  Writer out;
  out.bytes(kGround);
  out.u64(position);
  out.u64(salt);
  out.u64(0);
  Ed25519PublicKey root;
  std::ranges::copy(out.out, root.bytes.begin());
  return root;
}

}  // namespace bonus::net::kad::sim
