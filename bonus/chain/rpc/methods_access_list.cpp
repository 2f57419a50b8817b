// eth_createAccessList: runs a call again and again until the list of what it reads stays the same (EIP-2930).
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <unordered_map>
#include <unordered_set>

#include "bonus/chain/evm/host_ops.hpp"
#include "bonus/chain/precompiles/precompiles.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/scene.hpp"
#include "bonus/chain/rpc/trace_tracer.hpp"
#include "bonus/chain/rpc/vm_error.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr int kMaxRounds = 32;  // Each adds something to the list; real contracts need two or three.

/// Collects addresses and slots in the order in which they are first used.
class AccessCollector final : public evm::Tracer {
 public:
  AccessCollector(const std::vector<Transaction::AccessEntry>& start, const std::unordered_set<Address>& excluded,
                  TraceBudget& budget)
      : excluded_(excluded), budget_(budget) {
    for (const auto& entry : start) {
      add(entry.address);
      for (const Hash32& key : entry.keys) add(entry.address, key);
    }
  }

  void on_step(const evm::Step& step) override {
    using namespace evm;  // NOLINT(google-build-using-namespace): the instructions
    const std::size_t height = step.stack.size();
    if (!budget_.step() || height == 0) return;
    const uint256& top = step.stack[height - 1];
    switch (step.op) {
      case OP_SLOAD:
      case OP_SSTORE:
        return add(step.message->recipient, top.to_be());
      case OP_EXTCODECOPY:
      case OP_EXTCODEHASH:
      case OP_EXTCODESIZE:
      case OP_BALANCE:
      case OP_SELFDESTRUCT:
        return add(to_address(top));
      case OP_DELEGATECALL:
      case OP_CALL:
      case OP_STATICCALL:
      case OP_CALLCODE:
        if (height >= 5) add(to_address(step.stack[height - 2]));
        return;
      default:
        return;
    }
  }

  [[nodiscard]] bool stopped() const override { return !budget_.ok(); }
  [[nodiscard]] const std::vector<Transaction::AccessEntry>& list() const { return list_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  Transaction::AccessEntry& entry(const Address& address) {
    const auto [found, made] = places_.try_emplace(address, list_.size());
    if (made) {
      list_.push_back({address, {}});
      ++size_;
    }
    return list_[found->second];
  }
  void add(const Address& address) {
    if (!excluded_.contains(address)) (void)entry(address);
  }
  void add(const Address& address, const Hash32& key) {
    if (!keys_[address].insert(key).second) return;
    entry(address).keys.push_back(key);
    ++size_;
  }

  const std::unordered_set<Address>& excluded_;
  TraceBudget& budget_;
  std::vector<Transaction::AccessEntry> list_;
  std::unordered_map<Address, std::size_t> places_;
  std::unordered_map<Address, std::unordered_set<Hash32>> keys_;
  std::size_t size_ = 0;
};

json::array encode_access_list(const std::vector<Transaction::AccessEntry>& entries) {
  json::array out;
  for (const auto& entry : entries) {
    json::array keys;
    for (const Hash32& key : entry.keys) keys.emplace_back(to_hex0x(key));
    json::object one;
    one["address"] = to_hex0x(entry.address);
    one["storageKeys"] = std::move(keys);
    out.emplace_back(std::move(one));
  }
  return out;
}

/// What a transaction has warm anyway: sender, receiver, precompiles, signers of authorizations.
std::unordered_set<Address> always_warm(const Scene& scene, const CallArguments& call) {
  std::unordered_set<Address> out{call.from};
  const std::uint64_t nonce = call.nonce.value_or(scene.state.account(call.from).nonce);
  out.insert(call.to ? *call.to : evm::create_address(call.from, nonce));
  for (const Address& address : precompiles::addresses(scene.block.revision)) out.insert(address);
  if (call.authorizations) {
    for (const Authorization& wish : *call.authorizations)
      if (const auto authority = wish.authority()) out.insert(*authority);
  }
  return out;
}

JsonReply access_list_of(const Scene& scene, CallArguments call, std::uint64_t gas) {
  const auto excluded = always_warm(scene, call);
  if (!call.access_list) call.access_list.emplace();
  TraceBudget budget({}, scene.context.deadline);
  std::size_t known = AccessCollector(*call.access_list, excluded, budget).size();
  for (int round = 1; round <= kMaxRounds; ++round) {
    TRY(scene.context.in_time());
    AccessCollector seen(*call.access_list, excluded, budget);
    const auto attempt = scene.run(call, gas, &seen);
    if (budget.failed()) return std::unexpected(*budget.failed());
    if (!attempt) return failure(kServerError, "failed to apply transaction: err: " + attempt.error().message);
    // A collector begins with the list that the run had, so that it only grows.
    if (round > 1 && seen.size() == known) {
      const auto& outcome = attempt->outcome;
      json::object out;
      out["accessList"] = encode_access_list(*call.access_list);
      if (outcome.status != evm::Status::kSuccess) out["error"] = scene.explain(call, gas, outcome.status);
      out["gasUsed"] = quantity(outcome.gas_used);
      return out;
    }
    known = seen.size();
    call.access_list = seen.list();
  }
  return failure(kServerError, "the access list does not come to rest");
}

JsonReply create_access_list(const Context& context, const Params& params) {
  TRY(params.at_most(3));
  TRY_ASSIGN(const auto call, read_call(params, 0, context.chain_id()));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  const std::uint64_t most = context.options.max_call_gas;
  const std::uint64_t gas = std::min(call.gas.value_or(most), most);
  return with_scene(context, id, params, 2, [&](const Scene& scene) { return access_list_of(scene, call, gas); });
}

constexpr auto kMethods = std::to_array<NamedMethod>({{"eth_createAccessList", create_access_list}});

}  // namespace

std::span<const NamedMethod> access_list_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
