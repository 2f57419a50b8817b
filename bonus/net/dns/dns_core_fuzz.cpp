// Fuzz target: a sequence of queries, answers of upstreams, failures and time against the core. Everything that is
// asked gets at most one answer, nothing stays behind when time has passed, and no bound is exceeded.
#include <cstdlib>
#include <deque>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/dns_testing.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace {

using namespace bonus;
using namespace bonus::net;
using namespace bonus::net::dns;

void require(bool holds) {
  if (!holds) std::abort();
}

struct World {
  World() : random(1), core(config(), random) { testing::fill(source); }

  static CoreConfig config() {
    CoreConfig out;
    out.own_address = testing::ip("fd00::53");
    out.upstreams = {{testing::ip("192.0.2.1"), 53}, {testing::ip("192.0.2.2"), 53}};
    out.cache_bytes = 32 << 10;
    out.max_pending = 8;
    out.max_exchanges = 4;
    return out;
  }

  void settle() {
    while (!actions.empty()) {
      Actions batch;
      std::swap(batch, actions);
      for (const Action& action : batch) act(action);
    }
    require(core.pending() <= 8);
  }
  void act(const Action& action) {
    if (const auto* reply = std::get_if<Reply>(&action)) {
      require(reply->message.size() >= 12 && (reply->message[2] & 0x80) != 0);
      require(reply->client.stream || reply->message.size() <= 1232);
      require(++replies <= queries);
    } else if (const auto* open = std::get_if<OpenExchange>(&action)) {
      exchanges.push_back(*open);
      if (exchanges.size() > 16) exchanges.pop_front();
    } else if (const auto* lookup = std::get_if<Lookup>(&action)) {
      const auto zone = [&](Result<NameZone> z) { core.on_zone(lookup->id, std::move(z), now, actions); };
      if (lookup->kind == Lookup::Kind::kRegistered) source.registered(lookup->label, zone);
      if (lookup->kind == Lookup::Kind::kLeaseById) source.lease_by_id(lookup->lease, zone);
      if (lookup->kind == Lookup::Kind::kLeaseByName) source.lease_by_name(lookup->label, zone);
      if (lookup->kind == Lookup::Kind::kReverse)
        source.reverse(lookup->address, [&](Result<std::vector<std::string>> names) {
          core.on_names(lookup->id, std::move(names), now, actions);
        });
    }
  }

  runtime::sim::SeededRandom random;
  testing::MemorySource source;
  Core core;
  Actions actions;
  std::deque<OpenExchange> exchanges;
  Instant now{std::chrono::hours(1)};
  std::size_t queries = 0, replies = 0;
};

}  // namespace

/// Steps of one command byte, two of length, content.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  BytesView in(data, size);
  for (int step = 0; step < 64 && in.size() >= 3; ++step) {
    const unsigned command = in[0];
    const std::size_t length = std::min<std::size_t>(static_cast<std::size_t>(in[1]) << 8 | in[2], in.size() - 3);
    const BytesView content = in.subspan(3, length);
    in = in.subspan(3 + length);
    switch (command % 4) {
      case 0: {
        ++world.queries;
        Client client{testing::ip("127.0.0.1"), (command & 4) != 0, world.queries};
        world.core.on_query(client, content, world.now, world.actions);
        break;
      }
      case 1:
        if (!world.exchanges.empty()) {  // with the right id and question, or nothing would ever be believed
          Bytes message(content.begin(), content.end());
          const Bytes& asked = world.exchanges.back().message;
          std::copy_n(asked.begin(), std::min<std::size_t>(2, message.size()), message.begin());
          world.core.on_message(world.exchanges.back().id, message, world.now, world.actions);
        }
        break;
      case 2:
        if (!world.exchanges.empty()) world.core.on_failure(world.exchanges.front().id, world.now, world.actions);
        break;
      default:
        world.now += std::chrono::milliseconds(length * 10);
        world.core.on_timer(world.now, world.actions);
    }
    world.settle();
  }
  world.now += std::chrono::seconds(10);
  world.core.on_timer(world.now, world.actions);
  world.settle();
  require(world.core.pending() == 0 && !world.core.next_timer());
  return 0;
}
