// The Authorization header: accepted when right, refused with a reason when anything of it is changed.
#include "bonus/node/auth.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bonus::node {
namespace {

using ::testing::HasSubstr;

crypto::SecretKey256 key_of(std::uint8_t n) {
  crypto::SecretKey256 key;
  key.bytes[31] = n;
  return key;
}

TEST(Auth, RoundTrip) {
  const auto header = sign_authorization(key_of(7), "GET", "/v1/leases/4/logs", 1'700'000'000).value();
  for (const UnixSeconds now : {1'700'000'000ULL, 1'700'000'300ULL, 1'699'999'700ULL}) {
    auto signer = verify_authorization(header, "GET", "/v1/leases/4/logs", now);
    ASSERT_TRUE(signer) << signer.error().message;
    EXPECT_EQ(*signer, crypto::address_of(key_of(7)).value());
  }
}

TEST(Auth, RefusesAnotherRequest) {
  const auto header = sign_authorization(key_of(7), "GET", "/v1/leases/4/logs", 1000).value();
  EXPECT_FALSE(verify_authorization(header, "POST", "/v1/leases/4/logs", 1000));
  EXPECT_FALSE(verify_authorization(header, "GET", "/v1/leases/5/logs", 1000));
  auto late = verify_authorization(header, "GET", "/v1/leases/4/logs", 1301);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDenied);
  EXPECT_THAT(late.error().message, HasSubstr("compare the clocks"));
  EXPECT_FALSE(verify_authorization(header, "GET", "/v1/leases/4/logs", 699));
}

TEST(Auth, RefusesEveryFlippedCharacterOfTheSignature) {
  const auto header = sign_authorization(key_of(9), "GET", "/x", 1000).value();
  for (std::size_t i = header.rfind(':') + 3; i < header.size(); i += 7) {
    std::string changed = header;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(verify_authorization(changed, "GET", "/x", 1000)) << i;
  }
}

class Malformed : public ::testing::TestWithParam<const char*> {};
TEST_P(Malformed, IsDenied) {
  auto signer = verify_authorization(GetParam(), "GET", "/", 0);
  ASSERT_FALSE(signer);
  EXPECT_EQ(signer.error().code, ErrorCode::kDenied);
}
INSTANTIATE_TEST_SUITE_P(Table, Malformed,
                         ::testing::Values("", "Bonus ", "Basic abc", "Bonus 0x00:1", "Bonus ::", "Bonus 0x12:0:0x34",
                                           "Bonus 0x0000000000000000000000000000000000000001:-1:0x00",
                                           "Bonus 0x0000000000000000000000000000000000000001:99999999999999999999:00"));

}  // namespace
}  // namespace bonus::node
