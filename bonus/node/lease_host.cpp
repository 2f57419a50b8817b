// Serving leases on a worker.
#include "bonus/node/lease_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <boost/system/system_error.hpp>

#include "bonus/base/log.hpp"
#include "bonus/node/auth.hpp"
#include "bonus/node/strand.hpp"

namespace bonus::node {

namespace json = boost::json;
using compute::ExecSession;
using runtime::ByteStream;
using runtime::Task;

namespace {

constexpr Duration kLinger = std::chrono::seconds(10);

std::string_view state_name(compute::ContainerState state) {
  switch (state) {
    case compute::ContainerState::kPreparing:
      return "preparing";
    case compute::ContainerState::kRunning:
      return "running";
    case compute::ContainerState::kExited:
      return "exited";
    case compute::ContainerState::kFailed:
      break;
  }
  return "failed";
}

Task<> refuse(ByteStream& stream, Error error) {
  auto task = write_head(stream, fail(std::move(error)));
  std::ignore = co_await std::move(task);
  auto closing = stream.close_write();
  std::ignore = co_await std::move(closing);
}

Task<bool> send_line(std::shared_ptr<ByteStream> stream, compute::LogLine line) {
  const std::string text =
      json::serialize(json::object{
          {"time_ms", line.time_ms}, {"stream", line.is_stderr ? "stderr" : "stdout"}, {"text", line.text}}) +
      "\n";
  auto task = stream->write(as_bytes(text));
  auto written = co_await std::move(task);
  co_return written.has_value();
}

// The far end has everything when it closes; one that never does is not waited for.
Task<> close_later(std::weak_ptr<ByteStream> stream) {
  auto waiting = runtime::sleep_for(kLinger);
  std::ignore = co_await std::move(waiting);
  if (const auto alive = stream.lock()) alive->close();
}

// Ends with the stream: the user has gone.
Task<> until_closed(std::shared_ptr<ByteStream> stream) {
  std::array<std::uint8_t, 256> ignored{};
  while (true) {
    auto reading = stream->read(ignored);
    const auto n = co_await std::move(reading);
    if (!n || *n == 0) co_return;
  }
}

// From the program to the user.
Task<> pump_output(std::shared_ptr<ExecSession> session, std::shared_ptr<ByteStream> stream) {
  while (true) {
    auto reading = session->read();
    auto frame = co_await std::move(reading);
    if (!frame) {
      auto task = write_frame(*stream, ExecChannel::kError, as_bytes(frame.error().message));
      std::ignore = co_await std::move(task);
      break;
    }
    if (frame->kind == ExecSession::Frame::Kind::kExit) {
      const std::string text = fmt::format("{{\"exit_code\":{}}}", frame->exit_code);
      auto task = write_frame(*stream, ExecChannel::kExit, as_bytes(text));
      std::ignore = co_await std::move(task);
      break;
    }
    const auto channel = frame->kind == ExecSession::Frame::Kind::kStderr ? ExecChannel::kStderr : ExecChannel::kStdout;
    BytesView rest = frame->data;
    bool broken = false;
    while (!rest.empty() && !broken) {
      const auto part = rest.first(std::min(rest.size(), kMaxExecFrameBytes));
      auto task = write_frame(*stream, channel, part);
      broken = !(co_await std::move(task));
      rest = rest.subspan(part.size());
    }
    if (broken) {
      session->kill();
      break;
    }
  }
  auto closing = stream->close_write();
  std::ignore = co_await std::move(closing);
  auto executor = co_await boost::asio::this_coro::executor;
  auto later = close_later(stream);
  boost::asio::co_spawn(executor, std::move(later), boost::asio::detached);
}

// From the user to the program; the end of the user's stream ends the program.
Task<> pump_input(std::shared_ptr<ExecSession> session, std::shared_ptr<ByteStream> stream) {
  while (true) {
    auto reading = read_frame(*stream);
    auto frame = co_await std::move(reading);
    if (!frame) break;
    Result<> done;
    if (frame->channel == ExecChannel::kStdin && frame->data.empty()) {
      auto task = session->close_stdin();
      done = co_await std::move(task);
    } else if (frame->channel == ExecChannel::kStdin) {
      auto task = session->write_stdin(frame->data);
      done = co_await std::move(task);
    } else if (frame->channel == ExecChannel::kResize) {
      const auto size = parse_resize(as_text(frame->data));
      if (size) done = session->resize(size->columns, size->rows);
    }
    // A program that does not read its input goes on all the same.
    if (!done) log::debug("node", "exec_input", {{"error", done.error().message}});
  }
  session->kill();
}

}  // namespace

std::string container_name(std::uint64_t lease) { return fmt::format("lease-{}", lease); }

LeaseHost::LeaseHost(compute::Containers& containers, const MarketViews& views, const runtime::Clock& clock,
                     const NodeId& self)
    : containers_(containers), views_(views), clock_(clock), self_(self) {}

void LeaseHost::serve(net::Transport& transport) {
  for (const auto service : {LeaseService::kConnect, LeaseService::kLogs, LeaseService::kExec})
    transport.on_stream(service_name(service),
                        [this, service](NodeId, Bytes header, std::unique_ptr<ByteStream> stream) {
                          return on_strand(handle(service, std::move(header), std::move(stream)));
                        });
  transport.on_call(service_name(LeaseService::kInspect),
                    [this](NodeId, Bytes header) { return on_strand(inspect(std::move(header))); });
}

Result<LeaseHost::Admitted> LeaseHost::admit(LeaseService service, const Bytes& header) const {
  Admitted out;
  TRY_ASSIGN(out.request, LeaseRequest::decode(header));
  TRY_ASSIGN(out.lease, views_.lease(out.request.lease, views_.head()));
  if (out.lease.node_id != self_)
    return fail(ErrorCode::kNotFound, fmt::format("lease {} is not on this node", out.request.lease));
  // Ports that the worker reported on chain are public services of the lease.
  if (service == LeaseService::kConnect && out.request.authorization.empty() &&
      std::ranges::find(out.lease.ports, out.request.port) != out.lease.ports.end())
    return out;
  TRY_ASSIGN(const auto signer,
             verify_authorization(out.request.authorization, "GET", out.request.path(service), clock_.unix_s()));
  if (signer != out.lease.user)
    return fail(ErrorCode::kDenied,
                fmt::format("lease {} belongs to {}", out.request.lease, crypto::to_checksum(out.lease.user)));
  return out;
}

Task<> LeaseHost::handle(LeaseService service, Bytes header, std::unique_ptr<ByteStream> stream) {
  auto admitted = admit(service, header);
  if (!admitted) {
    auto task = refuse(*stream, std::move(admitted).error());
    co_await std::move(task);
    co_return;
  }
  std::shared_ptr<ByteStream> shared;  // shared by the two directions
  if (service == LeaseService::kConnect) {
    auto task = connect(*std::move(admitted), std::move(stream));
    co_await std::move(task);
  } else if (service == LeaseService::kLogs) {
    shared = std::move(stream);
    auto task = logs(*std::move(admitted), shared);
    co_await std::move(task);
  } else {
    shared = std::move(stream);
    auto task = exec(*std::move(admitted), shared);
    co_await std::move(task);
  }
}

Task<> LeaseHost::connect(Admitted admitted, std::unique_ptr<ByteStream> stream) {
  auto dialing = containers_.dial(container_name(admitted.request.lease), admitted.request.port);
  auto target = co_await std::move(dialing);
  if (!target) {
    auto task = refuse(*stream, std::move(target).error());
    co_await std::move(task);
    co_return;
  }
  auto head = write_head(*stream, Result<>());
  if (!co_await std::move(head)) co_return;
  auto task = runtime::splice(std::move(stream), *std::move(target));
  co_await std::move(task);
}

Task<> LeaseHost::logs(Admitted admitted, std::shared_ptr<ByteStream> stream) {
  const std::string id = container_name(admitted.request.lease);
  if (auto known = containers_.status(id); !known && admitted.lease.state != chain::market::LeaseState::kEnded) {
    auto task = refuse(*stream, std::move(known).error());
    co_await std::move(task);
    co_return;
  }
  auto head = write_head(*stream, Result<>());
  if (!co_await std::move(head)) co_return;
  compute::LogQuery query;
  query.follow = admitted.request.follow;
  query.tail = static_cast<std::size_t>(admitted.request.tail);
  auto sink = [stream](compute::LogLine line) { return send_line(stream, std::move(line)); };
  auto task = containers_.logs(id, query, std::move(sink));
  auto gone = until_closed(stream);
  using boost::asio::experimental::awaitable_operators::operator||;
  const auto first = co_await (std::move(task) || std::move(gone));
  if (const auto* done = std::get_if<0>(&first); done != nullptr && !*done)
    log::debug("node", "logs_ended", {{"container", id}, {"error", done->error().message}});
  auto closing = stream->close_write();
  std::ignore = co_await std::move(closing);
}

Task<> LeaseHost::exec(Admitted admitted, std::shared_ptr<ByteStream> stream) {
  auto head = write_head(*stream, Result<>());
  if (!co_await std::move(head)) co_return;
  auto reading = read_frame(*stream);
  auto first = co_await std::move(reading);
  if (!first) co_return;
  Result<std::unique_ptr<ExecSession>> session = fail(ErrorCode::kInvalid, "an exec begins with its request");
  if (first->channel == ExecChannel::kRequest) {
    auto request = parse_exec_request(as_text(first->data));
    if (request) {
      auto starting = containers_.exec(container_name(admitted.request.lease), *std::move(request));
      session = co_await std::move(starting);
    } else {
      session = fail(std::move(request).error());
    }
  }
  if (!session) {
    auto task = write_frame(*stream, ExecChannel::kError, as_bytes(session.error().message));
    std::ignore = co_await std::move(task);
    auto closing = stream->close_write();
    std::ignore = co_await std::move(closing);
    // A stream that is closed over unread input may take the answer with it.
    using boost::asio::experimental::awaitable_operators::operator||;
    auto gone = until_closed(stream);
    auto linger = runtime::sleep_for(kLinger);
    std::ignore = co_await (std::move(gone) || std::move(linger));
    co_return;
  }
  std::shared_ptr<ExecSession> running = *std::move(session);  // shared by the two directions
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto output = pump_output(running, stream);
  auto input = pump_input(running, stream);
  co_await (std::move(output) && std::move(input));
}

Task<Result<Bytes>> LeaseHost::inspect(Bytes header) {
  CO_TRY_ASSIGN(const auto admitted, admit(LeaseService::kInspect, header));
  const std::string id = container_name(admitted.request.lease);
  json::object out{{"lease", admitted.request.lease}, {"worker", to_hex(self_.view())}};
  if (const auto status = containers_.status(id)) {
    out["container"] = json::object{{"state", state_name(status->state)}, {"exit_code", status->exit_code},
                                    {"oom", status->out_of_memory},       {"message", status->message},
                                    {"restarts", status->restarts},       {"started_at_ms", status->started_at_ms}};
  } else {
    out["container"] = nullptr;
  }
  if (const auto usage = containers_.usage(id)) {
    out["usage"] = json::object{{"cpu_ns", usage->cpu_ns},
                                {"memory_bytes", usage->memory_bytes},
                                {"memory_peak_bytes", usage->memory_peak_bytes},
                                {"pids", usage->pids},
                                {"throttled_ns", usage->throttled_ns},
                                {"disk_bytes", usage->disk_bytes}};
  } else {
    out["usage"] = nullptr;
  }
  const std::string text = json::serialize(out);
  co_return Bytes(text.begin(), text.end());
}

}  // namespace bonus::node
