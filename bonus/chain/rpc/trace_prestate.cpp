// prestateTracer: the part of the state that a transaction needs, or how it changes it (diffMode).
#include <boost/json/object.hpp>
#include <map>
#include <set>

#include "bonus/chain/evm/host_ops.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/trace_tracer.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

struct SeenAccount {
  bool empty = false;  ///< Nothing was there.
  Account account;
  state::Journal::Code code;
  std::map<uint256, uint256> storage;  // Ordered, so that the same trace reads the same.
};

class PrestateTracer final : public TransactionTracer {
 public:
  PrestateTracer(const json::object& config, TraceBudget& budget)
      : budget_(budget),
        diff_(flag(config, "diffMode")),
        with_code_(!flag(config, "disableCode")),
        with_storage_(!flag(config, "disableStorage")),
        with_empty_(flag(config, "includeEmpty")) {}

  void begin(const TracedTransaction& traced) override {
    traced_ = traced;
    const SenderTransaction& item = *traced.item;
    look(item.sender);
    if (item.tx.to) {
      look(*item.tx.to);
      if (const auto target = evm::delegation_target(*journal().code(*item.tx.to))) look(*target);
    } else {
      make(evm::create_address(item.sender, journal().account(item.sender).nonce));
    }
    look(traced.block->beneficiary);
    for (const Authorization& wish : item.tx.authorizations)
      if (const auto authority = wish.authority()) look(*authority);
  }

  void on_step(const evm::Step& step) override {
    if (!budget_.step() || step.error != evm::Status::kSuccess) return;
    using namespace evm;  // NOLINT(google-build-using-namespace): the instructions
    const std::size_t height = step.stack.size();
    const auto item = [&](std::size_t depth) -> const uint256& { return step.stack[height - 1 - depth]; };
    const Address& self = step.message->recipient;
    switch (step.op) {
      case OP_SLOAD:
      case OP_SSTORE:
        return look(self, item(0));
      case OP_BALANCE:
      case OP_EXTCODECOPY:
      case OP_EXTCODEHASH:
      case OP_EXTCODESIZE:
      case OP_SELFDESTRUCT:
        return look(to_address(item(0)));
      case OP_CALL:
      case OP_CALLCODE:
      case OP_DELEGATECALL:
      case OP_STATICCALL: {
        const Address target = to_address(item(1));
        look(target);
        if (const auto delegate = delegation_target(*journal().code(target))) look(*delegate);
        return;
      }
      case OP_CREATE:
        return make(create_address(self, journal().account(self).nonce));
      case OP_CREATE2: {
        const std::size_t offset = static_cast<std::size_t>(item(1).clamp_u64());
        const std::size_t size = static_cast<std::size_t>(item(2).clamp_u64());
        if (size == 0) return make(create2_address(self, item(3).to_be(), {}));
        // The memory is shown as it was before it grew: what lies behind its end is zero.
        Bytes code(size);
        for (std::size_t i = 0; i < size && offset + i < step.memory.size(); ++i) code[i] = step.memory[offset + i];
        return make(create2_address(self, item(3).to_be(), code));
      }
      default:
        return;
    }
  }
  [[nodiscard]] bool stopped() const override { return !budget_.ok(); }

  JsonReply finish(const evm::TransactionOutcome& /*outcome*/) override {
    if (budget_.failed()) return std::unexpected(*budget_.failed());
    if (!diff_) {
      json::object out;
      for (const auto& [address, seen] : pre_)
        if (!skipped(address, seen)) out[to_hex0x(address)] = encode(seen, seen.storage);
      return out;
    }
    return difference();
  }

 private:
  static constexpr std::size_t kAccountBytes = 200, kSlotBytes = 150;

  [[nodiscard]] const state::Journal& journal() const { return *traced_.journal; }

  SeenAccount& look_up(const Address& address) {
    const auto [place, made] = pre_.try_emplace(address);
    SeenAccount& seen = place->second;
    if (!made) return seen;
    seen.account = journal().account(address);
    seen.code = journal().code(address);
    seen.empty = is_empty(seen.account);
    (void)budget_.take(kAccountBytes + (with_code_ ? 2 * seen.code->size() : 0));
    return seen;
  }
  void look(const Address& address) { (void)look_up(address); }
  void look(const Address& contract, const uint256& slot) {
    SeenAccount& seen = look_up(contract);
    if (seen.storage.contains(slot)) return;
    seen.storage.emplace(slot, journal().slot({contract, slot}).original);
    (void)budget_.take(kSlotBytes);
  }
  void make(const Address& address) {
    look(address);
    created_.insert(address);
  }
  /// A contract that the transaction made has no state before.
  [[nodiscard]] bool skipped(const Address& address, const SeenAccount& seen) const {
    return created_.contains(address) && seen.empty && !with_empty_;
  }

  using Slots = std::map<uint256, uint256>;
  [[nodiscard]] json::object encode(const SeenAccount& seen, const Slots& slots) const {
    json::object out;
    out["balance"] = quantity(seen.account.balance);
    if (seen.account.nonce != 0) out["nonce"] = seen.account.nonce;
    if (with_code_ && !seen.code->empty()) out["code"] = to_hex0x(*seen.code);
    if (with_storage_ && !slots.empty()) out["storage"] = encode(slots);
    return out;
  }
  [[nodiscard]] static json::object encode(const Slots& slots) {
    json::object out;
    for (const auto& [slot, value] : slots) out[to_hex0x(slot.to_be())] = to_hex0x(value.to_be());
    return out;
  }

  /// Only what changed: before and after. An account that was destroyed has no after.
  [[nodiscard]] json::object difference() const {
    json::object pre;
    json::object post;
    for (const auto& [address, seen] : pre_) {
      const Account& now = journal().account(address);
      if (is_missing(now) && !seen.empty) {
        Slots held;
        for (const auto& [slot, value] : seen.storage)
          if (!value.is_zero()) held.emplace(slot, value);
        pre[to_hex0x(address)] = encode(seen, held);
        continue;
      }
      json::object after;
      Slots old_slots;
      Slots new_slots;
      if (with_storage_) {
        for (const auto& [slot, value] : seen.storage) {
          const uint256 present = journal().storage({address, slot});
          if (present == value) continue;
          if (!value.is_zero()) old_slots.emplace(slot, value);
          if (!present.is_zero()) new_slots.emplace(slot, present);
        }
      }
      const bool moved = !old_slots.empty() || !new_slots.empty();
      if (now.balance != seen.account.balance) after["balance"] = quantity(now.balance);
      if (now.nonce != seen.account.nonce) after["nonce"] = now.nonce;
      const auto code = journal().code(address);
      if (with_code_ && *code != *seen.code) after["code"] = to_hex0x(*code);
      if (!new_slots.empty()) after["storage"] = encode(new_slots);
      if (after.empty() && !moved) continue;
      if (!skipped(address, seen)) pre[to_hex0x(address)] = encode(seen, old_slots);
      post[to_hex0x(address)] = std::move(after);
    }
    json::object out;
    out["post"] = std::move(post);
    out["pre"] = std::move(pre);
    return out;
  }

  TraceBudget& budget_;
  const bool diff_, with_code_, with_storage_, with_empty_;
  TracedTransaction traced_;
  std::map<Address, SeenAccount> pre_;
  std::set<Address> created_;
};

}  // namespace

std::unique_ptr<TransactionTracer> make_prestate_tracer(const json::object& config, TraceBudget& budget) {
  return std::make_unique<PrestateTracer>(config, budget);
}

}  // namespace bonus::chain::rpc
