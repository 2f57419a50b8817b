// Any frame, with any virtio-net header, through a wire that loses, delays and cuts.
#include <cstring>

#include "bonus/net/topology/wire_core.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  using namespace bonus::net::topology;
  if (size < 1 + sizeof(VnetHeader)) return 0;
  WireConfig config;
  config.regions = 1;
  config.paths = {Path{std::chrono::milliseconds(1), std::chrono::microseconds(100), (data[0] & 1) != 0 ? 0.3 : 0.0}};
  for (std::size_t i = 0; i < 2; ++i) {
    Attachment a;
    a.name = i == 0 ? "a" : "b";
    a.access.up_kbit = (data[0] & 2) != 0 ? 8000 : 0;
    a.access.mtu = (data[0] & 4) != 0 ? 600 : 9000;
    a.addresses = {net::parse_ip(i == 0 ? "51.0.0.1" : "51.0.1.1").value(),
                   net::parse_ip(i == 0 ? "2a01::1" : "2a01::2").value()};
    config.attachments.push_back(a);
  }
  WireCore core(config);
  Frame frame;
  std::memcpy(&frame.vnet, data + 1, sizeof frame.vnet);
  frame.data.assign(data + 1 + sizeof frame.vnet, data + size);
  static_cast<void>(packet_too_big(frame.data, config.attachments[1].addresses[0], 1280));
  const std::size_t packets = segment_count(frame);
  const auto parts = split(frame);
  if (!parts.empty() && parts.size() != packets) __builtin_trap();
  const Instant now{std::chrono::seconds(1)};
  core.offer(0, std::move(frame), now);
  std::vector<WireCore::Delivery> out;
  while (const auto next = core.next_timer()) core.deliver(*next, out, 1000);
  if (core.bytes_on_the_way() != 0) __builtin_trap();
  return 0;
}
