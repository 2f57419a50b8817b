// A TUN device of the kernel takes what the coalescer makes. Skipped where neither can be had.
#include "bonus/net/device/tun.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "bonus/net/device/packet_testing.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::device {
namespace {

TEST(Tun, TheKernelTakesAsManySmallDatagramsAsOneBatchHolds) {
  auto space = host::testing::make_namespace();
  if (!space) GTEST_SKIP() << space.error().message;
  for (const bool v6 : {true, false}) {
    testing::Shape shape;
    shape.v6 = v6;
    shape.tcp = false;
    std::optional<Tun> tun;
    Fd socket;
    const auto made = host::in_namespace(space->get(), [&]() -> Result<> {
      TRY_ASSIGN(tun, Tun::open({.name = "small%d"}));
      TRY_ASSIGN(auto netlink, host::Netlink::open());
      const auto address = v6 ? "fd00::2" : "10.0.0.2";
      TRY(netlink.add_address(tun->name(), {.address = *parse_ip(address), .bits = 120}));
      TRY(netlink.set_up(tun->name()));
      socket.reset(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const auto at = host::testing::endpoint(v6 ? "::" : "0.0.0.0", 80);
      if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at.storage), at.size) != 0)
        return fail(os_error("binding", "port 80"));
      return {};
    });
    if (!made) GTEST_SKIP() << made.error().message;
    // A new address has no local route for a moment.
    Bytes got(100);
    const auto comes = [&](int timeout_ms) {
      pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
      return ::poll(&wait, 1, timeout_ms) > 0 && ::recv(socket.get(), got.data(), got.size(), 0) == 50;
    };
    Bytes first = testing::make_packet(shape, Bytes(50, 0));
    VnetHeader plain;
    const iovec pieces[] = {{&plain, sizeof plain}, {first.data(), first.size()}};
    bool ready = false;
    for (int i = 0; i < 200 && !ready; ++i) ready = tun->write(pieces) && comes(20);
    ASSERT_TRUE(ready);
    while (comes(200)) {
    }
    Coalescer coalescer({.tcp = tun->has_tcp_offload(), .udp = tun->has_udp_offload()});
    for (const std::size_t count : {64u, 65u, 129u, 250u}) {
      std::vector<Bytes> packets;
      for (std::size_t i = 0; i < count; ++i)
        packets.push_back(testing::make_packet(shape, Bytes(50, static_cast<std::uint8_t>(i))));
      for (auto& packet : packets) coalescer.add(packet);
      coalescer.take([&](std::span<const iovec> parts) {
        EXPECT_TRUE(tun->write(parts)) << count << " datagrams, " << parts.size() << " pieces";
      });
      std::size_t arrived = 0;
      for (; arrived < count && comes(2000); ++arrived) EXPECT_EQ(got[0], static_cast<std::uint8_t>(arrived));
      EXPECT_EQ(arrived, count);
    }
  }
}

}  // namespace
}  // namespace bonus::net::device
