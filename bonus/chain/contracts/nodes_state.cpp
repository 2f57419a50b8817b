// Penalties, bonds and lookup of nodes.
#include "bonus/chain/contracts/nodes_state.hpp"

#include "bonus/chain/api/market_abi.hpp"

namespace bonus::chain::contracts {
namespace layout = nodes_layout;

namespace {
constexpr std::uint64_t kBps = 10'000;

const uint256& nodes_data() {
  static const uint256 data = array_data(uint256(layout::kNodes));
  return data;
}
}  // namespace

std::uint32_t healed_bps(std::uint32_t bps, UnixSeconds penalty_at, UnixSeconds now, std::uint32_t halflife_s) {
  const std::uint64_t lost = bps >= kBps ? 0 : kBps - bps;
  if (lost == 0 || halflife_s == 0) return kBps;
  const std::uint64_t elapsed = now > penalty_at ? now - penalty_at : 0;
  const std::uint64_t halvings = elapsed / halflife_s;
  if (halvings >= 14) return kBps;  // 10000 / 2^14 < 1
  // Q16, so that short times heal too.
  const std::uint64_t at_halving = (lost << 16) >> halvings;
  const std::uint64_t left = at_halving - at_halving * (elapsed % halflife_s) / (2ULL * halflife_s);
  return static_cast<std::uint32_t>(kBps - ((left + 0xffff) >> 16));
}

std::uint32_t NodesState::size() const {
  return static_cast<std::uint32_t>(context_->load(kNodesAddress, uint256(layout::kNodes)).low64());
}

Row NodesState::row(std::uint32_t node) const {
  return {*context_, kNodesAddress, nodes_data() + uint256(std::uint64_t{node} * layout::kNodeWords)};
}

std::optional<std::uint32_t> NodesState::known(const Address& account) const {
  const uint256 position = context_->load(kNodesAddress, mapping_slot(uint256(layout::kIndexOf), number_of(account)));
  if (position.is_zero()) return std::nullopt;
  return static_cast<std::uint32_t>(position.low64() - 1);
}

std::optional<std::uint32_t> NodesState::find(const Address& account) const {
  const auto node = known(account);
  if (!node || row(*node).get64(layout::kRegisteredAt) == 0) return std::nullopt;
  return node;
}

std::uint32_t NodesState::penalty_bps(std::uint32_t node) const {
  const Row state = row(node);
  return healed_bps(state.get32(layout::kPenaltyBps), state.get64(layout::kPenaltyAt), context_->now(),
                    context_->params().penalty_halflife_s);
}

void NodesState::punish(std::uint32_t node) const {
  const Row state = row(node);
  const std::uint64_t bps =
      std::uint64_t{penalty_bps(node)} * std::min<std::uint64_t>(context_->params().penalty_factor_bps, kBps) / kBps;
  state.set(layout::kPenaltyBps, uint256(bps));
  state.set(layout::kPenaltyAt, uint256(context_->now()));
}

uint256 NodesState::book_interruption(std::uint32_t node, std::uint64_t lease_id, const Address& user) const {
  const Row state = row(node);
  const std::uint64_t count = state.get64(layout::kInterruptions);
  if (count < UINT32_MAX) state.set(layout::kInterruptions, uint256(count + 1));
  const uint256 bond = state.word(layout::kBond);
  const uint256 slice =
      mul_div(bond, uint256(std::min<std::uint64_t>(context_->params().interruption_slash_bps, kBps)), uint256(kBps));
  if (!slice.is_zero()) {
    state.set_word(layout::kBond, bond - slice);
    global().set_word(layout::kTotals, global().word(layout::kTotals) - slice);
    context_->pay(kNodesAddress, user, slice);
  }
  context_->emit(market::make_log(market::Event::kPenaltyBooked, {state.address(layout::kAccount), uint256(lease_id),
                                                                  uint256(penalty_bps(node)), slice}));
  return slice;
}

}  // namespace bonus::chain::contracts
