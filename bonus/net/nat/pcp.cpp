// RFC 6887: figures 2 and 3 (common headers), 9 and 10 (MAP).
#include "bonus/net/nat/pcp.hpp"

#include "bonus/net/nat/wire.hpp"

namespace bonus::net::nat {
namespace {
constexpr std::uint8_t kVersion = 2, kMap = 1, kResponse = 0x80, kUdp = 17;
}

Bytes encode_pcp_request(const PcpMap& m) {
  Writer w;
  w.u8(kVersion).u8(kMap).u16(0).u32(m.lifetime_s).raw(m.client);
  w.raw(m.nonce).u8(kUdp).number(0, 3).u16(m.internal_port).u16(m.external.port);
  // Section 11.1: no preference is the all-zeros address of the family.
  Ipv6 external = m.external.address;
  if (external.is_zero() && is_ipv4(m.client)) external.bytes[10] = external.bytes[11] = 0xff;
  return w.raw(external).take();
}

Result<PcpAnswer> decode_pcp_answer(BytesView in) {
  if (in.size() < 24 || in.size() > kPcpMaxSize || in.size() % 4 != 0)
    return fail(ErrorCode::kInvalid, "a PCP answer of " + std::to_string(in.size()) + " bytes");
  Reader r(in);
  if (r.u8() != kVersion) return fail(ErrorCode::kInvalid, "a PCP answer of another version");
  if (r.u8() != (kResponse | kMap)) return fail(ErrorCode::kInvalid, "not an answer to a PCP MAP request");
  PcpAnswer out;
  (void)r.u8();
  out.result = r.u8();
  out.map.lifetime_s = r.u32();
  out.epoch_s = r.u32();
  (void)r.take(12);
  if (in.size() < kPcpMapSize) {
    if (out.result != 0) return out;
    return fail(ErrorCode::kInvalid, "a PCP answer without its mapping");
  }
  std::ranges::copy(r.take(12), out.map.nonce.begin());
  const std::uint8_t protocol = r.u8();
  (void)r.take(3);
  out.map.internal_port = r.u16();
  out.map.external.port = r.u16();
  out.map.external.address = r.fixed<Ipv6>();
  if (!r.ok() || protocol != kUdp) return fail(ErrorCode::kInvalid, "a PCP answer for another protocol");
  if (out.result == 0 && out.map.lifetime_s != 0 && !out.map.external.valid())
    return fail(ErrorCode::kInvalid, "a PCP answer without an external endpoint");
  return out;
}

std::string pcp_result(std::uint8_t code) {
  constexpr std::array<std::string_view, 14> names = {"success",
                                                      "unsupported version",
                                                      "not authorized",
                                                      "malformed request",
                                                      "unsupported opcode",
                                                      "unsupported option",
                                                      "malformed option",
                                                      "network failure",
                                                      "no resources",
                                                      "unsupported protocol",
                                                      "user exceeded quota",
                                                      "cannot provide the external endpoint",
                                                      "address mismatch",
                                                      "excessive remote peers"};
  return code < names.size() ? std::string(names[code]) : "result " + std::to_string(code);
}

}  // namespace bonus::net::nat
