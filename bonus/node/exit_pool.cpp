// IPv4 addresses of the exit's pool, lent to containers.
#include "bonus/node/exit_pool.hpp"

#include <fmt/format.h>

#include <set>

#include "bonus/net/record/record.hpp"
#include "bonus/node/wire.hpp"

namespace bonus::node {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxGuests = 4096;  // what an exit's rules can hold

std::uint32_t number_of(const net::Ipv6& address) {
  std::uint32_t out = 0;
  for (std::size_t i = 12; i < 16; ++i) out = out << 8 | address.bytes[i];
  return out;
}
net::Ipv6 address_of(std::uint32_t number) {
  net::Ipv6 out;
  out.bytes[10] = out.bytes[11] = 0xff;
  for (std::size_t i = 16; i-- > 12; number >>= 8) out.bytes[i] = static_cast<std::uint8_t>(number);
  return out;
}

Result<std::size_t> read_head(ByteReader& in) {
  TRY_ASSIGN(const auto version, in.number(1));
  if (version != kVersion) return fail(ErrorCode::kInvalid, fmt::format("version {} is not known", version));
  TRY_ASSIGN(const auto count, in.number(1));
  if (count == 0 || count > net::kMaxRecordContainers)
    return fail(ErrorCode::kInvalid,
                fmt::format("{} containers, 1 to {} are possible", count, net::kMaxRecordContainers));
  return static_cast<std::size_t>(count);
}

}  // namespace

Bytes encode_exit_request(const std::vector<ExitWish>& wishes) {
  Bytes out{kVersion, static_cast<std::uint8_t>(wishes.size())};
  for (const auto& wish : wishes) {
    out.push_back(static_cast<std::uint8_t>(wish.id.size()));
    out.insert(out.end(), wish.id.begin(), wish.id.end());
    put_u32(out, wish.ipv4 ? number_of(*wish.ipv4) : 0);
  }
  return out;
}

Result<std::vector<ExitWish>> decode_exit_request(BytesView message) {
  ByteReader in(message);
  TRY_ASSIGN(const auto count, read_head(in));
  std::vector<ExitWish> out;
  for (std::size_t i = 0; i < count; ++i) {
    TRY_ASSIGN(const auto size, in.number(1));
    if (size == 0 || size > net::kMaxContainerId) return fail(ErrorCode::kInvalid, "a container's id is 1 to 16 bytes");
    TRY_ASSIGN(const auto id, in.take(static_cast<std::size_t>(size)));
    TRY_ASSIGN(const auto ipv4, in.u32());
    for (const auto& other : out)
      if (std::ranges::equal(other.id, id)) return fail(ErrorCode::kInvalid, "a container stands there twice");
    ExitWish wish;
    wish.id.assign(id.begin(), id.end());
    if (ipv4 != 0) wish.ipv4 = address_of(ipv4);
    out.push_back(std::move(wish));
  }
  TRY(in.expect_end());
  return out;
}

Bytes encode_exit_reply(const std::vector<net::Ipv6>& given) {
  Bytes out{kVersion, static_cast<std::uint8_t>(given.size())};
  for (const auto& address : given) put_u32(out, number_of(address));
  return out;
}

Result<std::vector<net::Ipv6>> decode_exit_reply(BytesView message) {
  ByteReader in(message);
  TRY_ASSIGN(const auto count, read_head(in));
  std::vector<net::Ipv6> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(address_of(TRY(in.u32())));
  TRY(in.expect_end());
  return out;
}

bool ExitPool::usable(const net::Ipv6& ipv4) const {
  const std::uint32_t last = number_of(pool_.address) + static_cast<std::uint32_t>((1ull << (128 - pool_.bits)) - 1);
  return pool_.contains(ipv4) && number_of(ipv4) > number_of(pool_.address) && number_of(ipv4) < last;
}

Result<std::vector<net::Ipv6>> ExitPool::give(const Ed25519PublicKey& root, const NodeId& node,
                                              const std::vector<ExitWish>& wishes, std::optional<Instant> until) {
  std::set<net::Ipv6> used;
  std::size_t of_node = 0, fresh = 0;
  for (const auto& [key, guest] : guests_) {
    used.insert(guest.ipv4);
    if (key.first == node) ++of_node;
  }
  for (const auto& wish : wishes)
    if (!guests_.contains({node, wish.id})) ++fresh;
  if (of_node + fresh > net::kMaxRecordContainers)
    return fail(ErrorCode::kExhausted,
                fmt::format("at most {} containers of one node use an exit", net::kMaxRecordContainers));
  if (guests_.size() + fresh > kMaxGuests)
    return fail(ErrorCode::kExhausted, fmt::format("{} containers use this exit already", guests_.size()));
  auto next = guests_;
  std::vector<net::Ipv6> out;
  net::Ipv6 lowest = address_of(number_of(pool_.address) + 1);
  for (const auto& wish : wishes) {
    Guest& guest = next[{node, wish.id}];
    guest.address = net::container_address(root, wish.id);
    guest.until = until;
    if (guest.ipv4.is_zero() && wish.ipv4 && usable(*wish.ipv4) && !used.contains(*wish.ipv4)) guest.ipv4 = *wish.ipv4;
    if (guest.ipv4.is_zero()) {
      while (used.contains(lowest)) lowest = address_of(number_of(lowest) + 1);
      if (!usable(lowest)) return fail(ErrorCode::kExhausted, "this exit has no IPv4 address left for containers");
      guest.ipv4 = lowest;
    }
    used.insert(guest.ipv4);
    out.push_back(guest.ipv4);
  }
  guests_ = std::move(next);
  return out;
}

bool ExitPool::expire(Instant now) {
  return std::erase_if(guests_, [&](const auto& one) { return one.second.until && *one.second.until <= now; }) > 0;
}

}  // namespace bonus::node
