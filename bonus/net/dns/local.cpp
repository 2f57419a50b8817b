// Answers that the node gives itself (docs/formats/net_names.md).
#include "bonus/net/dns/local.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/names.hpp"
#include "bonus/net/dns/labels.hpp"

namespace bonus::net::dns {

namespace {

const Name& bonus_zone() {
  static const Name name = *Name::parse("bonus");
  return name;
}
const Name& reverse_zone() {
  static const Name name = *Name::parse("d.f.ip6.arpa");
  return name;
}
const Name& server_name() {
  static const Name name = *Name::parse("ns.bonus");
  return name;
}
const std::vector<Name>& special_zones() {
  static const std::vector<Name> names{*Name::parse("localhost"), *Name::parse("invalid"), *Name::parse("local"),
                                       *Name::parse("onion")};
  return names;
}
const Ipv6 kLoopback6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

bool is_loopback_reverse(const Name& name) {
  static const Name v4 = *Name::parse("1.0.0.127.in-addr.arpa");
  static const Name v6 = *Name::parse(reverse_name(kLoopback6));
  return name.equals(v4) || name.equals(v6);
}

Bytes bytes_of(BytesView in) { return {in.begin(), in.end()}; }

Record soa(const Name& zone) {
  const Name mailbox = *Name::parse("hostmaster.bonus");
  // The serial stays: there are no secondary servers that could ask for it.
  return {zone, type::kSoa, kClassIn, kNegativeTtlS,
          soa_rdata(server_name(), mailbox, 1, 3600, 600, 86400, kNegativeTtlS)};
}

/// The owner names that exist in a zone are those with an entry and all above them (RFC 8020).
bool exists(const NameZone& zone, const std::string& sub) {
  if (sub.empty()) return true;
  for (const NameEntry& entry : zone.entries)
    if (entry.sub == sub || entry.sub.ends_with("." + sub)) return true;
  return false;
}

const NameEntry* find_entry(const NameZone& zone, const std::string& sub) {
  for (const NameEntry& entry : zone.entries)
    if (entry.sub == sub) return &entry;
  return nullptr;
}

/// The entry "*" below the closest name that exists (RFC 4592, section 3.3.1).
const NameEntry* find_wildcard(const NameZone& zone, std::string sub) {
  while (!sub.empty()) {
    const std::size_t dot = sub.find('.');
    sub = dot == std::string::npos ? std::string() : sub.substr(dot + 1);
    if (exists(zone, sub)) return find_entry(zone, sub.empty() ? "*" : "*." + sub);
  }
  return nullptr;
}

/// Words of the contract's list that stand for nothing here.
bool is_kept(std::string_view label) { return label == "bonus" || label == "invalid" || label == "localhost"; }
bool is_self(std::string_view label) { return label == "ns" || label == "node" || label == "gateway"; }

/// The overlay and the Internet, as the Names contract has it; nothing of a home network.
bool is_servable(const Ipv6& address) { return is_overlay(address) || (address.bytes[0] & 0xe0) == 0x20; }

bool valid_alias(const Name& target) { return target.ends_with(bonus_zone()) && !target.equals(bonus_zone()); }

std::string join(const std::vector<std::string>& labels, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back('.');
    out += labels[i];
  }
  return out;
}

/// One evaluation. Methods return false when a fact is missing (answer.needs says which).
class Evaluation {
 public:
  Evaluation(const Ipv6& own_address, const FactFinder& facts) : own_address_(own_address), facts_(facts) {}

  LocalAnswer answer(const Question& question) {
    question_ = question;
    if (question.name.ends_with(bonus_zone())) {
      static_cast<void>(forward_name());
    } else if (question.name.ends_with(reverse_zone())) {
      reverse();
    } else {
      special();
    }
    if (out_.needs) out_.answers.clear();
    return std::move(out_);
  }

 private:
  struct Found {
    const Fact* fact = nullptr;
    std::uint32_t ttl = 0;
  };

  /// Null fact: it is missing, and noted.
  Found need(FactKey key) {
    const FactView view = facts_(key);
    if (view.fact == nullptr) {
      out_.needs = std::move(key);
      return {};
    }
    const std::uint32_t ttl = view.fact->zone.ttl_s;
    return {view.fact, ttl > view.age_s ? ttl - view.age_s : 1};
  }

  void add(const Name& name, std::uint16_t record_type, std::uint32_t ttl, Bytes rdata) {
    const Name& owner = flatten_ ? *flatten_ : name;
    if (flatten_) ttl = std::min(ttl, shortest_);
    out_.answers.push_back({owner, record_type, kClassIn, ttl, std::move(rdata)});
  }
  bool wants(std::uint16_t record_type) const { return question_.type == record_type; }

  bool nothing(const Name& zone, std::uint16_t code = rcode::kNoError) {
    out_.rcode = code;
    out_.authority.push_back(soa(zone));
    return true;
  }
  bool broken() {
    out_.rcode = rcode::kServFail;
    return true;
  }
  /// Ends a name that exists: NODATA when no record of the type was added.
  bool finish(const Name& owner, const Name& zone, std::size_t before) {
    if (wants(type::kAny)) {  // RFC 8482, section 4.2
      Bytes rdata = text_rdata("RFC8482");
      append(rdata, text_rdata(""));
      add(owner, type::kHinfo, 3600, std::move(rdata));
    }
    if (out_.answers.size() == before) return nothing(zone);
    return true;
  }

  bool apex(const Name& owner, const Name& zone) {
    const std::size_t before = out_.answers.size();
    if (wants(type::kSoa)) out_.answers.push_back(soa(zone));
    if (wants(type::kNs)) {
      add(zone, type::kNs, 3600, bytes_of(server_name().wire()));
      out_.additional.push_back({server_name(), type::kAaaa, kClassIn, 3600, bytes_of(own_address_)});
    }
    return finish(owner, zone, before);
  }

  bool single_address(const Name& owner, const std::string& sub, const Ipv6& address, std::uint32_t ttl) {
    if (!sub.empty()) return nothing(bonus_zone(), rcode::kNxDomain);
    const std::size_t before = out_.answers.size();
    if (wants(type::kAaaa)) add(owner, type::kAaaa, ttl, bytes_of(address));
    return finish(owner, bonus_zone(), before);
  }

  /// Zone of one label below .bonus. Null with out_.needs, or after an answer was written (`done`).
  Found zone_of(const std::string& label, bool& done) {
    FactKey key;
    if (const auto lease = parse_lease_label(label)) {
      key.kind = Lookup::Kind::kLeaseById;
      key.lease = *lease;
    } else if (is_host_label(label) && !is_kept(label)) {
      key.kind = chain::names::check_name(label) ? Lookup::Kind::kRegistered : Lookup::Kind::kLeaseByName;
      key.label = label;
    } else {
      done = nothing(bonus_zone(), rcode::kNxDomain);
      return {};
    }
    Found found = need(key);
    // A lease's own name comes second: who registered a name on chain keeps it.
    if (found.fact != nullptr && key.kind == Lookup::Kind::kRegistered && found.fact->error &&
        found.fact->error->code == ErrorCode::kNotFound) {
      key.kind = Lookup::Kind::kLeaseByName;
      found = need(std::move(key));
    }
    if (found.fact == nullptr) return {};
    if (found.fact->error) {
      done = found.fact->error->code == ErrorCode::kNotFound ? nothing(bonus_zone(), rcode::kNxDomain) : broken();
      return {};
    }
    return found;
  }

  /// Follows aliases inside .bonus (RFC 1034, section 4.3.2, step 3a).
  bool forward_name() {
    Name owner = question_.name;
    for (int hop = 0; hop <= kMaxAliasHops; ++hop) {
      const std::vector<std::string> labels = owner.lower().labels();
      if (labels.size() == 1) return apex(owner, bonus_zone());
      // A dot inside a label would read like two labels in `sub`.
      if (std::ranges::any_of(labels, [](const std::string& text) { return text.find('.') != std::string::npos; }))
        return nothing(bonus_zone(), rcode::kNxDomain);
      const std::string& label = labels[labels.size() - 2];
      const std::string sub = join(labels, labels.size() - 2);
      if (is_self(label)) return single_address(owner, sub, own_address_, 3600);
      if (const auto node = parse_node_label(label))
        return single_address(owner, sub, overlay_address(*node), kNodeTtlS);
      bool done = false;
      const Found found = zone_of(label, done);
      if (found.fact == nullptr) return done;
      const NameEntry* entry = find_entry(found.fact->zone, sub);
      if (entry == nullptr) {
        if (exists(found.fact->zone, sub)) return finish(owner, bonus_zone(), out_.answers.size());
        entry = find_wildcard(found.fact->zone, sub);
        if (entry == nullptr) return nothing(bonus_zone(), rcode::kNxDomain);
      }
      const std::uint32_t entry_ttl = entry->ttl_s != 0 ? std::min(found.ttl, entry->ttl_s) : found.ttl;
      if (entry->alias.empty()) return entry_records(owner, *entry, entry_ttl);
      if (!entry->texts.empty() || !entry->services.empty()) {
        if (!wants(type::kAaaa)) return entry_records(owner, *entry, entry_ttl);
        // The addresses under this very name: a CNAME must not stand beside other records.
        if (!flatten_) flatten_ = owner;
      }
      const auto target = Name::parse(entry->alias);
      if (!target || !valid_alias(*target)) return broken();
      if (wants(type::kAny)) return finish(owner, bonus_zone(), out_.answers.size());
      if (!flatten_) add(owner, type::kCname, entry_ttl, bytes_of(target->wire()));
      shortest_ = std::min(shortest_, entry_ttl);
      if (wants(type::kCname)) return true;
      owner = *target;
    }
    out_.answers.clear();
    return broken();
  }

  bool entry_records(const Name& owner, const NameEntry& entry, std::uint32_t ttl) {
    const std::size_t before = out_.answers.size();
    if (wants(type::kAaaa)) {
      for (const Ipv6& address : entry.addresses)
        if (is_servable(address)) add(owner, type::kAaaa, ttl, bytes_of(address));
    } else if (wants(type::kTxt)) {
      for (const std::string& text : entry.texts) add(owner, type::kTxt, ttl, text_rdata(text));
    } else if (wants(type::kSrv)) {
      for (const ServiceRecord& service : entry.services) {
        const auto target = Name::parse(service.target);
        if (!target || !valid_alias(*target)) continue;
        add(owner, type::kSrv, ttl, srv_rdata(service.priority, service.weight, service.port, *target));
        glue(*target);
      }
    }
    return finish(owner, bonus_zone(), before);
  }

  /// Addresses of a service's target, when they are known without asking (RFC 2782, "should").
  void glue(const Name& target) {
    if (out_.additional.size() >= kMaxEntryValues) return;
    Evaluation other(own_address_, facts_);
    const LocalAnswer found = other.answer_shallow({target, type::kAaaa, kClassIn});
    if (found.needs || found.rcode != rcode::kNoError) return;
    for (const Record& record : found.answers)
      if (out_.additional.size() < kMaxEntryValues) out_.additional.push_back(record);
  }
  LocalAnswer answer_shallow(const Question& question) {
    question_ = question;
    static_cast<void>(forward_name());
    return std::move(out_);
  }

  void reverse() {
    const std::string text = question_.name.lower().to_string();
    const auto address = parse_reverse_name(text);
    if (!address) return partial_reverse(text);
    FactKey key;
    key.kind = Lookup::Kind::kReverse;
    key.address = *address;
    const Found found = need(std::move(key));
    if (found.fact == nullptr) return;
    if (found.fact->error && found.fact->error->code != ErrorCode::kNotFound) {
      static_cast<void>(broken());
      return;
    }
    bool unsure = false;
    for (const std::string& candidate : found.fact->names) {
      const auto name = Name::parse(candidate);
      if (!name || !name->ends_with(bonus_zone())) continue;
      // A name in the reverse tree counts only when its owner says so too.
      Evaluation other(own_address_, facts_);
      LocalAnswer forward = other.answer_shallow({*name, type::kAaaa, kClassIn});
      if (forward.needs) {
        out_.needs = std::move(forward.needs);
        return;
      }
      unsure = unsure || forward.rcode == rcode::kServFail;
      for (const Record& record : forward.answers) {
        if (record.type != type::kAaaa || !std::ranges::equal(record.rdata, address->bytes)) continue;
        if (wants(type::kPtr)) add(question_.name, type::kPtr, std::min(found.ttl, record.ttl), bytes_of(name->wire()));
        static_cast<void>(finish(question_.name, reverse_zone(), 0));
        return;
      }
    }
    if (unsure) {
      static_cast<void>(broken());
    } else {
      static_cast<void>(nothing(reverse_zone(), rcode::kNxDomain));
    }
  }

  /// Between the apex and full addresses every name of nibbles exists and is empty (RFC 8020).
  void partial_reverse(const std::string& text) {
    if (question_.name.equals(reverse_zone())) {
      static_cast<void>(apex(question_.name, reverse_zone()));
      return;
    }
    const std::vector<std::string> labels = question_.name.lower().labels();
    const bool nibbles = std::all_of(labels.begin(), labels.end() - 2, [](const std::string& label) {
      return label.size() == 1 && std::string_view("0123456789abcdef").find(label[0]) != std::string_view::npos;
    });
    const bool shorter = text.size() < 63 + std::string_view(".ip6.arpa").size();
    if (nibbles && shorter) {
      static_cast<void>(finish(question_.name, reverse_zone(), 0));
    } else {
      static_cast<void>(nothing(reverse_zone(), rcode::kNxDomain));
    }
  }

  void special() {
    const Name& localhost = special_zones()[0];
    if (question_.name.ends_with(localhost)) {  // RFC 6761, section 6.3
      if (wants(type::kAaaa)) add(question_.name, type::kAaaa, kNodeTtlS, bytes_of(kLoopback6));
      if (wants(type::kA)) add(question_.name, type::kA, kNodeTtlS, {127, 0, 0, 1});
      if (out_.answers.empty()) static_cast<void>(nothing(localhost));
      return;
    }
    if (is_loopback_reverse(question_.name)) {
      if (wants(type::kPtr)) add(question_.name, type::kPtr, kNodeTtlS, bytes_of(localhost.wire()));
      return;
    }
    for (const Name& zone : special_zones()) {
      if (!question_.name.ends_with(zone)) continue;
      static_cast<void>(nothing(zone, rcode::kNxDomain));
      return;
    }
  }

  const Ipv6& own_address_;
  const FactFinder& facts_;
  Question question_;
  std::optional<Name> flatten_;  ///< The addresses found are to stand under this name.
  std::uint32_t shortest_ = UINT32_MAX;
  LocalAnswer out_;
};

}  // namespace

std::string FactKey::text() const {
  switch (kind) {
    case Lookup::Kind::kRegistered:
      return "n:" + label;
    case Lookup::Kind::kLeaseByName:
      return "l:" + label;
    case Lookup::Kind::kLeaseById:
      return fmt::format("i:{}", lease);
    case Lookup::Kind::kReverse:
      return "r:" + to_hex(address);
  }
  return {};
}

Fact make_fact(Result<NameZone> zone) {
  Fact out;
  if (!zone) {
    out.error = std::move(zone).error();
    return out;
  }
  out.zone = *std::move(zone);
  if (out.zone.entries.size() > kMaxZoneEntries) out.zone.entries.resize(kMaxZoneEntries);
  out.zone.ttl_s = std::clamp<std::uint32_t>(out.zone.ttl_s, 1, 3600);
  for (NameEntry& entry : out.zone.entries) {
    if (entry.addresses.size() > kMaxEntryValues) entry.addresses.resize(kMaxEntryValues);
    if (entry.texts.size() > kMaxEntryValues) entry.texts.resize(kMaxEntryValues);
    if (entry.services.size() > kMaxEntryValues) entry.services.resize(kMaxEntryValues);
    std::erase_if(entry.texts, [](const std::string& text) { return text.size() > kMaxTextBytes; });
  }
  std::erase_if(out.zone.entries, [](const NameEntry& entry) {
    return entry.sub.size() > kMaxNameBytes || entry.alias.size() > 4 * kMaxNameBytes;
  });
  while (fact_bytes(out) > kMaxZoneBytes) out.zone.entries.pop_back();
  return out;
}

Fact make_fact(Result<std::vector<std::string>> names) {
  Fact out;
  if (!names) {
    out.error = std::move(names).error();
    return out;
  }
  out.names = *std::move(names);
  if (out.names.size() > kMaxReverseCandidates) out.names.resize(kMaxReverseCandidates);
  std::erase_if(out.names, [](const std::string& name) { return name.size() > 4 * kMaxNameBytes; });
  return out;
}

std::size_t fact_bytes(const Fact& fact) {
  std::size_t out = sizeof(Fact) + (fact.error ? fact.error->message.size() : 0);
  for (const NameEntry& entry : fact.zone.entries) {
    out += sizeof(NameEntry) + entry.sub.size() + entry.alias.size() + entry.addresses.size() * sizeof(Ipv6);
    for (const std::string& text : entry.texts) out += sizeof(std::string) + text.size();
    for (const ServiceRecord& service : entry.services) out += sizeof(ServiceRecord) + service.target.size();
  }
  for (const std::string& name : fact.names) out += sizeof(std::string) + name.size();
  return out;
}

bool is_local(const Name& name) {
  if (name.ends_with(bonus_zone()) || name.ends_with(reverse_zone()) || is_loopback_reverse(name)) return true;
  return std::ranges::any_of(special_zones(), [&](const Name& zone) { return name.ends_with(zone); });
}

LocalAnswer answer_local(const Question& question, const Ipv6& own_address, const FactFinder& facts) {
  return Evaluation(own_address, facts).answer(question);
}

}  // namespace bonus::net::dns
