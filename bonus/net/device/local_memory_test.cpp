// What is kept of who asked where: for a minute, and not of addresses that are gone.
#include "bonus/net/device/local_memory.hpp"

#include <gtest/gtest.h>

namespace bonus::net::device {
namespace {

TEST(LocalMemory, KeepsTheLastForAMinute) {
  LocalMemory memory;
  const UdpEndpoint a = *parse_endpoint("192.0.2.1:7"), b = *parse_endpoint("192.0.2.1:8");
  const tunnel::LocalAddress one{*parse_ip("198.51.100.1"), 0}, two{*parse_ip("198.51.100.2"), 0};
  const Instant start(std::chrono::hours(1));
  EXPECT_FALSE(memory.find(a, start).known());
  memory.note(a, one, start);
  memory.note(a, two, start);
  EXPECT_EQ(memory.find(a, start + std::chrono::seconds(59)), two);
  EXPECT_FALSE(memory.find(b, start).known());
  EXPECT_FALSE(memory.find(a, start + std::chrono::seconds(60)).known());
  memory.forget(one.address);
  EXPECT_EQ(memory.find(a, start), two);
  memory.forget(two.address);
  EXPECT_FALSE(memory.find(a, start).known());
}

// Any number of strangers: what is kept is right or nothing.
TEST(LocalMemory, NeverMixesEndpointsUp) {
  LocalMemory memory;
  const Instant now(std::chrono::hours(1));
  const auto endpoint = [](std::uint16_t port) { return UdpEndpoint{.address = *parse_ip("192.0.2.1"), .port = port}; };
  const auto local = [](std::uint16_t port) {
    tunnel::LocalAddress out{*parse_ip("10.0.0.0"), 0};
    out.address.bytes[14] = static_cast<std::uint8_t>(port >> 8);
    out.address.bytes[15] = static_cast<std::uint8_t>(port);
    return out;
  };
  for (std::uint16_t port = 1; port < 5000; ++port) memory.note(endpoint(port), local(port), now);
  std::size_t kept = 0;
  for (std::uint16_t port = 1; port < 5000; ++port) {
    const auto found = memory.find(endpoint(port), now);
    if (!found.known()) continue;
    EXPECT_EQ(found, local(port));
    ++kept;
  }
  EXPECT_GT(kept, 100u);
  EXPECT_LE(kept, 1024u);
}

}  // namespace
}  // namespace bonus::net::device
