// Encoding of relay control messages.
#include "bonus/net/nat/relay_message.hpp"

#include "bonus/net/nat/wire.hpp"

namespace bonus::net::nat {
namespace {

Writer begin(RelayMessage type) {
  Writer w;
  w.u8(kRelayVersion).u8(static_cast<std::uint8_t>(type));
  return w;
}

Bytes bytes_of(BytesView view) { return {view.begin(), view.end()}; }

}  // namespace

Bytes encode(const Register& m) {
  return begin(RelayMessage::kRegister).u64(m.id).u64(m.cookie).block(m.record).take();
}
Bytes encode(const Challenge& m) { return begin(RelayMessage::kChallenge).u64(m.id).u64(m.cookie).take(); }
Bytes encode(const Registered& m) {
  return begin(RelayMessage::kRegistered).u64(m.id).endpoint(m.observed).u16(m.lifetime_s).take();
}
Bytes encode(const Refused& m) {
  return begin(RelayMessage::kRefused).u64(m.id).u8(static_cast<std::uint8_t>(m.why)).take();
}
// As large as the answer.
Bytes encode(const Keep& m) { return begin(RelayMessage::kKeep).u64(m.id).pad(30).take(); }
Bytes encode(const Open& m) {
  return begin(RelayMessage::kOpen).raw(m.peer).u64(m.nonce).u64(m.expires).raw(m.signature).take();
}
Bytes encode(const Offer& m) {
  return begin(RelayMessage::kOffer).u64(m.nonce).u64(m.expires).raw(m.signature).block(m.record).take();
}
Bytes encode(const Accept& m) {
  return begin(RelayMessage::kAccept).raw(m.peer).u64(m.nonce).u8(m.declined ? 1 : 0).raw(m.signature).take();
}
Bytes encode(const Opened& m) {
  return begin(RelayMessage::kOpened).raw(m.peer).u64(m.nonce).u64(m.token).u64(m.expires).take();
}
Bytes encode(const Close& m) { return begin(RelayMessage::kClose).u64(m.token).take(); }

Result<AnyRelayMessage> decode_relay(BytesView payload) {
  Reader r(payload);
  const std::uint8_t version = r.u8();
  const std::uint8_t type = r.u8();
  if (!r.ok()) return fail(ErrorCode::kInvalid, "a relay message is too short");
  if (version != kRelayVersion)
    return fail(ErrorCode::kUnsupported, "relay message of version " + std::to_string(version));
  AnyRelayMessage out;
  switch (static_cast<RelayMessage>(type)) {
    case RelayMessage::kRegister: {
      Register m;
      m.id = r.u64();
      m.cookie = r.u64();
      m.record = bytes_of(r.block(kMaxRecordBytes));
      out = std::move(m);
      break;
    }
    case RelayMessage::kChallenge: {
      Challenge m;
      m.id = r.u64();
      m.cookie = r.u64();
      out = m;
      break;
    }
    case RelayMessage::kRegistered: {
      Registered m;
      m.id = r.u64();
      m.observed = r.endpoint();
      m.lifetime_s = r.u16();
      out = m;
      break;
    }
    case RelayMessage::kRefused: {
      Refused m;
      m.id = r.u64();
      const std::uint8_t why = r.u8();
      if (why < 1 || why > static_cast<std::uint8_t>(RelayRefusal::kDeclined)) r.refuse();
      m.why = static_cast<RelayRefusal>(why);
      out = m;
      break;
    }
    case RelayMessage::kKeep: {
      Keep m;
      m.id = r.u64();
      if (payload.size() < 30) r.refuse();
      out = m;
      break;
    }
    case RelayMessage::kOpen: {
      Open m;
      m.peer = r.fixed<crypto::X25519Public>();
      m.nonce = r.u64();
      m.expires = r.u64();
      m.signature = r.fixed<Ed25519Signature>();
      out = m;
      break;
    }
    case RelayMessage::kOffer: {
      Offer m;
      m.nonce = r.u64();
      m.expires = r.u64();
      m.signature = r.fixed<Ed25519Signature>();
      m.record = bytes_of(r.block(kMaxRecordBytes));
      out = std::move(m);
      break;
    }
    case RelayMessage::kAccept: {
      Accept m;
      m.peer = r.fixed<crypto::X25519Public>();
      m.nonce = r.u64();
      m.declined = r.u8() != 0;
      m.signature = r.fixed<Ed25519Signature>();
      out = m;
      break;
    }
    case RelayMessage::kOpened: {
      Opened m;
      m.peer = r.fixed<crypto::X25519Public>();
      m.nonce = r.u64();
      m.token = r.u64();
      m.expires = r.u64();
      out = m;
      break;
    }
    case RelayMessage::kClose: {
      Close m;
      m.token = r.u64();
      out = m;
      break;
    }
    default:
      return fail(ErrorCode::kUnsupported, "relay message of unknown type " + std::to_string(type));
  }
  if (!r.ok()) return fail(ErrorCode::kInvalid, "a relay message is malformed");
  return out;
}

}  // namespace bonus::net::nat
