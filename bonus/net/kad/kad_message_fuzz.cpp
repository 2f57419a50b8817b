// Whatever decodes must encode to something that decodes to the same; a core must survive it from a stranger and from a
// contact, and answer a stranger with no more bytes than it got.
#include <cstdlib>

#include "bonus/net/kad/kad.hpp"
#include "bonus/net/kad/messages.hpp"
#include "bonus/runtime/sim/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  using namespace bonus::net;
  using namespace bonus::net::kad;
  const BytesView in(data, size);
  if (const auto m = decode(in)) {
    const auto once = encode(*m, kMaxPayload, size);
    const auto again = decode(once);
    if (!again || encode(*again, kMaxPayload, size) != once) std::abort();
  }
  (void)decode_value(in);

  auto settings = std::make_shared<Settings>();
  settings->assume_reachable = settings->allow_private = true;
  Config config;
  config.settings = settings;
  config.root.bytes.fill(1);
  config.certificate.key.bytes.fill(2);
  runtime::sim::SeededRandom random(1);
  Kad core(config, random, record_checker(), Instant{}, 1'700'000'000);
  crypto::X25519Public contact, stranger;
  contact.bytes.fill(3);
  stranger.bytes.fill(4);
  Ed25519PublicKey root;
  root.bytes.fill(5);
  const auto here = *parse_endpoint("127.0.0.1:1"), there = *parse_endpoint("127.0.0.1:2");
  (void)core.restore({contact, here}, root, std::chrono::milliseconds(9), {}, Instant{});
  Actions actions;
  (void)core.on_payload(stranger, there, in, Instant{} + std::chrono::seconds(1), actions);
  std::size_t back = 0;
  for (const auto& send : actions.sends)
    if (send.to == stranger && send.payload.size() > kProofPing) back += send.payload.size();
  if (back > size) std::abort();
  (void)core.on_payload(contact, here, in, Instant{} + std::chrono::seconds(2), actions);
  core.on_timer(Instant{} + std::chrono::seconds(60), actions);
  for (const auto& send : actions.sends)
    if (send.payload.size() > kMaxPayload || !decode(send.payload)) std::abort();
  return 0;
}
