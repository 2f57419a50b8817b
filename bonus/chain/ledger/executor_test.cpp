// Rules of the executor that hold for every contract.
#include "bonus/chain/ledger/executor.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/evm/native_host.hpp"
#include "bonus/chain/state/views.hpp"

namespace bonus::chain::ledger {
namespace {

TEST(Executor, HooksAreFreeAndTransactionsAreNot) {
  const state::EmptyView base;
  Journal journal(base);
  const BlockContext context;
  evm::NativeHost free(journal, context, std::nullopt);
  EXPECT_TRUE(free.charge(UINT64_MAX).has_value());
  evm::NativeHost metered(journal, context, 10);
  EXPECT_TRUE(metered.charge(10).has_value());
  EXPECT_EQ(metered.left(), 0u);
  EXPECT_FALSE(metered.out_of_gas());
  EXPECT_EQ(metered.charge(1).error().code, ErrorCode::kExhausted);
  EXPECT_TRUE(metered.out_of_gas());
}

}  // namespace
}  // namespace bonus::chain::ledger
