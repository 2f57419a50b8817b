// The wire without I/O: times, loss, queues, and frames that stand for many packets.
#include "bonus/net/topology/wire_core.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace bonus::net::topology {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Instant kStart{std::chrono::seconds(100)};

Ipv6 ip(std::string_view text) { return parse_ip(text).value(); }

std::uint16_t checksum(BytesView bytes, std::uint32_t total = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) total += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(~total);
}

void put16(Bytes& out, std::size_t at, std::size_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
std::size_t get16(BytesView in, std::size_t at) { return static_cast<std::size_t>(in[at] << 8 | in[at + 1]); }

/// An IPv4 packet with `payload` bytes behind a header of protocol `protocol`.
Bytes packet4(std::string_view from, std::string_view to, std::uint8_t protocol, std::size_t payload) {
  Bytes out(20 + (protocol == 6 ? 20 : 8) + payload);
  out[0] = 0x45;
  put16(out, 2, out.size());
  out[6] = 0x40;
  out[8] = 64;
  out[9] = protocol;
  std::memcpy(out.data() + 12, ip(from).bytes.data() + 12, 4);
  std::memcpy(out.data() + 16, ip(to).bytes.data() + 12, 4);
  put16(out, 10, checksum(BytesView(out).first(20)));
  if (protocol == 6) out[32] = 5 << 4;
  std::iota(out.end() - static_cast<std::ptrdiff_t>(payload), out.end(), std::uint8_t{0});
  return out;
}

Frame frame4(std::size_t payload = 100, std::string_view from = "51.0.0.1", std::string_view to = "51.0.1.1") {
  return {{}, packet4(from, to, 17, payload)};
}

Frame gso4(std::uint8_t protocol, std::size_t payload, std::uint16_t size) {
  Frame out{{}, packet4("51.0.0.1", "51.0.1.1", protocol, payload)};
  out.vnet.flags = kNeedsCsum;
  out.vnet.gso_type = protocol == 6 ? kGsoTcp4 : kGsoUdp;
  out.vnet.gso_size = size;
  out.vnet.csum_start = 20;
  out.vnet.csum_offset = protocol == 6 ? 16 : 6;
  if (protocol == 6) out.data[33] = 0x80 | 0x10 | 0x08 | 0x01;  // CWR ACK PSH FIN
  return out;
}

WireConfig config(Path path = {milliseconds(10), {}, 0}) {
  WireConfig out;
  out.seed = 5;
  out.regions = 1;
  out.paths = {path};
  for (int i = 0; i < 3; ++i) {
    Attachment a;
    a.name = "a" + std::to_string(i);
    a.addresses = {ip("51.0." + std::to_string(i) + ".1")};
    out.attachments.push_back(a);
  }
  return out;
}

/// Everything that arrives, with its time.
std::vector<std::pair<Duration, Frame>> arrivals(WireCore& core) {
  std::vector<std::pair<Duration, Frame>> out;
  std::vector<WireCore::Delivery> got;
  while (const auto next = core.next_timer()) {
    got.clear();
    core.deliver(*next, got, 1000);
    for (auto& d : got) out.emplace_back(*next - kStart, std::move(d.frame));
  }
  return out;
}

TEST(WireCore, ArrivesWhenItsTimeHasCome) {
  auto c = config();
  c.attachments[0].access.latency = milliseconds(3);
  c.attachments[1].access.latency = milliseconds(4);
  WireCore core(c);
  core.offer(0, frame4(), kStart);
  std::vector<WireCore::Delivery> got;
  core.deliver(kStart + milliseconds(17) - Duration(1), got, 10);
  EXPECT_TRUE(got.empty());
  core.deliver(kStart + milliseconds(17), got, 10);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].to, 1u);
  EXPECT_EQ(got[0].frame.data, frame4().data);
  EXPECT_EQ(core.counters(0).sent, 1u);
  EXPECT_EQ(core.counters(1).received, 1u);
  EXPECT_EQ(core.bytes_on_the_way(), 0u);
}

TEST(WireCore, JitterSpreadsButKeepsTheOrder) {
  WireCore core(config({milliseconds(10), milliseconds(5), 0}));
  for (std::size_t i = 0; i < 500; ++i) core.offer(0, frame4(i), kStart + microseconds(100 * i));
  const auto got = arrivals(core);
  ASSERT_EQ(got.size(), 500u);
  Duration least = got[0].first, most{};
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].second.data.size(), 28 + i);
    const Duration took = got[i].first - microseconds(100 * i);
    EXPECT_GE(took, milliseconds(10));
    EXPECT_LE(took, milliseconds(15));
    least = std::min(least, took);
    most = std::max(most, took);
  }
  EXPECT_GT(most - least, milliseconds(2));
}

TEST(WireCore, LossIsAsOftenAsAskedAndTheSameForASeed) {
  std::uint64_t lost[2];
  for (auto& count : lost) {
    auto c = config({milliseconds(1), {}, 0.02});
    c.attachments[1].access.loss = 0.01;
    WireCore core(c);
    for (int i = 0; i < 20000; ++i) core.offer(0, frame4(), kStart);
    count = core.counters(0).lost;
    EXPECT_EQ(arrivals(core).size(), 20000 - count);
  }
  EXPECT_EQ(lost[0], lost[1]);
  EXPECT_NEAR(static_cast<double>(lost[0]), 20000 * (1 - 0.98 * 0.99), 150);  // six deviations
}

TEST(WireCore, OfALargeFrameOnlySinglePacketsAreLost) {
  WireCore core(config({milliseconds(1), {}, 0.05}));
  std::size_t frames = 0;
  for (int i = 0; i < 200; ++i) core.offer(0, gso4(6, 40 * 1400, 1400), kStart);
  const auto& counters = core.counters(0);
  EXPECT_EQ(counters.sent, 8000u);
  EXPECT_NEAR(static_cast<double>(counters.lost), 400, 120);
  std::size_t packets = 0;
  for (const auto& [at, frame] : arrivals(core)) {
    packets += segment_count(frame);
    ++frames;
  }
  EXPECT_EQ(packets + counters.lost, 8000u);
  EXPECT_GT(frames, 1000u);
}

TEST(WireCore, WithoutLossALargeFrameStaysWhole) {
  WireCore core(config());
  core.offer(0, gso4(17, 10 * 1200 + 1, 1200), kStart);
  const auto got = arrivals(core);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(segment_count(got[0].second), 11u);
}

TEST(WireCore, ALineHasARateAndAQueue) {
  auto c = config();
  c.attachments[0].access.up_kbit = 8000;  // 1 byte per microsecond
  c.attachments[0].access.queue_bytes = 10'000;
  WireCore core(c);
  for (int i = 0; i < 100; ++i) core.offer(0, frame4(972), kStart);  // 1000 bytes each
  const auto got = arrivals(core);
  EXPECT_EQ(got.size(), 11u);
  EXPECT_EQ(core.counters(0).queue_up, 89u);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].first, milliseconds(10 + i + 1));
}

TEST(WireCore, TheReceiversLineIsSharedByItsSenders) {
  auto c = config();
  c.attachments[1].access.down_kbit = 8000;
  c.attachments[1].access.queue_bytes = 4'000;
  WireCore core(c);
  for (int i = 0; i < 10; ++i) {
    core.offer(0, frame4(972), kStart);
    core.offer(2, frame4(972, "51.0.2.1"), kStart);
  }
  const auto got = arrivals(core);
  EXPECT_EQ(got.size(), 5u);
  EXPECT_EQ(core.counters(1).queue_down, 15u);
  EXPECT_EQ(got.back().first, milliseconds(15));
  EXPECT_EQ(core.bytes_on_the_way(), 0u);
}

TEST(WireCore, WhatDoesNotBelongIsCounted) {
  auto c = config();
  c.attachments[1].access.mtu = 1300;
  c.max_bytes = 3000;
  WireCore core(c);
  core.offer(0, frame4(10, "51.0.9.9"), kStart);
  core.offer(0, frame4(10, "51.0.0.1", "51.0.9.9"), kStart);
  core.offer(0, frame4(10, "51.0.0.1", "224.0.0.1"), kStart);
  core.offer(0, {{}, Bytes(7)}, kStart);
  core.offer(0, {{}, {}}, kStart);
  EXPECT_EQ(core.counters(0).spoofed, 1u);
  EXPECT_EQ(core.counters(0).unroutable, 1u);
  EXPECT_EQ(core.counters(0).sent, 2u);
  EXPECT_FALSE(core.next_timer());
  for (int i = 0; i < 4; ++i) core.offer(0, frame4(1000), kStart);
  EXPECT_EQ(core.counters(0).overflow, 2u);
}

TEST(WireCore, TooBigIsToldToTheSenderOfIpv6Too) {
  WireConfig c = config();
  c.attachments[0].addresses = {ip("2001:db8::2")};
  c.attachments[1].addresses = {ip("2001:db8:1::2")};
  c.attachments[1].access.mtu = 1400;
  WireCore core(c);
  Frame frame;
  frame.data.resize(1450);
  frame.data[0] = 0x60;
  put16(frame.data, 4, frame.data.size() - 40);
  frame.data[6] = 17;
  frame.data[7] = 64;
  std::memcpy(&frame.data[8], c.attachments[0].addresses[0].bytes.data(), 16);
  std::memcpy(&frame.data[24], c.attachments[1].addresses[0].bytes.data(), 16);
  core.offer(0, frame, kStart);
  const auto got = arrivals(core);
  ASSERT_EQ(got.size(), 1u);
  const Bytes& answer = got[0].second.data;
  EXPECT_EQ(answer[40], 2);
  EXPECT_EQ(get16(answer, 46), 1400u);
  EXPECT_EQ(BytesView(answer).subspan(24, 16)[15], 2);
  std::uint32_t pseudo = 58 + static_cast<std::uint32_t>(answer.size() - 40);
  for (std::size_t at = 8; at < 40; at += 2) pseudo += static_cast<std::uint32_t>(get16(answer, at));
  EXPECT_EQ(checksum(BytesView(answer).subspan(40), pseudo), 0);
}

TEST(WireCore, TooBigIsToldToTheSender) {
  auto c = config();
  c.attachments[1].access.mtu = 1300;
  WireCore core(c);
  core.offer(0, frame4(1300 - 28), kStart);
  core.offer(0, frame4(1301 - 28), kStart);
  auto loose = frame4(1301 - 28);
  loose.data[6] = 0;  // may be fragmented: vanishes
  core.offer(0, std::move(loose), kStart);
  EXPECT_EQ(core.counters(0).too_big, 2u);
  const auto got = arrivals(core);
  ASSERT_EQ(got.size(), 2u);
  const Bytes& message = got[1].second.data;
  EXPECT_EQ(got[1].first, milliseconds(20));
  ASSERT_EQ(message.size(), 20u + 8 + 28);
  EXPECT_EQ(message[9], 1);
  EXPECT_EQ(message[20], 3);
  EXPECT_EQ(message[21], 4);
  EXPECT_EQ(get16(message, 26), 1300u);
  EXPECT_EQ(checksum(BytesView(message).first(20)), 0);
  EXPECT_EQ(checksum(BytesView(message).subspan(20)), 0);
  EXPECT_EQ(message[19], 1);
  // An answer about an answer would never end.
  Bytes icmp = packet4("51.0.0.1", "51.0.1.1", 1, 1400);
  core.offer(0, {{}, std::move(icmp)}, kStart);
  EXPECT_TRUE(arrivals(core).empty());
}

TEST(WireCore, ChangesApplyToWhatIsOnTheWay) {
  auto c = config();
  WireCore core(c);
  core.offer(0, frame4(), kStart);
  c.attachments[1].udp_blocked = true;
  c.attachments[1].addresses = {ip("51.0.5.1")};
  std::swap(c.attachments[0], c.attachments[2]);  // the order of a configuration means nothing
  ASSERT_TRUE(core.update(c));
  EXPECT_TRUE(arrivals(core).empty());
  EXPECT_EQ(core.counters(0).blocked, 1u);
  core.offer(0, frame4(), kStart);
  EXPECT_EQ(core.counters(0).unroutable, 1u);
  core.offer(0, {{}, packet4("51.0.0.1", "51.0.5.1", 6, 10)}, kStart);
  EXPECT_EQ(arrivals(core).size(), 1u);
  c.attachments.pop_back();
  EXPECT_FALSE(core.update(c));
}

TEST(Frame, SplitsAsTheKernelWould) {
  for (const std::uint8_t protocol : {std::uint8_t{6}, std::uint8_t{17}}) {
    const Frame whole = gso4(protocol, 2 * 1000 + 300, 1000);
    const std::size_t header = protocol == 6 ? 40 : 28;
    EXPECT_EQ(segment_bytes(whole), header + 1000);
    const auto parts = split(whole);
    ASSERT_EQ(parts.size(), 3u);
    Bytes joined;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Bytes& p = parts[i].data;
      EXPECT_EQ(get16(p, 2), p.size());
      EXPECT_EQ(get16(p, 4), i);
      EXPECT_EQ(checksum(BytesView(p).first(20)), 0);
      EXPECT_EQ(parts[i].vnet.gso_type, kGsoNone);
      EXPECT_EQ(parts[i].vnet.flags, kNeedsCsum);
      joined.insert(joined.end(), p.begin() + static_cast<std::ptrdiff_t>(header), p.end());
      if (protocol == 6) {
        EXPECT_EQ(get16(p, 26), 1000 * i);
        EXPECT_EQ(p[33], (i == 0 ? 0x80 : 0) | 0x10 | (i == 2 ? 0x09 : 0));
      } else {
        EXPECT_EQ(get16(p, 24), p.size() - 20);
      }
      // The pseudo-header's part of the sum: source, destination, protocol, length.
      Bytes pseudo(p.begin() + 12, p.begin() + 20);
      pseudo.resize(12);
      pseudo[9] = protocol;
      put16(pseudo, 10, p.size() - 20);
      EXPECT_EQ(get16(p, protocol == 6 ? 36 : 26), static_cast<std::uint16_t>(~checksum(pseudo)));
    }
    EXPECT_EQ(joined, Bytes(whole.data.begin() + static_cast<std::ptrdiff_t>(header), whole.data.end()));
  }
}

TEST(Frame, NonsenseHeadersGiveNothing) {
  Frame frame = gso4(6, 3000, 1000);
  frame.vnet.csum_start = 60000;
  EXPECT_TRUE(split(frame).empty());
  frame = gso4(6, 3000, 1000);
  frame.vnet.gso_size = 0;
  EXPECT_TRUE(split(frame).empty());
  frame = gso4(6, 3000, 1000);
  frame.vnet.gso_type = 77;
  EXPECT_TRUE(split(frame).empty());
  EXPECT_EQ(split(frame4()).size(), 1u);
}

TEST(Frame, AHeaderLongerThanThePacketIsRefused) {
  for (const unsigned first : {0x4fu, 0x46u, 0x44u, 0x33u, 0x60u}) {
    Frame frame = gso4(17, 12, 4);
    frame.data[0] = static_cast<std::uint8_t>(first);  // of 60, 24, 16 bytes; of no IP; of IPv6, whose header is longer
    EXPECT_EQ(segment_count(frame), 1u) << first;
    EXPECT_TRUE(split(frame).empty()) << first;
  }
}

}  // namespace
}  // namespace bonus::net::topology
