// bonus-bench-block: CPU seconds of building, validating and committing full blocks, and the transactions it uses, for
// other nodes.
#include <fmt/format.h>
#include <stdlib.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "bonus/chain/api/genesis.hpp"
#include "bonus/chain/contracts/registry.hpp"
#include "bonus/chain/evm/message.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/crypto/hash.hpp"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace chain = bonus::chain;
using namespace bonus;

constexpr std::uint64_t kChainId = 7777;
constexpr std::uint64_t kGwei = 1'000'000'000;
constexpr std::uint64_t kTokenTransferGas = 60'000;  ///< Allowed, not used: a first balance costs about 51,600.

struct Arguments {
  std::size_t transactions = 10'000, senders = 200, blocks = 5, further = 0;
  std::uint64_t gas_limit = 600'000'000;
  std::string folder = fs::temp_directory_path().string(), token;
  bool json = false, print = false, no_sync = false, sync = false, token_only = false;
};

/// CPU time of all threads of this process: what other processes do does not count, except for the caches.
double cpu_s() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Wallet {
  crypto::SecretKey256 key;
  Address address;
};
Result<Wallet> make_wallet(std::string_view role, std::size_t index) {
  Wallet out;
  out.key.bytes = crypto::keccak256(as_bytes(fmt::format("bonus-bench-block {} {}", role, index))).bytes;
  TRY_ASSIGN(out.address, crypto::address_of(out.key));
  return out;
}

/// Receiver `index`: an account that nobody else uses.
Address receiver(std::size_t index) {
  return Address::from(BytesView(uint256(0xbe0000000000ULL + index).to_be().bytes).subspan(12)).value();
}

Result<Bytes> token_call(const Address& to, std::uint64_t amount) {
  static const auto kArguments = abi::Type::parse("(address,uint256)").value();
  const auto selector = abi::selector("transfer(address,uint256)");
  Bytes out(selector.begin(), selector.end());
  TRY_ASSIGN(const auto arguments, abi::encode(kArguments, {abi::Value(to), abi::Value(amount)}));
  append(out, arguments);
  return out;
}

using Transactions = std::vector<chain::TransactionPtr>;

/// Accounts and what they send. The same arguments give the same transactions, byte for byte.
class Traffic {
 public:
  static Result<Traffic> make(const Arguments& arguments) {
    Traffic out(arguments);
    TRY_ASSIGN(out.deployer_, make_wallet("deployer", 0));
    for (std::size_t i = 0; i < arguments.senders; ++i) {
      TRY_ASSIGN(auto wallet, make_wallet("sender", i));
      out.senders_.push_back(wallet);
    }
    return out;
  }
  [[nodiscard]] const Wallet& deployer() const { return deployer_; }
  [[nodiscard]] const std::vector<Wallet>& senders() const { return senders_; }
  [[nodiscard]] Address token() const { return chain::evm::create_address(deployer_.address, 0); }

  /// Native transfers number `first`... of the senders in turn, each to an account of its own.
  [[nodiscard]] Result<Transactions> transfers(std::size_t first, std::size_t count) const {
    Transactions out;
    for (std::size_t i = first; i < first + count; ++i) {
      auto tx = base(i / senders_.size(), 21'000);
      tx.to = receiver(i);
      tx.value = 1;
      TRY_ASSIGN(auto made, finish(tx, senders_[i % senders_.size()]));
      out.push_back(std::move(made));
    }
    return out;
  }
  /// The same of the token.
  [[nodiscard]] Result<Transactions> token_transfers(std::size_t first, std::size_t count) const {
    Transactions out;
    for (std::size_t i = first; i < first + count; ++i) {
      auto tx = base(i / senders_.size(), kTokenTransferGas);
      tx.to = token();
      TRY_ASSIGN(tx.data, token_call(receiver(i), i + 1));
      TRY_ASSIGN(auto made, finish(tx, senders_[i % senders_.size()]));
      out.push_back(std::move(made));
    }
    return out;
  }
  /// The token's creation by the deployer, then its share for each sender.
  [[nodiscard]] Result<Transactions> token_setup(const Bytes& init_code) const {
    Transactions out;
    auto create = base(0, 5'000'000);
    create.data = init_code;
    TRY_ASSIGN(auto made, finish(create, deployer_));
    out.push_back(std::move(made));
    for (std::size_t i = 0; i < senders_.size(); ++i) {
      auto tx = base(i + 1, kTokenTransferGas);
      tx.to = token();
      TRY_ASSIGN(tx.data, token_call(senders_[i].address, 1'000'000'000'000));
      TRY_ASSIGN(auto share, finish(tx, deployer_));
      out.push_back(std::move(share));
    }
    return out;
  }

 private:
  explicit Traffic(const Arguments& arguments) : arguments_(arguments) {}
  static chain::Transaction base(std::uint64_t nonce, std::uint64_t gas) {
    chain::Transaction out;
    out.chain_id = kChainId;
    out.nonce = nonce;
    out.max_fee = uint256(1000 * kGwei);  // blocks fuller than half raise the base fee by up to an eighth each
    out.max_priority_fee = 1;
    out.gas_limit = gas;
    return out;
  }
  static Result<chain::TransactionPtr> finish(chain::Transaction& tx, const Wallet& from) {
    TRY(chain::sign_transaction(tx, from.key));
    return std::make_shared<const chain::SenderTransaction>(chain::SenderTransaction{tx, from.address, tx.hash()});
  }

  Arguments arguments_;
  Wallet deployer_;
  std::vector<Wallet> senders_;
};

/// A folder that disappears with the object.
class Folder {
 public:
  static Result<Folder> make(const std::string& parent) {
    std::string pattern = parent + "/bonus-bench-block-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) return fail(ErrorCode::kIo, "no temporary folder in " + parent);
    return Folder(std::move(pattern));
  }
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Folder& operator=(Folder&&) = delete;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Result<chain::Genesis> make_genesis(const Arguments& arguments, const Traffic& traffic) {
  chain::Genesis out;
  out.chain_id = kChainId;
  out.name = "bench";
  out.timestamp = 1'700'000'000;
  out.gas_limit = arguments.gas_limit;
  out.base_fee = uint256(kGwei);
  out.min_base_fee = uint256(kGwei / 1000);
  for (std::size_t i = 0; i < 4; ++i) {
    chain::Genesis::Bookkeeper keeper;
    keeper.key.bytes = crypto::keccak256(as_bytes(fmt::format("bonus-bench-block bookkeeper {}", i))).bytes;
    TRY_ASSIGN(const auto wallet, make_wallet("bookkeeper", i));
    keeper.account = wallet.address;
    out.bookkeepers.push_back(keeper);
  }
  const uint256 plenty = uint256(1'000'000) * uint256(kGwei) * uint256(kGwei);
  out.balances[traffic.deployer().address] = plenty;
  for (const auto& sender : traffic.senders()) out.balances[sender.address] = plenty;
  TRY_ASSIGN(const auto foundation, make_wallet("foundation", 0));
  out.foundation = foundation.address;
  return out;
}

struct BlockTimes {
  double build = 0, build_commit = 0, validate = 0, commit = 0;  ///< CPU seconds.
  std::uint64_t gas = 0;
};

/// The ledgers of a proposer and of a node that only follows: the one commits what it built, the other what it
/// validated.
class Chain {
 public:
  static Result<Chain> open(const chain::Genesis& genesis, const std::string& folder, bool sync) {
    Chain out;
    chain::ledger::LedgerOptions options;
    options.sync = sync;
    TRY_ASSIGN(out.proposer_, chain::ledger::open_ledger(folder + "/proposer", genesis,
                                                         chain::contracts::system_contracts(), options));
    TRY_ASSIGN(out.follower_, chain::ledger::open_ledger(folder + "/follower", genesis,
                                                         chain::contracts::system_contracts(), options));
    return out;
  }

  /// One block that must hold all of `transactions`, each successful.
  Result<BlockTimes> mine(const Transactions& transactions) {
    chain::BuildInput input;
    const auto head = proposer_->head();
    input.timestamp = head.timestamp + 1;
    input.beneficiary = proposer_->genesis().bookkeepers[0].account;
    input.randao = crypto::keccak256(as_bytes(fmt::format("randao {}", head.number)));
    if (head.number > 0) input.last_commit = Bytes{1, 2, 3};
    input.candidates = transactions;

    BlockTimes out;
    double from = cpu_s();
    TRY_ASSIGN(const auto block, proposer_->build(input));
    out.build = cpu_s() - from;
    if (block.transactions.size() != transactions.size())
      return fail(ErrorCode::kConflict,
                  fmt::format("the block has {} of {} transactions", block.transactions.size(), transactions.size()));
    from = cpu_s();
    TRY(proposer_->commit(block, Bytes{1, 2, 3}));
    out.build_commit = cpu_s() - from;

    from = cpu_s();
    TRY(follower_->validate(block));
    out.validate = cpu_s() - from;
    from = cpu_s();
    TRY(follower_->commit(block, Bytes{1, 2, 3}));
    out.commit = cpu_s() - from;

    TRY_ASSIGN(const auto receipts, follower_->receipts(block.header.number));
    for (const auto& item : receipts)
      if (!item.receipt.success) return fail(ErrorCode::kConflict, "a transaction of the block failed");
    out.gas = block.header.gas_used;
    return out;
  }

 private:
  Chain() = default;
  std::unique_ptr<chain::Ledger> proposer_, follower_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

struct Row {
  std::string name;
  bool sync = false;
  std::vector<BlockTimes> blocks;
  [[nodiscard]] std::vector<double> of(double BlockTimes::* member) const {
    std::vector<double> out;
    for (const auto& block : blocks) out.push_back(block.*member);
    return out;
  }
};

Result<Bytes> read_init_code(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return fail(ErrorCode::kIo, "cannot read " + path);
  while (!text.empty() && text.back() <= ' ') text.pop_back();
  auto out = from_hex(text.starts_with("0x") ? text.substr(2) : text);
  if (!out) return fail(std::move(out).error().wrap(path));
  return out;
}

Result<Row> measure(const Arguments& arguments, const Traffic& traffic, bool sync, const Bytes* init_code) {
  Row row{init_code == nullptr ? "transfers" : "erc20", sync, {}};
  TRY_ASSIGN(const auto folder, Folder::make(arguments.folder));
  TRY_ASSIGN(const auto genesis, make_genesis(arguments, traffic));
  TRY_ASSIGN(auto chain, Chain::open(genesis, folder.path(), sync));
  if (init_code != nullptr) {
    TRY_ASSIGN(const auto setup, traffic.token_setup(*init_code));
    TRY(chain.mine(setup));
  }
  for (std::size_t i = 0; i < arguments.blocks; ++i) {
    const std::size_t first = i * arguments.transactions;
    TRY_ASSIGN(const auto transactions, init_code == nullptr ? traffic.transfers(first, arguments.transactions)
                                                             : traffic.token_transfers(first, arguments.transactions));
    TRY_ASSIGN(const auto times, chain.mine(transactions));
    row.blocks.push_back(times);
  }
  return row;
}

json::array raw(const Transactions& transactions) {
  json::array out;
  for (const auto& tx : transactions) out.emplace_back("0x" + to_hex(tx->tx.encode()));
  return out;
}

/// One list of raw transactions a block, and what other nodes must know of the accounts.
Result<json::object> printed(const Arguments& arguments, const Traffic& traffic, const Bytes* init_code) {
  json::object out;
  out["chainId"] = kChainId;
  out["deployer"] = to_hex0x(traffic.deployer().address);
  json::array senders, transfers, token_transfers;
  for (const auto& sender : traffic.senders()) senders.emplace_back(to_hex0x(sender.address));
  out["senders"] = std::move(senders);
  for (std::size_t i = 0; i < arguments.blocks; ++i) {
    TRY_ASSIGN(const auto block, traffic.transfers(i * arguments.transactions, arguments.transactions));
    transfers.push_back(raw(block));
    if (init_code == nullptr) continue;
    TRY_ASSIGN(const auto tokens, traffic.token_transfers(i * arguments.transactions, arguments.transactions));
    token_transfers.push_back(raw(tokens));
  }
  out["transfers"] = std::move(transfers);
  TRY_ASSIGN(const auto further, traffic.transfers(arguments.transactions, arguments.further));
  out["further"] = raw(further);
  if (init_code != nullptr) {
    TRY_ASSIGN(const auto setup, traffic.token_setup(*init_code));
    out["token"] = to_hex0x(traffic.token());
    out["tokenSetup"] = raw(setup);
    out["tokenTransfers"] = std::move(token_transfers);
  }
  return out;
}

void show(const std::vector<Row>& rows, const Arguments& arguments) {
  fmt::print("CPU seconds, median of {} blocks of {} transactions of {} senders\n\n", arguments.blocks,
             arguments.transactions, arguments.senders);
  fmt::print("| block of | sync | build | its commit | validate | its commit | gas |\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- |\n");
  for (const auto& row : rows)
    fmt::print("| {} | {} | {:.4f} | {:.4f} | {:.4f} | {:.4f} | {} |\n", row.name, row.sync ? "on" : "off",
               median(row.of(&BlockTimes::build)), median(row.of(&BlockTimes::build_commit)),
               median(row.of(&BlockTimes::validate)), median(row.of(&BlockTimes::commit)), row.blocks.front().gas);
}

json::array as_json(const std::vector<Row>& rows) {
  json::array out;
  for (const auto& row : rows) {
    const auto list = [&](double BlockTimes::* member) {
      json::array values;
      for (const double value : row.of(member)) values.emplace_back(value);
      return values;
    };
    out.push_back(json::object{{"name", row.name},
                               {"sync", row.sync},
                               {"gas", row.blocks.front().gas},
                               {"buildS", list(&BlockTimes::build)},
                               {"buildCommitS", list(&BlockTimes::build_commit)},
                               {"validateS", list(&BlockTimes::validate)},
                               {"validateCommitS", list(&BlockTimes::commit)}});
  }
  return out;
}

Result<> run(const Arguments& arguments) {
  std::optional<Bytes> init_code;
  if (!arguments.token.empty()) {
    TRY_ASSIGN(init_code, read_init_code(arguments.token));
  }
  const Bytes* token = init_code ? &*init_code : nullptr;
  TRY_ASSIGN(const auto traffic, Traffic::make(arguments));
  if (arguments.print) {
    TRY_ASSIGN(const auto out, printed(arguments, traffic, token));
    fmt::print("{}\n", json::serialize(out));
    return {};
  }
  std::vector<Row> rows;
  for (const bool sync : {false, true}) {
    if (sync ? arguments.no_sync : arguments.sync) continue;
    if (!arguments.token_only) {
      TRY_ASSIGN(auto row, measure(arguments, traffic, sync, nullptr));
      rows.push_back(std::move(row));
    }
    if (token != nullptr) {
      TRY_ASSIGN(auto row, measure(arguments, traffic, sync, token));
      rows.push_back(std::move(row));
    }
  }
  if (arguments.json) {
    fmt::print("{}\n", json::serialize(as_json(rows)));
  } else {
    show(rows, arguments);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"CPU seconds of blocks: built and committed by one ledger, validated and committed by another"};
  const CLI::Range some(std::size_t{1}, std::size_t{1'000'000});
  app.add_option("--transactions", arguments.transactions, "In a block")->capture_default_str()->check(some);
  app.add_option("--senders", arguments.senders, "They send in turn")->capture_default_str()->check(some);
  app.add_option("--blocks", arguments.blocks, "One after the other")->capture_default_str()->check(some);
  app.add_option("--gas-limit", arguments.gas_limit, "Of a block")->capture_default_str();
  app.add_option("--token", arguments.token,
                 "File with the creation code of an ERC-20 token (hexadecimal, constructor arguments behind it) whose "
                 "deployer owns all: measure its transfers too")
      ->type_name("FILE");
  app.add_flag("--token-only", arguments.token_only, "Only these");
  app.add_option("--folder", arguments.folder, "Where the ledgers are made")->capture_default_str();
  app.add_flag("--sync", arguments.sync, "Only with a store that waits for the disk")
      ->excludes(app.add_flag("--no-sync", arguments.no_sync, "Only with one that does not"));
  app.add_flag("--json", arguments.json, "Every block's times instead of a table");
  app.add_flag("--print", arguments.print, "Measure nothing; print the accounts and raw transactions as JSON");
  app.add_option("--further", arguments.further, "With --print: so many native transfers after the first block's")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (const auto done = run(arguments); !done) {
    fmt::print(stderr, "bonus-bench-block: {}\n", done.error().to_string());
    return 1;
  }
  return 0;
}
