// Any text: the workload parser answers without harm, and what it accepts has one canonical form.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "bonus/compute/api/workload.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = bonus::compute::Workload::from_json({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const std::string text = first->to_json();
  const auto second = bonus::compute::Workload::from_json(text);
  // Escaping may make the canonical text longer than the limit; anything else must come back the same.
  if (second ? second->to_json() != text : text.size() <= (64U << 10)) std::abort();
  return 0;
}
