// TLS links on Boost.Asio and OpenSSL. Plain handlers instead of coroutines: everything happens on the caller's strand.
#include "bonus/net/nat/tls_link.hpp"

#include <unistd.h>

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <map>

#include "bonus/base/log.hpp"
#include "bonus/net/nat/certificate.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::nat {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxFrame = 16 << 10;
constexpr std::size_t kReadBytes = 64 << 10, kWriteBytes = 64 << 10;
constexpr auto kStable = std::chrono::seconds(30);  // a link that stood so long starts with no backoff next time
constexpr std::uint32_t kLinkNumbers = kViaLink - 1;

asio::ip::address to_asio(const Ipv6& address) {
  if (is_ipv4(address)) {
    asio::ip::address_v4::bytes_type bytes{};
    std::copy_n(address.bytes.begin() + 12, 4, bytes.begin());
    return asio::ip::address_v4(bytes);
  }
  asio::ip::address_v6::bytes_type bytes{};
  std::ranges::copy(address.bytes, bytes.begin());
  return asio::ip::address_v6(bytes);
}

UdpEndpoint from_asio(const tcp::endpoint& endpoint) {
  UdpEndpoint out;
  const auto address = endpoint.address();
  const auto bytes = address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes()
                                     : address.to_v6().to_bytes();
  std::ranges::copy(bytes, out.address.bytes.begin());
  out.port = endpoint.port();
  return out;
}

/// Certificates are self-signed and carry a key: who it is gets decided after the handshake.
Result<> prepare(ssl::context& context, const NodeCertificate& certificate) {
  error_code ec;
  const auto step = [&](const char* what) -> Result<> {
    if (ec) return fail(ErrorCode::kInternal, std::string("TLS: ") + what + ": " + ec.message());
    return {};
  };
  context.use_certificate(asio::buffer(certificate.certificate_pem), ssl::context::pem, ec);
  TRY(step("the certificate"));
  context.use_private_key(asio::buffer(certificate.private_key_pem), ssl::context::pem, ec);
  TRY(step("the key"));
  context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ec);
  TRY(step("verification"));
  context.set_verify_callback([](bool, ssl::verify_context&) { return true; }, ec);
  TRY(step("verification"));
  if (SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_3_VERSION) != 1)
    return fail(ErrorCode::kInternal, "TLS 1.3 is not available");
  return {};
}

struct DatagramQueue {
  std::deque<Bytes> frames;
  std::size_t bytes = 0;
};

}  // namespace

struct TlsLinks::State : std::enable_shared_from_this<TlsLinks::State> {
  struct Link : std::enable_shared_from_this<Link> {
    Link(State& owner, tcp::socket socket, ssl::context& context, std::uint32_t number)
        : state(owner.shared_from_this()), stream(std::move(socket), context), deadline(owner.executor), via(number) {}
    std::shared_ptr<State> state;  // handlers hold the link, and with it the state
    ssl::stream<tcp::socket> stream;
    asio::steady_timer deadline;
    std::uint32_t via;
    UdpEndpoint remote;
    bool up = false, closed = false, writing = false, wanted = false;
    DatagramQueue queue;
    Bytes inbox, reading = Bytes(kReadBytes), outgoing;
    [[nodiscard]] PathEndpoint path() const { return {remote, via}; }
  };
  struct Dial {
    std::vector<UdpEndpoint> endpoints;
    Ed25519PublicKey root;
    std::size_t turn = 0;
    Duration backoff;
    std::shared_ptr<Link> link;
    std::unique_ptr<asio::steady_timer> timer;    // of the next try; of stability while the link is up
    std::shared_ptr<asio::steady_timer> give_up;  // runs while there is no link
  };

  State(runtime::Executor e, const crypto::Ed25519KeyPair& key, runtime::Random& r, Events ev, TlsLinkOptions o)
      : executor(std::move(e)), random(r), events(std::move(ev)), options(o), acceptor(executor) {
    const auto certificate = make_certificate(key);
    ready = certificate ? Result<>{} : fail(certificate.error());
    if (ready) ready = prepare(server, *certificate);
    if (ready) ready = prepare(client, *certificate);
  }

  void set_deadline(const std::shared_ptr<Link>& link, Duration after) {
    link->deadline.expires_after(after);
    link->deadline.async_wait([link](error_code ec) {
      if (!ec) link->state->end(link, "it was silent for too long");
    });
  }

  void accept() {
    acceptor.async_accept(executor, [self = shared_from_this()](error_code ec, tcp::socket socket) {
      if (self->stopped || ec == asio::error::operation_aborted) return;
      if (ec) {  // out of descriptors, for instance: not in a busy loop
        self->retry_accept = std::make_unique<asio::steady_timer>(self->executor, std::chrono::milliseconds(200));
        self->retry_accept->async_wait([self](error_code stop) {
          if (!stop && !self->stopped) self->accept();
        });
        return;
      }
      if (self->accepted.size() < self->options.max_accepted) self->take(std::move(socket));
      self->accept();
    });
  }

  void take(tcp::socket socket) {
    error_code ec;
    const auto remote = socket.remote_endpoint(ec);
    if (ec) return;
    const Ipv6 prefix = rate_prefix(from_asio(remote).address);
    std::size_t same = 0, unproven = 0;
    for (const auto& [via, one] : accepted) {
      if (rate_prefix(one->remote.address) != prefix) continue;
      ++same;
      unproven += one->up ? 0U : 1U;
    }
    if (unproven >= options.max_handshakes_per_prefix || same >= options.max_accepted_per_prefix) return;
    auto link = std::make_shared<Link>(*this, std::move(socket), server, new_via());
    link->remote = from_asio(remote);
    accepted[link->via] = link;
    set_deadline(link, options.handshake_timeout);
    link->stream.async_handshake(ssl::stream_base::server,
                                 [link](error_code failed) { link->state->shaken(link, failed); });
  }

  [[nodiscard]] std::uint32_t new_via() {
    do {
      next_number = next_number % kLinkNumbers + 1;
    } while (accepted.contains(kViaLink | next_number) || dialled.contains(kViaLink | next_number));
    return kViaLink | next_number;
  }

  void expect_link(std::uint32_t via, Dial& dial) {
    if (dial.give_up) return;
    dial.give_up = std::make_shared<asio::steady_timer>(executor, options.give_up);
    dial.give_up->async_wait([self = shared_from_this(), via, timer = std::weak_ptr(dial.give_up)](error_code ec) {
      const auto found = self->dialled.find(via);
      if (ec || self->stopped || found == self->dialled.end() || found->second.give_up != timer.lock()) return;
      const auto link = found->second.link;
      self->dialled.erase(found);
      if (link) self->end(link, "it was tried for too long");
    });
  }

  void start_dial(std::uint32_t via) {
    const auto found = dialled.find(via);
    if (stopped || found == dialled.end()) return;
    Dial& dial = found->second;
    const UdpEndpoint target = dial.endpoints[dial.turn % dial.endpoints.size()];
    auto link = std::make_shared<Link>(*this, tcp::socket(executor), client, via);
    link->remote = target;
    link->wanted = true;
    dial.link = link;
    set_deadline(link, options.handshake_timeout);
    if (options.connect) {
      options.connect(target, [link, target](Result<int> socket) {
        error_code ec;
        if (socket) {
          link->stream.lowest_layer().assign(is_ipv4(target.address) ? tcp::v4() : tcp::v6(), *socket, ec);
          if (ec) ::close(*socket);
        }
        if (link->closed) return;
        if (!socket) return link->state->end(link, socket.error().message);
        link->state->connected(link, ec);
      });
      return;
    }
    link->stream.lowest_layer().async_connect(tcp::endpoint(to_asio(target.address), target.port),
                                              [link](error_code ec) { link->state->connected(link, ec); });
  }

  void connected(const std::shared_ptr<Link>& link, error_code ec) {
    if (link->closed) return;
    if (ec) return end(link, ec.message());
    link->stream.async_handshake(ssl::stream_base::client,
                                 [link](error_code failed) { link->state->shaken(link, failed); });
  }

  void shaken(const std::shared_ptr<Link>& link, error_code ec) {
    if (link->closed || stopped) return;
    if (ec) return end(link, ec.message());
    X509* certificate = SSL_get1_peer_certificate(link->stream.native_handle());
    const auto key = x509_key(certificate);
    X509_free(certificate);
    if (!key) return end(link, key.error().message);
    if (link->wanted) {
      const auto found = dialled.find(link->via);
      if (found == dialled.end()) return end(link, "nobody wants it any more");
      if (!found->second.root.is_zero() && found->second.root != *key)
        return end(link, "another node than the wanted one answers there");
      found->second.give_up.reset();
      found->second.timer = std::make_unique<asio::steady_timer>(executor, kStable);
      found->second.timer->async_wait([link](error_code stop) {
        const auto entry = link->state->dialled.find(link->via);
        if (!stop && entry != link->state->dialled.end() && entry->second.link == link)
          entry->second.backoff = link->state->options.backoff_min;
      });
    }
    error_code ignored;
    link->stream.lowest_layer().set_option(tcp::no_delay(true), ignored);
    link->up = true;
    set_deadline(link, options.idle_timeout);
    read(link);
    log::debug("net.tls", "link up", {{"remote", to_string(link->remote)}, {"dialled", link->wanted}});
    if (events.up) events.up(link->path(), *key, link->wanted);
  }

  void read(const std::shared_ptr<Link>& link) {
    link->stream.async_read_some(asio::buffer(link->reading), [link](error_code ec, std::size_t count) {
      if (link->closed) return;
      if (ec) return link->state->end(link, ec.message());
      link->state->set_deadline(link, link->state->options.idle_timeout);
      append(link->inbox, BytesView(link->reading).first(count));
      if (link->state->parse(link)) link->state->read(link);
    });
  }

  bool parse(const std::shared_ptr<Link>& link) {
    std::size_t at = 0;
    while (link->inbox.size() - at >= 2) {
      const std::size_t size = static_cast<std::size_t>(link->inbox[at]) << 8 | link->inbox[at + 1];
      if (size > kMaxFrame || size == 0) {
        end(link, "a frame of " + std::to_string(size) + " bytes");
        return false;
      }
      if (link->inbox.size() - at - 2 < size) break;
      if (events.datagram) events.datagram(link->path(), BytesView(link->inbox).subspan(at + 2, size));
      if (link->closed || stopped) return false;
      at += 2 + size;
    }
    link->inbox.erase(link->inbox.begin(), link->inbox.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
  }

  bool send(Link& link, BytesView datagram) {
    if (!link.up || link.closed || datagram.empty() || datagram.size() > kMaxFrame ||
        link.queue.bytes + datagram.size() > options.queue_bytes)
      return false;
    // Who reads slowly on many links does not take all memory, nor the others' little.
    if (queued + datagram.size() > options.total_queue_bytes &&
        link.queue.bytes + datagram.size() > options.little_queue_bytes)
      return false;
    Bytes frame{static_cast<std::uint8_t>(datagram.size() >> 8), static_cast<std::uint8_t>(datagram.size())};
    append(frame, datagram);
    link.queue.bytes += frame.size();
    queued += frame.size();
    link.queue.frames.push_back(std::move(frame));
    if (!link.writing) write(link.shared_from_this());
    return true;
  }

  void write(const std::shared_ptr<Link>& link) {
    link->outgoing.clear();
    while (!link->queue.frames.empty() && (link->outgoing.empty() || link->outgoing.size() < kWriteBytes)) {
      append(link->outgoing, link->queue.frames.front());
      link->queue.bytes -= link->queue.frames.front().size();
      queued -= link->queue.frames.front().size();
      link->queue.frames.pop_front();
    }
    if (link->outgoing.empty()) return;
    link->writing = true;
    asio::async_write(link->stream, asio::buffer(link->outgoing), [link](error_code ec, std::size_t) {
      link->writing = false;
      if (link->closed) return;
      if (ec) return link->state->end(link, ec.message());
      link->state->write(link);
    });
  }

  void end(const std::shared_ptr<Link>& link, const std::string& why) {
    if (std::exchange(link->closed, true)) return;
    queued -= std::exchange(link->queue, {}).bytes;
    error_code ignored;
    link->stream.lowest_layer().close(ignored);
    link->deadline.cancel();
    const bool was_up = std::exchange(link->up, false);
    log::debug("net.tls", "link down", {{"remote", to_string(link->remote)}, {"why", why}});
    accepted.erase(link->via);
    const auto found = dialled.find(link->via);
    if (found != dialled.end() && found->second.link == link) {
      Dial& dial = found->second;
      dial.link.reset();
      expect_link(link->via, dial);
      ++dial.turn;
      // The next endpoint at once; after a round of all of them, or after a link that stood, with backoff.
      const bool round = was_up || dial.turn % dial.endpoints.size() == 0;
      Duration delay{};
      if (round) {
        delay =
            dial.backoff / 2 +
            Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(dial.backoff.count() / 2 + 1))));
        dial.backoff = std::min(dial.backoff * 2, options.backoff_max);
        if (was_up) dial.turn = dial.turn == 0 ? 0 : dial.turn - 1;  // what worked is tried first again
      }
      dial.timer = std::make_unique<asio::steady_timer>(executor, delay);
      dial.timer->async_wait([self = shared_from_this(), via = link->via](error_code ec) {
        if (!ec) self->start_dial(via);
      });
    }
    if (was_up && !stopped && events.down) events.down(link->path());
  }

  [[nodiscard]] std::shared_ptr<Link> find(std::uint32_t via) const {
    if (const auto found = accepted.find(via); found != accepted.end()) return found->second;
    if (const auto found = dialled.find(via); found != dialled.end()) return found->second.link;
    return nullptr;
  }

  runtime::Executor executor;
  runtime::Random& random;
  Events events;
  TlsLinkOptions options;
  ssl::context server{ssl::context::tls_server}, client{ssl::context::tls_client};
  Result<> ready;
  tcp::acceptor acceptor;
  std::unique_ptr<asio::steady_timer> retry_accept;
  std::map<std::uint32_t, std::shared_ptr<Link>> accepted;
  std::map<std::uint32_t, Dial> dialled;
  std::uint32_t next_number = 0;
  std::uint64_t dropped = 0;
  std::size_t queued = 0;  // bytes, of all links
  bool stopped = false;
};

TlsLinks::TlsLinks(runtime::Executor executor, const crypto::Ed25519KeyPair& root, runtime::Random& random,
                   Events events, TlsLinkOptions options)
    : state_(std::make_shared<State>(std::move(executor), root, random, std::move(events), options)) {}

TlsLinks::~TlsLinks() { stop(); }

Result<UdpEndpoint> TlsLinks::listen(const UdpEndpoint& at) {
  if (!state_->ready) return fail(state_->ready.error());
  const tcp::endpoint endpoint(to_asio(at.address), at.port);
  error_code ec;
  auto& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  const auto bound = ec ? tcp::endpoint() : acceptor.local_endpoint(ec);
  if (ec) {
    error_code ignored;
    acceptor.close(ignored);
    return fail(ErrorCode::kIo, "TLS links cannot listen on " + to_string(at) + ": " + ec.message());
  }
  state_->accept();
  return from_asio(bound);
}

Result<std::uint32_t> TlsLinks::dial(std::vector<UdpEndpoint> endpoints, const Ed25519PublicKey& root) {
  if (!state_->ready) return fail(state_->ready.error());
  if (state_->stopped) return fail(ErrorCode::kCancelled, "TLS links were stopped");
  if (endpoints.empty()) return fail(ErrorCode::kInvalid, "a TLS link needs an endpoint");
  if (endpoints.size() > 8) endpoints.resize(8);
  for (const auto& [via, dial] : state_->dialled)
    if (dial.root == root && dial.endpoints == endpoints) return via;
  if (state_->dialled.size() >= state_->options.max_dialled)
    return fail(ErrorCode::kExhausted, "too many TLS links are wanted");
  const std::uint32_t via = state_->new_via();
  State::Dial& dial = state_->dialled[via];
  dial.endpoints = std::move(endpoints);
  dial.root = root;
  dial.backoff = state_->options.backoff_min;
  state_->expect_link(via, dial);
  state_->start_dial(via);
  return via;
}

void TlsLinks::close(std::uint32_t via) {
  const auto link = state_->find(via);
  state_->dialled.erase(via);  // first: it must not be dialled again
  if (link) state_->end(link, "it was closed here");
}

bool TlsLinks::send(std::uint32_t via, BytesView datagram) {
  const auto link = state_->find(via);
  const bool sent = link && state_->send(*link, datagram);
  if (!sent) ++state_->dropped;
  return sent;
}

void TlsLinks::stop() {
  if (std::exchange(state_->stopped, true)) return;
  error_code ignored;
  state_->acceptor.close(ignored);
  state_->retry_accept.reset();
  std::vector<std::shared_ptr<State::Link>> links;
  for (auto& [via, link] : state_->accepted) links.push_back(link);
  for (auto& [via, dial] : state_->dialled)
    if (dial.link) links.push_back(dial.link);
  state_->dialled.clear();
  for (const auto& link : links) state_->end(link, "the node stops");
  state_->events = {};
}

std::size_t TlsLinks::links() const {
  std::size_t out = 0;
  for (const auto& [via, link] : state_->accepted) out += link->up ? 1 : 0;
  for (const auto& [via, dial] : state_->dialled) out += dial.link && dial.link->up ? 1 : 0;
  return out;
}

std::uint64_t TlsLinks::dropped() const { return state_->dropped; }

}  // namespace bonus::net::nat
