// Fuzz target: the first line is a type, the rest its encoding; whatever decodes encodes back to the same bytes.
#include <cstdlib>

#include "bonus/codec/abi.hpp"

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bonus::BytesView in(data, size);
  const auto line = bonus::as_text(in).substr(0, bonus::as_text(in).find('\n'));
  (void)bonus::abi::Function::parse(line);
  (void)bonus::abi::decode_revert(in);
  const auto type = bonus::abi::Type::parse(line);
  if (!type) return 0;
  require(bonus::abi::Type::parse(type->to_string()).value().to_string() == type->to_string());
  if (line.size() == size) return 0;
  const bonus::BytesView body = in.subspan(line.size() + 1);
  const auto values = bonus::abi::decode(*type, body, 4096);
  if (!values) return 0;
  const auto again = bonus::abi::encode(*type, *values);
  require(again && std::ranges::equal(*again, body));
  return 0;
}
