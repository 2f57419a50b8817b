// The exchanges of execution-apis (`>>` request, `<<` answer) against the RPC over its chain, imported under Ethereum's
// rules.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "bonus/chain/eth/import.hpp"
#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/pooled.hpp"
#include "bonus/chain/eth/testing_methods.hpp"
#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain::eth {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kFolder = "../shared/vectors/execution-apis";
constexpr std::size_t kFiles = 54;

/// Same value; 0 and 0.0 are the same number. With `shape_only`: the same kinds of values under the same keys.
bool same(const json::value& want, const json::value& have, bool shape_only) {
  if (want.is_number() && have.is_number()) return shape_only || want.to_number<double>() == have.to_number<double>();
  if (want.kind() != have.kind()) return false;
  if (const auto* object = want.if_object()) {
    const auto& other = have.get_object();
    return object->size() == other.size() && std::ranges::all_of(*object, [&](const auto& item) {
             const auto* found = other.if_contains(item.key());
             return found != nullptr && same(item.value(), *found, shape_only);
           });
  }
  if (const auto* array = want.if_array()) {
    const auto& other = have.get_array();
    if (!shape_only && array->size() != other.size()) return false;
    for (std::size_t i = 0; i < std::min(array->size(), other.size()); ++i)
      if (!same((*array)[i], other[i], shape_only)) return false;
    return true;
  }
  return shape_only || want == have;
}

/// An error's text and data may differ; its code may not.
bool accepted(const json::value& want, const json::value& have, bool shape_only) {
  const auto& expected = want.as_object();
  const auto& answer = have.as_object();
  if (const auto* error = expected.if_contains("error")) {
    const auto* other = answer.if_contains("error");
    if (other == nullptr || answer.if_contains("result") != nullptr) return false;
    const auto* data = error->as_object().if_contains("data");
    const auto* other_data = other->as_object().if_contains("data");
    if (data != nullptr && (other_data == nullptr || !same(*data, *other_data, shape_only))) return false;
    return same(error->at("code"), other->at("code"), false);
  }
  return same(want, have, shape_only);
}

std::vector<fs::path> exchange_files() {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(kFolder))
    if (entry.path().extension() == ".io") out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

class ExecutionApis : public ::testing::Test {
 protected:
  void SetUp() override {
    BONUS_NEED_VECTORS(kFolder, kFiles);
    folder_ = fs::temp_directory_path() / ("bonus-execution-apis-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    auto opened = EthLedger::open(
        {.path = folder_.string(), .genesis_json = read_file(std::string(kFolder) + "/genesis.json").value()});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    ledger_ = *std::move(opened);
    std::ifstream chain(std::string(kFolder) + "/chain.rlp", std::ios::binary);
    const auto imported = import_blocks(*ledger_, chain);
    ASSERT_TRUE(imported.has_value()) << imported.error().message;
    ASSERT_EQ(imported->blocks, 54u);
    mempool_ = mempool::make_mempool(*ledger_, {.rules = pool_rules(*ledger_)});
    rpc::RpcOptions options;
    options.read_transaction = [this](BytesView raw) {
      return read_pooled_transaction(raw, ledger_->next_rules().revision);
    };
    options.extra_methods = testing_methods(*ledger_, *mempool_);
    service_ = std::make_unique<rpc::RpcService>(*ledger_, *mempool_, options);
  }
  void TearDown() override {
    service_.reset();
    mempool_.reset();
    ledger_.reset();
    fs::remove_all(folder_);
  }

  void check(const fs::path& file) {
    SCOPED_TRACE(file.parent_path().filename().string() + "/" + file.filename().string());
    std::ifstream in(file);
    bool shape_only = false;
    std::string answer;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("// speconly")) shape_only = true;
      if (line.starts_with(">> ")) answer = service_->dispatch(std::string_view(line).substr(3));
      if (!line.starts_with("<< ")) continue;
      ++exchanges_;
      EXPECT_TRUE(accepted(json::parse(line.substr(3)), json::parse(answer), shape_only))
          << "want " << line.substr(3, 3000) << "\nhave " << answer.substr(0, 3000);
    }
  }

  fs::path folder_;
  std::unique_ptr<EthLedger> ledger_;
  std::unique_ptr<Mempool> mempool_;
  std::unique_ptr<rpc::RpcService> service_;
  std::size_t exchanges_ = 0;
};

TEST_F(ExecutionApis, EveryExchange) {
  const auto files = exchange_files();
  EXPECT_GE(files.size(), kFiles);
  for (const auto& file : files) check(file);
  EXPECT_GT(exchanges_, kFiles);
}

}  // namespace
}  // namespace bonus::chain::eth
