// Fee suggestions and history (EIP-1559; eth_feeHistory of execution-apis).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kTipBlocks = 20;    ///< Blocks that a suggestion looks at,
constexpr std::size_t kTipsPerBlock = 3;    ///< the cheapest transactions of each,
constexpr std::size_t kTipPercentile = 60;  ///< and the percentile of all that it takes: geth's oracle.
constexpr std::uint64_t kMaxHistory = 1024;
constexpr std::size_t kMaxPercentiles = 100;

uint256 tip_of(const Transaction& tx, const uint256& base_fee) {
  const uint256 price = tx.effective_gas_price(base_fee);
  return price > base_fee ? price - base_fee : uint256();
}

uint256 suggested_tip(const Context& context) {
  std::vector<uint256> tips;
  const std::uint64_t head = context.ledger.head().number;
  for (std::uint64_t i = 0; i < kTipBlocks && i < head; ++i) {
    const auto block = context.ledger.block(head - i);
    if (!block) break;
    std::vector<uint256> own;
    for (const auto& item : (*block)->block.transactions)
      own.push_back(tip_of(item->tx, (*block)->block.header.base_fee));
    std::ranges::sort(own);
    own.resize(std::min(own.size(), kTipsPerBlock));
    tips.insert(tips.end(), own.begin(), own.end());
  }
  if (tips.empty()) return context.options.default_tip;
  std::ranges::sort(tips);
  return tips[(tips.size() - 1) * kTipPercentile / 100];
}

JsonReply max_priority_fee(const Context& context, const Params&) {
  return json::value(quantity(suggested_tip(context)));
}

JsonReply gas_price(const Context& context, const Params&) {
  return json::value(quantity(next_base_fee(context.ledger.head(), context.ledger.genesis()) + suggested_tip(context)));
}

JsonReply blob_base_fee_of_next(const Context& context, const Params&) {
  const auto next = context.ledger.context(context.ledger.head().number + 1);
  if (!next) return failure(next.error());
  return json::value(quantity(next->blob_base_fee));
}

/// part / whole; 0 and 1 are written as integers, as geth does.
json::value ratio_of(std::uint64_t part, std::uint64_t whole) {
  if (part == 0 || whole == 0) return 0;
  if (part == whole) return 1;
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// Wei per blob gas of a block (0 before Cancun) and how full of blobs it was.
struct BlobUse {
  uint256 fee;
  json::value ratio = 0;
};
Reply<BlobUse> blob_use(const Context& context, const Header& header) {
  if (!header.has(HeaderForm::kCancun)) return BlobUse{};
  // Without an excess the fee is the least of EIP-4844; the context of a block may cost more than the block.
  if (header.excess_blob_gas == 0 && header.blob_gas_used == 0) return BlobUse{uint256(1), 0};
  const auto executed = context.ledger.context(header.number);
  if (!executed) return failure(executed.error());
  BlobUse out{executed->blob_base_fee, 0};
  const std::uint64_t blobs = executed->max_blobs > 0 ? executed->max_blobs : blob_schedule(executed->revision).max;
  if (const auto most = blobs * kGasPerBlob; most > 0) out.ratio = ratio_of(header.blob_gas_used, most);
  return out;
}

Reply<std::vector<double>> read_percentiles(const Params& params) {
  std::vector<double> out;
  const auto* value = params.optional(2);
  if (value == nullptr) return out;
  const auto* list = value->if_array();
  if (list == nullptr) return Params::invalid(2, "a list of percentiles is expected");
  if (list->size() > kMaxPercentiles)
    return failure(kServerError, fmt::format("invalid reward percentile: over the query limit {}", kMaxPercentiles));
  for (const auto& item : *list) {
    boost::system::error_code error;
    const auto p = item.to_number<double>(error);
    if (error) return Params::invalid(2, "a percentile is a number");
    if (!(p >= 0 && p <= 100)) return failure(kServerError, fmt::format("invalid reward percentile: {}", p));
    if (!out.empty() && p < out.back())
      return failure(kServerError, fmt::format("invalid reward percentile: #{}:{} > #{}:{}", out.size() - 1, out.back(),
                                               out.size(), p));
    out.push_back(p);
  }
  return out;
}

Result<std::uint64_t> read_count(const json::value& value) {
  if (const auto* number = value.if_int64(); number != nullptr && *number >= 0)
    return static_cast<std::uint64_t>(*number);
  return read_quantity64(value);
}

/// Tips at the given percentiles of the block's gas, cheapest first.
json::array rewards(const Block& block, const std::vector<StoredReceipt>& receipts,
                    const std::vector<double>& percentiles) {
  std::vector<std::pair<uint256, std::uint64_t>> tips;
  for (const auto& receipt : receipts)
    if (receipt.transaction)
      tips.emplace_back(tip_of(receipt.transaction->tx, block.header.base_fee), receipt.receipt.gas_used);
  std::ranges::sort(tips);
  json::array out;
  std::size_t at = 0;
  std::uint64_t sum = tips.empty() ? 0 : tips[0].second;
  for (const double p : percentiles) {
    if (tips.empty()) {
      out.emplace_back("0x0");
      continue;
    }
    const auto threshold = static_cast<std::uint64_t>(static_cast<double>(block.header.gas_used) * p / 100);
    while (sum < threshold && at + 1 < tips.size()) sum += tips[++at].second;
    out.emplace_back(quantity(tips[at].first));
  }
  return out;
}

JsonReply fee_history(const Context& context, const Params& params) {
  TRY(params.at_most(3));
  TRY_ASSIGN(auto count, params.read(0, &read_count));
  TRY_ASSIGN(const auto newest, params.block(1));
  TRY_ASSIGN(const auto percentiles, read_percentiles(params));
  const std::uint64_t head = context.ledger.head().number;
  if (const auto* number = std::get_if<std::uint64_t>(&newest); number != nullptr && *number > head)
    return failure(kServerError, fmt::format("request beyond head block: requested {}, head {}", *number, head));
  TRY_ASSIGN(const auto last, context.number_of(newest));
  count = std::min({count, kMaxHistory, last + 1});

  json::array base_fees, ratios, blob_fees, blob_ratios, reward;
  Header previous;
  for (std::uint64_t number = last + 1 - count; count > 0 && number <= last; ++number) {
    const auto block = context.ledger.block(number);
    if (!block) return failure(block.error());
    const auto& header = previous = (*block)->block.header;
    base_fees.emplace_back(quantity(header.base_fee));
    ratios.push_back(ratio_of(header.gas_used, header.gas_limit));
    TRY(context.in_time());
    TRY_ASSIGN(const auto blobs, blob_use(context, header));
    blob_fees.emplace_back(quantity(blobs.fee));
    blob_ratios.push_back(blobs.ratio);
    if (percentiles.empty()) continue;
    const auto receipts = context.ledger.receipts(number);
    if (!receipts) return failure(receipts.error());
    reward.emplace_back(rewards((*block)->block, *receipts, percentiles));
  }
  json::object out;
  out["oldestBlock"] = quantity(count == 0 ? 0 : last + 1 - count);
  if (count > 0) {
    const auto next = context.ledger.context(last + 1);
    if (!next) return failure(next.error());
    base_fees.emplace_back(quantity(next->base_fee));
    blob_fees.emplace_back(quantity(previous.has(HeaderForm::kCancun) ? next->blob_base_fee : uint256()));
  }
  out["baseFeePerGas"] = std::move(base_fees);
  out["gasUsedRatio"] = std::move(ratios);
  out["baseFeePerBlobGas"] = std::move(blob_fees);
  out["blobGasUsedRatio"] = std::move(blob_ratios);
  if (!percentiles.empty()) out["reward"] = std::move(reward);
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_gasPrice", gas_price},
    {"eth_maxPriorityFeePerGas", max_priority_fee},
    {"eth_blobBaseFee", blob_base_fee_of_next},
    {"eth_feeHistory", fee_history},
});

}  // namespace

std::span<const NamedMethod> fee_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
