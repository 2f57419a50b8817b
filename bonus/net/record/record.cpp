// Records as protobuf; signatures cover the bytes as sent.
#include "bonus/net/record/record.hpp"

#include <fmt/format.h>

#include "bonus/crypto/hash.hpp"
#include "proto/net.pb.h"

namespace bonus::net {

namespace {

constexpr std::uint32_t kVersion = 1;
constexpr UnixSeconds kSkew = 300;

Bytes certificate_message(const TunnelCertificate& certificate) {
  Bytes out;
  append(out, as_bytes("bonus/tunnel/v1"));
  append(out, certificate.key);
  for (const UnixSeconds value : {certificate.not_before, certificate.expires})
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
  return out;
}

Bytes record_message(BytesView body) {
  Bytes out;
  append(out, as_bytes("bonus/record/v1"));
  append(out, body);
  return out;
}

Error bad(std::string_view what) { return {ErrorCode::kInvalid, fmt::format("node record: {}", what)}; }

template <class Fixed>
bool read(Fixed& out, const std::string& in) {
  if (in.size() != Fixed::kSize) return false;
  std::ranges::copy(as_bytes(in), out.bytes.begin());
  return true;
}

void put(std::string* out, BytesView in) { out->assign(as_text(in)); }

Result<> check_bounds(const NodeRecord& record) {
  if (record.endpoints.size() > kMaxRecordEndpoints) return fail(bad("too many endpoints"));
  if (record.containers.size() > kMaxRecordContainers) return fail(bad("too many containers"));
  if (record.subnets.size() > kMaxRecordSubnets) return fail(bad("too many subnets"));
  for (const auto* text : {&record.region, &record.country, &record.isp})
    if (text->size() > kMaxAttribute) return fail(bad("an attribute is longer than 32 bytes"));
  for (const auto& id : record.containers)
    if (id.empty() || id.size() > kMaxContainerId) return fail(bad("a container id must have 1 to 16 bytes"));
  for (const auto& subnet : record.subnets)
    if (subnet.bits > 128) return fail(bad("a subnet's prefix is too long"));
  return {};
}

Result<NodeRecord> decode_body(const std::string& bytes) {
  wire::RecordBody body;
  if (!body.ParseFromString(bytes)) return fail(bad("not protobuf"));
  if (body.version() != kVersion) return fail(bad(fmt::format("version {} is not known", body.version())));
  NodeRecord out;
  const auto& tunnel = body.tunnel();
  if (!read(out.root, body.root()) || !read(out.tunnel.key, tunnel.key()) ||
      !read(out.tunnel.signature, tunnel.signature()))
    return fail(bad("a key or signature has the wrong length"));
  out.tunnel.not_before = tunnel.not_before();
  out.tunnel.expires = tunnel.expires();
  for (const auto& endpoint : body.endpoints()) {
    RecordEndpoint one;
    if (endpoint.kind() < 1 || endpoint.kind() > 5) continue;  // of a later version
    one.kind = static_cast<RecordEndpoint::Kind>(endpoint.kind());
    if (!read(one.address.address, endpoint.address()) || endpoint.port() == 0 || endpoint.port() > 0xffff)
      return fail(bad("an endpoint is malformed"));
    one.address.port = static_cast<std::uint16_t>(endpoint.port());
    if (!endpoint.relay().empty() && !read(one.relay, endpoint.relay())) return fail(bad("a relay key is malformed"));
    out.endpoints.push_back(one);
  }
  out.region = body.region();
  out.country = body.country();
  out.isp = body.isp();
  out.asn = body.asn();
  out.tier = static_cast<std::uint8_t>(std::min<std::uint32_t>(body.tier(), 2));
  out.flags = body.flags();
  for (const auto& id : body.containers()) out.containers.emplace_back(id.begin(), id.end());
  for (const auto& subnet : body.subnets()) {
    Prefix one;
    if (!read(one.address, subnet.address()) || subnet.bits() > 128) return fail(bad("a subnet is malformed"));
    one.bits = static_cast<std::uint8_t>(subnet.bits());
    out.subnets.push_back(one);
  }
  out.sequence = body.sequence();
  out.expires = body.expires();
  TRY(check_bounds(out));
  return out;
}

}  // namespace

TunnelCertificate certify_tunnel_key(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& key,
                                     UnixSeconds not_before, UnixSeconds expires) {
  TunnelCertificate out{key, not_before, expires, {}};
  out.signature = root.sign(certificate_message(out));
  return out;
}

bool certificate_valid(const Ed25519PublicKey& root, const TunnelCertificate& certificate, UnixSeconds now) {
  return certificate.expires + kSkew >= now && certificate.not_before <= now + kSkew &&
         crypto::ed25519_verify(root, certificate_message(certificate), certificate.signature);
}

bool NodeRecord::owns(const Ipv6& ip) const {
  return ip == address() ||
         std::ranges::any_of(containers, [&](const Bytes& id) { return container_address(root, id) == ip; });
}

Result<Bytes> sign_record(NodeRecord& record, const crypto::Ed25519KeyPair& root) {
  record.root = root.public_key();
  TRY(check_bounds(record));
  wire::RecordBody body;
  body.set_version(kVersion);
  put(body.mutable_root(), record.root);
  auto* tunnel = body.mutable_tunnel();
  put(tunnel->mutable_key(), record.tunnel.key);
  tunnel->set_not_before(record.tunnel.not_before);
  tunnel->set_expires(record.tunnel.expires);
  put(tunnel->mutable_signature(), record.tunnel.signature);
  for (const auto& endpoint : record.endpoints) {
    auto* one = body.add_endpoints();
    one->set_kind(static_cast<std::uint32_t>(endpoint.kind));
    put(one->mutable_address(), endpoint.address.address);
    one->set_port(endpoint.address.port);
    if (!endpoint.relay.is_zero()) put(one->mutable_relay(), endpoint.relay);
  }
  body.set_region(record.region);
  body.set_country(record.country);
  body.set_isp(record.isp);
  body.set_asn(record.asn);
  body.set_tier(record.tier);
  body.set_flags(record.flags);
  for (const auto& id : record.containers) put(body.add_containers(), id);
  for (const auto& subnet : record.subnets) {
    auto* one = body.add_subnets();
    put(one->mutable_address(), subnet.address);
    one->set_bits(subnet.bits);
  }
  body.set_sequence(record.sequence);
  body.set_expires(record.expires);
  wire::Record out;
  out.set_body(body.SerializeAsString());
  record.signature = root.sign(record_message(as_bytes(out.body())));
  put(out.mutable_signature(), record.signature);
  const std::string encoded = out.SerializeAsString();
  if (encoded.size() > kMaxRecordBytes)
    return fail(bad(fmt::format("{} bytes, at most {} are allowed", encoded.size(), kMaxRecordBytes)));
  return Bytes(encoded.begin(), encoded.end());
}

Result<NodeRecord> open_record(BytesView encoded, UnixSeconds now) {
  if (encoded.size() > kMaxRecordBytes) return fail(bad("longer than 1024 bytes"));
  wire::Record envelope;
  if (!envelope.ParseFromArray(encoded.data(), static_cast<int>(encoded.size()))) return fail(bad("not protobuf"));
  TRY_ASSIGN(auto out, decode_body(envelope.body()));
  if (!read(out.signature, envelope.signature())) return fail(bad("the signature has the wrong length"));
  if (out.expires + kSkew < now || out.tunnel.expires + kSkew < now)
    return fail(ErrorCode::kDenied, "node record: it has expired");
  if (out.tunnel.not_before > now + kSkew)
    return fail(ErrorCode::kDenied, "node record: its tunnel key is not valid yet");
  if (!crypto::ed25519_verify(out.root, record_message(as_bytes(envelope.body())), out.signature) ||
      !crypto::ed25519_verify(out.root, certificate_message(out.tunnel), out.tunnel.signature))
    return fail(ErrorCode::kDenied, "node record: a signature is wrong");
  return out;
}

Hash32 address_key(const Ipv6& address) {
  Bytes in;
  append(in, as_bytes("bonus/addr/v1"));
  append(in, address);
  return crypto::sha256(in);
}

}  // namespace bonus::net
