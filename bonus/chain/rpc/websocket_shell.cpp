// The WebSocket shell: one reader and one writer per connection on its strand, calls on the pool, and the bounds of
// each.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bonus/base/log.hpp"
#include "bonus/chain/rpc/answer.hpp"
#include "bonus/chain/rpc/service.hpp"
#include "bonus/chain/rpc/session.hpp"

namespace bonus::chain::rpc {

namespace net = boost::asio;
namespace http = runtime::http;
using runtime::Task;

namespace {

constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr auto kNever = net::steady_timer::time_point::max();
constexpr auto kCloseLimit = std::chrono::seconds(5);       ///< For a peer to take its last message and the closing.
constexpr auto kBusyPause = std::chrono::milliseconds(20);  ///< Before a full pool is asked again.
constexpr std::string_view kByPeer = "closed by the peer";
constexpr std::uint16_t kGoingAway = 1001, kPolicyViolation = 1008;  // RFC 6455, 7.4.1

Task<bool> cancelled() {
  const auto state = co_await net::this_coro::cancellation_state;
  co_return state.cancelled() != net::cancellation_type::none;
}

}  // namespace

/// On the strand of its connection, but for what is said to be otherwise. Shared with handlers under way.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(const net::any_io_executor& executor, const RpcService& service, std::unique_ptr<http::WebSocket> socket,
             std::string peer)
      : executor_(executor),
        service_(service),
        socket_(std::move(socket)),
        peer_(std::move(peer)),
        to_write_(executor, kNever),
        room_(executor, kNever),
        idle_(executor, kNever),
        deadline_(executor) {}

  Task<> run();

 private:
  [[nodiscard]] const RpcService::Impl& parts() const { return *service_.impl_; }
  Task<> read_loop();
  Task<> write_loop();
  [[nodiscard]] Task<bool> wait_for_room();
  [[nodiscard]] Task<> submit(Bytes text);
  void work(const Bytes& text, Instant arrived);
  void answered();
  void ended();
  void abort_after(Duration limit, std::string why);
  void wake();

  const net::any_io_executor executor_;
  const RpcService& service_;
  const std::unique_ptr<http::WebSocket> socket_;
  const std::string peer_;
  std::shared_ptr<Session> session_;
  net::steady_timer to_write_, room_, idle_, deadline_;
  std::size_t in_flight_ = 0;      ///< Messages read whose answers are not written.
  std::size_t jobs_ = 0;           ///< Of them, those that run.
  std::uint64_t deadline_id_ = 0;  ///< Tells a deadline that was queued from one that counts.
  bool closing_ = false;
};

/// Any thread, until the session is detached.
void Connection::wake() {
  net::post(executor_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->to_write_.cancel();
    if (self->session_->ended()) self->ended();
  });
}

void Connection::abort_after(Duration limit, std::string why) {
  const auto id = ++deadline_id_;
  deadline_.expires_after(limit);
  deadline_.async_wait([weak = weak_from_this(), id, why = std::move(why)](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->deadline_id_ != id) return;
    self->session_->end(why);
    self->socket_->abort();
  });
}

/// Once the session has ended, by whomever: says why to the peer, and makes both loops return.
void Connection::ended() {
  if (closing_) return;
  closing_ = true;
  const auto reason = session_->ended().value_or("");
  const bool slow = reason.starts_with("slow consumer");
  socket_->close(slow ? kPolicyViolation : kGoingAway, reason);
  service_.impl_->metrics.websocket_closed(slow ? "slow" : reason == kByPeer ? "peer" : "other");
  if (slow)
    log::warn("rpc", "websocket_dropped", {{"peer", peer_}, {"reason", reason}});
  else
    log::debug("rpc", "websocket_ended", {{"peer", peer_}, {"reason", reason}});
  abort_after(kCloseLimit, reason);
  to_write_.cancel();
  room_.cancel();
}

void Connection::answered() {
  --in_flight_;
  room_.cancel();
}

Task<bool> Connection::wait_for_room() {
  while (in_flight_ >= parts().options.max_in_flight) {
    if (session_->ended() || co_await cancelled()) co_return false;
    room_.expires_at(kNever);
    (void)co_await room_.async_wait(kTuple);
  }
  co_return !session_->ended();
}

/// On a thread of the pool. run() waits for the handler posted here, so nothing may be touched behind it.
void Connection::work(const Bytes& text, Instant arrived) {
  SessionCalls calls(*session_);
  std::string out = service_.dispatch(as_text(text), arrived, &calls);
  const bool silent = out.empty();
  session_->answer(std::move(out), calls.made());
  const auto executor = executor_;
  net::post(executor, [self = shared_from_this(), silent] {
    --self->jobs_;
    self->idle_.cancel();
    if (silent) self->answered();
  });
}

Task<> Connection::submit(Bytes text) {
  const Instant arrived = parts().clock.now();
  const auto& options = parts().options;
  ++in_flight_;
  ++jobs_;
  if (options.pool == nullptr) {
    work(text, arrived);
    co_return;
  }
  const auto shared = std::make_shared<Bytes>(std::move(text));
  const std::function<void()> job = [this, shared, arrived] { work(*shared, arrived); };
  while (!options.pool->post(job)) {
    if (parts().clock.now() - arrived < options.request_timeout && !session_->ended() && !co_await cancelled()) {
      room_.expires_after(kBusyPause);
      (void)co_await room_.async_wait(kTuple);
      continue;
    }
    --jobs_;
    session_->answer(error_text(nullptr, {kLimitExceeded, "the node is busy: too many requests wait", {}}), {});
    co_return;
  }
}

Task<> Connection::read_loop() {
  co_await net::this_coro::throw_if_cancelled(false);
  while (co_await wait_for_room()) {
    auto message = co_await socket_->read();
    if (!message) {
      const bool gone = message.error().code == ErrorCode::kUnavailable;
      session_->end(gone ? std::string(kByPeer) : message.error().message);
      break;
    }
    co_await submit(std::move(message->data));
  }
  session_->end("closed");
  ended();
}

Task<> Connection::write_loop() {
  co_await net::this_coro::throw_if_cancelled(false);
  while (!session_->ended() && !co_await cancelled()) {
    auto message = session_->pop();
    if (!message) {
      to_write_.expires_at(kNever);
      (void)co_await to_write_.async_wait(kTuple);
      continue;
    }
    abort_after(parts().options.write_timeout, "slow consumer: it does not read");
    auto sent = co_await socket_->write(as_bytes(message->text), true);
    if (!closing_) ++deadline_id_;
    if (message->answer) answered();
    if (!sent) session_->end(sent.error().message);
  }
  session_->end("stopped");
  ended();
}

Task<> Connection::run() {
  co_await net::this_coro::throw_if_cancelled(false);
  const auto& options = parts().options;
  session_ = std::make_shared<Session>(service_.impl_->feed, service_.impl_->queued,
                                       SessionLimits{options.max_queue_bytes, options.max_subscriptions},
                                       [weak = weak_from_this()] {
                                         if (const auto self = weak.lock()) self->wake();
                                       });
  {
    using net::experimental::awaitable_operators::operator&&;
    auto both = read_loop() && write_loop();
    co_await std::move(both);
  }
  // What runs on the pool borrows the service: it must end before this does, even in a stopped task.
  co_await net::this_coro::reset_cancellation_state(net::disable_cancellation());
  while (jobs_ > 0) {
    idle_.expires_at(kNever);
    (void)co_await idle_.async_wait(kTuple);
  }
  session_->detach();
}

Task<> RpcService::serve_websocket(http::Exchange& exchange) {
  struct Slot {
    explicit Slot(Impl& i) : impl(i), number(++i.websockets) { impl.metrics.websockets(number); }
    ~Slot() { impl.metrics.websockets(--impl.websockets); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Impl& impl;
    const std::size_t number;
  };
  const Slot slot(*impl_);
  const std::string peer = exchange.request().peer;
  if (slot.number > impl_->options.max_websockets) {
    auto sent = co_await http::respond_text(exchange, 503, "Too many WebSocket connections.\n");
    if (!sent) log::debug("rpc", "client_gone", {{"peer", peer}, {"error", sent.error().message}});
    co_return;
  }
  auto accepted = co_await exchange.accept_websocket(impl_->options.max_body_bytes);
  if (!accepted) {
    log::debug("rpc", "websocket_refused", {{"peer", peer}, {"error", accepted.error().message}});
    co_return;
  }
  const auto executor = co_await net::this_coro::executor;
  const auto connection = std::make_shared<Connection>(executor, *this, *std::move(accepted), peer);
  co_await connection->run();
}

}  // namespace bonus::chain::rpc
