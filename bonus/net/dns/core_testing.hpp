// A DNS core with a memory of names and no sockets, for its tests.
#pragma once

#include <gtest/gtest.h>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/dns_testing.hpp"
#include "bonus/net/dns/message.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::dns::testing {

inline const UdpEndpoint kFirst{ip("192.0.2.1"), 53}, kSecond{ip("192.0.2.2"), 53}, kInner{ip("198.51.100.1"), 53};

class CoreTest : public ::testing::Test {
 protected:
  CoreTest() { fill(source_); }

  CoreConfig config() {
    CoreConfig out;
    out.own_address = ip("fd00::53");
    out.upstreams = {kFirst, kSecond};
    return out;
  }
  void start(const CoreConfig& with) { core_ = std::make_unique<Core>(with, random_); }

  void send(const Bytes& wire, Client client) { core_->on_query(client, wire, now_, actions_); }
  void ask(const std::string& text, std::uint16_t query_type, std::optional<Edns> edns = std::nullopt) {
    send(query(text, query_type, std::move(edns)), client_);
  }

  /// Answers every Lookup from the source until none is left; counts them.
  void settle() {
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      const auto* found = std::get_if<Lookup>(&actions_[i]);
      if (found == nullptr) continue;
      const Lookup lookup = *found;
      ++lookups_;
      const auto zone = [&](Result<NameZone> z) { core_->on_zone(lookup.id, std::move(z), now_, actions_); };
      switch (lookup.kind) {
        case Lookup::Kind::kRegistered:
          source_.registered(lookup.label, zone);
          break;
        case Lookup::Kind::kLeaseById:
          source_.lease_by_id(lookup.lease, zone);
          break;
        case Lookup::Kind::kLeaseByName:
          source_.lease_by_name(lookup.label, zone);
          break;
        case Lookup::Kind::kReverse:
          source_.reverse(lookup.address, [&](Result<std::vector<std::string>> n) {
            core_->on_names(lookup.id, std::move(n), now_, actions_);
          });
      }
    }
    std::erase_if(actions_, [](const Action& action) { return std::holds_alternative<Lookup>(action); });
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> out;
    for (Action& action : actions_)
      if (auto* item = std::get_if<T>(&action)) out.push_back(std::move(*item));
    std::erase_if(actions_, [](const Action& action) { return std::holds_alternative<T>(action); });
    return out;
  }
  /// The one reply that must be there.
  Message reply() {
    const std::vector<Reply> replies = take<Reply>();
    EXPECT_EQ(replies.size(), 1u);
    if (replies.size() != 1) return {};
    return parse_message(replies[0].message).value();
  }
  Message local(const std::string& text, std::uint16_t query_type) {
    ask(text, query_type);
    settle();
    return reply();
  }
  OpenExchange exchange() {
    const std::vector<OpenExchange> opened = take<OpenExchange>();
    EXPECT_EQ(opened.size(), 1u);
    return opened.size() == 1 ? opened[0] : OpenExchange{};
  }
  static Message answer_to(const OpenExchange& open, std::uint16_t code = rcode::kNoError) {
    Message out = parse_message(open.message).value();
    out.header.qr = out.header.ra = true;
    out.header.rcode = code;
    return out;
  }
  static Message address_answer(const OpenExchange& open, std::uint32_t ttl = 60) {
    Message out = answer_to(open);
    out.answers.push_back({out.questions[0].name, type::kA, kClassIn, ttl, {192, 0, 2, 9}});
    return out;
  }
  void deliver(const OpenExchange& open, const Message& message) {
    core_->on_message(open.id, encode_message(message).value(), now_, actions_);
  }
  void advance(Duration by) {
    now_ += by;
    core_->on_timer(now_, actions_);
  }

  runtime::sim::SeededRandom random_{7};
  MemorySource source_;
  std::unique_ptr<Core> core_;
  Actions actions_;
  Client client_{ip("127.0.0.1"), false, 42};
  Instant now_{std::chrono::hours(1)};
  int lookups_ = 0;
};

}  // namespace bonus::net::dns::testing
