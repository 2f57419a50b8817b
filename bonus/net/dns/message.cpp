// DNS messages through ldns. Everything that ldns allocates lives in a unique_ptr here; nothing of it leaves the file.
#include "bonus/net/dns/message.hpp"

#include <ldns/ldns.h>

#include <cstdlib>
#include <memory>

#include <fmt/format.h>

namespace bonus::net::dns {

namespace {

struct PacketDelete {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
struct RecordDelete {
  void operator()(ldns_rr* record) const { ldns_rr_free(record); }
};
struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Packet = std::unique_ptr<ldns_pkt, PacketDelete>;
using PacketRecord = std::unique_ptr<ldns_rr, RecordDelete>;

void put_u16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put_u32(Bytes& out, std::uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value & 0xffff);
}
std::uint16_t get_u16(BytesView in, std::size_t at) { return static_cast<std::uint16_t>(in[at] << 8 | in[at + 1]); }

Error malformed(ldns_status status) {
  return Error{ErrorCode::kInvalid, fmt::format("not a DNS message: {}", ldns_get_errorstr_by_id(status))};
}

Result<Name> name_of(const ldns_rdf* name) {
  if (name == nullptr) return fail(ErrorCode::kInvalid, "a record has no owner");
  return Name::from_wire({ldns_rdf_data(name), ldns_rdf_size(name)});
}

Result<> take_section(const ldns_rr_list* list, std::vector<Record>& out) {
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    const ldns_rr* rr = ldns_rr_list_rr(list, i);
    Record record;
    record.owner = TRY(name_of(ldns_rr_owner(rr)));
    record.type = static_cast<std::uint16_t>(ldns_rr_get_type(rr));
    record.klass = static_cast<std::uint16_t>(ldns_rr_get_class(rr));
    record.ttl = ldns_rr_ttl(rr);
    if (record.ttl > 0x7fffffff) record.ttl = 0;  // RFC 2181, section 8
    for (std::size_t field = 0; field < ldns_rr_rd_count(rr); ++field) {
      const ldns_rdf* rdf = ldns_rr_rdf(rr, field);
      if (rdf != nullptr) append(record.rdata, {ldns_rdf_data(rdf), ldns_rdf_size(rdf)});
    }
    out.push_back(std::move(record));
  }
  return {};
}

Result<> push(ldns_pkt* packet, ldns_pkt_section section, BytesView wire, ldns_pkt_section form) {
  ldns_rr* raw = nullptr;
  std::size_t at = 0;
  const ldns_status status = ldns_wire2rr(&raw, wire.data(), wire.size(), &at, form);
  if (status != LDNS_STATUS_OK) return fail(malformed(status));
  PacketRecord record(raw);
  if (at != wire.size()) return fail(ErrorCode::kInvalid, "bytes follow a record");
  if (!ldns_pkt_push_rr(packet, section, record.get())) return fail(ErrorCode::kInternal, "ldns refused a record");
  static_cast<void>(record.release());
  return {};
}

Result<> push_section(ldns_pkt* packet, ldns_pkt_section section, const std::vector<Record>& records) {
  for (const Record& record : records) {
    if (record.rdata.size() > 0xffff) return fail(ErrorCode::kInvalid, "a record is too long");
    Bytes wire(record.owner.wire().begin(), record.owner.wire().end());
    put_u16(wire, record.type);
    put_u16(wire, record.klass);
    put_u32(wire, record.ttl);
    put_u16(wire, record.rdata.size());
    append(wire, record.rdata);
    if (auto done = push(packet, section, wire, LDNS_SECTION_ANSWER); !done) return done;
  }
  return {};
}

/// The OPT record is appended by hand: ldns writes no options given as bytes together with flags of its own.
void append_edns(Bytes& out, const Edns& edns, std::uint16_t rcode) {
  out.push_back(0);
  put_u16(out, type::kOpt);
  put_u16(out, edns.udp_size);
  out.push_back(static_cast<std::uint8_t>(rcode >> 4));
  out.push_back(edns.version);
  put_u16(out, edns.dnssec_ok ? 0x8000 : 0);
  put_u16(out, edns.options.size());
  append(out, edns.options);
  const std::size_t count = get_u16(out, 10) + std::size_t{1};
  out[10] = static_cast<std::uint8_t>(count >> 8);
  out[11] = static_cast<std::uint8_t>(count);
}

Result<Bytes> encode_once(const Message& message, bool additional, bool records) {
  Packet packet(ldns_pkt_new());
  if (!packet) return fail(ErrorCode::kExhausted, "no memory for a DNS message");
  const Header& header = message.header;
  ldns_pkt_set_id(packet.get(), header.id);
  ldns_pkt_set_opcode(packet.get(), static_cast<ldns_pkt_opcode>(header.opcode & 15));
  ldns_pkt_set_rcode(packet.get(), static_cast<std::uint8_t>(header.rcode & 15));
  ldns_pkt_set_qr(packet.get(), header.qr);
  ldns_pkt_set_aa(packet.get(), header.aa);
  ldns_pkt_set_tc(packet.get(), header.tc || !records);
  ldns_pkt_set_rd(packet.get(), header.rd);
  ldns_pkt_set_ra(packet.get(), header.ra);
  ldns_pkt_set_ad(packet.get(), header.ad);
  ldns_pkt_set_cd(packet.get(), header.cd);
  for (const Question& question : message.questions) {
    Bytes wire(question.name.wire().begin(), question.name.wire().end());
    put_u16(wire, question.type);
    put_u16(wire, question.klass);
    if (auto done = push(packet.get(), LDNS_SECTION_QUESTION, wire, LDNS_SECTION_QUESTION); !done)
      return fail(done.error());
  }
  if (records) {
    if (auto done = push_section(packet.get(), LDNS_SECTION_ANSWER, message.answers); !done) return fail(done.error());
    if (auto done = push_section(packet.get(), LDNS_SECTION_AUTHORITY, message.authority); !done)
      return fail(done.error());
  }
  if (records && additional) {
    auto done = push_section(packet.get(), LDNS_SECTION_ADDITIONAL, message.additional);
    if (!done) return fail(done.error());
  }
  std::uint8_t* raw = nullptr;
  std::size_t size = 0;
  const ldns_status status = ldns_pkt2wire(&raw, packet.get(), &size);
  if (status != LDNS_STATUS_OK) return fail(malformed(status));
  const std::unique_ptr<std::uint8_t, Free> owner(raw);
  Bytes out(raw, raw + size);
  if (message.edns) append_edns(out, *message.edns, header.rcode);
  return out;
}

/// Past a name, compressed or not.
Result<std::size_t> skip_name(BytesView wire, std::size_t at) {
  while (at < wire.size() && wire[at] != 0) {
    if ((wire[at] & 0xc0) == 0xc0) {
      if (at + 2 > wire.size()) break;
      return at + 2;
    }
    if (wire[at] > kMaxLabelBytes) return fail(ErrorCode::kInvalid, "a label of an unknown kind");
    at += wire[at] + std::size_t{1};
  }
  if (at >= wire.size()) return fail(ErrorCode::kInvalid, "a name that is cut off");
  return at + 1;
}

/// Walks over the records before ldns sees them. It keeps one OPT and one TSIG record and loses (leaks) the memory of
/// others, so there must not be any: TSIG is not offered here, and a second OPT is an error (RFC 6891, section 6.1.1).
Result<> survey(BytesView wire, const Preview& preview) {
  std::size_t at = kHeaderBytes;
  for (int i = 0; i < preview.questions; ++i) {
    at = TRY(skip_name(wire, at)) + 4;
    if (at > wire.size()) return fail(ErrorCode::kInvalid, "a question that is cut off");
  }
  const std::size_t before_additional = std::size_t{preview.answers} + preview.authority;
  bool seen_opt = false;
  for (std::size_t i = 0; i < before_additional + preview.additional; ++i) {
    at = TRY(skip_name(wire, at));
    if (at + 10 > wire.size()) return fail(ErrorCode::kInvalid, "a record that is cut off");
    const std::uint16_t record_type = get_u16(wire, at);
    if (record_type == type::kTsig) return fail(ErrorCode::kInvalid, "a TSIG record");
    if (record_type == type::kOpt && (i < before_additional || std::exchange(seen_opt, true)))
      return fail(ErrorCode::kInvalid, "an OPT record out of place");
    at += 10 + std::size_t{get_u16(wire, at + 8)};
    if (at > wire.size()) return fail(ErrorCode::kInvalid, "a record that is cut off");
  }
  return {};
}

}  // namespace

Result<Preview> preview_message(BytesView wire) {
  if (wire.size() < kHeaderBytes) return fail(ErrorCode::kInvalid, "shorter than a DNS header");
  Preview out;
  out.header.id = get_u16(wire, 0);
  out.header.qr = (wire[2] & 0x80) != 0;
  out.header.opcode = wire[2] >> 3 & 15;
  out.header.aa = (wire[2] & 4) != 0;
  out.header.tc = (wire[2] & 2) != 0;
  out.header.rd = (wire[2] & 1) != 0;
  out.header.ra = (wire[3] & 0x80) != 0;
  out.header.ad = (wire[3] & 0x20) != 0;
  out.header.cd = (wire[3] & 0x10) != 0;
  out.header.rcode = wire[3] & 15;
  out.questions = get_u16(wire, 4);
  out.answers = get_u16(wire, 6);
  out.authority = get_u16(wire, 8);
  out.additional = get_u16(wire, 10);
  return out;
}

Result<Message> parse_message(BytesView wire) {
  TRY_ASSIGN(const Preview preview, preview_message(wire));
  const std::size_t total = std::size_t{preview.questions} + preview.answers + preview.authority + preview.additional;
  if (total > kMaxRecords) return fail(ErrorCode::kInvalid, fmt::format("a DNS message with {} records", total));
  if (auto fits = survey(wire, preview); !fits) return fail(std::move(fits).error());
  ldns_pkt* raw = nullptr;
  const ldns_status status = ldns_wire2pkt(&raw, wire.data(), wire.size());
  const Packet packet(raw);
  if (status != LDNS_STATUS_OK) return fail(malformed(status));

  Message out;
  out.header = preview.header;
  const ldns_rr_list* questions = ldns_pkt_question(packet.get());
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(questions); ++i) {
    const ldns_rr* rr = ldns_rr_list_rr(questions, i);
    out.questions.push_back({TRY(name_of(ldns_rr_owner(rr))), static_cast<std::uint16_t>(ldns_rr_get_type(rr)),
                             static_cast<std::uint16_t>(ldns_rr_get_class(rr))});
  }
  if (auto done = take_section(ldns_pkt_answer(packet.get()), out.answers); !done) return fail(done.error());
  if (auto done = take_section(ldns_pkt_authority(packet.get()), out.authority); !done) return fail(done.error());
  if (auto done = take_section(ldns_pkt_additional(packet.get()), out.additional); !done) return fail(done.error());
  if (ldns_pkt_edns(packet.get())) {
    out.edns = Edns{.udp_size = ldns_pkt_edns_udp_size(packet.get()),
                    .version = ldns_pkt_edns_version(packet.get()),
                    .dnssec_ok = ldns_pkt_edns_do(packet.get()),
                    .options = {}};
    out.header.rcode = static_cast<std::uint16_t>(out.header.rcode | ldns_pkt_edns_extended_rcode(packet.get()) << 4);
  }
  return out;
}

Result<Bytes> encode_message(const Message& message, std::size_t limit) {
  for (int step = 0; step < 3; ++step) {
    TRY_ASSIGN(Bytes wire, encode_once(message, step < 1, step < 2));
    if (wire.size() <= std::min(limit, kMaxMessageBytes)) return wire;
  }
  return fail(ErrorCode::kExhausted, fmt::format("the question alone has more than {} bytes", limit));
}

Bytes text_rdata(std::string_view text) {
  Bytes out;
  do {
    const std::string_view part = text.substr(0, 255);
    out.push_back(static_cast<std::uint8_t>(part.size()));
    append(out, as_bytes(part));
    text.remove_prefix(part.size());
  } while (!text.empty());
  return out;
}

Bytes soa_rdata(const Name& server, const Name& mailbox, std::uint32_t serial, std::uint32_t refresh,
                std::uint32_t retry, std::uint32_t expire, std::uint32_t minimum) {
  Bytes out(server.wire().begin(), server.wire().end());
  append(out, mailbox.wire());
  for (const std::uint32_t value : {serial, refresh, retry, expire, minimum}) put_u32(out, value);
  return out;
}

Bytes srv_rdata(std::uint16_t priority, std::uint16_t weight, std::uint16_t port, const Name& target) {
  Bytes out;
  put_u16(out, priority);
  put_u16(out, weight);
  put_u16(out, port);
  append(out, target.wire());
  return out;
}

std::optional<std::uint32_t> soa_minimum(BytesView rdata) {
  if (rdata.size() < 22) return std::nullopt;
  const BytesView last = rdata.last(4);
  return static_cast<std::uint32_t>(get_u16(last, 0)) << 16 | get_u16(last, 2);
}

}  // namespace bonus::net::dns
