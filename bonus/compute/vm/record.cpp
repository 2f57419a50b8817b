// Records as JSON with a version, docs/formats/vm-state.md.
#include "bonus/compute/vm/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

namespace bonus::compute::vm {
namespace {

namespace json = boost::json;

json::array list(const std::vector<std::string>& in) {
  json::array out;
  for (const auto& item : in) out.emplace_back(item);
  return out;
}

// Throws what Boost.JSON throws; caught in decode_change.
std::vector<std::string> list_from(const json::value& in) {
  std::vector<std::string> out;
  for (const auto& item : in.as_array()) out.emplace_back(std::string(item.as_string()));
  return out;
}

Result<Record> record_from(const json::object& in) {
  Record out;
  TRY_ASSIGN(out.workload, Workload::from_json(std::string_view(in.at("workload").as_string())));
  const auto& image = in.at("image").as_object();
  out.image = {list_from(image.at("entrypoint")), list_from(image.at("cmd")), list_from(image.at("env")),
               std::string(image.at("working_directory").as_string()), std::string(image.at("user").as_string())};
  for (const auto& text : list_from(in.at("layers"))) out.layers.push_back(TRY(fixed_from_hex<Hash32>(text)));
  out.status.id = std::string(in.at("id").as_string());
  const auto state = in.at("state").to_number<unsigned>();
  if (state > static_cast<unsigned>(ContainerState::kFailed)) return fail(ErrorCode::kCorrupt, "unknown state");
  out.status.state = static_cast<ContainerState>(state);
  out.status.exit_code = in.at("exit_code").to_number<int>();
  out.status.out_of_memory = in.at("out_of_memory").as_bool();
  out.status.message = std::string(in.at("message").as_string());
  out.status.restarts = in.at("restarts").to_number<std::uint32_t>();
  out.status.started_at_ms = in.at("started_at_ms").to_number<UnixMillis>();
  out.status.finished_at_ms = in.at("finished_at_ms").to_number<UnixMillis>();
  out.stopping = in.at("stopping").as_bool();
  out.prepared = in.at("prepared").as_bool();
  out.cpu_ns_before = in.at("cpu_ns_before").to_number<std::uint64_t>();
  out.throttled_ns_before = in.at("throttled_ns_before").to_number<std::uint64_t>();
  return out;
}

Bytes to_bytes(const json::object& object) {
  const std::string text = json::serialize(object);
  return {text.begin(), text.end()};
}

}  // namespace

bool is_valid_id(std::string_view id) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !id.empty() && id.size() <= 64 && id[0] != '-' && std::ranges::all_of(id, good);
}

Bytes encode_put(const Record& record) {
  json::array layers;
  for (const auto& layer : record.layers) layers.emplace_back(to_hex(layer));
  json::object image;
  image["entrypoint"] = list(record.image.entrypoint);
  image["cmd"] = list(record.image.cmd);
  image["env"] = list(record.image.env);
  image["working_directory"] = record.image.working_directory;
  image["user"] = record.image.user;
  json::object out;
  out["version"] = 1;
  out["op"] = "put";
  out["id"] = record.status.id;
  out["workload"] = record.workload.to_json();
  out["image"] = std::move(image);
  out["layers"] = std::move(layers);
  out["state"] = static_cast<unsigned>(record.status.state);
  out["exit_code"] = record.status.exit_code;
  out["out_of_memory"] = record.status.out_of_memory;
  out["message"] = record.status.message;
  out["restarts"] = record.status.restarts;
  out["started_at_ms"] = record.status.started_at_ms;
  out["finished_at_ms"] = record.status.finished_at_ms;
  out["stopping"] = record.stopping;
  out["prepared"] = record.prepared;
  out["cpu_ns_before"] = record.cpu_ns_before;
  out["throttled_ns_before"] = record.throttled_ns_before;
  return to_bytes(out);
}

Bytes encode_remove(const std::string& id) {
  json::object out;
  out["version"] = 1;
  out["op"] = "remove";
  out["id"] = id;
  return to_bytes(out);
}

Result<Change> decode_change(BytesView bytes) {
  try {
    const json::value value = json::parse(as_text(bytes));
    const auto& object = value.as_object();
    if (object.at("version").to_number<int>() != 1)
      return fail(ErrorCode::kCorrupt, "the container state is of a newer version");
    Change out{std::string(object.at("id").as_string()), std::nullopt};
    if (!is_valid_id(out.id)) return fail(ErrorCode::kCorrupt, "a stored container id is not valid");
    const auto& op = object.at("op").as_string();
    if (op == "put") {
      TRY_ASSIGN(out.record, record_from(object));
    } else if (op != "remove") {
      return fail(ErrorCode::kCorrupt, "unknown operation in the container state");
    }
    return out;
  } catch (const std::exception& e) {
    return fail(ErrorCode::kCorrupt, fmt::format("a record of the container state is damaged: {}", e.what()));
  }
}

}  // namespace bonus::compute::vm
