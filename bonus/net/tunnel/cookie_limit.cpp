// Tokens for cookie replies, by prefix and in all.
#include "bonus/net/tunnel/cookie_limit.hpp"

#include <algorithm>

namespace bonus::net::tunnel {

CookieLimit::CookieLimit(double per_prefix, double burst_per_prefix, double in_all)
    : own_(per_prefix, burst_per_prefix), rate_(in_all), burst_(std::max(in_all / 4, 1.0)), left_(burst_) {}

bool CookieLimit::allow(const Ipv6& from, Instant now) {
  if (at_) left_ = std::min(burst_, left_ + std::max(0.0, std::chrono::duration<double>(now - *at_).count()) * rate_);
  at_ = std::max(at_.value_or(now), now);  // threads of the shell read their clocks apart
  const bool own = own_.allow(from, *at_);
  if (!own && left_ < 1) return false;
  left_ = std::max(left_ - 1, -burst_);
  return true;
}

}  // namespace bonus::net::tunnel
