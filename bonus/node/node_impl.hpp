// Everything that a running node owns, in the order in which it is made. Private to node*.cpp.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/mempool/sender_pool.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/compute/oci/image_source.hpp"
#include "bonus/compute/oci/registry.hpp"
#include "bonus/compute/vm/container_service.hpp"
#include "bonus/net/gateway/proxy.hpp"
#include "bonus/net/rpc/grpc_transport.hpp"
#include "bonus/node/blob_service.hpp"
#include "bonus/node/chain_shell.hpp"
#include "bonus/node/edges.hpp"
#include "bonus/node/exit_service.hpp"
#include "bonus/node/identity.hpp"
#include "bonus/node/name_source.hpp"
#include "bonus/node/neighbours.hpp"
#include "bonus/node/net_api.hpp"
#include "bonus/node/network.hpp"
#include "bonus/node/node.hpp"
#include "bonus/node/tx_gossip.hpp"
#include "bonus/node/worker.hpp"

namespace bonus::node {

/// An exclusive lock on the data folder, for as long as it lives.
class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  /// kConflict when another process has it.
  [[nodiscard]] Result<> take(const std::string& folder);

 private:
  int fd_ = -1;
};

/// Threads that run one io_context until the end.
class Loop {
 public:
  explicit Loop(int threads);
  ~Loop();  ///< stop()
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  [[nodiscard]] runtime::Executor executor() { return io_.get_executor(); }
  [[nodiscard]] boost::asio::io_context& context() { return io_; }
  void stop();

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::vector<std::thread> threads_;
};

struct Node::Impl {
  Impl(const Config& c, Identity i, chain::Genesis g, Underlay u)
      : config(c),
        identity(std::move(i)),
        genesis(std::move(g)),
        underlay(std::move(u)),
        io(static_cast<int>(c.node.threads)),
        chain_io(1) {}

  // node.cpp
  Result<> open(std::function<void(Error)> on_halt);
  Result<> open_stores();
  Result<> open_network();
  Result<> open_chain();
  Result<> open_worker();
  Result<> start_worker();
  [[nodiscard]] std::vector<net::Peer> on_chain() const;
  /// Chooses neighbours among who is on the chain now.
  void refresh_peers();
  void heard_hello(const NodeId& from, const Bytes& message);
  [[nodiscard]] runtime::Task<> housekeeping();
  [[nodiscard]] runtime::Task<> close_services();
  void stop();
  // node_http.cpp
  Result<> open_http();
  Result<> serve(const ListenAddress& where, std::string name, runtime::http::Handler handler, std::string& url,
                 std::size_t max_connections = 1024);
  [[nodiscard]] runtime::Task<> monitor(runtime::http::Exchange& exchange);
  [[nodiscard]] Result<> ready() const;
  Result<> write_endpoints();

  /// One thread a processor recovers senders, the caller's included; more than 8 would only wait for the rest.
  [[nodiscard]] static std::size_t sender_workers() {
    return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8) - 1;
  }
  [[nodiscard]] std::string path(std::string_view name) const { return config.node.data_dir + "/" + std::string(name); }
  [[nodiscard]] std::string advertised() const;
  [[nodiscard]] ChainStatus chain_status() const { return chain ? chain->status() : ChainStatus{}; }

  const Config config;
  const Identity identity;
  const chain::Genesis genesis;
  Underlay underlay;  // moved into the network
  runtime::Clock& clock = runtime::system_clock();
  runtime::Disk& disk = runtime::system_disk();
  FolderLock lock;
  Metrics metrics;
  Instant started;
  Loop io, chain_io;
  chain::mempool::SenderPool senders{sender_workers()};
  std::unique_ptr<chain::Ledger> ledger;
  std::unique_ptr<chain::Mempool> mempool;
  std::unique_ptr<storage::BlobStore> blobs;
  std::unique_ptr<MarketViews> views;
  std::unique_ptr<Network> network;
  std::unique_ptr<net::rpc::GrpcTransport> transport;
  std::unique_ptr<Neighbours> neighbours;
  std::unique_ptr<TxGossip> gossip;
  std::unique_ptr<compute::BlobPeers> blob_peers;
  std::unique_ptr<compute::oci::OciImageSource> images;
  std::unique_ptr<compute::vm::ContainerService> containers;  // of a worker
  std::unique_ptr<LeaseHost> lease_host;                      // of a worker
  std::unique_ptr<LeaseClient> lease_client;
  std::unique_ptr<RouteTable> routes;
  std::unique_ptr<LeaseDirectory> directory;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<NameSource> names;
  std::unique_ptr<ChainShell> chain;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<chain::rpc::RpcService> rpc;
  std::unique_ptr<compute::oci::Registry> registry;
  std::unique_ptr<net::gateway::GatewayProxy> proxy;
  std::unique_ptr<Edges> edges;
  std::unique_ptr<ExitUser> exit_user;
  std::unique_ptr<NetApi> net_api;
  std::unique_ptr<LocalApi> api;
  std::vector<std::unique_ptr<runtime::http::Server>> servers;
  std::unique_ptr<runtime::TaskGroup> tasks;
  mutable std::mutex mutex;
  Endpoints urls;  // guarded by mutex
  std::atomic<bool> worker_started{false};
  bool opened_network = false, wrote_endpoints = false;
  bool stopped = false;
  // Last, so that it ends first: it runs what it has accepted, which uses everything above.
  runtime::BlockingPool pool{4, 1024};
};

}  // namespace bonus::node
