// Any text is a topology or an error with a line; any topology has a plan that survives being written down.
#include "bonus/net/topology/plan.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::net::topology;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(WireConfig::from_json(text));
  static_cast<void>(Plan::from_state(text));
  auto topology = parse_topology(text, "fuzz");
  if (!topology) {
    if (topology.error().message.find("fuzz:") == std::string::npos) __builtin_trap();
    return 0;
  }
  auto plan = Plan::make(std::move(*topology), "bn", "fuzz");
  plan->toml = text;
  plan->file_name = "fuzz";
  for (std::size_t i = 0; i < plan->routers.size(); ++i)
    if (nat_script(*plan, i).empty()) __builtin_trap();
  if (!WireConfig::from_json(plan->wire().to_json())) __builtin_trap();
  const auto back = Plan::from_state(plan->to_state());
  if (!back || back->to_json("") != plan->to_json("")) __builtin_trap();
  return 0;
}
