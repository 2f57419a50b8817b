// blob.has and blob.read, both sides.
#include "bonus/node/blob_service.hpp"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bonus/node/wire.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::node {

namespace asio = boost::asio;
using runtime::Task;

namespace {

constexpr std::size_t kMaxReadBytes = 1 << 20;
constexpr std::size_t kMaxServed = 64;  // calls at a time
constexpr std::size_t kMaxAsked = 64;   // peers
constexpr Duration kAskTimeout = std::chrono::seconds(2);
constexpr Duration kReadTimeout = std::chrono::seconds(20);

struct Server {
  Server(storage::BlobStore& s, runtime::BlockingPool& p, Metrics& metrics)
      : store(s), pool(p), sent(metrics.counter("bonus_node_blob_sent_bytes_total", "Blob bytes sent to peers")) {}
  storage::BlobStore& store;
  runtime::BlockingPool& pool;
  Metrics::Counter& sent;
  std::atomic<std::size_t> busy{0};
};

/// Counts one served call while it lives.
class Slot {
 public:
  explicit Slot(std::atomic<std::size_t>& busy) : busy_(busy), count_(++busy) {}
  ~Slot() { --busy_; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  [[nodiscard]] bool granted() const { return count_ <= kMaxServed; }

 private:
  std::atomic<std::size_t>& busy_;
  std::size_t count_;
};

Result<Bytes> has(storage::BlobStore& store, const Bytes& request) {
  TRY_ASSIGN(const auto digest, Hash32::from(request));
  auto info = store.find_sha256(digest);
  if (!info) {
    if (info.error().code == ErrorCode::kNotFound) return Bytes();
    return fail(std::move(info).error());
  }
  Bytes out;
  put_u64(out, info->size_bytes);
  return out;
}

Result<Bytes> read(storage::BlobStore& store, const Bytes& request) {
  ByteReader in(request);
  TRY_ASSIGN(const auto digest, in.fixed<Hash32>());
  TRY_ASSIGN(const auto offset, in.u64());
  TRY_ASSIGN(const auto length, in.u32());
  if (auto end = in.expect_end(); !end) return fail(std::move(end).error());
  if (length > kMaxReadBytes) return fail(ErrorCode::kInvalid, "at most 1 MiB of a blob are read at a time");
  TRY_ASSIGN(const auto info, store.find_sha256(digest));
  if (offset > info.size_bytes) return fail(ErrorCode::kInvalid, "the offset lies behind the end of the blob");
  Bytes out(std::min<std::uint64_t>(length, info.size_bytes - offset));
  std::size_t done = 0;
  while (done < out.size()) {
    TRY_ASSIGN(const std::size_t n, store.read(info.id, offset + done, std::span(out).subspan(done)));
    if (n == 0) return fail(ErrorCode::kCorrupt, "the blob is shorter than its record says");
    done += n;
  }
  return out;
}

Task<Result<Bytes>> serve(std::shared_ptr<Server> server, bool reading, Bytes request) {
  const Slot slot(server->busy);
  if (!slot.granted()) co_return fail(ErrorCode::kExhausted, "this node serves enough blobs at the moment");
  std::function<Result<Bytes>()> work = [server, reading, request = std::move(request)] {
    return reading ? read(server->store, request) : has(server->store, request);
  };
  auto task = runtime::offload<Bytes>(server->pool, std::move(work));
  auto reply = co_await std::move(task);
  if (reply && reading) server->sent.add(static_cast<double>(reply->size()));
  co_return reply;
}

using Found = std::optional<compute::BlobPeers::Holder>;

Task<Found> ask(net::Transport& transport, NodeId peer, Hash32 sha256) {
  Bytes request(sha256.bytes.begin(), sha256.bytes.end());
  auto task = transport.call(peer, "blob.has", std::move(request), kAskTimeout);
  auto reply = co_await std::move(task);
  if (!reply || reply->size() != 8) co_return std::nullopt;
  ByteReader in(*reply);
  compute::BlobPeers::Holder holder;
  holder.node = peer;
  holder.size_bytes = in.u64().value_or(0);
  co_return holder;
}

class TransportBlobPeers final : public compute::BlobPeers {
 public:
  TransportBlobPeers(net::Transport& transport, std::function<std::vector<net::Peer>()> others)
      : transport_(transport), others_(std::move(others)) {}

  Task<std::vector<Holder>> holders(Hash32 sha256) override {
    auto peers = transport_.peers();
    std::ranges::partition(peers, [&](const net::Peer& peer) { return transport_.connected(peer.id); });
    auto asking = ask_all(peers, sha256);
    auto out = co_await std::move(asking);
    if (!out.empty()) co_return out;
    auto others = others_();
    std::erase_if(others, [&](const net::Peer& one) {
      return one.id == transport_.self() || std::ranges::find(peers, one.id, &net::Peer::id) != peers.end();
    });
    auto asking_others = ask_all(std::move(others), sha256);
    co_return co_await std::move(asking_others);
  }

  Task<Result<Bytes>> read(NodeId holder, Hash32 sha256, std::uint64_t offset, std::size_t length) override {
    Bytes request(sha256.bytes.begin(), sha256.bytes.end());
    put_u64(request, offset);
    put_u32(request, static_cast<std::uint32_t>(std::min(length, kMaxReadBytes)));
    auto task = transport_.call(holder, "blob.read", std::move(request), kReadTimeout);
    co_return co_await std::move(task);
  }

 private:
  Task<std::vector<Holder>> ask_all(std::vector<net::Peer> peers, Hash32 sha256) {
    auto executor = co_await asio::this_coro::executor;
    if (peers.size() > kMaxAsked) peers.resize(kMaxAsked);
    std::vector<Holder> out;
    if (peers.empty()) co_return out;
    using Op = decltype(asio::co_spawn(executor, ask(transport_, NodeId{}, sha256), asio::deferred));
    std::vector<Op> questions;
    for (const auto& peer : peers)
      questions.push_back(asio::co_spawn(executor, ask(transport_, peer.id, sha256), asio::deferred));
    auto group = asio::experimental::make_parallel_group(std::move(questions));
    auto [order, errors, answers] = co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    for (const std::size_t i : order)
      if (!errors[i] && answers[i]) out.push_back(*answers[i]);
    co_return out;
  }

  net::Transport& transport_;
  const std::function<std::vector<net::Peer>()> others_;
};

}  // namespace

void serve_blobs(net::Transport& transport, storage::BlobStore& store, runtime::BlockingPool& pool, Metrics& metrics) {
  auto server = std::make_shared<Server>(store, pool, metrics);  // shared with calls under way
  transport.on_call("blob.has", [server](NodeId, Bytes request) { return serve(server, false, std::move(request)); });
  transport.on_call("blob.read", [server](NodeId, Bytes request) { return serve(server, true, std::move(request)); });
}

std::unique_ptr<compute::BlobPeers> make_blob_peers(net::Transport& transport,
                                                    std::function<std::vector<net::Peer>()> others) {
  return std::make_unique<TransportBlobPeers>(transport, std::move(others));
}

}  // namespace bonus::node
