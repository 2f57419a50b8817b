// DNS messages as values; packed and unpacked through ldns (RFC 1035 section 4, RFC 6891, RFC 3597).
#pragma once

#include <optional>
#include <vector>

#include "bonus/net/dns/name.hpp"

namespace bonus::net::dns {

namespace type {  // IANA "Resource Record (RR) TYPEs"
inline constexpr std::uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kHinfo = 13, kTxt = 16, kAaaa = 28,
                               kSrv = 33, kDname = 39, kOpt = 41, kRrsig = 46, kSvcb = 64, kHttps = 65, kTkey = 249,
                               kTsig = 250, kIxfr = 251, kAxfr = 252, kMailb = 253, kMaila = 254, kAny = 255;
}  // namespace type
inline constexpr std::uint16_t kClassIn = 1;

namespace rcode {  // RFC 1035, 2136, 6891
inline constexpr std::uint16_t kNoError = 0, kFormErr = 1, kServFail = 2, kNxDomain = 3, kNotImp = 4, kRefused = 5,
                               kBadVers = 16;
}  // namespace rcode

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kMaxMessageBytes = 65535;
/// Of all sections together. A message of 64 KiB could hold 5000, each made of a chain of compression pointers.
inline constexpr std::size_t kMaxRecords = 512;

struct Question {
  Name name;
  std::uint16_t type = 0;
  std::uint16_t klass = kClassIn;
};

struct Record {
  Name owner;
  std::uint16_t type = 0;
  std::uint16_t klass = kClassIn;
  std::uint32_t ttl = 0;
  Bytes rdata;  ///< Names in it are uncompressed.
};

struct Edns {
  std::uint16_t udp_size = 0;
  std::uint8_t version = 0;
  bool dnssec_ok = false;
  Bytes options;  ///< Only written; what came in is not kept.
};

struct Header {
  std::uint16_t id = 0;
  std::uint8_t opcode = 0;
  bool qr = false, aa = false, tc = false, rd = false, ra = false, ad = false, cd = false;
  std::uint16_t rcode = 0;  ///< With the upper eight bits of EDNS.
};

struct Message {
  Header header;
  std::vector<Question> questions;
  std::vector<Record> answers, authority, additional;  ///< Without OPT.
  std::optional<Edns> edns;
};

/// The header alone and the counts of the four sections.
struct Preview {
  Header header;
  std::uint16_t questions = 0, answers = 0, authority = 0, additional = 0;
};
[[nodiscard]] Result<Preview> preview_message(BytesView wire);

/// kInvalid: not a message, more than kMaxRecords, two OPT records, a TSIG record (signatures are not offered).
[[nodiscard]] Result<Message> parse_message(BytesView wire);
/// At most `limit` bytes: the additional section is left out if need be, then all records with TC set (RFC 2181,
/// section 9). kInvalid for rdata that does not fit its type, kExhausted when not even the question fits.
[[nodiscard]] Result<Bytes> encode_message(const Message& message, std::size_t limit = kMaxMessageBytes);

// Rdata of the types that the server makes itself.
[[nodiscard]] Bytes text_rdata(std::string_view text);
[[nodiscard]] Bytes soa_rdata(const Name& server, const Name& mailbox, std::uint32_t serial, std::uint32_t refresh,
                              std::uint32_t retry, std::uint32_t expire, std::uint32_t minimum);
[[nodiscard]] Bytes srv_rdata(std::uint16_t priority, std::uint16_t weight, std::uint16_t port, const Name& target);
/// Last field of an SOA; nothing when it is too short.
[[nodiscard]] std::optional<std::uint32_t> soa_minimum(BytesView rdata);

}  // namespace bonus::net::dns
