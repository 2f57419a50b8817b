// bonusd's end of the helper's socket: requests from coroutines, one thread that reads the replies.
#include "bonus/net/host/helper.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <functional>
#include <mutex>
#include <thread>

#include "bonus/net/host/helper_wire.hpp"
#include "bonus/net/host/namespace.hpp"

namespace bonus::net::host {
namespace {

constexpr std::size_t kPendingLimit = 1024;
constexpr std::uint32_t kQuickMs = 5'000;  // for what only asks the kernel
constexpr std::uint32_t kExitMs = 20'000;

struct Answer {
  Bytes payload;
  Fd descriptor;
};
using Done = std::function<void(Result<Answer>)>;

std::uint32_t to_ms(Duration timeout) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 1, wire::kTimeoutLimitMs));
}

Result<Fd> descriptor_of(Result<Answer> answer) {
  TRY_ASSIGN(Answer value, std::move(answer));
  if (!value.descriptor) return fail(ErrorCode::kInternal, "the helper's reply lacks its socket");
  return std::move(value.descriptor);
}

}  // namespace

struct Helper::State {
  explicit State(HelperProcess started) : process(std::move(started)) {}

  std::uint64_t reserve() {
    const std::lock_guard lock(mutex);
    return ++last_id;
  }

  void submit(const wire::Request& request, int descriptor, Done done) {
    {
      const std::lock_guard lock(mutex);
      if (closed || pending.size() >= kPendingLimit) {
        done(fail(closed ? ErrorCode::kUnavailable : ErrorCode::kExhausted,
                  closed ? "the helper outside has ended; restart bonusd" : "too many requests wait for the helper"));
        return;
      }
      pending.emplace(request.id, std::move(done));
    }
    auto sent = wire::send_record(process.socket(), wire::encode(request), descriptor, MSG_DONTWAIT);
    if (!sent) finish(request.id, std::unexpected(std::move(sent).error()));
  }

  void finish(std::uint64_t id, Result<Answer> answer) {
    Done done;
    {
      const std::lock_guard lock(mutex);
      const auto found = pending.find(id);
      if (found == pending.end()) return;  // cancelled, or killed after it had answered
      done = std::move(found->second);
      pending.erase(found);
    }
    done(std::move(answer));
  }

  void fail_all(ErrorCode code, const std::string& message) {
    std::map<std::uint64_t, Done> ended;
    {
      const std::lock_guard lock(mutex);
      closed = true;
      ended.swap(pending);
    }
    for (auto& [id, done] : ended) done(fail(code, message));
  }

  void read_replies() {
    for (;;) {
      auto received = wire::receive_record(process.socket());
      if (!received || received->record.empty()) break;
      auto reply = wire::decode_reply(received->record);
      if (!reply) break;
      if (reply->ok)
        finish(reply->id, Answer{.payload = std::move(reply->payload), .descriptor = std::move(received->descriptor)});
      else
        finish(reply->id, fail(reply->code, std::move(reply->message)));
    }
    fail_all(ErrorCode::kUnavailable, "the helper outside has ended; restart bonusd");
  }

  static runtime::Task<Result<Answer>> ask(std::shared_ptr<State> self, wire::Request request, int descriptor) {
    const auto executor = co_await boost::asio::this_coro::executor;
    request.id = self->reserve();
    // The helper does not answer what it cannot read.
    if (!wire::decode_request(wire::encode(request)))
      co_return ::bonus::fail(ErrorCode::kInvalid, "the name in a request to the helper is malformed or too long");
    auto initiate = [self, executor, descriptor](auto handler, wire::Request asked) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      auto slot = boost::asio::get_associated_cancellation_slot(*shared);
      if (slot.is_connected())
        slot.assign([weak = std::weak_ptr<State>(self), id = asked.id](boost::asio::cancellation_type) {
          if (const auto state = weak.lock()) state->finish(id, fail(ErrorCode::kCancelled, "the task was stopped"));
        });
      Done done = [shared, executor](Result<Answer> answer) {
        auto result = std::make_shared<Result<Answer>>(std::move(answer));
        boost::asio::post(executor, [shared, result]() mutable { (*shared)(std::move(*result)); });
      };
      self->submit(asked, descriptor, std::move(done));
    };
    try {
      co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<Answer>)>(
          initiate, boost::asio::use_awaitable, std::move(request));
    } catch (const boost::system::system_error&) {
      co_return ::bonus::fail(ErrorCode::kCancelled, "the task was stopped");
    }
  }

  HelperProcess process;
  std::mutex mutex;
  bool closed = false;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, Done> pending;
  std::thread reader;
};

Helper::Helper(HelperProcess process) : state_(std::make_shared<State>(std::move(process))) {
  state_->reader = std::thread([state = state_.get()] { state->read_replies(); });
}

Helper::~Helper() {
  state_->fail_all(ErrorCode::kCancelled, "the helper was stopped");
  ::shutdown(state_->process.socket(), SHUT_RDWR);
  state_->reader.join();
}

runtime::Task<Result<Fd>> Helper::connect_tcp(Purpose purpose, std::string host, std::uint16_t port, Duration timeout) {
  wire::Request request;
  request.kind = wire::Kind::kConnectTcp;
  request.purpose = purpose;
  request.host = std::move(host);
  request.port = port;
  request.timeout_ms = to_ms(timeout);
  auto answer = co_await State::ask(state_, std::move(request), -1);
  co_return descriptor_of(std::move(answer));
}

runtime::Task<Result<Fd>> Helper::connect_udp(Purpose purpose, std::string host, std::uint16_t port, Duration timeout) {
  wire::Request request;
  request.kind = wire::Kind::kConnectUdp;
  request.purpose = purpose;
  request.host = std::move(host);
  request.port = port;
  request.timeout_ms = to_ms(timeout);
  auto answer = co_await State::ask(state_, std::move(request), -1);
  co_return descriptor_of(std::move(answer));
}

runtime::Task<Result<Fd>> Helper::bind_udp(Purpose purpose, std::uint16_t port) {
  wire::Request request;
  request.kind = wire::Kind::kBindUdp;
  request.purpose = purpose;
  request.port = port;
  request.timeout_ms = kQuickMs;
  auto answer = co_await State::ask(state_, std::move(request), -1);
  co_return descriptor_of(std::move(answer));
}

runtime::Task<Result<std::vector<LinkAddress>>> Helper::addresses() {
  wire::Request request;
  request.kind = wire::Kind::kAddresses;
  request.timeout_ms = kQuickMs;
  CO_TRY_ASSIGN(const Answer answer, co_await State::ask(state_, std::move(request), -1));
  co_return wire::decode_addresses(answer.payload);
}

runtime::Task<Result<std::vector<Ipv6>>> Helper::resolve(std::string name, Duration timeout) {
  wire::Request request;
  request.kind = wire::Kind::kResolve;
  request.host = std::move(name);
  request.timeout_ms = to_ms(timeout);
  CO_TRY_ASSIGN(const Answer answer, co_await State::ask(state_, std::move(request), -1));
  co_return wire::decode_ips(answer.payload);
}

runtime::Task<Result<Bytes>> Helper::call(std::string name, Bytes input, Duration timeout) {
  if (input.size() > wire::kPayloadLimit) co_return ::bonus::fail(ErrorCode::kInvalid, "a helper call is too large");
  wire::Request request;
  request.kind = wire::Kind::kCall;
  request.host = std::move(name);
  request.timeout_ms = to_ms(timeout);
  request.payload = std::move(input);
  CO_TRY_ASSIGN(Answer answer, co_await State::ask(state_, std::move(request), -1));
  co_return std::move(answer.payload);
}

runtime::Task<Result<ExitLink>> Helper::exit_up(ExitOptions options) {
  CO_TRY_ASSIGN(const Fd inside, current_namespace());
  wire::Request request;
  request.kind = wire::Kind::kExitUp;
  request.host = options.id;
  request.timeout_ms = kExitMs;
  request.payload = wire::encode(options);
  CO_TRY_ASSIGN(const Answer answer, co_await State::ask(state_, std::move(request), inside.get()));
  CO_TRY_ASSIGN(ExitLink link, wire::decode_exit_link(answer.payload));
  CO_TRY_ASSIGN(Netlink netlink, Netlink::open());
  CO_TRY(configure_exit_inside(netlink, link));
  co_return link;
}

runtime::Task<Result<>> Helper::exit_down(std::string id) {
  wire::Request request;
  request.kind = wire::Kind::kExitDown;
  request.host = std::move(id);
  request.timeout_ms = kExitMs;
  CO_TRY(co_await State::ask(state_, std::move(request), -1));
  co_return Result<>();
}

}  // namespace bonus::net::host
