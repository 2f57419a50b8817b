// Round trips and refusals of synchronisation messages.
#include "bonus/chain/sync/messages.hpp"

#include <gtest/gtest.h>

namespace bonus::chain::sync {
namespace {

template <class T>
void refuses_damage(const Bytes& raw) {
  ASSERT_TRUE(T::decode(raw).has_value());
  EXPECT_EQ(T::decode(raw)->encode(), raw);
  for (std::size_t cut = 0; cut < raw.size(); ++cut) EXPECT_FALSE(T::decode(BytesView(raw).first(cut)).has_value());
  Bytes bad = raw;
  bad[0] = 2;
  EXPECT_EQ(T::decode(bad).error().code, ErrorCode::kUnsupported);
  bad = raw;
  bad.push_back(0x80);
  EXPECT_FALSE(T::decode(bad).has_value());
}

TEST(SyncMessages, RoundTrips) {
  Hash32 hash;
  hash.bytes.fill(3);
  refuses_damage<Status>(Status{77, hash}.encode());
  refuses_damage<RangeRequest>(RangeRequest{1, 128}.encode());
  refuses_damage<RangeReply>(RangeReply{9, {{{1, 2}, {3}}, {{4}, {}}}}.encode());
  refuses_damage<RangeReply>(RangeReply{9, {}}.encode());
}

TEST(SyncMessages, Bounds) {
  EXPECT_FALSE(RangeRequest::decode(RangeRequest{0, 1}.encode()).has_value());
  EXPECT_FALSE(RangeRequest::decode(RangeRequest{1, 0}.encode()).has_value());
  EXPECT_FALSE(RangeRequest::decode(RangeRequest{1, 129}.encode()).has_value());
  RangeReply many{1, std::vector<FinalBlock>(129)};
  EXPECT_FALSE(RangeReply::decode(many.encode()).has_value());
  EXPECT_FALSE(RangeReply::decode(RangeReply{1, {{Bytes(kMaxBlockBytes + 1), {}}}}.encode()).has_value());
  EXPECT_FALSE(RangeReply::decode(RangeReply{1, {{{}, Bytes(kMaxCommitBytes + 1)}}}.encode()).has_value());
}

}  // namespace
}  // namespace bonus::chain::sync
