// ethereum/tests, TransactionTests: every transaction under every fork that its file names.
#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain {
namespace {

namespace json = boost::json;

constexpr const char* kVectors = "../shared/vectors/ethereum-tests/TransactionTests";

struct Counts {
  std::size_t files = 0, cases = 0, valid = 0, refused = 0;
  std::vector<std::string> failures;
};

/// Exceptions that have one cause, and what our reason for them must name. The others (a value of v may be wrong in
/// several ways) may be refused for any reason.
struct Reason {
  std::string_view exception, text;
};
constexpr std::array kReasons{
    Reason{"ADDRESS_TOO_", "field to"},
    Reason{"GASLIMIT_OVERFLOW", "field gasLimit"},
    Reason{"GASLIMIT_PRICE_PRODUCT_OVERFLOW", "gas limit times fee"},
    Reason{"INITCODE_SIZE_EXCEEDED", "max initcode size exceeded"},
    Reason{"INTRINSIC_GAS_TOO_LOW", "intrinsic gas too low"},
    Reason{"NONCE_OVERFLOW", "field nonce"},
    Reason{"NONCE_TOO_BIG", "nonce has max value"},
    Reason{"PRIORITY_GREATER_THAN_MAX_FEE", "max priority fee per gas higher"},
    Reason{"PRIORITY_OVERFLOW", "field maxPriorityFeePerGas"},
    Reason{"RLP_INVALID_ACCESS_LIST_ADDRESS", "accessList address"},
    Reason{"RLP_INVALID_ACCESS_LIST_STORAGE", "accessList key"},
    Reason{"RLP_INVALID_DATA", "field data"},
    Reason{"RLP_INVALID_GASLIMIT", "field gasLimit"},
    Reason{"RLP_INVALID_NONCE", "field nonce"},
    Reason{"RLP_INVALID_SIGNATURE_R", "field r"},
    Reason{"RLP_INVALID_SIGNATURE_S", "field s"},
    Reason{"RLP_INVALID_TO", "field to"},
    Reason{"RLP_LEADING_ZEROS_GASLIMIT", "field gasLimit"},
    Reason{"RLP_LEADING_ZEROS_GASPRICE", "field gasPrice"},
    Reason{"RLP_LEADING_ZEROS_NONCE", "field nonce"},
    Reason{"RLP_LEADING_ZEROS_R", "field r"},
    Reason{"RLP_LEADING_ZEROS_S", "field s"},
    Reason{"RLP_LEADING_ZEROS_V ", "field v"},
    Reason{"RLP_LEADING_ZEROS_VALUE", "field value"},
    Reason{"VALUE_OVERFLOW", "field value"},
};
bool fits(const std::string& exception, const std::string& message) {
  return std::ranges::all_of(kReasons, [&](const Reason& reason) {
    return (exception + " ").find("." + std::string(reason.exception)) == std::string::npos ||
           message.find(reason.text) != std::string::npos;
  });
}

std::string text_of(const json::value& value) { return std::string(value.as_string()); }

/// What a valid transaction must be: empty, or what differs.
std::string difference(const SenderTransaction& got, BytesView raw, const json::value& want, Revision revision) {
  if (to_hex0x(got.hash) != text_of(want.at("hash"))) return "hash " + to_hex0x(got.hash);
  if (to_hex0x(got.sender) != text_of(want.at("sender"))) return "sender " + to_hex0x(got.sender);
  const std::uint64_t gas = intrinsic_gas(got.tx, revision);
  if (uint256(gas) != uint256::parse(text_of(want.at("intrinsicGas"))).value())
    return "intrinsic gas " + std::to_string(gas);
  if (!std::ranges::equal(got.tx.encode(), raw)) return "encodes to other bytes";
  return {};
}

void check(const std::string& name, BytesView raw, std::string_view fork, const json::value& want, Counts& counts) {
  ++counts.cases;
  const auto failed = [&](const std::string& why) {
    counts.failures.push_back(name + " [" + std::string(fork) + "]: " + why);
  };
  const auto revision = revision_from(fork);
  if (!revision) return failed("a fork that we do not know");
  const auto got = check_transaction_under(raw, *revision);
  if (const auto* exception = want.as_object().if_contains("exception")) {
    if (got) return failed("accepted, expected " + text_of(*exception));
    if (!fits(text_of(*exception), got.error().message))
      return failed("refused for \"" + got.error().message + "\", expected " + text_of(*exception));
    ++counts.refused;
    return;
  }
  if (!got) return failed(got.error().message);
  if (const auto what = difference(**got, raw, want, *revision); !what.empty()) return failed(what);
  ++counts.valid;
}

TEST(EthereumTests, TransactionTests) {
  BONUS_NEED_VECTORS(kVectors, 2665);
  Counts counts;
  for (const auto& file : std::filesystem::recursive_directory_iterator(kVectors)) {
    if (file.path().extension() != ".json") continue;
    ++counts.files;
    std::ifstream in(file.path());
    const json::value suite = json::parse(std::string((std::istreambuf_iterator<char>(in)), {}));
    for (const auto& item : suite.as_object()) {
      const auto raw = from_hex(text_of(item.value().at("txbytes")));
      ASSERT_TRUE(raw.has_value()) << file.path();
      for (const auto& result : item.value().at("result").as_object())
        check(file.path().stem().string() + "/" + std::string(item.key()), *raw, result.key(), result.value(), counts);
    }
  }
  std::printf("TransactionTests: %zu files, %zu cases: %zu valid, %zu refused, %zu failed\n", counts.files,
              counts.cases, counts.valid, counts.refused, counts.failures.size());
  for (const auto& failure : counts.failures) ADD_FAILURE() << failure;
  EXPECT_EQ(counts.valid + counts.refused, counts.cases);
  EXPECT_GE(counts.cases, 2665u);
}

}  // namespace
}  // namespace bonus::chain
