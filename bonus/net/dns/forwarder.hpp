// Questions to other DNS servers: ids, retries, failover, validation (RFC 5452). Pure; part of the core.
#pragma once

#include <set>
#include <unordered_map>
#include <vector>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/message.hpp"

namespace bonus::net::dns {

inline constexpr int kMaxAttempts = 6;     ///< UDP attempts of one question over all servers.
inline constexpr int kMaxMismatches = 16;  ///< Foreign datagrams after which an exchange is repeated over TCP.
inline constexpr std::size_t kMaxUpstreams = 8;

struct ForwardQuestion {
  Question question;
  bool dnssec_ok = false, checking_disabled = false;
};

/// Not thread-safe. A question is known by the id of its owner, who may have one at a time.
class Forwarder {
 public:
  struct Done {
    std::uint64_t question = 0;
    std::optional<Message> answer;  ///< Nothing: no server gave a usable answer.
  };

  Forwarder(const CoreConfig& config, runtime::Random& random, Counters& counters)
      : config_(config), random_(random), counters_(counters) {}

  /// False: no server for this name, or too many exchanges; nothing was started.
  [[nodiscard]] bool start(std::uint64_t id, const ForwardQuestion& question, Instant now, Actions& out);
  void cancel(std::uint64_t id, Actions& out);
  void on_message(std::uint64_t exchange, BytesView message, Instant now, Actions& out, std::vector<Done>& done);
  void on_failure(std::uint64_t exchange, Instant now, Actions& out, std::vector<Done>& done);
  void on_timer(Instant now, Actions& out, std::vector<Done>& done);
  [[nodiscard]] std::optional<Instant> next_timer() const;
  [[nodiscard]] bool serves(const Name& name) const { return !servers_for(name).empty(); }

 private:
  struct Attempt {
    ForwardQuestion question;
    std::vector<UdpEndpoint> servers;  ///< In the order to be asked.
    std::size_t server = 0;
    int attempts = 0;
    bool stream = false;
    bool edns = true;
    std::uint64_t exchange = 0;
    std::uint16_t query_id = 0;
    int mismatches = 0;
    Instant deadline;
    std::optional<Message> fallback;  ///< An answer that a better server may still beat.
  };
  using Attempts = std::unordered_map<std::uint64_t, Attempt>;

  [[nodiscard]] const std::vector<UdpEndpoint>& servers_for(const Name& name) const;
  void open(std::uint64_t id, Attempt& attempt, Instant now, Actions& out);
  void close(Attempt& attempt, Actions& out);
  /// The present exchange brought nothing: the next server, or the end.
  void next(Attempts::iterator at, bool server_failed, Instant now, Actions& out, std::vector<Done>& done);
  void finish(Attempts::iterator at, std::optional<Message> answer, Actions& out, std::vector<Done>& done);
  [[nodiscard]] bool matches(const Attempt& attempt, const Preview& preview, const Message& message) const;
  [[nodiscard]] Attempts::iterator by_exchange(std::uint64_t exchange);

  const CoreConfig& config_;
  runtime::Random& random_;
  Counters& counters_;
  Attempts attempts_;
  std::unordered_map<std::uint64_t, std::uint64_t> exchanges_;  ///< Exchange to question.
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;       ///< Of exchanges.
  std::unordered_map<UdpEndpoint, Instant> down_;               ///< Servers that failed, until when they come last.
  std::uint64_t next_exchange_ = 1;
};

}  // namespace bonus::net::dns
