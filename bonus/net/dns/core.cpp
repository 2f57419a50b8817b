// The DNS server without sockets (docs/formats/net_names.md).
#include "bonus/net/dns/core.hpp"

#include <map>
#include <set>
#include <unordered_map>

#include "bonus/net/dns/cache.hpp"
#include "bonus/net/dns/forwarder.hpp"
#include "bonus/net/dns/local.hpp"
#include "bonus/net/dns/message.hpp"
#include "bonus/net/dns/rebinding.hpp"

namespace bonus::net::dns {

namespace {

constexpr std::size_t kMaxQueryBytes = 4096;  ///< A question with options is far smaller.
constexpr std::size_t kMaxWaiters = 64;       ///< Of one question.
constexpr std::size_t kMaxLookups = 32;       ///< Of one question: aliases and candidates of a reverse name.
constexpr std::uint32_t kMaxTtlS = 86400, kMaxNegativeTtlS = 3600;
constexpr Duration kFailureLifetime = std::chrono::seconds(2);  ///< RFC 9520, section 3.2: at least one second.
constexpr std::uint16_t kEdeBlocked = 15;                       ///< RFC 8914.
constexpr std::size_t kAmplification = 2;                       ///< Of what may go to a forged source.
constexpr std::size_t kPlainUdpBytes = 512;                     ///< RFC 1035, section 4.2.1.

/// Shared by the cache and the questions that were waiting for it.
using FactPtr = std::shared_ptr<const Fact>;

/// A client that waits for an answer.
struct Waiter {
  Client client;
  Header header;
  Question question;  ///< Case as it was asked.
  std::optional<Edns> edns;
  std::size_t bytes = 0;  ///< Of the question as it came.
};

struct Pending {
  std::string key;
  Question question;
  bool local = false;
  std::vector<Waiter> waiters;
  Instant deadline;
  std::unordered_map<std::string, FactPtr> facts;
};

struct PendingLookup {
  std::string key;
  std::set<std::uint64_t> questions;
};

/// A finished answer without what belongs to one client.
struct Answer {
  std::uint16_t rcode = rcode::kNoError;
  bool authoritative = false, authentic = false;
  std::vector<Record> answers, authority, additional;
  std::optional<std::uint16_t> extended_error;
};

std::uint32_t seconds(Duration d) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

void age(std::vector<Record>& records, std::uint32_t by) {
  for (Record& record : records) record.ttl = record.ttl > by ? record.ttl - by : 0;
}

std::size_t record_bytes(const std::vector<Record>& records) {
  std::size_t out = 0;
  for (const Record& record : records) out += sizeof(Record) + record.owner.wire().size() + record.rdata.size();
  return out;
}

/// RFC 2308, section 5 for negative ones; nothing for what must not be kept.
Duration lifetime(const Answer& answer) {
  if (answer.extended_error) return Duration::zero();
  if (answer.rcode == rcode::kNoError && !answer.answers.empty()) {
    std::uint32_t ttl = kMaxTtlS;
    for (const Record& record : answer.answers) ttl = std::min(ttl, record.ttl);
    return std::chrono::seconds(ttl);
  }
  if (answer.rcode == rcode::kServFail) return kFailureLifetime;
  if (answer.rcode != rcode::kNoError && answer.rcode != rcode::kNxDomain) return Duration::zero();
  for (const Record& record : answer.authority) {
    if (record.type != type::kSoa) continue;
    const auto minimum = soa_minimum(record.rdata);
    if (minimum) return std::chrono::seconds(std::min({record.ttl, *minimum, kMaxNegativeTtlS}));
  }
  return Duration::zero();
}

bool is_loopback(const Ipv6& address) {
  if (is_ipv4(address)) return address.bytes[12] == 127;
  return std::ranges::all_of(address.bytes.begin(), address.bytes.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
         address.bytes[15] == 1;
}

}  // namespace

struct Core::Impl {
  Impl(CoreConfig given, runtime::Random& random)
      : config(std::move(given)),
        forwarder(config, random, counters),
        answers(config.cache_bytes / 4 * 3),
        facts(config.cache_bytes / 4) {}

  CoreConfig config;
  Counters counters;
  Forwarder forwarder;
  Cache<Answer> answers;
  Cache<FactPtr> facts;
  std::unordered_map<std::uint64_t, Pending> pending;
  std::unordered_map<std::string, std::uint64_t> by_key;
  std::set<std::pair<Instant, std::uint64_t>> deadlines;
  std::unordered_map<std::uint64_t, PendingLookup> lookups;
  std::unordered_map<std::string, std::uint64_t> lookup_by_key;
  std::map<Ipv6, std::size_t> per_source;
  std::uint64_t next_pending = 1, next_lookup = 1;

  [[nodiscard]] Access access(const Ipv6& source) const {
    if (config.access) return config.access(source);
    return is_loopback(source) || source == config.own_address ? Access::kAll : Access::kNames;
  }

  // --- replies ---

  /// `received`: seconds since the records were fresh.
  void reply(const Waiter& waiter, const Answer& answer, std::uint32_t age_s, Actions& out) {
    Message message;
    message.header = {.id = waiter.header.id, .opcode = waiter.header.opcode, .qr = true};
    message.header.rd = waiter.header.rd;
    message.header.cd = waiter.header.cd;
    message.header.aa = answer.authoritative;
    message.header.ra = access(waiter.client.address) == Access::kAll;
    message.header.ad = answer.authentic && (waiter.header.ad || (waiter.edns && waiter.edns->dnssec_ok));
    message.header.rcode = answer.rcode > 15 && !waiter.edns ? rcode::kServFail : answer.rcode;
    if (!waiter.question.name.wire().empty()) message.questions.push_back(waiter.question);
    message.answers = answer.answers;
    message.authority = answer.authority;
    message.additional = answer.additional;
    age(message.answers, age_s);
    age(message.authority, age_s);
    age(message.additional, age_s);
    if (waiter.edns) {
      message.edns =
          Edns{.udp_size = config.udp_payload, .version = 0, .dnssec_ok = waiter.edns->dnssec_ok, .options = {}};
      if (answer.extended_error) {
        const auto code = static_cast<std::uint8_t>(*answer.extended_error);
        message.edns->options = {0, 15, 0, 2, 0, code};
      }
    }
    send(waiter.client, message, limit_of(waiter), out);
  }

  [[nodiscard]] std::size_t limit_of(const Waiter& waiter) const {
    if (waiter.client.stream) return kMaxMessageBytes;
    const std::size_t asked = waiter.edns ? waiter.edns->udp_size : std::size_t{0};
    const auto limit =
        std::clamp<std::size_t>(asked, kPlainUdpBytes, std::max<std::size_t>(config.udp_payload, kPlainUdpBytes));
    const bool forged = config.may_be_forged && config.may_be_forged(waiter.client.address);
    return forged ? std::min(limit, kAmplification * waiter.bytes) : limit;
  }

  void send(const Client& client, const Message& message, std::size_t limit, Actions& out) {
    auto wire = encode_message(message, limit);
    if (!wire) {  // a record that ldns cannot write
      Message broken;
      broken.header = message.header;
      broken.header.rcode = rcode::kServFail;
      broken.questions = message.questions;
      wire = encode_message(broken, limit);
    }
    if (!wire) {
      ++counters.dropped;
      return;
    }
    if (((*wire)[2] & 2) != 0) ++counters.truncated;
    const unsigned code = (*wire)[3] & 15u;
    if (code == rcode::kNxDomain) ++counters.nxdomain;
    if (code == rcode::kServFail) ++counters.servfail;
    if (code == rcode::kRefused) ++counters.refused;
    ++counters.replies;
    out.emplace_back(Reply{client, *std::move(wire)});
  }

  void reply_code(const Waiter& waiter, std::uint16_t code, Actions& out) {
    Answer answer;
    answer.rcode = code;
    reply(waiter, answer, 0, out);
  }

  /// Header and code only, for a message that could not be read.
  void reply_header(const Client& client, const Header& header, std::uint16_t code, Actions& out) {
    Message message;
    message.header = {.id = header.id, .opcode = header.opcode, .qr = true};
    message.header.rd = header.rd;
    message.header.rcode = code;
    send(client, message, kPlainUdpBytes, out);
  }

  // --- queries ---

  void on_query(const Client& client, BytesView wire, Instant now, Actions& out) {
    ++counters.queries;
    const auto preview = preview_message(wire);
    if (!preview || preview->header.qr) {  // answering an answer makes loops
      ++counters.dropped;
      return;
    }
    if (preview->header.opcode != 0) return reply_header(client, preview->header, rcode::kNotImp, out);
    // OPT and a signature are all that a question may carry (RFC 9619: exactly one question).
    const bool odd = preview->questions != 1 || preview->answers != 0 || preview->authority != 0 ||
                     preview->additional > 2 || wire.size() > kMaxQueryBytes;
    auto message = odd ? Result<Message>(fail(ErrorCode::kInvalid, "not a question")) : parse_message(wire);
    if (!message || message->questions.size() != 1) {
      ++counters.malformed;
      return reply_header(client, preview->header, rcode::kFormErr, out);
    }
    const Waiter waiter{client, message->header, message->questions[0], message->edns, wire.size()};
    if (waiter.edns && waiter.edns->version != 0) return reply_code(waiter, rcode::kBadVers, out);
    if (const std::uint16_t code = refusal(waiter); code != rcode::kNoError) return reply_code(waiter, code, out);
    ask(waiter, now, out);
  }

  [[nodiscard]] std::uint16_t refusal(const Waiter& waiter) const {
    const Access allowed = access(waiter.client.address);
    if (allowed == Access::kNone) return rcode::kRefused;
    const Question& question = waiter.question;
    switch (question.type) {
      case 0:
      case type::kOpt:
        return rcode::kFormErr;
      case type::kTkey:
      case type::kTsig:
      case type::kMaila:
      case type::kMailb:
        return rcode::kNotImp;
      case type::kAxfr:
      case type::kIxfr:
        return rcode::kRefused;
      default:
        break;
    }
    if (question.klass != kClassIn) return rcode::kRefused;
    if (is_local(question.name)) return rcode::kNoError;
    const bool recursion = allowed == Access::kAll && waiter.header.rd && forwarder.serves(question.name);
    return recursion ? rcode::kNoError : rcode::kRefused;
  }

  static std::string key_of(const Waiter& waiter, bool local) {
    std::string key(as_text(waiter.question.name.lower().wire()));
    key.push_back(static_cast<char>(waiter.question.type >> 8));
    key.push_back(static_cast<char>(waiter.question.type));
    const bool dnssec_ok = waiter.edns && waiter.edns->dnssec_ok;
    key.push_back(local ? 'l' : static_cast<char>('0' + (dnssec_ok ? 1 : 0) + (waiter.header.cd ? 2 : 0)));
    return key;
  }

  void ask(const Waiter& waiter, Instant now, Actions& out) {
    const bool local = is_local(waiter.question.name);
    ++(local ? counters.local : counters.forwarded);
    const std::string key = key_of(waiter, local);
    if (!local) {
      if (const auto* hit = answers.find(key, now)) {
        ++counters.cache_hits;
        return reply(waiter, hit->value, seconds(now - hit->stored), out);
      }
      ++counters.cache_misses;
    }
    if (const auto it = by_key.find(key); it != by_key.end()) {
      Pending& same = pending.at(it->second);
      if (same.waiters.size() >= kMaxWaiters || !enter(waiter)) return overloaded(waiter, out);
      same.waiters.push_back(waiter);
      return;
    }
    if (pending.size() >= config.max_pending || !enter(waiter)) return overloaded(waiter, out);
    const std::uint64_t id = next_pending++;
    Pending fresh;
    fresh.key = key;
    fresh.question = waiter.question;
    fresh.local = local;
    fresh.waiters.push_back(waiter);
    fresh.deadline = now + config.query_timeout;
    deadlines.insert({fresh.deadline, id});
    by_key.emplace(key, id);
    pending.emplace(id, std::move(fresh));
    if (local) return evaluate(id, now, out);
    const ForwardQuestion question{waiter.question, waiter.edns && waiter.edns->dnssec_ok, waiter.header.cd};
    if (!forwarder.start(id, question, now, out)) {
      ++counters.overloaded;
      finish_code(id, rcode::kServFail, now, out);
    }
  }

  [[nodiscard]] bool enter(const Waiter& waiter) {
    std::size_t& count = per_source[waiter.client.address];
    if (count >= config.max_pending_per_source) return false;
    ++count;
    return true;
  }
  void leave(const Waiter& waiter) {
    const auto it = per_source.find(waiter.client.address);
    if (it != per_source.end() && --it->second == 0) per_source.erase(it);
  }
  void overloaded(const Waiter& waiter, Actions& out) {
    ++counters.overloaded;
    reply_code(waiter, rcode::kServFail, out);
  }

  // --- ends ---

  void finish(std::uint64_t id, const Answer& answer, Instant now, Actions& out) {
    const auto it = pending.find(id);
    if (it == pending.end()) return;
    Pending done = std::move(it->second);
    pending.erase(it);
    by_key.erase(done.key);
    deadlines.erase({done.deadline, id});
    forwarder.cancel(id, out);
    if (!done.local) {
      const std::size_t cost = sizeof(Answer) + record_bytes(answer.answers) + record_bytes(answer.authority) +
                               record_bytes(answer.additional);
      answers.put(done.key, answer, cost, now, lifetime(answer));
    }
    for (const Waiter& waiter : done.waiters) {
      leave(waiter);
      reply(waiter, answer, 0, out);
    }
  }
  void finish_code(std::uint64_t id, std::uint16_t code, Instant now, Actions& out) {
    Answer answer;
    answer.rcode = code;
    finish(id, answer, now, out);
  }

  void take(std::vector<Forwarder::Done>& done, Instant now, Actions& out) {
    for (Forwarder::Done& item : done) {
      if (!item.answer) {
        finish_code(item.question, rcode::kServFail, now, out);
        continue;
      }
      Message& message = *item.answer;
      Answer answer;
      answer.rcode = message.header.rcode;
      if (names_overlay(message)) {
        ++counters.rebinding_blocked;
        answer.rcode = rcode::kServFail;
        answer.extended_error = kEdeBlocked;
      } else {
        answer.authentic = message.header.ad;
        answer.answers = std::move(message.answers);
        answer.authority = std::move(message.authority);
        answer.additional = std::move(message.additional);
        for (auto* section : {&answer.answers, &answer.authority, &answer.additional})
          std::erase_if(*section, [](const Record& record) { return record.klass != kClassIn; });
      }
      finish(item.question, answer, now, out);
    }
    done.clear();
  }

  // --- local names ---

  void evaluate(std::uint64_t id, Instant now, Actions& out) {
    Pending& question = pending.at(id);
    const FactFinder finder = [&](const FactKey& key) -> FactView {
      const std::string text = key.text();
      // What this question was told itself counts, however short it may be kept.
      if (const auto it = question.facts.find(text); it != question.facts.end()) return {it->second.get(), 0};
      const auto* hit = facts.find(text, now);
      if (hit == nullptr) return {};
      ++counters.cache_hits;
      return {hit->value.get(), seconds(now - hit->stored)};
    };
    LocalAnswer local = answer_local(question.question, config.own_address, finder);
    if (!local.needs) {
      Answer answer;
      answer.rcode = local.rcode;
      answer.authoritative = local.rcode != rcode::kServFail;
      answer.answers = std::move(local.answers);
      answer.authority = std::move(local.authority);
      answer.additional = std::move(local.additional);
      return finish(id, answer, now, out);
    }
    if (question.facts.size() >= kMaxLookups) return finish_code(id, rcode::kServFail, now, out);
    ++counters.cache_misses;
    const std::string text = local.needs->text();
    if (const auto it = lookup_by_key.find(text); it != lookup_by_key.end()) {
      lookups.at(it->second).questions.insert(id);
      return;
    }
    const std::uint64_t lookup = next_lookup++;
    lookup_by_key.emplace(text, lookup);
    lookups.emplace(lookup, PendingLookup{text, {id}});
    out.emplace_back(Lookup{lookup, local.needs->kind, local.needs->label, local.needs->lease, local.needs->address});
  }

  void on_fact(std::uint64_t lookup, Fact&& told, Instant now, Actions& out) {
    const auto it = lookups.find(lookup);
    if (it == lookups.end()) return;
    const PendingLookup waiting = std::move(it->second);
    lookups.erase(it);
    lookup_by_key.erase(waiting.key);
    const auto fact = std::make_shared<const Fact>(std::move(told));
    Duration keep = std::chrono::seconds(fact->zone.ttl_s);
    if (fact->error)
      keep = fact->error->code == ErrorCode::kNotFound ? std::chrono::seconds(kNegativeTtlS) : kFailureLifetime;
    facts.put(waiting.key, fact, fact_bytes(*fact), now, keep);
    for (const std::uint64_t id : waiting.questions) {
      const auto question = pending.find(id);
      if (question == pending.end()) continue;
      question->second.facts.emplace(waiting.key, fact);
      evaluate(id, now, out);
    }
  }

  void on_timer(Instant now, Actions& out) {
    std::vector<Forwarder::Done> done;
    forwarder.on_timer(now, out, done);
    take(done, now, out);
    while (!deadlines.empty() && deadlines.begin()->first <= now) {
      const std::uint64_t id = deadlines.begin()->second;
      // The lookups that this question waits for are given up: a source that never answers must not keep a place.
      for (auto it = lookups.begin(); it != lookups.end();) {
        it->second.questions.erase(id);
        if (it->second.questions.empty()) lookup_by_key.erase(it->second.key);
        it = it->second.questions.empty() ? lookups.erase(it) : std::next(it);
      }
      finish_code(id, rcode::kServFail, now, out);
    }
  }
};

Core::Core(CoreConfig config, runtime::Random& random) : impl_(std::make_unique<Impl>(std::move(config), random)) {}
Core::~Core() = default;

void Core::on_query(const Client& client, BytesView query, Instant now, Actions& out) {
  impl_->on_query(client, query, now, out);
}
void Core::on_zone(std::uint64_t lookup, Result<NameZone> zone, Instant now, Actions& out) {
  impl_->on_fact(lookup, make_fact(std::move(zone)), now, out);
}
void Core::on_names(std::uint64_t lookup, Result<std::vector<std::string>> names, Instant now, Actions& out) {
  impl_->on_fact(lookup, make_fact(std::move(names)), now, out);
}
void Core::on_message(std::uint64_t exchange, BytesView message, Instant now, Actions& out) {
  std::vector<Forwarder::Done> done;
  impl_->forwarder.on_message(exchange, message, now, out, done);
  impl_->take(done, now, out);
}
void Core::on_failure(std::uint64_t exchange, Instant now, Actions& out) {
  std::vector<Forwarder::Done> done;
  impl_->forwarder.on_failure(exchange, now, out, done);
  impl_->take(done, now, out);
}
void Core::on_timer(Instant now, Actions& out) { impl_->on_timer(now, out); }

std::optional<Instant> Core::next_timer() const {
  std::optional<Instant> next = impl_->forwarder.next_timer();
  if (!impl_->deadlines.empty()) {
    const Instant own = impl_->deadlines.begin()->first;
    next = next ? std::min(*next, own) : own;
  }
  return next;
}

void Core::set_upstreams(std::vector<UdpEndpoint> upstreams) { impl_->config.upstreams = std::move(upstreams); }

void Core::forget(const std::string& label) {
  impl_->facts.erase(FactKey{Lookup::Kind::kRegistered, label, 0, {}}.text());
  impl_->facts.erase(FactKey{Lookup::Kind::kLeaseByName, label, 0, {}}.text());
}

void Core::clear_cache() {
  impl_->facts.clear();
  impl_->answers.clear();
}

const Counters& Core::counters() const {
  impl_->counters.cache_evictions = impl_->answers.evictions() + impl_->facts.evictions();
  return impl_->counters;
}
std::size_t Core::pending() const { return impl_->pending.size(); }

}  // namespace bonus::net::dns
