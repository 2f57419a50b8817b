// Encoding of path messages.
#include "bonus/net/nat/path_message.hpp"

#include "bonus/net/nat/wire.hpp"

namespace bonus::net::nat {
namespace {

constexpr std::uint8_t kFlagRecord = 1, kFlagWant = 2, kFlagRoamed = 4, kFlagNeed = 8, kFlagReply = 16,
                       kFlagAccept = 32;

Writer begin(PathMessage type, unsigned flags) {
  Writer w;
  w.u8(kPathVersion).u8(static_cast<std::uint8_t>(type)).u8(static_cast<std::uint8_t>(flags));
  return w;
}

unsigned flag(bool set, std::uint8_t bit) { return set ? bit : 0U; }

NatKind nat_of(std::uint8_t raw) {
  return raw <= static_cast<std::uint8_t>(NatKind::kBlocked) ? static_cast<NatKind>(raw) : NatKind::kUnknown;
}

Bytes bytes_of(BytesView view) { return {view.begin(), view.end()}; }

void endpoints(Writer& w, const std::vector<UdpEndpoint>& list) {
  const std::size_t count = std::min(list.size(), kMaxIntroduced);
  w.u8(static_cast<std::uint8_t>(count));
  for (std::size_t i = 0; i < count; ++i) w.endpoint(list[i]);
}

std::vector<UdpEndpoint> endpoints(Reader& r) {
  const std::size_t count = r.u8();
  std::vector<UdpEndpoint> out;
  if (count > kMaxIntroduced) {
    r.refuse();
    return out;
  }
  for (std::size_t i = 0; i < count && r.ok(); ++i) out.push_back(r.endpoint());
  return out;
}

}  // namespace

std::string_view to_string(PathKind kind) {
  switch (kind) {
    case PathKind::kDirect:
      return "direct";
    case PathKind::kRelayed:
      return "relayed";
    case PathKind::kTls:
      return "tls";
  }
  return "?";
}

std::string_view to_string(NatKind kind) {
  switch (kind) {
    case NatKind::kUnknown:
      return "unknown";
    case NatKind::kOpen:
      return "open";
    case NatKind::kCone:
      return "cone";
    case NatKind::kSymmetric:
      return "symmetric";
    case NatKind::kBlocked:
      return "blocked";
  }
  return "?";
}

Bytes encode(const Probe& m) {
  Writer w = begin(PathMessage::kProbe,
                   flag(!m.record.empty(), kFlagRecord) | flag(m.want_record, kFlagWant) | flag(m.roamed, kFlagRoamed));
  w.u64(m.id).u64(m.sequence);
  if (!m.record.empty()) w.block(m.record);
  return w.pad(std::max(m.size, kMinProbePayload)).take();
}

Bytes encode(const Ack& m) {
  Writer w = begin(PathMessage::kAck, flag(!m.record.empty(), kFlagRecord) | flag(m.need_record, kFlagNeed));
  w.u64(m.id).u64(m.challenge).endpoint(m.observed).u16(m.size);
  if (!m.record.empty()) w.block(m.record);
  return w.take();
}

Bytes encode(const Confirm& m) {
  return begin(PathMessage::kConfirm, flag(m.roamed, kFlagRoamed) | flag(m.need_record, kFlagNeed))
      .u64(m.challenge)
      .endpoint(m.observed)
      .take();
}

Bytes encode(const Rendezvous& m) {
  Writer w = begin(PathMessage::kRendezvous, flag(m.reply, kFlagReply));
  w.raw(m.target).u64(m.nonce).u8(static_cast<std::uint8_t>(m.nat));
  endpoints(w, m.endpoints);
  return w.pad(kMaxPathPayload).take();
}

Bytes encode(const Introduce& m) {
  Writer w = begin(PathMessage::kIntroduce, flag(m.reply, kFlagReply));
  w.raw(m.origin).u64(m.nonce).u8(static_cast<std::uint8_t>(m.nat)).endpoint(m.attested);
  endpoints(w, m.endpoints);
  return w.take();
}

Bytes encode(const Unknown& m) { return begin(PathMessage::kUnknown, 0).raw(m.target).u64(m.nonce).take(); }

Bytes encode(const Spray& m) { return begin(PathMessage::kSpray, flag(m.accept, kFlagAccept)).u64(m.nonce).take(); }

Result<AnyPathMessage> decode_path(BytesView payload) {
  Reader r(payload);
  const std::uint8_t version = r.u8();
  const std::uint8_t type = r.u8();
  const std::uint8_t flags = r.u8();
  if (!r.ok()) return fail(ErrorCode::kInvalid, "a path message is too short");
  if (version != kPathVersion)
    return fail(ErrorCode::kUnsupported, "path message of version " + std::to_string(version));
  AnyPathMessage out;
  switch (static_cast<PathMessage>(type)) {
    case PathMessage::kProbe: {
      Probe m;
      m.want_record = (flags & kFlagWant) != 0;
      m.roamed = (flags & kFlagRoamed) != 0;
      m.id = r.u64();
      m.sequence = r.u64();
      if ((flags & kFlagRecord) != 0) m.record = bytes_of(r.block(kMaxRecordBytes));
      m.size = payload.size();
      if (payload.size() < kMinProbePayload) r.refuse();
      out = std::move(m);
      break;
    }
    case PathMessage::kAck: {
      Ack m;
      m.need_record = (flags & kFlagNeed) != 0;
      m.id = r.u64();
      m.challenge = r.u64();
      m.observed = r.endpoint();
      m.size = r.u16();
      if ((flags & kFlagRecord) != 0) m.record = bytes_of(r.block(kMaxRecordBytes));
      out = std::move(m);
      break;
    }
    case PathMessage::kConfirm: {
      Confirm m;
      m.roamed = (flags & kFlagRoamed) != 0;
      m.need_record = (flags & kFlagNeed) != 0;
      m.challenge = r.u64();
      m.observed = r.endpoint();
      out = m;
      break;
    }
    case PathMessage::kRendezvous: {
      Rendezvous m;
      m.reply = (flags & kFlagReply) != 0;
      m.target = r.fixed<crypto::X25519Public>();
      m.nonce = r.u64();
      m.nat = nat_of(r.u8());
      m.endpoints = endpoints(r);
      if (payload.size() < kMaxPathPayload) r.refuse();
      out = std::move(m);
      break;
    }
    case PathMessage::kIntroduce: {
      Introduce m;
      m.reply = (flags & kFlagReply) != 0;
      m.origin = r.fixed<crypto::X25519Public>();
      m.nonce = r.u64();
      m.nat = nat_of(r.u8());
      m.attested = r.endpoint();
      m.endpoints = endpoints(r);
      out = std::move(m);
      break;
    }
    case PathMessage::kUnknown: {
      Unknown m;
      m.target = r.fixed<crypto::X25519Public>();
      m.nonce = r.u64();
      out = m;
      break;
    }
    case PathMessage::kSpray: {
      Spray m;
      m.accept = (flags & kFlagAccept) != 0;
      m.nonce = r.u64();
      out = m;
      break;
    }
    default:
      return fail(ErrorCode::kUnsupported, "path message of unknown type " + std::to_string(type));
  }
  if (!r.ok()) return fail(ErrorCode::kInvalid, "a path message is malformed");
  return out;
}

}  // namespace bonus::net::nat
