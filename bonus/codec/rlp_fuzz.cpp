// Fuzz target: whatever the RLP decoder accepts encodes back to the same bytes.
#include <cstdlib>

#include "bonus/codec/rlp.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr unsigned kMaxDepth = 64;

/// False when the input is refused somewhere.
bool copy(bonus::rlp::Decoder& in, bonus::rlp::Encoder& out, unsigned depth) {
  while (!in.at_end()) {
    if (!in.next_is_list()) {
      bonus::rlp::Decoder as_number = in;
      const auto number = as_number.number256();
      const auto item = in.bytes();
      if (!item) return false;
      if (number) {
        out.number(*number);
      } else {
        out.bytes(*item);
      }
      continue;
    }
    auto inner = in.list();
    if (!inner || depth == kMaxDepth) return false;
    out.begin_list();
    if (!copy(*inner, out, depth + 1)) return false;
    out.end_list();
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bonus::BytesView in(data, size);
  bonus::rlp::Decoder decoder(in);
  bonus::rlp::Encoder encoder;
  if (copy(decoder, encoder, 0)) {
    const bonus::Bytes again = encoder.take();
    require(std::ranges::equal(again, in));
  }
  bonus::rlp::Decoder item(in);
  if (const auto raw = item.raw_item()) require(raw->size() <= size && raw->data() == data);
  return 0;
}
