// Finding methods and blocks.
#include "bonus/chain/rpc/methods.hpp"

#include <unordered_map>

namespace bonus::chain::rpc {

Reply<std::monostate> Context::in_time() const {
  if (deadline.passed()) return failure(kTimedOut, "request timed out");
  return std::monostate();
}

Reply<std::shared_ptr<const StoredBlock>> Context::find_block(const BlockId& id) const {
  Result<std::shared_ptr<const StoredBlock>> found;
  if (const auto* hash = std::get_if<Hash32>(&id)) {
    found = ledger.block(*hash);
  } else if (const auto* number = std::get_if<std::uint64_t>(&id)) {
    found = ledger.block(*number);
  } else {
    // Every block is final, so latest, safe and finalized are the same.
    found = ledger.block(std::get<Tag>(id) == Tag::kEarliest ? 0 : ledger.head().number);
  }
  if (found) return *std::move(found);
  if (found.error().code == ErrorCode::kNotFound) return nullptr;
  return failure(found.error());
}

Reply<std::uint64_t> Context::number_of(const BlockId& id) const {
  if (const auto* tag = std::get_if<Tag>(&id)) return *tag == Tag::kEarliest ? 0 : ledger.head().number;
  if (const auto* number = std::get_if<std::uint64_t>(&id)) {
    if (*number > ledger.head().number) return failure(kServerError, "header not found");
    return *number;
  }
  TRY_ASSIGN(const auto block, find_block(id));
  if (!block) return failure(kServerError, "header for hash not found");
  return block->block.header.number;
}

Method find_method(std::string_view name) {
  static const auto table = [] {
    std::unordered_map<std::string_view, Method> out;
    for (const auto& list : {block_methods(), state_methods(), call_methods(), estimate_methods(), proof_methods(),
                             access_list_methods(), simulate_methods(), trace_methods(), fee_methods(),
                             config_methods(), filter_methods(), pool_methods(), raw_methods(), subscription_methods()})
      for (const auto& [key, method] : list) out.emplace(key, method);
    return out;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace bonus::chain::rpc
