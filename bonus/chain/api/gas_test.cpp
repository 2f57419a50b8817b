// Intrinsic gas by fork and the blob fee market, against the numbers of the EIPs.
#include "bonus/chain/api/gas.hpp"

#include <gtest/gtest.h>

namespace bonus::chain {
namespace {

using enum Revision;

Transaction call_with(Bytes data) {
  Transaction tx;
  tx.to = Address{};
  tx.data = std::move(data);
  return tx;
}

TEST(IntrinsicGas, CalldataByFork) {
  const Transaction tx = call_with({0, 0, 0, 1, 2});
  for (std::size_t i = 0; i < kRevisionCount; ++i) {
    const auto revision = static_cast<Revision>(i);
    EXPECT_EQ(intrinsic_gas(tx, revision), 21'000u + 12 + (revision < kIstanbul ? 136 : 32)) << to_string(revision);
    EXPECT_EQ(floor_gas(tx, revision), revision < kPrague ? 0u : 21'000u + 30 + 80) << to_string(revision);
  }
  EXPECT_EQ(minimum_gas(tx, kCancun), 21'044u);
  EXPECT_EQ(minimum_gas(tx, kPrague), 21'110u);
}

TEST(IntrinsicGas, CreationByFork) {
  Transaction tx = call_with(Bytes(33, 0));
  tx.to.reset();
  EXPECT_EQ(intrinsic_gas(tx, kFrontier), 21'132u);
  EXPECT_EQ(intrinsic_gas(tx, kHomestead), 53'132u);
  EXPECT_EQ(intrinsic_gas(tx, kParis), 53'132u);
  EXPECT_EQ(intrinsic_gas(tx, kShanghai), 53'136u);
  tx.data.resize(64);
  EXPECT_EQ(intrinsic_gas(tx, kShanghai), 53'000u + 256 + 4);
}

TEST(IntrinsicGas, AuthorizationsCostAsMuchAsAnEmptyAccount) {
  Transaction tx = call_with({});
  tx.type = 4;
  tx.authorizations.resize(3);
  EXPECT_EQ(intrinsic_gas(tx, kPrague), 96'000u);
  EXPECT_EQ(floor_gas(tx, kPrague), 21'000u);
}

TEST(BlobFee, Exponential) {
  EXPECT_EQ(blob_base_fee(0, kShanghai), uint256(0));
  EXPECT_EQ(blob_base_fee(0, kCancun), uint256(1));
  // The first excess at which the fee rises: e^(x / 3338477) >= 2 in integers.
  EXPECT_EQ(blob_base_fee(2'314'057, kCancun), uint256(1));
  EXPECT_EQ(blob_base_fee(2'314'058, kCancun), uint256(2));
  EXPECT_EQ(blob_base_fee(10 * 1024 * 1024, kCancun), uint256(23));
  EXPECT_LT(blob_base_fee(10 * 1024 * 1024, kPrague), uint256(23));
  EXPECT_EQ(blob_base_fee(UINT64_MAX, kOsaka), ~uint256());
  uint256 last;
  for (std::uint64_t excess = 0; excess < 400'000'000; excess += 3'333'333) {
    const uint256 fee = blob_base_fee(excess, kCancun);
    EXPECT_GE(fee, last);
    last = fee;
  }
}

TEST(BlobFee, Schedules) {
  EXPECT_EQ(blob_schedule(kShanghai).max, 0u);
  EXPECT_EQ(blob_schedule(kCancun).max, 6u);
  EXPECT_EQ(blob_schedule(kCancun).target, 3u);
  EXPECT_EQ(blob_schedule(kPrague).max_transaction, 9u);
  EXPECT_EQ(blob_schedule(kOsaka).max, 9u);
  EXPECT_EQ(blob_schedule(kOsaka).max_transaction, 6u);
  Transaction tx;
  tx.blob_hashes.resize(2);
  EXPECT_EQ(blob_gas(tx), 262'144u);
}

TEST(BlobFee, ExcessFollowsTheTarget) {
  constexpr std::uint64_t kBlob = kGasPerBlob;
  EXPECT_EQ(next_excess_blob_gas(0, 0, uint256(7), kCancun), 0u);
  EXPECT_EQ(next_excess_blob_gas(0, 3 * kBlob, uint256(7), kCancun), 0u);
  EXPECT_EQ(next_excess_blob_gas(0, 6 * kBlob, uint256(7), kCancun), 3 * kBlob);
  EXPECT_EQ(next_excess_blob_gas(kBlob, 4 * kBlob, uint256(7), kCancun), 2 * kBlob);
  EXPECT_EQ(next_excess_blob_gas(kBlob, 4 * kBlob, uint256(7), kPrague), 0u);
  EXPECT_EQ(next_excess_blob_gas(UINT64_MAX, 4 * kBlob, uint256(0), kPrague), UINT64_MAX - 6 * kBlob);
}

/// EIP-7918: while 2^13 * base fee is above 2^17 * blob fee, a third of the used gas is added and nothing taken away.
TEST(BlobFee, ReservePriceFromOsakaOn) {
  constexpr std::uint64_t kBlob = kGasPerBlob;
  const std::uint64_t excess = 10 * kBlob;
  EXPECT_EQ(next_excess_blob_gas(excess, 6 * kBlob, uint256(17), kOsaka), excess + 2 * kBlob);
  EXPECT_EQ(next_excess_blob_gas(excess, 6 * kBlob, uint256(16), kOsaka), excess);
  EXPECT_EQ(next_excess_blob_gas(excess, 0, uint256(17), kOsaka), excess);
  EXPECT_EQ(next_excess_blob_gas(excess, 0, uint256(17), kPrague), excess - 6 * kBlob);
  EXPECT_EQ(next_excess_blob_gas(excess, 6 * kBlob, ~uint256(), kOsaka), excess + 2 * kBlob);
}

}  // namespace
}  // namespace bonus::chain
