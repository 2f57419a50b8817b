// A QR code as text for a terminal.
#pragma once

#include <string>
#include <string_view>

#include "bonus/base/result.hpp"

namespace bonus::cli {

/// Two modules to a character, by half blocks, with the quiet zone of ISO/IEC 18004. `colours`: black on white whatever
/// the terminal's own colours are; otherwise light modules are drawn, for terminals with a dark ground. kExhausted:
/// more than a QR code holds.
[[nodiscard]] Result<std::string> qr_text(std::string_view content, bool colours);

}  // namespace bonus::cli
