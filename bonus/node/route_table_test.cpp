// Names of routes, and that the table survives a restart.
#include "bonus/node/route_table.hpp"

#include <gtest/gtest.h>

#include "bonus/node/testing/temp_folder.hpp"

namespace bonus::node {
namespace {

using testing::TempFolder;

Route route(std::string name, std::uint64_t order, std::uint8_t user = 1) {
  Route out;
  out.name = std::move(name);
  out.order = order;
  out.user.bytes[0] = user;
  out.publish = {{8080, 80}, {8443, 443}};
  return out;
}

TEST(RouteNames, GoodAndBad) {
  for (const auto* good : {"a", "web", "my-web-2", "2go", "a2345678901234567890123456789012"})
    EXPECT_TRUE(check_route_name(good)) << good;
  for (const auto* bad :
       {"", "-a", "a-", "A", "a_b", "42", "lease-a", "order-1", "a.b", "a23456789012345678901234567890123"}) {
    auto checked = check_route_name(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalid);
  }
}

TEST(RouteTable, IsKeptOverARestart) {
  const TempFolder folder;
  auto& disk = runtime::system_disk();
  {
    auto table = RouteTable::open(disk, folder.path("routes.log")).value();
    ASSERT_TRUE(table->put(route("web", 7)));
    ASSERT_TRUE(table->put(route("api", 8)));
    ASSERT_TRUE(table->put(route("web", 9)));
    ASSERT_TRUE(table->erase("api"));
  }
  auto table = RouteTable::open(disk, folder.path("routes.log")).value();
  EXPECT_EQ(table->all().size(), 1u);
  EXPECT_EQ(table->find("web"), route("web", 9));
  EXPECT_FALSE(table->find("api"));
  EXPECT_EQ(table->erase("api").error().code, ErrorCode::kNotFound);
}

TEST(RouteTable, ANameBelongsToItsUser) {
  const TempFolder folder;
  auto table = RouteTable::open(runtime::system_disk(), folder.path("routes.log")).value();
  ASSERT_TRUE(table->put(route("web", 7, 1)));
  auto taken = table->put(route("web", 8, 2));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kExists);
  EXPECT_EQ(table->find("web")->order, 7u);
}

TEST(RouteTable, ManyChangesDoNotGrowTheFile) {
  const TempFolder folder;
  auto& disk = runtime::system_disk();
  {
    auto table = RouteTable::open(disk, folder.path("routes.log")).value();
    for (std::uint64_t i = 1; i <= 600; ++i) ASSERT_TRUE(table->put(route("web", i)));
  }
  auto log = disk.open_log(folder.path("routes.log")).value();
  EXPECT_LE(log->recovered().size(), 300u);
  auto table = RouteTable::open(disk, folder.path("routes.log"));
  EXPECT_EQ(table.value()->find("web")->order, 600u);
}

}  // namespace
}  // namespace bonus::node
