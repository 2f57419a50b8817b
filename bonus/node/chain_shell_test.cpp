// Four bookkeepers in one process, with real ledgers on an in-memory transport: they agree, survive the loss of one,
// and it catches up after its restart.
#include "bonus/node/chain_shell.hpp"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <thread>

#include "bonus/chain/contracts/registry.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/node/testing/memory_transport.hpp"
#include "bonus/node/testing/temp_folder.hpp"
#include "bonus/node/tx_gossip.hpp"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// RocksDB comes from the distribution and is not instrumented: its own synchronisation cannot be seen.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:librocksdb.so\ncalled_from_lib:libsnappy.so\nrace:rocksdb::\n";
}
#endif
#endif

namespace bonus::node {
namespace {

using testing::MemoryNetwork;
using testing::TempFolder;

struct Wallet {
  crypto::SecretKey256 key;
  Address address;
};
Wallet wallet(std::uint8_t index) {
  Wallet out;
  out.key.bytes[31] = static_cast<std::uint8_t>(index + 1);
  out.address = crypto::address_of(out.key).value();
  return out;
}
crypto::Ed25519KeyPair node_key(std::uint8_t index) {
  crypto::Ed25519Seed seed;
  seed.bytes[0] = index;
  return crypto::Ed25519KeyPair::from_seed(seed);
}

chain::Genesis genesis_of(std::uint8_t bookkeepers) {
  chain::Genesis out;
  out.chain_id = 7667;
  out.name = "test";
  out.timestamp = runtime::system_clock().unix_s() - 100;
  out.base_fee = out.min_base_fee = uint256(1000);
  out.block_interval_ms = 1000;
  out.idle_interval_ms = 2000;
  for (std::uint8_t i = 0; i < bookkeepers; ++i)
    out.bookkeepers.push_back(
        {node_key(i).public_key(), wallet(static_cast<std::uint8_t>(100 + i)).address, "memory:1"});
  for (std::uint8_t i = 0; i < 4; ++i) out.balances[wallet(i).address] = uint256(1'000'000'000'000'000'000ULL);
  out.foundation = wallet(200).address;
  return out;
}

/// One bookkeeper or follower, which can be stopped and started again on its data.
class Member {
 public:
  Member(MemoryNetwork& network, const chain::Genesis& genesis, boost::asio::io_context& io, std::string folder,
         std::uint8_t index)
      : network_(network), genesis_(genesis), io_(io), folder_(std::move(folder)), key_(node_key(index)) {}
  ~Member() { stop(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void start() {
    std::filesystem::create_directories(folder_);
    chain::ledger::LedgerOptions ledger_options;
    ledger_options.sync = false;
    auto opened =
        chain::ledger::open_ledger(folder_ + "/ledger", genesis_, chain::contracts::system_contracts(), ledger_options);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = *std::move(opened);
    mempool_ = chain::mempool::make_mempool(*ledger_);
    metrics_ = std::make_unique<Metrics>();
    pool_ = std::make_unique<runtime::BlockingPool>(1, 64);
    transport_ = network_.attach(key_.public_key(), io_.get_executor());
    for (const auto& bookkeeper : genesis_.bookkeepers) {
      net::Peer peer{crypto::node_id(bookkeeper.key), bookkeeper.key, bookkeeper.endpoint};
      ASSERT_TRUE(transport_->set_peer(peer));
    }
    gossip_ = std::make_unique<TxGossip>(*transport_, *mempool_, *metrics_);
    const bool bookkeeper =
        std::ranges::any_of(genesis_.bookkeepers, [&](const auto& b) { return b.key == key_.public_key(); });
    ChainParts parts{io_.get_executor(),
                     runtime::system_clock(),
                     runtime::system_random(),
                     runtime::system_disk(),
                     *pool_,
                     *ledger_,
                     *mempool_,
                     *transport_,
                     *metrics_};
    ChainOptions options;
    options.data_dir = folder_;
    options.key = bookkeeper ? &key_ : nullptr;
    auto shell = ChainShell::open(parts, options);
    ASSERT_TRUE(shell) << shell.error().message;
    shell_ = *std::move(shell);
    mempool_->on_added([this](const chain::TransactionPtr& tx) {
      gossip_->announce(tx);
      shell_->work_arrived();
    });
    ASSERT_TRUE(transport_->start());
    shell_->start(nullptr);
  }
  void stop() {
    if (!shell_) return;
    transport_->stop();
    shell_->stop();
    // What was delivered before still runs on the pool of threads.
    retired_.push_back(std::move(transport_));
    retired_gossip_.push_back(std::move(gossip_));
    shell_.reset();
    pool_.reset();
    retired_mempools_.push_back(std::move(mempool_));
    ledger_.reset();
  }
  [[nodiscard]] chain::Ledger& ledger() { return *ledger_; }
  [[nodiscard]] chain::Mempool& mempool() { return *mempool_; }
  [[nodiscard]] ChainShell& shell() { return *shell_; }
  [[nodiscard]] std::uint64_t height() const { return ledger_->head().number; }

 private:
  MemoryNetwork& network_;
  const chain::Genesis& genesis_;
  boost::asio::io_context& io_;
  std::string folder_;
  crypto::Ed25519KeyPair key_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<chain::Ledger> ledger_;
  std::unique_ptr<chain::Mempool> mempool_;
  std::unique_ptr<runtime::BlockingPool> pool_;
  std::unique_ptr<net::Transport> transport_;
  std::unique_ptr<TxGossip> gossip_;
  std::unique_ptr<ChainShell> shell_;
  std::vector<std::unique_ptr<net::Transport>> retired_;
  std::vector<std::unique_ptr<TxGossip>> retired_gossip_;
  std::vector<std::unique_ptr<chain::Mempool>> retired_mempools_;
};

class ChainShellTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { io_.run(); });
  }
  void TearDown() override {
    for (auto& member : members_) member->stop();
    guard_.reset();
    for (auto& thread : threads_) thread.join();
    members_.clear();
  }
  Member& add(std::uint8_t index) {
    members_.push_back(
        std::make_unique<Member>(network_, genesis_, io_, folder_.path("node" + std::to_string(index)), index));
    members_.back()->start();
    return *members_.back();
  }
  /// Generous: the machine may be busy. A test never asserts how long something took.
  static bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 1200; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
  bool all_reach(std::uint64_t height) {
    return eventually(
        [&] { return std::ranges::all_of(members_, [&](const auto& m) { return m->height() >= height; }); });
  }
  chain::TransactionPtr transfer(std::uint8_t from, std::uint8_t to, std::uint64_t nonce) const {
    chain::Transaction tx;
    tx.chain_id = genesis_.chain_id;
    tx.nonce = nonce;
    tx.gas_limit = 21'000;
    tx.max_fee = uint256(1'000'000);
    tx.max_priority_fee = uint256(1000);
    tx.to = wallet(to).address;
    tx.value = uint256(1000);
    EXPECT_TRUE(chain::sign_transaction(tx, wallet(from).key));
    return chain::recover(std::move(tx)).value();
  }

  TempFolder folder_;
  MemoryNetwork network_;
  chain::Genesis genesis_ = genesis_of(4);
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_ = boost::asio::make_work_guard(io_);
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<Member>> members_;
};

TEST_F(ChainShellTest, FourBookkeepersAgreeAndOneCatchesUpAfterARestart) {
  for (std::uint8_t i = 0; i < 4; ++i) add(i);
  const auto first = transfer(0, 9, 0), second = transfer(0, 9, 1), other = transfer(1, 9, 0);
  ASSERT_TRUE(members_[0]->mempool().add(first));
  ASSERT_TRUE(members_[2]->mempool().add(second));
  ASSERT_TRUE(members_[3]->mempool().add(other));
  ASSERT_TRUE(all_reach(3));
  for (const auto& member : members_) {
    EXPECT_EQ(member->ledger().account(wallet(9).address, member->height())->balance, uint256(3000));
    EXPECT_TRUE(member->ledger().receipt(first->hash)->receipt.success);
    EXPECT_FALSE(member->mempool().has_work());
    EXPECT_EQ(member->ledger().block(3)->get()->hash, members_[0]->ledger().block(3)->get()->hash);
    EXPECT_TRUE(member->shell().status().bookkeeper);
  }

  members_[3]->stop();
  const std::uint64_t stopped_at = members_[0]->height();
  ASSERT_TRUE(members_[0]->mempool().add(transfer(0, 8, 2)));
  ASSERT_TRUE(eventually([&] { return members_[0]->height() >= stopped_at + 3; }));
  members_[3]->start();
  ASSERT_TRUE(all_reach(stopped_at + 5));
  EXPECT_EQ(members_[3]->ledger().account(wallet(8).address, members_[3]->height())->balance, uint256(1000));
  EXPECT_TRUE(members_[3]->shell().status().halted.empty());
}

TEST_F(ChainShellTest, AFollowerKeepsUpAndItsTransactionsAreIncluded) {
  for (std::uint8_t i = 0; i < 4; ++i) add(i);
  Member& follower = add(77);
  EXPECT_FALSE(follower.shell().status().bookkeeper);
  ASSERT_TRUE(follower.mempool().add(transfer(2, 9, 0)));
  ASSERT_TRUE(all_reach(3));
  EXPECT_TRUE(eventually(
      [&] { return follower.ledger().account(wallet(9).address, follower.height())->balance == uint256(1000); }));
}

TEST_F(ChainShellTest, WithoutAQuorumNothingIsDecidedAndItGoesOnAfterwards) {
  for (std::uint8_t i = 0; i < 4; ++i) add(i);
  ASSERT_TRUE(all_reach(2));
  network_.cut(crypto::node_id(node_key(2).public_key()), true);
  network_.cut(crypto::node_id(node_key(3).public_key()), true);
  // What was on its way may still be decided; then nothing.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const std::uint64_t stuck = std::max(members_[0]->height(), members_[1]->height());
  std::this_thread::sleep_for(std::chrono::seconds(4));
  EXPECT_EQ(std::max(members_[0]->height(), members_[1]->height()), stuck);
  network_.cut(crypto::node_id(node_key(2).public_key()), false);
  ASSERT_TRUE(eventually([&] { return members_[0]->height() >= stuck + 2 && members_[2]->height() >= stuck + 2; }));
  network_.cut(crypto::node_id(node_key(3).public_key()), false);
  ASSERT_TRUE(all_reach(stuck + 3));
  for (const auto& member : members_)
    EXPECT_EQ(member->ledger().block(stuck + 1)->get()->hash, members_[0]->ledger().block(stuck + 1)->get()->hash);
}

TEST_F(ChainShellTest, AKeyOutsideTheGenesisFileIsRefused) {
  Member& member = add(0);
  const auto stranger = node_key(42);
  Metrics metrics;
  runtime::BlockingPool pool(1, 4);
  auto transport = network_.attach(stranger.public_key(), io_.get_executor());
  ChainParts parts{io_.get_executor(),
                   runtime::system_clock(),
                   runtime::system_random(),
                   runtime::system_disk(),
                   pool,
                   member.ledger(),
                   member.mempool(),
                   *transport,
                   metrics};
  ChainOptions options;
  options.data_dir = folder_.path("stranger");
  options.key = &stranger;
  auto shell = ChainShell::open(parts, options);
  ASSERT_FALSE(shell);
  EXPECT_EQ(shell.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace bonus::node
