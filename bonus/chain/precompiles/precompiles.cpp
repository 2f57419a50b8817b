// The table of precompiles: address, first rule set, price, function.
#include "bonus/chain/precompiles/precompiles.hpp"

#include <algorithm>
#include <cstring>

#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles {
namespace {

struct Entry {
  std::uint16_t number;
  Revision since;
  PriceFunction price;
  ExecuteFunction execute;
};

/// `base` and `per_word` for each 32 bytes begun.
template <std::uint64_t kBase, std::uint64_t kPerWord>
std::uint64_t linear(BytesView input, Revision) {
  return kBase + kPerWord * ((input.size() + 31) / 32);
}
/// `kOld` before `kChange`, `kNew` after.
template <std::uint64_t kOld, std::uint64_t kNew, Revision kChange>
std::uint64_t fixed(BytesView, Revision revision) {
  return revision >= kChange ? kNew : kOld;
}
template <std::uint64_t kPrice>
std::uint64_t fixed(BytesView, Revision) {
  return kPrice;
}
std::uint64_t bn254_pairing_price(BytesView input, Revision revision) {
  const std::uint64_t pairs = input.size() / 192;
  return revision >= Revision::kIstanbul ? 45'000 + 34'000 * pairs : 100'000 + 80'000 * pairs;  // EIP-1108, EIP-197.
}
std::uint64_t bls_pairing_price(BytesView input, Revision) { return 37'700 + 32'600 * (input.size() / 384); }

/// Ascending by number and by rule set.
constexpr auto kEntries = std::to_array<Entry>({
    {0x01, Revision::kFrontier, fixed<3000>, ecrecover},
    {0x02, Revision::kFrontier, linear<60, 12>, sha256},
    {0x03, Revision::kFrontier, linear<600, 120>, ripemd160},
    {0x04, Revision::kFrontier, linear<15, 3>, identity},
    {0x05, Revision::kByzantium, modexp_price, modexp},
    {0x06, Revision::kByzantium, fixed<500, 150, Revision::kIstanbul>, bn254_add},
    {0x07, Revision::kByzantium, fixed<40'000, 6000, Revision::kIstanbul>, bn254_mul},
    {0x08, Revision::kByzantium, bn254_pairing_price, bn254_pairing},
    {0x09, Revision::kIstanbul, blake2f_price, blake2f},
    {0x0a, Revision::kCancun, fixed<50'000>, kzg_point_evaluation},
    {0x0b, Revision::kPrague, fixed<375>, bls_g1_add},
    {0x0c, Revision::kPrague, bls_g1_msm_price, bls_g1_msm},
    {0x0d, Revision::kPrague, fixed<600>, bls_g2_add},
    {0x0e, Revision::kPrague, bls_g2_msm_price, bls_g2_msm},
    {0x0f, Revision::kPrague, bls_pairing_price, bls_pairing_check},
    {0x10, Revision::kPrague, fixed<5500>, bls_map_fp_to_g1},
    {0x11, Revision::kPrague, fixed<23'800>, bls_map_fp2_to_g2},
    {0x100, Revision::kOsaka, fixed<6900>, p256_verify},
});

/// 0 if the address is above all precompiles'. Asked for every call that a contract makes.
std::uint16_t number_of(const Address& address) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint16_t third = 0;
  std::memcpy(&first, address.bytes.data(), 8);
  std::memcpy(&second, address.bytes.data() + 8, 8);
  std::memcpy(&third, address.bytes.data() + 16, 2);
  if ((first | second | third) != 0) return 0;
  return static_cast<std::uint16_t>(address.bytes[18] << 8 | address.bytes[19]);
}

const Entry* find(const Address& address, Revision revision) {
  const std::uint16_t number = number_of(address);
  if (number == 0 || number > kEntries.back().number) return nullptr;
  // 0x01 to 0x11 stand at their number.
  const std::size_t place = number <= kEntries.size() ? number - 1U : kEntries.size() - 1;
  const Entry& entry = kEntries[place];
  return entry.number == number && entry.since <= revision ? &entry : nullptr;
}

constexpr auto kAddresses = [] {
  std::array<Address, kEntries.size()> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].bytes[18] = static_cast<std::uint8_t>(kEntries[i].number >> 8);
    out[i].bytes[19] = static_cast<std::uint8_t>(kEntries[i].number & 0xFF);
  }
  return out;
}();

}  // namespace

bool is_precompile(const Address& address, Revision revision) { return find(address, revision) != nullptr; }

std::span<const Address> addresses(Revision revision) {
  const auto end = std::ranges::find_if(kEntries, [&](const Entry& entry) { return entry.since > revision; });
  return std::span(kAddresses).first(static_cast<std::size_t>(end - kEntries.begin()));
}

Reply run(const Address& address, Revision revision, BytesView input, std::uint64_t gas, Bytes& output) {
  output.clear();
  const Entry* entry = find(address, revision);
  if (entry == nullptr) return {.success = false, .gas_used = gas};
  const std::uint64_t price = entry->price(input, revision);
  if (price > gas || price == kNoPrice) return {.success = false, .gas_used = gas};
  if (!entry->execute(input, output)) {
    output.clear();
    return {.success = false, .gas_used = gas};
  }
  return {.success = true, .gas_used = price};
}

}  // namespace bonus::chain::precompiles
