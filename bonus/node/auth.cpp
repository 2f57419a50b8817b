// Signing and checking requests with an account's key over an EIP-191 message.
#include "bonus/node/auth.hpp"

#include <fmt/format.h>

#include <charconv>

namespace bonus::node {
namespace {

Hash32 request_digest(std::string_view method, std::string_view path, std::string_view seconds) {
  const std::string text = fmt::format("bonus-api/v1\n{}\n{}\n{}", method, path, seconds);
  return crypto::personal_message_hash(as_bytes(text));
}

}  // namespace

Result<std::string> sign_authorization(const crypto::SecretKey256& key, std::string_view method, std::string_view path,
                                       UnixSeconds now) {
  TRY_ASSIGN(const auto address, crypto::address_of(key));
  const std::string seconds = std::to_string(now);
  TRY_ASSIGN(const auto signature, crypto::secp256k1_sign(key, request_digest(method, path, seconds)));
  return fmt::format("Bonus {}:{}:0x{}{}{:02x}", crypto::to_checksum(address), seconds, to_hex(signature.r.view()),
                     to_hex(signature.s.view()), 27 + signature.recovery);
}

Result<Address> verify_authorization(std::string_view header, std::string_view method, std::string_view path,
                                     UnixSeconds now) {
  constexpr std::string_view kScheme = "Bonus ";
  const auto malformed = [] {
    return fail(ErrorCode::kDenied, "the Authorization header must be \"Bonus <address>:<unix seconds>:<signature>\"");
  };
  if (header.empty())
    return fail(ErrorCode::kDenied, "this needs the signature of the order's user (Authorization header)");
  if (!header.starts_with(kScheme) || header.size() > 256) return malformed();
  header.remove_prefix(kScheme.size());
  const auto first = header.find(':');
  const auto second = first == std::string_view::npos ? first : header.find(':', first + 1);
  if (second == std::string_view::npos) return malformed();
  const auto seconds = header.substr(first + 1, second - first - 1);
  auto address = crypto::parse_address(header.substr(0, first));
  auto raw = from_hex(header.substr(second + 1));
  UnixSeconds time = 0;
  const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), time);
  if (!address || !raw || raw->size() != 65 || error != std::errc() || end != seconds.data() + seconds.size())
    return malformed();
  if (time > now + kAuthorizationSeconds || time + kAuthorizationSeconds < now)
    return fail(ErrorCode::kDenied,
                fmt::format("the signature is of {} and holds for {} s, but here it is {}: compare the clocks", time,
                            kAuthorizationSeconds, now));
  crypto::Secp256k1Signature signature;
  std::copy_n(raw->begin(), 32, signature.r.bytes.begin());
  std::copy_n(raw->begin() + 32, 32, signature.s.bytes.begin());
  const std::uint8_t v = raw->back();
  if (v != 0 && v != 1 && v != 27 && v != 28) return malformed();
  signature.recovery = v % 27;
  auto signer = crypto::secp256k1_recover(request_digest(method, path, seconds), signature);
  if (!signer || *signer != *address)
    return fail(ErrorCode::kDenied,
                fmt::format("the signature is not of {} for {} {}", crypto::to_checksum(*address), method, path));
  return *address;
}

}  // namespace bonus::node
