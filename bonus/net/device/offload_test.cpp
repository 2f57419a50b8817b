// Splitting and coalescing undo each other, whatever the flow; what must not be merged is not.
#include "bonus/net/device/offload.hpp"

#include <gtest/gtest.h>

#include "bonus/net/device/icmp.hpp"
#include "bonus/net/device/packet_testing.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::device {
namespace {

using namespace testing;
using runtime::sim::SeededRandom;

Bytes random_bytes(runtime::Random& random, std::size_t size) {
  Bytes out(size);
  random.fill(out);
  return out;
}

std::uint16_t slow_checksum(BytesView bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>((bytes[i] << 8) | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

TEST(Checksum, IsTheOneOfTheRfc) {
  SeededRandom random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    const Bytes bytes = random_bytes(random, size + 3);
    const auto view = BytesView(bytes).subspan(3);  // unaligned
    std::uint8_t stored[2], copied[2];
    store_checksum(stored, checksum_finish(checksum_add(view)));
    Bytes out(size);
    store_checksum(copied, checksum_finish(checksum_copy(out.data(), view)));
    EXPECT_EQ(load_be16(stored), slow_checksum(view));
    EXPECT_EQ(load_be16(copied), slow_checksum(view));
    EXPECT_TRUE(std::ranges::equal(out, view));
  }
  const Bytes ones(1 << 20, 0xff);
  EXPECT_EQ(checksum_fold(checksum_add(ones)), 0xffff);
}

TEST(Offload, SplitThenCoalesceIsTheSamePacket) {
  SeededRandom random(2);
  Coalescer coalescer({});
  for (int round = 0; round < 400; ++round) {
    Shape shape;
    shape.v6 = random.below(2) != 0;
    shape.tcp = random.below(2) != 0;
    shape.sequence = static_cast<std::uint32_t>(random.next_u64());
    shape.options = 4 * random.below(11);
    shape.id = static_cast<std::uint16_t>(random.next_u64());
    if (shape.tcp && random.below(2) != 0) shape.flags |= 0x08;
    const std::size_t segment = 200 + random.below(1300);
    const std::size_t payload = std::min(segment + 1 + random.below(segment * 40), 65535 - header_size(shape));
    const Bytes packet = make_packet(shape, random_bytes(random, payload), true);
    const auto header = super_header(shape, segment);

    const auto pieces = split(header, packet);
    ASSERT_EQ(pieces.size(), (payload + segment - 1) / segment);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      EXPECT_TRUE(checksums_are_right(pieces[i]));
      if (!shape.v6) {
        EXPECT_EQ(load_be16(&pieces[i][4]), static_cast<std::uint16_t>(shape.id + i));
      }
    }
    const auto whole = coalesce(coalescer, pieces);
    ASSERT_EQ(whole.size(), 1u);
    EXPECT_EQ(whole[0].header, header);
    EXPECT_EQ(whole[0].packet, packet);
  }
}

TEST(Offload, MixedFlowsKeepTheirOrderAndBytes) {
  SeededRandom random(3);
  Coalescer coalescer({});
  for (int round = 0; round < 100; ++round) {
    std::vector<Shape> flows(1 + random.below(6));
    for (std::size_t i = 0; i < flows.size(); ++i) {
      flows[i].v6 = random.below(2) != 0;
      flows[i].tcp = random.below(3) != 0;
      flows[i].source_port = static_cast<std::uint16_t>(2000 + i);
    }
    std::vector<Bytes> packets;
    std::vector<Bytes> streams(flows.size());
    for (std::uint64_t n = 1 + random.below(120); n > 0; --n) {
      const std::size_t f = random.below(flows.size());
      flows[f].flags = random.below(8) == 0 ? 0x18 : random.below(40) == 0 ? 0x11 : 0x10;
      const Bytes payload = random_bytes(random, random.below(6) == 0 ? random.below(1200) : 1200);
      if (random.below(30) != 0)
        append(streams[f], payload);  // else: lost on the way
      else {
        flows[f].sequence += static_cast<std::uint32_t>(payload.size());
        continue;
      }
      packets.push_back(make_packet(flows[f], payload));
      flows[f].sequence += static_cast<std::uint32_t>(payload.size());
    }
    std::vector<Bytes> seen(flows.size());
    for (const auto& w : coalesce(coalescer, packets)) {
      auto pieces = w.header.gso_type == kGsoNone ? std::vector<Bytes>{w.packet} : split(w.header, w.packet);
      ASSERT_FALSE(pieces.empty());
      for (const auto& piece : pieces) {
        EXPECT_TRUE(checksums_are_right(piece));
        const std::size_t start = piece[0] >> 4 == 6 ? 40 : 20;
        const std::size_t f = load_be16(&piece[start]) - 2000u;
        ASSERT_LT(f, flows.size());
        append(seen[f], BytesView(piece).subspan(header_size(flows[f])));
      }
    }
    EXPECT_EQ(seen, streams);
  }
}

TEST(Offload, WhatMayNotBeMergedIsNot) {
  const Bytes payload(1000, 7);
  const Shape base;
  Shape next = base;
  next.sequence = 1000;
  const auto merged = [&](Bytes a, Bytes b, Coalescer::Options options = {}) {
    Coalescer coalescer(options);
    const Bytes first = a, second = b;
    const auto out = coalesce(coalescer, {std::move(a), std::move(b)});
    if (out.size() == 1) return true;
    EXPECT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].packet, first);
    EXPECT_EQ(out[1].packet, second);
    EXPECT_EQ(out[1].header, VnetHeader{});
    return false;
  };
  const Bytes a = make_packet(base, payload), b = make_packet(next, payload);
  EXPECT_TRUE(merged(a, b));
  EXPECT_FALSE(merged(a, b, {.tcp = false, .udp = true}));
  EXPECT_FALSE(merged(b, a)) << "out of order";
  EXPECT_FALSE(merged(a, a)) << "a duplicate";
  Bytes broken = b;
  broken.back() ^= 1;
  EXPECT_FALSE(merged(a, broken)) << "a wrong checksum may not be made right";
  Bytes broken_first = a;
  broken_first.back() ^= 1;
  EXPECT_FALSE(merged(broken_first, b));
  for (const int flags : {0x11, 0x12, 0x14, 0x30, 0x50, 0x90, 0x00}) {
    Shape other = next;
    other.flags = static_cast<std::uint8_t>(flags);
    EXPECT_FALSE(merged(a, make_packet(other, payload))) << flags;
  }
  Shape other = next;
  other.source_port = 1001;
  EXPECT_FALSE(merged(a, make_packet(other, payload)));
  other = next;
  other.host = 9;
  EXPECT_FALSE(merged(a, make_packet(other, payload)));
  other = next;
  other.options = 16;
  EXPECT_FALSE(merged(a, make_packet(other, payload)));
  EXPECT_FALSE(merged(a, make_packet(next, Bytes(1001, 7)))) << "larger than the first";
  EXPECT_FALSE(merged(a, make_packet(next, {}))) << "no payload";
  Bytes hops = b;
  hops[7] = 63;  // not part of the checksum
  EXPECT_FALSE(merged(a, hops));

  Shape udp;
  udp.tcp = false;
  const Bytes datagram = make_packet(udp, payload);
  EXPECT_TRUE(merged(datagram, datagram));
  EXPECT_FALSE(merged(datagram, datagram, {.tcp = true, .udp = false}));
  udp.v6 = false;
  Bytes fragment = make_packet(udp, payload);
  fragment[6] = 0x20;
  finish_ipv4_header(fragment.data(), 20);
  EXPECT_FALSE(merged(fragment, fragment));
  Bytes unsummed = make_packet(udp, payload);
  store_be16(&unsummed[26], 0);
  EXPECT_FALSE(merged(unsummed, unsummed));
}

TEST(Offload, ChecksumOfASinglePacketIsFinished) {
  for (const bool v6 : {false, true})
    for (const bool tcp : {false, true}) {
      Shape shape;
      shape.v6 = v6, shape.tcp = tcp;
      auto header = super_header(shape, 0);
      header.gso_type = kGsoNone;
      const auto out = split(header, make_packet(shape, Bytes(77, 3), true));
      ASSERT_EQ(out.size(), 1u);
      EXPECT_EQ(out[0], make_packet(shape, Bytes(77, 3)));
    }
}

TEST(Offload, FlagsOfATcpSuperPacketStandWhereTheyBelong) {
  Shape shape;
  shape.flags = 0x99;  // CWR, ACK, PSH, FIN
  auto header = super_header(shape, 100);
  header.gso_type |= kGsoEcn;
  const auto out = split(header, make_packet(shape, Bytes(250, 1), true));
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0][53], 0x90);
  EXPECT_EQ(out[1][53], 0x10);
  EXPECT_EQ(out[2][53], 0x19);
}

TEST(Offload, ContradictionsAreRefused) {
  const Shape shape;
  const Bytes packet = make_packet(shape, Bytes(500, 1), true);
  const auto good = super_header(shape, 100);
  EXPECT_TRUE(Splitter::open(good, packet));
  const auto bad = [&](auto change) {
    auto header = good;
    change(header);
    return !Splitter::open(header, packet);
  };
  EXPECT_TRUE(bad([](auto& h) { h.gso_size = 0; }));
  EXPECT_TRUE(bad([](auto& h) { h.flags = 0; }));
  EXPECT_TRUE(bad([](auto& h) { h.gso_type = kGsoTcp4; }));
  EXPECT_TRUE(bad([](auto& h) { h.gso_type = 3; }));
  EXPECT_TRUE(bad([](auto& h) { h.csum_start = 4; }));
  EXPECT_TRUE(bad([](auto& h) { h.csum_start = 600; }));
  EXPECT_TRUE(bad([](auto& h) { h.csum_offset = 6; }));
  EXPECT_FALSE(Splitter::open({}, Bytes(10)));
  EXPECT_FALSE(Splitter::open({}, Bytes(50, 0x12)));
}

TEST(Icmp, PacketTooBigQuotesThePacketToItsSender) {
  Shape shape;
  const Bytes packet = make_packet(shape, Bytes(1400, 5));
  const Bytes answer = packet_too_big(packet, 1300);
  ASSERT_EQ(answer.size(), 1280u);
  EXPECT_TRUE(checksums_are_right(answer));
  EXPECT_EQ(answer[40], 2);
  EXPECT_EQ(load_be32(&answer[44]), 1300u);
  EXPECT_TRUE(std::equal(&answer[24], &answer[40], &packet[8]));
  EXPECT_TRUE(std::equal(&answer[48], &answer[1280], &packet[0]));
  EXPECT_TRUE(packet_too_big(answer, 100).empty()) << "no error about an error";

  shape.v6 = false;
  Bytes v4 = make_packet(shape, Bytes(1400, 5));
  const Bytes answer4 = packet_too_big(v4, 1300);
  ASSERT_EQ(answer4.size(), 576u);
  EXPECT_EQ(checksum_fold(checksum_add(BytesView(answer4).first(20))), 0xffff);
  EXPECT_EQ(checksum_fold(checksum_add(BytesView(answer4).subspan(20))), 0xffff);
  EXPECT_EQ(load_be16(&answer4[26]), 1300);
  EXPECT_TRUE(packet_too_big(answer4, 100).empty());
  v4[6] = 0;
  EXPECT_TRUE(packet_too_big(v4, 1300).empty()) << "without DF";
  EXPECT_TRUE(packet_too_big(Bytes(30, 1), 20).empty());
}

TEST(Icmp, MssIsLoweredOnlyInSyns) {
  for (const bool v6 : {false, true})
    for (const bool odd : {false, true}) {
      Shape shape;
      shape.v6 = v6;
      shape.flags = 0x02;
      shape.options = 8;
      Bytes packet = make_packet(shape, {});
      std::uint8_t* option = &packet[ip_size(shape) + 20 + (odd ? 1 : 0)];
      const std::uint8_t mss[4] = {2, 4, 0x05, 0xb4};
      std::copy_n(mss, 4, option);
      std::uint8_t* sum = &packet[ip_size(shape) + 16];
      store_be16(sum, 0);
      const auto body = BytesView(packet).subspan(ip_size(shape));
      store_checksum(sum, checksum_finish(checksum_add(body, pseudo_header_sum(packet.data(), 6, body.size()))));

      Bytes same = packet;
      clamp_mss(same, 1520);
      EXPECT_EQ(same, packet);
      clamp_mss(packet, 1300);
      EXPECT_EQ(load_be16(option + 2), v6 ? 1240 : 1260);
      EXPECT_TRUE(checksums_are_right(packet));
      Bytes data = same;
      data[ip_size(shape) + 13] = 0x10;
      const Bytes before = data;
      clamp_mss(data, 1300);
      EXPECT_EQ(data, before);
    }
}

}  // namespace
}  // namespace bonus::net::device
