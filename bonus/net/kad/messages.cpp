// Encoding and decoding of every message; bounds are checked before anything is kept.
#include "bonus/net/kad/messages.hpp"

#include "bonus/net/kad/bytes_io.hpp"

namespace bonus::net::kad {

namespace {

enum Flag : std::uint8_t { kServes = 1, kWantsProof = 2, kHasProof = 4, kHasObserved = 8 };
constexpr std::size_t kHeader = 19, kToken = 8, kProofSize = 32 + 8 + 8 + 64 + 8 + 8;
constexpr std::size_t kMaxContacts = 2 * kBucketSize;

std::size_t endpoint_size(const UdpEndpoint& endpoint) { return is_ipv4(endpoint.address) ? 7 : 19; }

void put(Writer& out, const UdpEndpoint& endpoint) {
  const bool v4 = is_ipv4(endpoint.address);
  out.u8(v4 ? 4 : 6);
  out.bytes(v4 ? BytesView(endpoint.address.bytes).subspan(12) : BytesView(endpoint.address.bytes));
  out.u16(endpoint.port);
}

bool get(Reader& in, UdpEndpoint& endpoint) {
  const auto family = in.u8();
  if (family == 4) {
    endpoint.address = {};
    endpoint.address.bytes[10] = endpoint.address.bytes[11] = 0xff;
    const auto v4 = in.bytes(4);
    std::ranges::copy(v4, endpoint.address.bytes.begin() + 12);
  } else if (family == 6) {
    in.fixed(endpoint.address);
    if (is_ipv4(endpoint.address)) return false;  // one way to write each address
  } else {
    return false;
  }
  endpoint.port = in.u16();
  return in.good();
}

void put(Writer& out, const PackedCoordinate& c, bool error) {
  out.u16(static_cast<std::uint16_t>(c.x));
  out.u16(static_cast<std::uint16_t>(c.y));
  out.u16(c.height);
  if (error) out.u16(c.error);
}

PackedCoordinate get_coordinate(Reader& in, bool error) {
  PackedCoordinate out;
  out.x = static_cast<std::int16_t>(in.u16());
  out.y = static_cast<std::int16_t>(in.u16());
  out.height = in.u16();
  if (error) out.error = in.u16();
  return out;
}

void put(Writer& out, const Scope& scope) {
  out.u8(static_cast<std::uint8_t>(scope.ring));
  out.u64(scope.ring_id);
  out.u32(scope.epoch);
}

bool get(Reader& in, Scope& scope) {
  const auto ring = in.u8();
  scope.ring = static_cast<Ring>(ring);
  scope.ring_id = in.u64();
  scope.epoch = in.u32();
  return ring < kRings && (ring != 0 || scope.ring_id == 0);
}

void put(Writer& out, const Proof& proof) {
  out.bytes(proof.root);
  out.u64(proof.not_before);
  out.u64(proof.expires);
  out.bytes(proof.signature);
  out.u64(proof.country);
  out.u64(proof.metro);
}

Proof get_proof(Reader& in) {
  Proof out;
  in.fixed(out.root);
  out.not_before = in.u64();
  out.expires = in.u64();
  in.fixed(out.signature);
  out.country = in.u64();
  out.metro = in.u64();
  return out;
}

bool is_request(Type type) {
  return type == Type::kPing || type == Type::kFind || type == Type::kStore || type == Type::kReach;
}
bool has_extras(Type type) { return type == Type::kPong || type == Type::kNodes; }

void put_body(Writer& out, const Message& m, std::size_t budget) {
  switch (m.type) {
    case Type::kPing:
    case Type::kPong:
      break;
    case Type::kFind:
      out.u8(static_cast<std::uint8_t>(m.find));
      put(out, m.scope);
      out.bytes(m.target);
      out.u8(m.bits);
      out.u64(m.position);
      break;
    case Type::kNodes: {
      const std::size_t at = out.out.size();
      std::uint8_t count = 0;
      out.u8(0);
      for (const auto& contact : m.contacts) {
        if (count == kMaxContacts || out.out.size() + told_size(contact.endpoint) > budget) break;
        out.bytes(contact.key);
        put(out, contact.endpoint);
        out.u64(contact.position);
        put(out, contact.coordinate, false);
        ++count;
      }
      out.out[at] = count;
      break;
    }
    case Type::kStore:
      put(out, m.scope);
      if (m.kind == DataKind::kRecord) {
        out.u8(static_cast<std::uint8_t>(m.kind));
        out.bytes(m.target);
      } else {
        out.u8(static_cast<std::uint8_t>(m.kind));
      }
      out.u16(static_cast<std::uint16_t>(m.data.size()));
      out.bytes(m.data);
      break;
    case Type::kValue:
      out.u8(static_cast<std::uint8_t>(m.kind));
      out.u16(static_cast<std::uint16_t>(m.data.size()));
      out.bytes(m.data);
      break;
    case Type::kStored:
      out.u8(m.accepted ? 1 : 0);
      break;
    case Type::kReach:
    case Type::kReached:
      out.u64(m.nonce);
      break;
    case Type::kProbe:
      out.u64(m.nonce);
      out.bytes(m.peer);
      put(out, m.endpoint);
      break;
  }
}

std::size_t max_size(DataKind kind) {
  switch (kind) {
    case DataKind::kRecord:
      return kMaxRecordBytes;
    case DataKind::kValue:
      return kMaxEncodedValue;
    case DataKind::kPointer:
      return kMaxPointerBytes;
  }
  return 0;
}

bool get_data(Reader& in, Message& m) {
  const auto kind = in.u8();
  m.kind = static_cast<DataKind>(kind);
  if (kind < 1 || kind > 3) return false;
  if (m.type == Type::kStore && m.kind == DataKind::kRecord) in.fixed(m.target);
  const auto size = in.u16();
  if (size == 0 || size > max_size(m.kind)) return false;
  m.data = in.bytes(size);
  return in.good();
}

bool get_contacts(Reader& in, Message& m) {
  const auto count = in.u8();
  if (count > kMaxContacts) return false;
  for (unsigned i = 0; i < count; ++i) {
    Told one;
    in.fixed(one.key);
    if (!get(in, one.endpoint)) return false;
    one.position = in.u64();
    one.coordinate = get_coordinate(in, false);
    m.contacts.push_back(one);
  }
  return in.good();
}

bool get_body(Reader& in, Message& m) {
  switch (m.type) {
    case Type::kPing:
    case Type::kPong:
      return true;
    case Type::kFind: {
      const auto find = in.u8();
      m.find = static_cast<Find>(find);
      const bool scope = get(in, m.scope);
      in.fixed(m.target);
      m.bits = in.u8();
      m.position = in.u64();
      return scope && find <= 2 && m.bits <= 64;
    }
    case Type::kNodes:
      return get_contacts(in, m);
    case Type::kStore:
      return get(in, m.scope) && get_data(in, m);
    case Type::kValue:
      return get_data(in, m);
    case Type::kStored: {
      const auto accepted = in.u8();
      m.accepted = accepted == 1;
      return accepted <= 1;
    }
    case Type::kReach:
    case Type::kReached:
      m.nonce = in.u64();
      return true;
    case Type::kProbe:
      m.nonce = in.u64();
      in.fixed(m.peer);
      return get(in, m.endpoint);
  }
  return false;
}

}  // namespace

std::size_t told_size(const UdpEndpoint& endpoint) { return 32 + endpoint_size(endpoint) + 8 + 6; }

Bytes encode(const Message& m, std::size_t budget, std::size_t pad_to) {
  std::size_t room = budget - std::min(budget, kHeader + kToken + 1);
  const bool proof = m.proof && has_extras(m.type) && room >= kProofSize;
  if (proof) room -= kProofSize;
  const bool observed = m.observed && has_extras(m.type) && room >= endpoint_size(*m.observed);
  Writer out;
  out.out.reserve(std::min(std::max(pad_to, std::size_t{256}), kMaxPayload));
  out.u8(kVersion);
  out.u8(static_cast<std::uint8_t>(m.type));
  out.u8(static_cast<std::uint8_t>((m.serves ? kServes : 0) | (m.wants_proof ? kWantsProof : 0) |
                                   (proof ? kHasProof : 0) | (observed ? kHasObserved : 0)));
  out.u64(m.transaction);
  put(out, m.coordinate, true);
  if (m.type != Type::kStored && m.type != Type::kProbe && m.type != Type::kReached) out.u64(m.token);
  if (observed) put(out, *m.observed);
  if (proof) put(out, *m.proof);
  put_body(out, m, budget);
  if (out.out.size() < pad_to) out.out.resize(std::min(pad_to, kMaxPayload));
  return std::move(out.out);
}

Result<Message> decode(BytesView payload) {
  const auto bad = [](const char* what) { return fail(ErrorCode::kInvalid, std::string("DHT message: ") + what); };
  if (payload.size() > kMaxPayload) return bad("longer than a datagram");
  Reader in(payload);
  if (in.u8() != kVersion) return bad("unknown version");
  const auto type = in.u8();
  if (type < 1 || type > 10) return bad("unknown type");
  Message m;
  m.type = static_cast<Type>(type);
  const auto flags = in.u8();
  if ((flags & ~0x0fu) != 0 || ((flags & (kHasProof | kHasObserved)) != 0 && !has_extras(m.type)))
    return bad("unknown flags");
  m.serves = (flags & kServes) != 0;
  m.wants_proof = (flags & kWantsProof) != 0;
  m.transaction = in.u64();
  m.coordinate = get_coordinate(in, true);
  if (m.type != Type::kStored && m.type != Type::kProbe && m.type != Type::kReached) m.token = in.u64();
  if ((flags & kHasObserved) != 0) {
    UdpEndpoint observed;
    if (!get(in, observed)) return bad("malformed address");
    m.observed = observed;
  }
  if ((flags & kHasProof) != 0) m.proof = get_proof(in);
  if (!in.good() || !get_body(in, m) || !in.good()) return bad("cut off or out of bounds");
  if (is_request(m.type)) {
    if (payload.size() < kMinRequest) return bad("a request smaller than its answer");
    if (!std::ranges::all_of(in.rest(), [](std::uint8_t b) { return b == 0; })) return bad("padding is not zero");
  } else if (!in.done()) {
    return bad("bytes after the end");
  }
  return m;
}

}  // namespace bonus::net::kad
