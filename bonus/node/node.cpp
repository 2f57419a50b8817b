// Starting and stopping a node.
#include "bonus/node/node.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <filesystem>
#include <set>

#include "bonus/base/log.hpp"
#include "bonus/chain/contracts/registry.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/node/node_impl.hpp"
#include "bonus/node/version.hpp"
#include "bonus/storage/blob/rocks_blob_store.hpp"

namespace bonus::node {

using runtime::Task;

namespace {

constexpr Duration kHousekeeping = std::chrono::seconds(3);
/// An empty message that makes the transport connect, so that "connected" says whether a peer can be reached.
constexpr std::string_view kHello = "hello";
constexpr std::size_t kMaxGenesisBytes = 16 << 20;

Result<chain::Genesis> load_genesis(const std::string& path) {
  auto raw = runtime::system_disk().read_file(path, kMaxGenesisBytes);
  if (!raw) return fail(std::move(raw).error().wrap("node.genesis"));
  auto genesis = chain::Genesis::from_json(as_text(*raw));
  if (!genesis) return fail(std::move(genesis).error().wrap(path));
  return genesis;
}

/// Ends the process when stop() takes too long: RocksDB, WAL and shims all survive that.
class Watchdog {
 public:
  explicit Watchdog(Duration limit)
      : thread_([this, limit] {
          std::unique_lock guard(mutex_);
          if (done_.wait_for(guard, limit, [this] { return finished_; })) return;
          log::error("node", "stop_hangs",
                     {{"seconds", std::chrono::duration_cast<std::chrono::seconds>(limit).count()}});
          std::_Exit(1);
        }) {}
  ~Watchdog() {
    {
      const std::scoped_lock guard(mutex_);
      finished_ = true;
    }
    done_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  bool finished_ = false;
  std::thread thread_;
};

}  // namespace

Result<chain::Header> verify_stores(const Config& config) {
  const std::string folder = config.node.data_dir + "/ledger";
  if (!std::filesystem::exists(folder))
    return fail(ErrorCode::kNotFound, fmt::format("{} does not exist: this node has no ledger yet", folder));
  FolderLock lock;
  TRY(lock.take(config.node.data_dir));
  TRY_ASSIGN(const auto genesis, load_genesis(config.node.genesis));
  TRY_ASSIGN(const auto ledger, chain::ledger::open_ledger(folder, genesis, chain::contracts::system_contracts(), {}));
  TRY(chain::ledger::verify_ledger(*ledger));
  return ledger->head();
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<> FolderLock::take(const std::string& folder) {
  const std::string path = folder + "/LOCK";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) return fail(ErrorCode::kIo, fmt::format("{}: {}", path, std::strerror(errno)));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorCode::kConflict, fmt::format("another bonusd runs on {} (node.data_dir)", folder));
  return {};
}

Loop::Loop(int threads) : io_(threads), guard_(boost::asio::make_work_guard(io_)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { io_.run(); });
}
Loop::~Loop() { stop(); }
void Loop::stop() {
  guard_.reset();
  io_.stop();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

std::string Node::Impl::advertised() const {
  if (!config.net.advertise.empty()) return config.net.advertise;
  for (const auto& bookkeeper : genesis.bookkeepers)
    if (bookkeeper.key == identity.node_key.public_key()) return bookkeeper.endpoint;
  ListenAddress own = config.net.listen;
  own.port = network->overlay().port();
  if (own.host != "0.0.0.0" && own.host != "::") return own.to_string();
  // Where the underlay sees us may change: the overlay address finds us by the DHT.
  return net::to_string(net::UdpEndpoint{network->address(), net::rpc::kNodePort});
}

Result<> Node::Impl::open_stores() {
  chain::ledger::LedgerOptions options;
  options.trie_blocks = config.chain.trie_blocks;
  options.history_blocks = config.chain.history_blocks;
  auto opened = chain::ledger::open_ledger(path("ledger"), genesis, chain::contracts::system_contracts(), options);
  if (!opened) return fail(std::move(opened).error().wrap("the ledger in " + path("ledger")));
  ledger = *std::move(opened);
  chain::mempool::MempoolLimits limits;
  limits.transactions = config.mempool.max_transactions;
  limits.bytes = config.mempool.max_bytes;
  limits.executable_per_sender = config.mempool.max_per_sender;
  mempool = chain::mempool::make_mempool(*ledger, limits);
  views = std::make_unique<MarketViews>(*ledger);
  storage::BlobStoreOptions blob_options;
  blob_options.quota_bytes = config.storage.quota_bytes;
  auto store = storage::open_blob_store(config.storage.path, blob_options);
  if (!store) return fail(std::move(store).error().wrap("the blob store in " + config.storage.path));
  blobs = *std::move(store);
  auto table = RouteTable::open(disk, path("routes.log"));
  if (!table) return fail(std::move(table).error());
  routes = *std::move(table);
  return {};
}

Result<> Node::Impl::open_network() {
  const NetworkParts parts{io.executor(), pool, clock, runtime::system_random(), disk, metrics};
  TRY_ASSIGN(network, Network::open(parts, config, identity, std::move(underlay)));
  net::rpc::TransportOptions options;
  options.listen = net::to_string(net::UdpEndpoint{network->address(), net::rpc::kNodePort});
  options.identify = [this](const net::Ipv6& source) { return network->overlay().identify(source); };
  auto made = net::rpc::make_transport(io.executor(), identity.id, options);
  if (!made) return fail(std::move(made).error());
  transport = *std::move(made);
  const auto peer_of = [](const auto& entry) {
    return net::Peer{crypto::node_id(entry.key), entry.key, entry.endpoint};
  };
  std::vector<net::Peer> bookkeepers, configured;
  std::ranges::transform(genesis.bookkeepers, std::back_inserter(bookkeepers), peer_of);
  std::ranges::transform(config.net.peers, std::back_inserter(configured), peer_of);
  neighbours = std::make_unique<Neighbours>(identity.node_key.public_key(), config.node.bookkeeper,
                                            std::move(bookkeepers), std::move(configured));
  gossip = std::make_unique<TxGossip>(*transport, *mempool, metrics, senders.each());
  std::set<NodeId> proposers;
  for (const auto& bookkeeper : genesis.bookkeepers) proposers.insert(crypto::node_id(bookkeeper.key));
  gossip->prefer([proposers = std::move(proposers)](const NodeId& id) { return proposers.contains(id); });
  serve_blobs(*transport, *blobs, pool, metrics);
  transport->on_message(std::string(kHello), [this](NodeId from, Bytes message) { heard_hello(from, message); });
  serve_exit(*transport, *network);
  blob_peers = make_blob_peers(*transport, [this] { return on_chain(); });
  compute::oci::ImageSourceOptions image_options;
  image_options.partial_dir = path("partial");
  std::error_code error;
  std::filesystem::create_directories(image_options.partial_dir, error);
  images = std::make_unique<compute::oci::OciImageSource>(*blobs, *blob_peers, pool, image_options);
  return {};
}

Result<> Node::Impl::open_chain() {
  chain::consensus::Timing timing;
  timing.d0 = std::chrono::milliseconds(config.consensus.message_delay_ms);
  timing.build = std::chrono::milliseconds(config.consensus.build_ms);
  timing.execute = std::chrono::milliseconds(config.consensus.execute_ms);
  ChainParts parts{
      chain_io.executor(), clock, runtime::system_random(), disk, pool, *ledger, *mempool, *transport, metrics,
      senders.each()};
  ChainOptions options{config.node.data_dir, config.node.bookkeeper ? &identity.node_key : nullptr, timing};
  auto opened = ChainShell::open(parts, options);
  if (!opened) return fail(std::move(opened).error().wrap("the role \"bookkeeper\""));
  chain = *std::move(opened);
  mempool->on_added([this](const chain::TransactionPtr& tx) {
    gossip->announce(tx);
    chain->work_arrived();
  });
  return {};
}

Result<> Node::Impl::open_worker() {
  compute::vm::VmOptions options;
  options.state_directory = config.vm.state_dir;
  options.shim_path = config.vm.shim;
  options.runtime_path = config.vm.runc;
  options.max_containers = config.vm.max_containers;
  options.layer_cache_bytes = config.vm.layer_cache_bytes;
  options.log_file_bytes = config.vm.log_bytes;
  options.log_files = static_cast<unsigned>(config.vm.log_files);
  options.log_retention = std::chrono::seconds(config.vm.log_retention_s);
  options.network = network.get();
  auto opened = compute::vm::ContainerService::open(io.executor(), pool, clock, *images, options);
  if (!opened) return fail(std::move(opened).error().wrap("the role \"worker\""));
  containers = *std::move(opened);
  lease_host = std::make_unique<LeaseHost>(*containers, *views, clock, identity.id);
  lease_host->serve(*transport);
  return {};
}

Result<> Node::Impl::start_worker() {
  TRY_ASSIGN(const auto capacity, offered_resources(config));
  const auto agent = agent_config(config, identity, genesis, capacity, advertised());
  WorkerParts parts{io.executor(), clock, disk, *ledger, *mempool, *containers, *images, metrics};
  worker = std::make_unique<Worker>(parts, agent, identity.account_key, config.node.data_dir,
                                    std::chrono::seconds(config.worker.start_timeout_s));
  worker->start();
  worker_started = true;
  return {};
}

std::vector<net::Peer> Node::Impl::on_chain() const {
  std::vector<net::Peer> out;
  if (const auto nodes = views->nodes(views->head()))
    for (const auto& entry : *nodes)
      if (entry.active && !entry.endpoint.empty()) out.push_back({entry.node_id, entry.node_key, entry.endpoint});
  return out;
}

void Node::Impl::refresh_peers() {
  const auto change = neighbours->update(on_chain(), clock.now());
  for (const auto& peer : change.dropped) network->overlay().remove_hint(peer.key);
  for (const auto& id : change.given_up) transport->remove_peer(id);
  for (const auto& peer : change.chosen) {
    network->overlay().add_hint(peer.key, peer.endpoint);
    if (auto added = transport->set_peer(peer); !added)
      log::warn("node", "peer_not_added", {{"endpoint", peer.endpoint}, {"error", added.error().message}});
  }
}

void Node::Impl::heard_hello(const NodeId& from, const Bytes& message) {
  const auto fresh = neighbours->on_hello(from, message, clock.now());
  if (!fresh) {
    log::debug("node", "hello_refused", {{"from", to_hex(from.view())}, {"error", fresh.error().message}});
  } else if (*fresh) {
    if (auto added = transport->set_peer(**fresh); !added)
      log::debug("node", "peer_not_added", {{"peer", to_hex(from.view())}, {"error", added.error().message}});
  }
}

Task<> Node::Impl::housekeeping() {
  while (true) {
    for (const auto& id : neighbours->to_greet(*transport, clock.now()))
      transport->notify(id, kHello, neighbours->hello());
    transport->sweep(clock.now());
    auto pause = runtime::sleep_for(kHousekeeping);
    if (!co_await std::move(pause)) co_return;
    refresh_peers();
    network->housekeep();
    gossip->repeat(*ledger);
    auto sweeping = publisher->sweep();
    co_await std::move(sweeping);
  }
}

Result<> Node::Impl::open(std::function<void(Error)> on_halt) {
  started = clock.now();
  std::error_code error;
  std::filesystem::create_directories(config.node.data_dir, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("node.data_dir {}: {}", config.node.data_dir, error.message()));
  if (auto taken = lock.take(config.node.data_dir); !taken) return taken;
  std::filesystem::remove(path("endpoints.json"), error);  // of an earlier run
  if (auto done = open_stores(); !done) return done;
  if (auto done = open_network(); !done) return done;
  if (auto done = open_chain(); !done) return done;
  if (config.node.worker) {
    if (auto done = open_worker(); !done) return done;
  }
  lease_client = std::make_unique<LeaseClient>(*transport, lease_host.get());
  directory = std::make_unique<LeaseDirectory>(*views, *routes, *lease_client, clock);
  publisher = std::make_unique<Publisher>(
      io.executor(), *routes, *directory, *views, metrics,
      [this](const std::function<Result<>()>& work) { return network->machine().run(work); });
  names = std::make_unique<NameSource>(*ledger, *views, *directory, pool);
  network->start();
  refresh_peers();
  if (auto done = transport->start(); !done) return fail(std::move(done).error());
  opened_network = true;
  if (auto done = network->start_dns(*names); !done) return done;
  TRY_ASSIGN(edges, Edges::open(*network, config, identity, disk, clock));
  {
    const std::scoped_lock guard(mutex);
    urls.net = advertised();
  }
  if (auto done = open_http(); !done) return done;
  chain->start(std::move(on_halt));
  if (config.node.worker) {
    if (auto done = start_worker(); !done) return done;
  }
  publisher->start();
  tasks = std::make_unique<runtime::TaskGroup>(io.executor());
  tasks->spawn("housekeeping", housekeeping());
  tasks->spawn("edges", edges->run());
  if (config.net.use_exit && !config.net.exit) {
    exit_user = std::make_unique<ExitUser>(*network, *transport, *config.net.use_exit, io.executor());
    tasks->spawn("exit", exit_user->run());
  }
  return write_endpoints();
}

Task<> Node::Impl::close_services() {
  for (const auto& server : servers) {
    auto joining = server->join();
    co_await std::move(joining);
  }
  if (publisher) {
    auto closing = publisher->stop();
    co_await std::move(closing);
  }
  if (tasks) {
    auto joining = tasks->join();
    co_await std::move(joining);
  }
  if (containers) {
    auto closing = containers->shutdown();
    co_await std::move(closing);
  }
}

void Node::Impl::stop() {
  if (stopped) return;
  stopped = true;
  const Watchdog watchdog(kStopLimit);
  std::error_code ignored;
  if (wrote_endpoints) std::filesystem::remove(path("endpoints.json"), ignored);  // else it may be another process's
  for (const auto& server : servers) server->stop();
  if (tasks) tasks->stop();
  if (worker) worker->stop();
  auto closing = close_services();
  boost::asio::co_spawn(io.executor(), std::move(closing), boost::asio::use_future).wait();
  if (opened_network) transport->stop();
  if (chain) chain->stop();
  if (network) network->stop();
  io.stop();
  chain_io.stop();
  log::info("node", "stopped", {{"id", to_hex(identity.id.view()).substr(0, 8)}});
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() { stop(); }
void Node::stop() {
  if (impl_) impl_->stop();
}

Endpoints Node::endpoints() const {
  const std::scoped_lock guard(impl_->mutex);
  Endpoints out = impl_->urls;
  return out;
}

Result<std::unique_ptr<Node>> Node::start(const Config& config, Identity identity, Underlay underlay,
                                          std::function<void(Error)> on_halt) {
  TRY_ASSIGN(auto genesis, load_genesis(config.node.genesis));
  log::info("node", "starting",
            {{"version", kVersion},
             {"id", to_hex(identity.id.view())},
             {"account", crypto::to_checksum(identity.account)},
             {"chain", genesis.chain_id}});
  std::unique_ptr<Node> node(
      new Node(std::make_unique<Impl>(config, std::move(identity), std::move(genesis), std::move(underlay))));
  if (auto opened = node->impl_->open(std::move(on_halt)); !opened) return fail(std::move(opened).error());
  return node;
}

}  // namespace bonus::node
