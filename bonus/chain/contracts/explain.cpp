// The answer to "why does nothing match, and what is the smallest change": preflight and the explanation of waiting
// orders.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <tuple>

#include "bonus/chain/contracts/book.hpp"

namespace bonus::chain::contracts {
namespace {

/// A number that a wallet can show as text: the region left-aligned in 32 bytes, as Solidity's bytes32.
uint256 text_word(std::string_view text) {
  Hash32 raw;
  std::ranges::copy(as_bytes(text).first(std::min(text.size(), raw.bytes.size())), raw.bytes.begin());
  return uint256::from_be(raw);
}

std::string_view tier_name(std::uint64_t tier) {
  constexpr std::array<std::string_view, 3> kNames{"Lite", "Normal", "Super"};
  return tier < kNames.size() ? kNames[tier] : "unknown";
}
std::string_view runtime_name(std::uint64_t runtime) {
  constexpr std::array<std::string_view, 3> kNames{"runc", "gvisor", "vm"};
  return runtime < kNames.size() ? kNames[runtime] : "unknown";
}

std::string_view name_of(unsigned misfit) {
  switch (misfit) {
    case kCpu:
      return "cpu";
    case kMemory:
      return "memory";
    case kDisk:
      return "disk";
    case kRegion:
      return "region";
    case kTier:
      return "tier";
    case kRuntime:
      return "runtime";
    case kPrice:
      return "price";
    case kOperators:
      return "operators";
    case kDeposit:
      return "deposit";
    default:
      return "offers";
  }
}

/// One relaxation: `best` instead of `asked` in one dimension lets an offer match. `cost` compares dimensions: basis
/// points of the number asked for; wishes that are no numbers have a fixed cost.
struct Change {
  unsigned dimension = 0;
  uint256 asked, best;
  std::uint64_t cost = 0;
  const BookOffer* offer = nullptr;
  bool by_price = false;  ///< Less of a resource, because it would cost too much.
};

std::uint64_t relative(const uint256& asked, const uint256& best) {
  const uint256 difference = asked > best ? asked - best : best - asked;
  if (asked.is_zero()) return UINT64_MAX;
  return mul_div(difference, uint256(10'000U), asked).clamp_u64();
}

uint256 needed_escrow(const Wanted& wanted, const uint256& price) {
  const uint256 need =
      uint256(kMinPaidSeconds) * (wanted.committed + price * uint256(std::uint64_t{std::max(wanted.replicas, 1U)}));
  return std::max(need, uint256(1U));
}

Change numeric(unsigned dimension, const uint256& asked, const uint256& best, const BookOffer& offer) {
  return {dimension, asked, best, relative(asked, best), &offer};
}

/// The change in one dimension that lets exactly this offer match, if it misses nothing else.
Change change_for(unsigned misfit, const BookOffer& offer, const Book& book, const Wanted& wanted) {
  const auto amount = [&](std::uint32_t asked, std::uint32_t free) {
    return numeric(misfit, uint256(std::uint64_t{asked}), uint256(std::uint64_t{free}), offer);
  };
  switch (misfit) {
    case kCpu:
      return amount(wanted.resources.cpu_millis, offer.free.cpu_millis);
    case kMemory:
      return amount(wanted.resources.memory_mib, offer.free.memory_mib);
    case kDisk:
      return amount(wanted.resources.disk_mib, offer.free.disk_mib);
    case kRegion:
      return {misfit, text_word(wanted.region), text_word(book.region_name(offer.region)), 5'000, &offer};
    case kTier: {
      const auto asked = static_cast<std::uint64_t>(std::max<int>(wanted.min_tier, 0));
      return {misfit, uint256(asked), uint256(std::uint64_t{offer.tier}),
              2'500 * (asked - std::min<std::uint64_t>(asked, offer.tier)), &offer};
    }
    case kRuntime: {
      const auto best = static_cast<std::uint64_t>(std::countr_zero(static_cast<unsigned>(offer.runtimes)));
      return {misfit, uint256(std::uint64_t{wanted.runtime}), uint256(best), 5'000, &offer};
    }
    case kPrice:
      return numeric(misfit, wanted.max_price, price_of(offer, wanted.resources), offer);
    case kDeposit:
      return numeric(misfit, wanted.escrow, needed_escrow(wanted, price_of(offer, wanted.resources)), offer);
    default:
      return {kOperators, uint256(std::uint64_t{wanted.replicas}), uint256(), 7'500, &offer};
  }
}

/// Less of one resource also costs less, so it may cure price and deposit along with itself: the largest amount that
/// fits.
std::optional<Change> less_of(unsigned dimension, unsigned misfits, const BookOffer& offer, const Wanted& wanted,
                              const uint256& limit) {
  if ((misfits & ~(dimension | kPrice | kDeposit)) != 0 || wanted.escrow.is_zero()) return std::nullopt;
  market::Resources without = wanted.resources;
  std::uint32_t& amount = dimension == kCpu      ? without.cpu_millis
                          : dimension == kMemory ? without.memory_mib
                                                 : without.disk_mib;
  const std::uint32_t free = dimension == kCpu      ? offer.free.cpu_millis
                             : dimension == kMemory ? offer.free.memory_mib
                                                    : offer.free.disk_mib;
  const uint256 unit = from_wide(dimension == kCpu ? offer.cpu : dimension == kMemory ? offer.memory : offer.disk);
  const std::uint32_t asked = amount;
  amount = 0;
  const uint256 rest = price_of(offer, without);
  if (rest > limit) return std::nullopt;
  std::uint64_t best = free;
  if (!unit.is_zero()) best = std::min(best, ((limit - rest) / unit).clamp_u64());
  // No CPU or memory at all cannot be asked for.
  if (best >= asked || (best == 0 && dimension != kDisk)) return std::nullopt;
  Change out = numeric(dimension, uint256(std::uint64_t{asked}), uint256(best), offer);
  out.by_price = best < free;
  return out;
}

std::string advice_for(const Change& change, const Book& book, const Wanted& wanted) {
  const std::string asked = change.asked.to_decimal();
  const std::string best = change.best.to_decimal();
  const auto amount = [&](std::string_view what, std::string_view unit) {
    if (change.by_price) {
      return fmt::format("{} {} of {} cost more than price limit and deposit allow; ask for at most {}.", asked, unit,
                         what, best);
    }
    return fmt::format("No fitting offer has {} {} of {} free; ask for at most {}.", asked, unit, what, best);
  };
  switch (change.dimension) {
    case kCpu:
      return amount("CPU", "millicores");
    case kMemory:
      return amount("memory", "MiB");
    case kDisk:
      return amount("disk", "MiB");
    case kRegion: {
      const std::string& name = book.region_name(change.offer->region);
      if (name.empty())
        return fmt::format("No fitting offer is in region \"{}\"; without a region one would fit.", wanted.region);
      return fmt::format("No fitting offer is in region \"{}\"; \"{}\" has one.", wanted.region, name);
    }
    case kTier:
      return fmt::format("No fitting offer has tier {} or above; {} has one.", tier_name(change.asked.low64()),
                         tier_name(change.best.low64()));
    case kRuntime:
      return fmt::format("No fitting offer has runtime {}; {} would fit.", runtime_name(change.asked.low64()),
                         runtime_name(change.best.low64()));
    case kPrice:
      return fmt::format("Every fitting offer costs more than {} wei per second; pay up to {}.", asked, best);
    case kDeposit:
      return fmt::format("{} wei do not last for {} s; deposit at least {} wei.", asked, kMinPaidSeconds, best);
    default:
      return "The only fitting workers run this order already or lost it in this block; more workers, or several "
             "replicas on one, would do.";
  }
}

std::string list_of(unsigned misfits) {
  std::string out;
  for (unsigned bit = 1; bit <= kDeposit; bit <<= 1) {
    if ((misfits & bit) == 0) continue;
    if (!out.empty()) out += ", ";
    out += name_of(bit);
  }
  return out;
}

}  // namespace

market::Explanation explain(const Book& book, const Wanted& wanted) {
  market::Explanation out;
  out.offers = static_cast<std::uint32_t>(book.offers().size());
  const std::vector<Candidate> matching = candidates(book, wanted);
  out.matching = static_cast<std::uint32_t>(matching.size());
  if (!matching.empty()) {
    uint256 sum;
    uint256 weights;
    std::set<std::uint32_t> operators;
    for (const Candidate& candidate : matching) {
      sum += candidate.price * uint256(candidate.weight);
      weights += uint256(candidate.weight);
      operators.insert(book.offers()[candidate.position].worker);
    }
    out.expected_price_per_second = sum / weights;
    if (wanted.distinct && operators.size() < wanted.replicas) {
      out.dimension = name_of(kOperators);
      out.asked = uint256(std::uint64_t{wanted.replicas});
      out.best = uint256(operators.size());
      out.advice = fmt::format("Only {} different worker(s) fit; the other replicas will wait.", operators.size());
    }
    return out;
  }
  if (book.offers().empty()) {
    out.dimension = name_of(0);
    out.advice = "No worker offers anything at this moment; the order would wait for one.";
    return out;
  }
  const Fit fit(book, wanted);
  std::optional<Change> smallest;
  // The smaller change, then the order of dimensions, then the place in the book.
  const auto consider = [&smallest](const Change& change) {
    if (!smallest || std::tie(change.cost, change.dimension) < std::tie(smallest->cost, smallest->dimension))
      smallest = change;
  };
  const uint256 limit = fit.price_limit();
  unsigned nearest_misfits = 0;
  const BookOffer* nearest = nullptr;
  for (const BookOffer& offer : book.offers()) {
    const unsigned misfits = fit.misfits(offer);
    if (nearest == nullptr || std::popcount(misfits) < std::popcount(nearest_misfits)) {
      nearest = &offer;
      nearest_misfits = misfits;
    }
    for (const unsigned resource : {kCpu, kMemory, kDisk}) {
      if (const auto change = less_of(resource, misfits, offer, wanted, limit)) consider(*change);
    }
    constexpr unsigned kResources = kCpu | kMemory | kDisk;
    if (std::popcount(misfits) != 1 || (misfits & kResources) != 0) continue;
    if (misfits == kRuntime && (offer.runtimes & 7U) == 0) continue;
    consider(change_for(misfits, offer, book, wanted));
  }
  if (smallest) {
    out.advice = advice_for(*smallest, book, wanted);
  } else {
    smallest = change_for(1U << std::countr_zero(nearest_misfits), *nearest, book, wanted);
    out.advice = fmt::format("No single change is enough; the nearest offer ({}) misses: {}.", nearest->id,
                             list_of(nearest_misfits));
  }
  out.dimension = name_of(smallest->dimension);
  out.asked = smallest->asked;
  out.best = smallest->best;
  return out;
}

}  // namespace bonus::chain::contracts
