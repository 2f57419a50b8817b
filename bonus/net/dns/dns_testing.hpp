// Names from memory and messages made by hand, for the tests of the DNS server.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/labels.hpp"
#include "bonus/net/dns/message.hpp"

namespace bonus::net::dns::testing {

inline Ipv6 ip(std::string_view text) { return parse_ip(text).value(); }
inline Name name(std::string_view text) { return Name::parse(text).value(); }

/// Answers at once from maps; a label in `errors` fails that way. Thread-safe once it is filled.
class MemorySource : public NameSource {
 public:
  std::map<std::string, NameZone> names, leases_by_name;
  std::map<std::uint64_t, NameZone> leases;
  std::map<Ipv6, std::vector<std::string>> reverses;
  std::map<std::string, ErrorCode> errors;

  void registered(const std::string& label, ZoneDone done) override {
    if (const auto it = errors.find(label); it != errors.end()) return done(fail(it->second, "as the test wants"));
    done(find(names, label));
  }
  void lease_by_id(std::uint64_t id, ZoneDone done) override { done(find(leases, id)); }
  void lease_by_name(const std::string& label, ZoneDone done) override { done(find(leases_by_name, label)); }
  void reverse(const Ipv6& address, NamesDone done) override {
    const auto it = reverses.find(address);
    if (it == reverses.end()) return done(fail(ErrorCode::kNotFound, "no name"));
    done(it->second);
  }

 private:
  template <class Map, class Key>
  static Result<NameZone> find(const Map& map, const Key& key) {
    const auto it = map.find(key);
    if (it == map.end()) return fail(ErrorCode::kNotFound, "no such name");
    return it->second;
  }
};

/// alice.bonus and what is below it, two leases, reverse names.
inline void fill(MemorySource& source) {
  NameZone alice;
  alice.ttl_s = 120;
  alice.entries.push_back(
      {.sub = "", .addresses = {ip("fd00::a11c:e")}, .texts = {"v=1", "hello"}, .services = {}, .alias = {}});
  alice.entries.push_back(
      {.sub = "web", .addresses = {ip("fd00::80"), ip("fd00::81")}, .texts = {}, .services = {}, .alias = {}});
  alice.entries.push_back(
      {.sub = "_http._tcp", .addresses = {}, .texts = {}, .services = {{10, 5, 8080, "web.alice.bonus"}}, .alias = {}});
  alice.entries.push_back({.sub = "www", .addresses = {}, .texts = {}, .services = {}, .alias = "web.alice.bonus"});
  alice.entries.push_back({.sub = "*.apps", .addresses = {ip("fd00::ffff")}, .texts = {}, .services = {}, .alias = {}});
  source.names["alice"] = alice;
  NameZone bob;
  bob.entries.push_back({.sub = "", .addresses = {}, .texts = {}, .services = {}, .alias = "www.alice.bonus"});
  bob.entries.push_back({.sub = "loop", .addresses = {}, .texts = {}, .services = {}, .alias = "pool.bob.bonus"});
  bob.entries.push_back({.sub = "pool", .addresses = {}, .texts = {}, .services = {}, .alias = "loop.bob.bonus"});
  bob.entries.push_back({.sub = "out", .addresses = {}, .texts = {}, .services = {}, .alias = "example.com"});
  bob.entries.push_back(
      {.sub = "home", .addresses = {ip("192.168.1.1"), ip("::1")}, .texts = {}, .services = {}, .alias = {}});
  NameEntry big{.sub = "big", .addresses = {}, .texts = {}, .services = {}, .alias = {}};
  for (int i = 0; i < 12; ++i) big.texts.push_back(std::string(200, static_cast<char>('a' + i)));
  bob.entries.push_back(big);
  bob.entries.push_back({.sub = "world", .addresses = {ip("2001:db8::1")}, .texts = {}, .services = {}, .alias = {}});
  NameZone ali;
  ali.entries.push_back(
      {.sub = "", .addresses = {}, .texts = {"t"}, .services = {}, .alias = "www.alice.bonus", .ttl_s = 7});
  source.names["ali"] = ali;
  source.names["bob"] = bob;
  NameZone lease;
  lease.entries.push_back({.sub = "", .addresses = {ip("fd00::7")}, .texts = {}, .services = {}, .alias = {}});
  source.leases[7] = lease;
  source.leases_by_name["shop"] = source.leases_by_name["order-9"] = lease;
  source.leases_by_name["alice"] = lease;  // must never be seen: the registered name wins
  source.reverses[ip("fd00::a11c:e")] = {"liar.bonus", "bob.bonus", "alice.bonus"};
  source.reverses[ip("fd00::bad")] = {"alice.bonus"};
}

inline Bytes query(const std::string& text, std::uint16_t query_type, std::optional<Edns> edns = std::nullopt,
                   std::uint16_t id = 0x1234) {
  Message message;
  message.header.id = id;
  message.header.rd = true;
  message.questions.push_back({name(text), query_type, kClassIn});
  message.edns = std::move(edns);
  return encode_message(message).value();
}

}  // namespace bonus::net::dns::testing
