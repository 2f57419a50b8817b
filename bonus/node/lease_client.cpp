// Local leases go through a socket pair to the same code that serves peers.
#include "bonus/node/lease_client.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/detached.hpp>

#include "bonus/node/strand.hpp"

namespace bonus::node {

using runtime::ByteStream;
using runtime::Task;

namespace {
constexpr Duration kInspectTimeout = std::chrono::seconds(10);
}

Task<Result<std::unique_ptr<ByteStream>>> LeaseClient::open_raw(NodeId worker, LeaseService service, Bytes header) {
  if (worker != transport_.self()) {
    auto task = transport_.open(worker, service_name(service), std::move(header));
    co_return co_await std::move(task);
  }
  if (host_ == nullptr) co_return fail(ErrorCode::kNotFound, "this node runs no workloads");
  auto executor = co_await boost::asio::this_coro::executor;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    co_return fail(ErrorCode::kIo, "no socket pair could be made");
  CO_TRY_ASSIGN(auto near, runtime::adopt_descriptor(executor, ends[0]));
  const runtime::Executor strand = boost::asio::make_strand(executor);
  CO_TRY_ASSIGN(auto far, runtime::adopt_descriptor(strand, ends[1]));
  auto serving = host_->handle(service, std::move(header), std::move(far));
  boost::asio::co_spawn(strand, std::move(serving), boost::asio::detached);
  co_return std::move(near);
}

Task<Result<std::unique_ptr<ByteStream>>> LeaseClient::open(NodeId worker, LeaseService service, LeaseRequest request) {
  auto opening = open_raw(worker, service, request.encode());
  CO_TRY_ASSIGN(auto stream, co_await std::move(opening));
  auto head = read_head(*stream);
  if (auto admitted = co_await std::move(head); !admitted) co_return fail(std::move(admitted).error());
  co_return std::move(stream);
}

Task<Result<Bytes>> LeaseClient::inspect(NodeId worker, LeaseRequest request) {
  if (worker == transport_.self()) {
    if (host_ == nullptr) co_return fail(ErrorCode::kNotFound, "this node runs no workloads");
    auto task = host_->inspect(request.encode());
    co_return co_await std::move(task);
  }
  auto task = transport_.call(worker, service_name(LeaseService::kInspect), request.encode(), kInspectTimeout);
  co_return co_await std::move(task);
}

}  // namespace bonus::node
