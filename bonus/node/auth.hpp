// The signature by which the user of an order asks for what belongs to it (docs/formats/local_api.md, "Who may ask").
#pragma once

#include <string>
#include <string_view>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::node {

/// A signature holds for so long before and after its time.
inline constexpr UnixSeconds kAuthorizationSeconds = 300;

/// "Bonus <address>:<unix seconds>:<signature>": the value of the Authorization header.
[[nodiscard]] Result<std::string> sign_authorization(const crypto::SecretKey256& key, std::string_view method,
                                                     std::string_view path, UnixSeconds now);
/// The account that signed. kDenied: malformed, of another request, or not of this time; the message says which.
[[nodiscard]] Result<Address> verify_authorization(std::string_view header, std::string_view method,
                                                   std::string_view path, UnixSeconds now);

}  // namespace bonus::node
