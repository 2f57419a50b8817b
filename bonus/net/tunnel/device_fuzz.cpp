// Fuzz target: two devices whose datagrams the input loses, repeats, delays and changes, with bytes of its own between.
// Whatever comes, nothing breaks, tables stay bounded, and only authentic payloads are seen.
#include <cstdlib>

#include "bonus/net/tunnel/device_testing.hpp"

using namespace bonus;
using namespace bonus::net::tunnel;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2048) return 0;
  BytesView input(data, size);
  const auto next = [&]() -> std::uint8_t {
    if (input.empty()) return 0;
    const std::uint8_t out = input.front();
    input = input.subspan(1);
    return out;
  };
  testing::Network net(next());
  const DeviceOptions options{.discover = (next() & 1) != 0,
                              .max_peers = 4,
                              .max_sessions = 3,
                              .max_queued_packets = 4,
                              .max_queued_bytes = 4096,
                              .max_unknown_destinations = 2,
                              .max_unknown_initiators = 2};
  testing::Host a(net, "192.0.2.1:1", "fd00::a", options), b(net, "198.51.100.1:2", "fd00::b", options);
  (void)a.add(b);
  (void)b.add(a, false);
  // The link is the input: it keeps what was sent and delivers what and when it likes.
  std::vector<std::pair<testing::Host*, Bytes>> wire;
  net.drop = [&](const Endpoint& from, const Endpoint&, const Bytes& bytes) {
    if (wire.size() < 64) wire.emplace_back(from == a.at ? &b : &a, bytes);
    return true;
  };
  int steps = 0;
  while (!input.empty() && ++steps < 400) {
    testing::Host& host = (next() & 1) != 0 ? a : b;
    testing::Host& other = &host == &a ? b : a;
    switch (next() % 10) {
      case 0:
        host.send(other.inner, "payload");
        break;
      case 1:
        host.send(testing::ip("fd00::77"), "nowhere");
        break;
      case 2:
      case 3:
      case 4: {  // deliver, perhaps again later
        if (wire.empty()) break;
        const auto at = next() % wire.size();
        const auto [to, bytes] = wire[at];
        to->on_datagram(to == &a ? b.at : a.at, bytes);
        break;
      }
      case 5: {  // deliver changed
        if (wire.empty()) break;
        auto [to, bytes] = wire[next() % wire.size()];
        const auto what = next();
        if (what < 200) {
          bytes[what % bytes.size()] ^= static_cast<std::uint8_t>(next() | 1);
        } else {
          bytes.resize(bytes.size() * (what - 200u) / 40);
        }
        to->on_datagram(to == &a ? b.at : a.at, bytes);
        break;
      }
      case 6: {  // bytes of the input
        const std::size_t length = std::min<std::size_t>(next(), input.size());
        host.on_datagram(other.at, input.first(length));
        input = input.subspan(length);
        break;
      }
      case 7:
        net.run_for(std::chrono::milliseconds(next() * 40));
        break;
      case 8:
        net.run_for(std::chrono::seconds(next()));
        break;
      default:
        host.device->set_under_load((next() & 1) != 0);
        if ((next() & 7) == 0) wire.clear();
        break;
    }
    for (const testing::Host* each : {&a, &b}) {
      require(each->device->session_count() <= options.max_sessions);
      for (const std::string& seen : each->received) require(seen == "payload");
      require(each->spoofed == 0);
    }
  }
  return 0;
}
