// bonus-bench-tunnel: the costs of the tunnel one at a time (packets through the AEAD, handshakes of a responder), and
// the two sides of the flood test: forged initiations at a given rate, and honest clients that want sessions meanwhile.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <fstream>
#include <memory>

#include "bonus/net/device/cipher.hpp"
#include "bonus/net/tunnel/config.hpp"
#include "bonus/net/tunnel/device.hpp"
#include "bonus/runtime/clock.hpp"

namespace {

using namespace bonus;
namespace tunnel = net::tunnel;
using net::device::PacketCipher;

Instant now() { return runtime::system_clock().now(); }
// Of this thread, so that a busy machine does not count: figures are for one core.
double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  const auto in_seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
}
double seconds_since(Instant start) { return std::chrono::duration<double>(now() - start).count(); }

crypto::X25519Secret random_key() {
  crypto::X25519Secret key;
  runtime::system_random().fill(key.bytes);
  return key;
}

void aead(std::size_t size, std::size_t packets) {
  std::vector<std::uint8_t> data(64 * (size + PacketCipher::kTag));
  Hash32 key;
  runtime::system_random().fill(key.bytes);
  for (const auto backend : {PacketCipher::Backend::kOpenSsl, PacketCipher::Backend::kFastest}) {
    PacketCipher cipher(backend);
    const auto at = [&](std::size_t i) { return data.data() + (i % 64) * (size + PacketCipher::kTag); };
    double start = cpu_seconds();
    for (std::size_t i = 0; i < packets; ++i) cipher.seal(key, i, at(i), size);
    const double sealing = (cpu_seconds() - start) / static_cast<double>(packets);
    for (std::size_t i = 0; i < 64; ++i) cipher.seal(key, i, at(i), size);
    // What is opened is garbage of the same cost: the tag is compared after everything is decrypted. The first 64 are
    // sealed properly and show that opening works.
    std::size_t good = 0;
    for (std::size_t i = 0; i < 64; ++i) good += cipher.open(key, i, at(i), size) ? 1 : 0;
    start = cpu_seconds();
    for (std::size_t i = 0; i < packets; ++i) std::ignore = cipher.open(key, i, at(i), size);
    const double opening = (cpu_seconds() - start) / static_cast<double>(packets);
    fmt::print("{:<9} {} bytes: seal {:.0f} ns ({:.1f} Gbit/s), open {:.0f} ns ({:.1f} Gbit/s), {} of {} authentic\n",
               cipher.name(), size, sealing * 1e9, static_cast<double>(size) * 8e-9 / sealing, opening * 1e9,
               static_cast<double>(size) * 8e-9 / opening, good, 64);
  }
}

// How many initiations by known peers one core answers, and how many sessions two devices in one thread make.
void handshakes(std::size_t peers) {
  tunnel::DeviceOptions options;
  options.handshakes_per_prefix = options.handshake_burst_per_prefix = 1e9;
  options.initiations_per_second = options.initiation_burst = 1e9;
  auto& random = runtime::system_random();
  const Instant t = now();
  const UnixMillis wall = runtime::system_clock().unix_ms();
  tunnel::Device responder(random_key(), options, random, t, wall);
  tunnel::Actions actions;
  std::vector<std::unique_ptr<tunnel::Device>> clients;
  std::vector<Bytes> messages;
  for (std::size_t i = 0; i < peers; ++i) {
    auto& client = clients.emplace_back(std::make_unique<tunnel::Device>(random_key(), options, random, t, wall));
    tunnel::PeerConfig config;
    config.key = responder.public_key();
    config.endpoint = tunnel::Endpoint{.udp = {.address = {}, .port = 1}, .via = 1};
    const auto peer = client->set_peer(config, t, actions);
    actions.clear();
    if (!peer) throw std::runtime_error(peer.error().message);
    client->initiate(*peer, t, actions);
    messages.push_back(actions.send.at(0).bytes);
    actions.clear();
    tunnel::PeerConfig theirs;
    theirs.key = client->public_key();
    if (const auto added = responder.set_peer(theirs, t, actions); !added)
      throw std::runtime_error(added.error().message);
  }
  std::vector<Bytes> responses;
  actions.clear();
  const double start = cpu_seconds();
  for (std::size_t i = 0; i < peers; ++i) {
    net::UdpEndpoint from{.address = {}, .port = static_cast<std::uint16_t>(1000 + i % 60000)};
    from.address.bytes[10] = from.address.bytes[11] = 0xff;
    from.address.bytes[12] = 10;
    from.address.bytes[13] = static_cast<std::uint8_t>(i);
    responder.on_handshake_datagram({.udp = from, .via = 0}, messages[i], t, actions);
  }
  const double took = (cpu_seconds() - start);
  const std::size_t answered = actions.send.size();
  for (auto& datagram : actions.send) responses.push_back(std::move(datagram.bytes));
  actions.clear();
  const double second = cpu_seconds();
  std::size_t ready = 0;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    clients[i]->on_handshake_datagram({.udp = {.address = {}, .port = 1}, .via = 1}, responses[i], t, actions);
    ready += actions.ready.size();
    actions.clear();
  }
  fmt::print(
      "responder: {} of {} initiations answered, {:.0f} a CPU second; initiator: {} of {} responses, {:.0f} a CPU "
      "second\n",
      answered, peers, static_cast<double>(answered) / took, ready, responses.size(),
      static_cast<double>(ready) / (cpu_seconds() - second));
}

int udp_socket(const sockaddr_in& local) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int size = 4 << 20, on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  ::setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0)
    throw std::runtime_error(fmt::format("cannot bind a socket: {}", std::strerror(errno)));
  return fd;
}
sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &out.sin_addr) != 1) throw std::runtime_error("not an IPv4 address: " + text);
  return out;
}
// Host number `index` of the first /24 (spread over /24s when there are many).
sockaddr_in source(const std::string& base, std::size_t index) {
  sockaddr_in out = address_of(base, 0);
  const std::size_t host = (index % 250) * 256 + 2 + index / 250;
  out.sin_addr.s_addr = htonl(ntohl(out.sin_addr.s_addr) + static_cast<std::uint32_t>(host));
  return out;
}

struct Target {
  std::string address, key, sources;
  std::uint16_t port = 51820;
};

// Initiations with the right mac1 and nothing else right: the worst that somebody without a key can send.
void flood(const Target& target, double rate, double seconds, std::size_t sources) {
  const auto key = tunnel::parse_key(target.key);
  if (!key) throw std::runtime_error(key.error().message);
  crypto::X25519Public victim;
  victim.bytes = key->bytes;
  const tunnel::Identity identity(random_key());
  const auto remote = tunnel::make_remote(identity, victim, {});
  if (!remote) throw std::runtime_error(remote.error().message);
  std::vector<int> sockets;
  sockaddr_in to = address_of(target.address, target.port);
  for (std::size_t i = 0; i < sources; ++i) sockets.push_back(udp_socket(source(target.sources, i)));
  constexpr std::size_t kBatch = 50;
  std::array<tunnel::InitiationBytes, kBatch> messages{};
  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> pieces{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    pieces[i] = {messages[i].data(), messages[i].size()};
    headers[i].msg_hdr.msg_name = &to;
    headers[i].msg_hdr.msg_namelen = sizeof to;
    headers[i].msg_hdr.msg_iov = &pieces[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  std::uint64_t sent = 0, number = 0;
  const Instant start = now();
  for (double at = 0; at < seconds; at = seconds_since(start)) {
    if (static_cast<double>(sent) >= at * rate) {
      ::poll(nullptr, 0, 1);
      continue;
    }
    for (auto& message : messages) {
      if (number < kBatch) runtime::system_random().fill(message);
      ++number;
      message[0] = 1;
      message[1] = message[2] = message[3] = 0;
      std::memcpy(&message[4], &number, 8);  // index and ephemeral: every message is another one
      tunnel::add_macs(message, remote->mac1_key, std::nullopt);
    }
    const int count = ::sendmmsg(sockets[number / kBatch % sockets.size()], headers.data(), kBatch, 0);
    if (count > 0) sent += static_cast<std::uint64_t>(count);
  }
  fmt::print("{} forged initiations in {:.2f} s: {:.0f} a second\n", sent, seconds_since(start),
             static_cast<double>(sent) / seconds_since(start));
}

// Makes keys, or with them as many sessions as it can within the time.
void make_keys(const std::string& file, std::size_t count) {
  std::ofstream out(file);
  for (std::size_t i = 0; i < count; ++i) {
    const auto secret = random_key();
    out << tunnel::format_key(secret) << " " << tunnel::format_key(crypto::x25519_public(secret)) << "\n";
  }
}

void connect(const Target& target, const std::string& file, double seconds) {
  const auto key = tunnel::parse_key(target.key);
  if (!key) throw std::runtime_error(key.error().message);
  struct Client {
    std::unique_ptr<tunnel::Device> device;
    std::optional<double> done;
  };
  std::vector<Client> clients;
  std::vector<pollfd> waits;
  const sockaddr_in to = address_of(target.address, target.port);
  net::UdpEndpoint endpoint{.address = {}, .port = target.port};
  endpoint.address.bytes[10] = endpoint.address.bytes[11] = 0xff;
  std::memcpy(&endpoint.address.bytes[12], &to.sin_addr, 4);
  std::ifstream keys(file);
  std::string secret_text, public_text;
  tunnel::Actions actions;
  const Instant start = now();
  const auto send = [&](std::size_t i) {
    for (const auto& datagram : actions.send)
      std::ignore = ::sendto(waits[i].fd, datagram.bytes.data(), datagram.bytes.size(), 0,
                             reinterpret_cast<const sockaddr*>(&to), sizeof to);
    if (!actions.ready.empty() && !clients[i].done) clients[i].done = seconds_since(start);
    actions.clear();
  };
  while (keys >> secret_text >> public_text) {
    const auto secret = tunnel::parse_key(secret_text);
    if (!secret) throw std::runtime_error(secret.error().message);
    crypto::X25519Secret own;
    own.bytes = secret->bytes;
    const std::size_t i = clients.size();
    clients.push_back({std::make_unique<tunnel::Device>(own, tunnel::DeviceOptions{}, runtime::system_random(), now(),
                                                        runtime::system_clock().unix_ms()),
                       std::nullopt});
    waits.push_back({.fd = udp_socket(source(target.sources, i)), .events = POLLIN, .revents = 0});
    tunnel::PeerConfig config;
    config.key.bytes = key->bytes;
    config.endpoint = tunnel::Endpoint{.udp = endpoint, .via = 0};
    const auto peer = clients[i].device->set_peer(config, now(), actions);
    if (!peer) throw std::runtime_error(peer.error().message);
    clients[i].device->initiate(*peer, now(), actions);
    send(i);
  }
  while (seconds_since(start) < seconds && std::ranges::any_of(clients, [](const auto& c) { return !c.done; })) {
    ::poll(waits.data(), waits.size(), 5);
    for (std::size_t i = 0; i < clients.size(); ++i) {
      std::array<std::uint8_t, 2048> buffer{};
      for (ssize_t size; (size = ::recv(waits[i].fd, buffer.data(), buffer.size(), 0)) > 0;) {
        const BytesView datagram(buffer.data(), static_cast<std::size_t>(size));
        if (datagram[0] <= 3)
          clients[i].device->on_handshake_datagram({.udp = endpoint, .via = 0}, datagram, now(), actions);
        send(i);
      }
      if (const auto timer = clients[i].device->next_timer(); timer && *timer <= now()) {
        clients[i].device->on_timer(now(), actions);
        send(i);
      }
    }
  }
  std::vector<double> times;
  for (const auto& client : clients) {
    if (client.done) times.push_back(*client.done);
  }
  std::ranges::sort(times);
  fmt::print("{} of {} sessions within {:.1f} s: {:.1f}%; median {:.3f} s, last {:.3f} s\n", times.size(),
             clients.size(), seconds,
             clients.empty() ? 0.0 : 100.0 * static_cast<double>(times.size()) / static_cast<double>(clients.size()),
             times.empty() ? 0.0 : times[times.size() / 2], times.empty() ? 0.0 : times.back());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Costs of the tunnel, one at a time.", "bonus-bench-tunnel"};
  app.require_subcommand(1);
  std::size_t size = 1420, packets = 300000, peers = 2000, sources = 250;
  double rate = 50000, seconds = 5;
  Target target;
  std::string file;
  auto* aead_command = app.add_subcommand("aead", "packets through the AEAD backends");
  aead_command->add_option("--size", size);
  aead_command->add_option("--packets", packets);
  auto* handshake_command = app.add_subcommand("handshakes", "initiations that one core answers");
  handshake_command->add_option("--peers", peers);
  auto* flood_command = app.add_subcommand("flood", "forged initiations");
  flood_command->add_option("--rate", rate)->check(CLI::Range(1.0, 200000.0));
  flood_command->add_option("--seconds", seconds)->check(CLI::Range(0.1, 60.0));
  flood_command->add_option("--source-count", sources)->check(CLI::Range(1, 1000));
  auto* keys_command = app.add_subcommand("keys", "makes keys for connect");
  keys_command->add_option("--file", file)->required();
  keys_command->add_option("--count", peers);
  auto* connect_command = app.add_subcommand("connect", "honest clients, all at once");
  connect_command->add_option("--file", file)->required();
  connect_command->add_option("--seconds", seconds);
  for (auto* command : {flood_command, connect_command}) {
    command->add_option("--to", target.address)->required();
    command->add_option("--port", target.port);
    command->add_option("--key", target.key, "the victim's public key")->required();
    command->add_option("--sources", target.sources, "first address of the sources")->required();
  }
  CLI11_PARSE(app, argc, argv);
  try {
    if (*aead_command) aead(size, packets);
    if (*handshake_command) handshakes(peers);
    if (*flood_command) flood(target, rate, seconds, sources);
    if (*keys_command) make_keys(file, peers);
    if (*connect_command) connect(target, file, seconds);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bonus-bench-tunnel: {}\n", error.what());
    return 1;
  }
  return 0;
}
