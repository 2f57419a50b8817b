// RLP writer and strict reader (Yellow Paper, appendix B).
#include "bonus/codec/rlp.hpp"

#include <fmt/format.h>

#include <cassert>

namespace bonus::rlp {
namespace {

constexpr std::uint8_t kShortString = 0x80;
constexpr std::uint8_t kShortList = 0xc0;
constexpr std::size_t kMaxShort = 55;

/// Header of a payload of `length` bytes: at most 9 bytes.
struct Header {
  std::array<std::uint8_t, 9> bytes{};
  std::size_t size = 0;
};

Header make_header(std::uint8_t base, std::size_t length) {
  Header out;
  if (length <= kMaxShort) {
    out.bytes[0] = static_cast<std::uint8_t>(base + length);
    out.size = 1;
    return out;
  }
  std::size_t width = 0;
  for (std::size_t rest = length; rest != 0; rest >>= 8) ++width;
  out.bytes[0] = static_cast<std::uint8_t>(base + kMaxShort + width);
  for (std::size_t i = 0; i < width; ++i) out.bytes[width - i] = static_cast<std::uint8_t>(length >> (8 * i));
  out.size = width + 1;
  return out;
}

struct Item {
  bool list = false;
  std::size_t header = 0;  ///< Bytes before the payload; zero for a single byte that stands for itself.
  std::size_t length = 0;
};

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::kInvalid, "RLP: " + std::move(message)); }

Result<Item> peek(BytesView in) {
  if (in.empty()) return bad("input ends where an item should begin");
  const std::uint8_t first = in[0];
  if (first < kShortString) return Item{false, 0, 1};
  Item item;
  item.list = first >= kShortList;
  const std::size_t code = first - (item.list ? kShortList : kShortString);
  if (code <= kMaxShort) {
    item.header = 1;
    item.length = code;
  } else {
    const std::size_t width = code - kMaxShort;
    item.header = 1 + width;
    if (in.size() < item.header) return bad("input ends inside a length");
    if (in[1] == 0) return bad("length has leading zeros");
    std::uint64_t length = 0;
    for (std::size_t i = 1; i <= width; ++i) length = length << 8 | in[i];
    if (length <= kMaxShort) return bad("long form used for a short length");
    item.length = length;
  }
  if (item.length > in.size() - item.header) {
    return bad(
        fmt::format("item of {} bytes is longer than the {} bytes that follow", item.length, in.size() - item.header));
  }
  if (!item.list && item.length == 1 && in[item.header] < kShortString) return bad("single byte has a needless prefix");
  return item;
}

}  // namespace

Encoder& Encoder::bytes(BytesView in) {
  if (in.size() != 1 || in[0] >= kShortString) {
    const Header header = make_header(kShortString, in.size());
    out_.insert(out_.end(), header.bytes.begin(), header.bytes.begin() + static_cast<std::ptrdiff_t>(header.size));
  }
  append(out_, in);
  return *this;
}

Encoder& Encoder::number(std::uint64_t value) { return number(uint256(value)); }

Encoder& Encoder::number(const uint256& value) {
  const Hash32 big_endian = value.to_be();
  return bytes(big_endian.view().last((value.bit_length() + 7) / 8));
}

Encoder& Encoder::raw(BytesView encoded) {
  append(out_, encoded);
  return *this;
}

Encoder& Encoder::begin_list() {
  open_.push_back(out_.size());
  return *this;
}

Encoder& Encoder::end_list() {
  assert(!open_.empty());
  const std::size_t start = open_.back();
  open_.pop_back();
  const Header header = make_header(kShortList, out_.size() - start);
  out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(start), header.bytes.begin(),
              header.bytes.begin() + static_cast<std::ptrdiff_t>(header.size));
  return *this;
}

Bytes Encoder::take() {
  assert(open_.empty());
  return std::exchange(out_, {});
}

Result<BytesView> Decoder::bytes() {
  TRY_ASSIGN(const Item item, peek(rest_));
  if (item.list) return bad("list found where a byte string is expected");
  const BytesView payload = rest_.subspan(item.header, item.length);
  rest_ = rest_.subspan(item.header + item.length);
  return payload;
}

Result<std::uint64_t> Decoder::number() {
  Decoder probe = *this;
  TRY_ASSIGN(const uint256 value, probe.number256());
  if (!value.fits_u64()) return bad("number does not fit in 64 bits");
  *this = probe;
  return value.low64();
}

Result<uint256> Decoder::number256() {
  Decoder probe = *this;
  TRY_ASSIGN(const BytesView raw, probe.bytes());
  if (raw.size() > 32) return bad("number does not fit in 256 bits");
  if (!raw.empty() && raw[0] == 0) return bad("number has leading zeros");
  *this = probe;
  return uint256::from_be(raw);
}

Result<Decoder> Decoder::list() {
  TRY_ASSIGN(const Item item, peek(rest_));
  if (!item.list) return bad("byte string found where a list is expected");
  const Decoder items(rest_.subspan(item.header, item.length));
  rest_ = rest_.subspan(item.header + item.length);
  return items;
}

Result<BytesView> Decoder::raw_item() {
  TRY_ASSIGN(const Item item, peek(rest_));
  const BytesView whole = rest_.first(item.header + item.length);
  rest_ = rest_.subspan(whole.size());
  return whole;
}

Result<> Decoder::expect_end() const {
  if (!rest_.empty()) return bad(fmt::format("{} unexpected bytes after the last item", rest_.size()));
  return {};
}

}  // namespace bonus::rlp
