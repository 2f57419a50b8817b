// Questions to other DNS servers: ids, retries, failover, validation (RFC 5452).
#include "bonus/net/dns/forwarder.hpp"

namespace bonus::net::dns {

namespace {

constexpr Duration kDownFor = std::chrono::seconds(30);

/// Answers after which another server is worth a try.
bool is_poor(const Message& message) {
  const std::uint16_t code = message.header.rcode;
  return code != rcode::kNoError && code != rcode::kNxDomain;
}

}  // namespace

const std::vector<UdpEndpoint>& Forwarder::servers_for(const Name& name) const {
  const ForwardZone* best = nullptr;
  for (const ForwardZone& zone : config_.zones)
    if (name.ends_with(zone.suffix) && (best == nullptr || zone.suffix.wire().size() > best->suffix.wire().size()))
      best = &zone;
  return best != nullptr ? best->servers : config_.upstreams;
}

bool Forwarder::start(std::uint64_t id, const ForwardQuestion& question, Instant now, Actions& out) {
  Attempt attempt;
  attempt.question = question;
  attempt.servers = servers_for(question.question.name);
  if (attempt.servers.empty() || attempts_.size() >= config_.max_exchanges) return false;
  if (attempt.servers.size() > kMaxUpstreams) attempt.servers.resize(kMaxUpstreams);
  std::erase_if(down_, [now](const auto& entry) { return entry.second <= now; });
  for (std::size_t i = 0, n = attempt.servers.size(); i < n && down_.contains(attempt.servers[0]); ++i)
    std::ranges::rotate(attempt.servers, attempt.servers.begin() + 1);
  const auto [at, fresh] = attempts_.emplace(id, std::move(attempt));
  if (!fresh) return false;
  open(id, at->second, now, out);
  return true;
}

void Forwarder::open(std::uint64_t id, Attempt& attempt, Instant now, Actions& out) {
  attempt.exchange = next_exchange_++;
  attempt.query_id = static_cast<std::uint16_t>(random_.below(65536));
  attempt.mismatches = 0;
  attempt.deadline = now + config_.upstream_timeout;
  exchanges_[attempt.exchange] = id;
  deadlines_.insert({attempt.deadline, attempt.exchange});

  Message query;
  query.header.id = attempt.query_id;
  query.header.rd = true;
  query.header.cd = attempt.question.checking_disabled;
  query.header.ad = attempt.edns;  // RFC 6840, section 5.7: we understand the AD bit
  query.questions.push_back(attempt.question.question);
  if (attempt.edns)
    query.edns =
        Edns{.udp_size = config_.udp_payload, .version = 0, .dnssec_ok = attempt.question.dnssec_ok, .options = {}};
  ++counters_.upstream_sent;
  if (attempt.stream) ++counters_.upstream_tcp;
  // A question that was parsed can be encoded; were it not so, the timeout would end the exchange.
  OpenExchange action{attempt.exchange, attempt.servers[attempt.server], attempt.stream,
                      encode_message(query).value_or(Bytes{})};
  out.emplace_back(std::move(action));
}

void Forwarder::close(Attempt& attempt, Actions& out) {
  if (attempt.exchange == 0) return;
  deadlines_.erase({attempt.deadline, attempt.exchange});
  exchanges_.erase(attempt.exchange);
  out.emplace_back(CloseExchange{attempt.exchange});
  attempt.exchange = 0;
}

void Forwarder::finish(Attempts::iterator at, std::optional<Message> answer, Actions& out, std::vector<Done>& done) {
  close(at->second, out);
  if (!answer) answer = std::move(at->second.fallback);
  done.push_back(Done{at->first, std::move(answer)});
  attempts_.erase(at);
}

void Forwarder::next(Attempts::iterator at, bool server_failed, Instant now, Actions& out, std::vector<Done>& done) {
  Attempt& attempt = at->second;
  close(attempt, out);
  if (server_failed) down_[attempt.servers[attempt.server]] = now + kDownFor;
  const int limit = std::min(kMaxAttempts, static_cast<int>(2 * attempt.servers.size()));
  if (++attempt.attempts >= limit) {
    finish(at, std::nullopt, out, done);
    return;
  }
  attempt.server = (attempt.server + 1) % attempt.servers.size();
  attempt.stream = false;
  attempt.edns = true;
  open(at->first, attempt, now, out);
}

Forwarder::Attempts::iterator Forwarder::by_exchange(std::uint64_t exchange) {
  const auto it = exchanges_.find(exchange);
  return it == exchanges_.end() ? attempts_.end() : attempts_.find(it->second);
}

bool Forwarder::matches(const Attempt& attempt, const Preview& preview, const Message& message) const {
  const Question& asked = attempt.question.question;
  if (!preview.header.qr || preview.header.opcode != 0 || preview.header.id != attempt.query_id) return false;
  if (message.questions.size() != 1) return false;
  const Question& got = message.questions[0];
  return got.type == asked.type && got.klass == asked.klass && got.name.equals(asked.name);
}

void Forwarder::on_message(std::uint64_t exchange, BytesView wire, Instant now, Actions& out, std::vector<Done>& done) {
  const auto at = by_exchange(exchange);
  if (at == attempts_.end()) return;
  Attempt& attempt = at->second;
  const auto preview = preview_message(wire);
  // The id is looked at before anything else is: what is forged costs nothing.
  const bool worth = preview && preview->header.qr && preview->header.id == attempt.query_id;
  auto message = worth ? parse_message(wire) : Result<Message>(fail(ErrorCode::kInvalid, "not an answer"));
  const bool cut = worth && preview->header.tc && !attempt.stream;
  if (worth && !message && preview->questions == 0 && preview->header.rcode == rcode::kFormErr && attempt.edns) {
    Message bare;
    bare.header = preview->header;
    message = std::move(bare);
  }
  if (worth && message && message->questions.empty() && message->header.rcode == rcode::kFormErr)
    message->questions.push_back(attempt.question.question);  // old servers send the header alone
  if (!worth || (message && !matches(attempt, *preview, *message)) || (!message && !cut)) {
    ++counters_.upstream_mismatched;
    if (attempt.stream) {
      next(at, true, now, out, done);
    } else if (++attempt.mismatches >= kMaxMismatches) {
      close(attempt, out);  // somebody guesses ids
      attempt.stream = true;
      open(at->first, attempt, now, out);
    }
    return;
  }
  if (cut) {
    close(attempt, out);
    attempt.stream = true;
    open(at->first, attempt, now, out);
    return;
  }
  down_.erase(attempt.servers[attempt.server]);
  const bool no_edns = message->header.rcode == rcode::kFormErr || message->header.rcode == rcode::kNotImp;
  if (no_edns && attempt.edns) {  // RFC 6891, section 7
    close(attempt, out);
    attempt.edns = false;
    open(at->first, attempt, now, out);
    return;
  }
  if (is_poor(*message)) {
    attempt.fallback = *std::move(message);
    // Every server is asked once; then the poor answer is the answer.
    if (attempt.attempts + 1 >= static_cast<int>(attempt.servers.size())) {
      finish(at, std::nullopt, out, done);
    } else {
      next(at, false, now, out, done);
    }
    return;
  }
  finish(at, *std::move(message), out, done);
}

void Forwarder::on_failure(std::uint64_t exchange, Instant now, Actions& out, std::vector<Done>& done) {
  const auto at = by_exchange(exchange);
  if (at != attempts_.end()) next(at, true, now, out, done);
}

void Forwarder::cancel(std::uint64_t id, Actions& out) {
  const auto at = attempts_.find(id);
  if (at == attempts_.end()) return;
  close(at->second, out);
  attempts_.erase(at);
}

std::optional<Instant> Forwarder::next_timer() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

void Forwarder::on_timer(Instant now, Actions& out, std::vector<Done>& done) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t exchange = deadlines_.begin()->second;
    ++counters_.upstream_timeouts;
    on_failure(exchange, now, out, done);
  }
}

}  // namespace bonus::net::dns
