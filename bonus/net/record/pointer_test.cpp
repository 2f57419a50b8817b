// Pointers come back, are of one address only, and nothing malformed is read.
#include "bonus/net/record/pointer.hpp"

#include <gtest/gtest.h>

namespace bonus::net {
namespace {

AddressPointer pointer() {
  AddressPointer out;
  out.root.bytes.fill(7);
  out.container = {'l', 'e', 'a', 's', 'e', '-', '4', '2'};
  return out;
}

TEST(AddressPointer, ComesBackAndTheBytesAreFixed) {
  const auto bytes = encode_pointer(pointer());
  ASSERT_TRUE(bytes);
  EXPECT_LE(bytes->size(), 64u);
  std::string expected = "01";
  for (int i = 0; i < 32; ++i) expected += "07";
  EXPECT_EQ(to_hex(*bytes), expected + "6c656173652d3432");
  EXPECT_EQ(decode_pointer(*bytes), pointer());
  auto longest = pointer();
  longest.container = Bytes(kMaxContainerId, 'x');
  ASSERT_TRUE(encode_pointer(longest));
  EXPECT_EQ(encode_pointer(longest)->size(), kMaxPointerBytes);
  EXPECT_EQ(decode_pointer(*encode_pointer(longest)), longest);
}

TEST(AddressPointer, IsOfTheContainersAddressAndOfNoOther) {
  EXPECT_EQ(pointer().address(), container_address(pointer().root, pointer().container));
  EXPECT_EQ(pointer().node_address(), overlay_address(crypto::node_id(pointer().root)));
  auto bytes = *encode_pointer(pointer());
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    bytes[i] ^= 1;
    ASSERT_TRUE(decode_pointer(bytes));
    EXPECT_NE(decode_pointer(bytes)->address(), pointer().address()) << i;
    bytes[i] ^= 1;
  }
}

TEST(AddressPointer, NothingMalformedIsRead) {
  auto none = pointer(), many = pointer();
  none.container.clear();
  many.container = Bytes(kMaxContainerId + 1, 'x');
  EXPECT_EQ(encode_pointer(none).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(encode_pointer(many).error().code, ErrorCode::kInvalid);
  auto bytes = *encode_pointer(pointer());
  for (std::size_t size = 0; size <= 33; ++size) EXPECT_FALSE(decode_pointer(BytesView(bytes).first(size))) << size;
  bytes[0] = 2;
  EXPECT_FALSE(decode_pointer(bytes));
  bytes[0] = 1;
  bytes.resize(kMaxPointerBytes + 1);
  EXPECT_FALSE(decode_pointer(bytes));
}

}  // namespace
}  // namespace bonus::net
