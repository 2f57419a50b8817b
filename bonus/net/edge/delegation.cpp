// A gateway's signed word that an overlay address is used by the holder of a WireGuard key.
#include "bonus/net/edge/delegation.hpp"

#include "bonus/crypto/hash.hpp"
#include "bonus/net/edge/encoding.hpp"

namespace bonus::net::edge {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kDomain = "bonus/edge/v1";

Bytes body_of(const ClientDelegation& delegation) {
  Bytes out{kVersion};
  append(out, delegation.gateway);
  append(out, delegation.client);
  out.push_back(delegation.exit ? 1 : 0);
  put_u64(out, delegation.not_before);
  put_u64(out, delegation.expires);
  return out;
}

}  // namespace

Bytes client_id(const crypto::X25519Public& key) {
  Bytes message;
  append(message, as_bytes("bonus/edge/client/v1"));
  append(message, key);
  const Hash32 digest = crypto::sha256(message);
  Bytes out;
  append(out, as_bytes("edge"));
  append(out, digest.view().first(12));
  return out;
}

Ipv6 client_address(const Ed25519PublicKey& gateway_root, const crypto::X25519Public& key) {
  return container_address(gateway_root, client_id(key));
}

Bytes sign_client(ClientDelegation& delegation, const crypto::Ed25519KeyPair& root) {
  delegation.gateway = root.public_key();
  return sign_document(kDomain, body_of(delegation), root, delegation.signature);
}

Result<ClientDelegation> open_client(BytesView encoded, UnixSeconds now) {
  if (encoded.size() != kClientDelegationBytes || encoded[0] != kVersion)
    return fail(ErrorCode::kInvalid, "not a client's delegation of a known version");
  FieldReader in(encoded.subspan(1));
  ClientDelegation out;
  in.fixed(out.gateway);
  in.fixed(out.client);
  const std::uint8_t flags = in.u8();
  if (flags > 1) return fail(ErrorCode::kInvalid, "a client's delegation has unknown flags");
  out.exit = flags == 1;
  out.not_before = in.u64();
  out.expires = in.u64();
  if (!open_document(kDomain, encoded, out.gateway, out.signature))
    return fail(ErrorCode::kDenied, "the signature of a client's delegation is wrong");
  if (!is_current(out.not_before, out.expires, now))
    return fail(ErrorCode::kDenied, "a client's delegation is not valid at this time");
  return out;
}

}  // namespace bonus::net::edge
