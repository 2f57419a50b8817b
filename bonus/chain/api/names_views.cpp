// View calls of the Names contract on a ledger.
#include "bonus/chain/api/names_views.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/host.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::names {
namespace {

constexpr std::uint64_t kNamesPerCall = 64;  // bound of INames.namesOf

Result<Bytes> view(const LedgerReader& ledger, Bytes data, std::uint64_t block) {
  CallRequest request;
  request.to = kNamesAddress;
  request.data = std::move(data);
  TRY_ASSIGN(auto reply, ledger.call(request, block));
  if (!reply.success) {
    const std::string reason = abi::decode_revert(reply.output);
    return fail(ErrorCode::kInvalid, reason.empty() ? "a view of the Names contract failed" : reason);
  }
  return std::move(reply.output);
}

}  // namespace

Result<NameInfo> find_name(const LedgerReader& ledger, std::string_view name, std::uint64_t block) {
  TRY_ASSIGN(const Bytes data, view(ledger, encode::get_name(name), block));
  return decode::name(data);
}

Result<Resolved> resolve_name(const LedgerReader& ledger, std::string_view name, std::uint64_t block) {
  TRY_ASSIGN(NameInfo info, find_name(ledger, name, block));
  if (info.state != NameState::kLive)
    return fail(ErrorCode::kNotFound,
                info.state == NameState::kFree ? "the name is not registered" : "the name has expired");
  TRY_ASSIGN(NameRecords records, decode_records(info.records));
  return Resolved{std::move(info), std::move(records)};
}

Result<std::string> reverse_name(const LedgerReader& ledger, const net::Ipv6& address, std::uint64_t block) {
  TRY_ASSIGN(const Bytes data, view(ledger, encode::reverse(address), block));
  TRY_ASSIGN(std::string name, decode::reverse(data));
  if (name.empty()) return fail(ErrorCode::kNotFound, "no name is set for the address");
  return name;
}

Result<std::vector<NameInfo>> names_of(const LedgerReader& ledger, const Address& owner, std::size_t limit,
                                       std::uint64_t block) {
  std::vector<NameInfo> out;
  while (out.size() < limit) {
    const std::uint64_t wanted = std::min<std::uint64_t>(kNamesPerCall, limit - out.size());
    TRY_ASSIGN(const Bytes data, view(ledger, encode::names_of(owner, out.size(), wanted), block));
    TRY_ASSIGN(auto some, decode::names(data));
    const bool last = some.size() < wanted;
    for (NameInfo& info : some) out.push_back(std::move(info));
    if (last) break;
  }
  return out;
}

}  // namespace bonus::chain::names
