// libqrencode's modules drawn with half blocks.
#include "bonus/cli/qr_text.hpp"

#include <qrencode.h>

#include <memory>

namespace bonus::cli {

Result<std::string> qr_text(std::string_view content, bool colours) {
  constexpr int kQuiet = 4;                 // ISO/IEC 18004, section 6.3.8
  constexpr std::size_t kMaxBytes = 2'953;  // version 40, level L, bytes
  if (content.empty() || content.size() > kMaxBytes)
    return fail(ErrorCode::kExhausted, "a QR code holds 1 to 2953 bytes");
  struct Free {
    void operator()(QRcode* code) const { QRcode_free(code); }
  };
  const std::unique_ptr<QRcode, Free> code(QRcode_encodeData(
      static_cast<int>(content.size()), reinterpret_cast<const unsigned char*>(content.data()), 0, QR_ECLEVEL_L));
  if (!code) return fail(ErrorCode::kExhausted, "the text does not fit a QR code");
  const auto dark = [&](int row, int column) {
    if (row < 0 || column < 0 || row >= code->width || column >= code->width) return false;
    return (code->data[row * code->width + column] & 1) != 0;
  };
  std::string out;
  for (int row = -kQuiet; row < code->width + kQuiet; row += 2) {
    if (colours) out += "\x1b[30;107m";
    for (int column = -kQuiet; column < code->width + kQuiet; ++column) {
      // With colours what is drawn is dark, without them what is drawn is light.
      const bool upper = dark(row, column) == colours;
      const bool lower = dark(row + 1, column) == colours;
      out += upper ? (lower ? "█" : "▀") : (lower ? "▄" : " ");
    }
    if (colours) out += "\x1b[0m";
    out += "\n";
  }
  return out;
}

}  // namespace bonus::cli
