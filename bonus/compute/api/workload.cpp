// The workload document, docs/formats/workload.md: strict JSON in, one canonical JSON out.
#include "bonus/compute/api/workload.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <functional>
#include <utility>

namespace bonus::compute {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDocumentBytes = 64 << 10;
constexpr std::size_t kMaxArguments = 256;
constexpr std::size_t kMaxVariables = 256;
constexpr std::size_t kMaxPorts = 16;
constexpr std::size_t kMaxStringBytes = 16 << 10;
constexpr std::size_t kMaxImageBytes = 255;
constexpr std::size_t kMaxPathBytes = 4096;

struct Range {
  std::uint32_t least, most;
};
constexpr Range kCpuMillis{10, 1'024'000};
constexpr Range kMemoryMib{8, 16U << 20};
constexpr Range kDiskMib{16, 64U << 20};
constexpr Range kPids{1, 1U << 16};

std::unexpected<Error> bad(std::string_view key, std::string_view why) {
  return fail(ErrorCode::kInvalid, fmt::format("workload: {}: {}", key, why));
}

std::string_view restart_name(RestartPolicy policy) {
  switch (policy) {
    case RestartPolicy::kNever:
      return "never";
    case RestartPolicy::kOnFailure:
      return "on-failure";
    case RestartPolicy::kAlways:
      return "always";
  }
  return "never";
}

// Strings become arguments, variables and paths of a process: a zero byte cannot be part of them.
Result<std::string> text(std::string_view key, const json::value& value, std::size_t limit) {
  const auto* s = value.if_string();
  if (s == nullptr) return bad(key, "expected a string");
  if (s->size() > limit) return bad(key, fmt::format("longer than {} bytes", limit));
  if (std::string_view(*s).find('\0') != std::string_view::npos) return bad(key, "contains a zero byte");
  return std::string(*s);
}

Result<std::vector<std::string>> texts(std::string_view key, const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) return bad(key, "expected a list of strings");
  if (list->size() > kMaxArguments) return bad(key, fmt::format("more than {} entries", kMaxArguments));
  std::vector<std::string> out;
  for (const auto& item : *list) out.push_back(TRY(text(key, item, kMaxStringBytes)));
  return out;
}

Result<std::uint32_t> number(std::string_view key, const json::value& value, Range range) {
  if (!value.is_int64() && !value.is_uint64()) return bad(key, "expected a whole number");
  const bool fits = value.is_int64() ? value.get_int64() >= range.least && value.get_int64() <= range.most
                                     : value.get_uint64() >= range.least && value.get_uint64() <= range.most;
  if (!fits) return bad(key, fmt::format("must be {} to {}", range.least, range.most));
  return static_cast<std::uint32_t>(value.is_int64() ? static_cast<std::uint64_t>(value.get_int64())
                                                     : value.get_uint64());
}

Result<std::map<std::string, std::string>> variables(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("env", "expected an object of strings");
  if (object->size() > kMaxVariables) return bad("env", fmt::format("more than {} variables", kMaxVariables));
  std::map<std::string, std::string> out;
  for (const auto& [name, item] : *object) {
    const std::string_view key(name);
    if (key.empty() || key.find('=') != std::string_view::npos || key.find('\0') != std::string_view::npos)
      return bad("env", "a variable's name is not empty and contains neither '=' nor a zero byte");
    out.emplace(std::string(key), TRY(text("env", item, kMaxStringBytes)));
  }
  return out;
}

Result<std::vector<std::uint16_t>> port_list(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) return bad("ports", "expected a list of TCP ports");
  if (list->size() > kMaxPorts) return bad("ports", fmt::format("more than {} ports", kMaxPorts));
  std::vector<std::uint16_t> out;
  for (const auto& item : *list) {
    TRY_ASSIGN(const std::uint32_t port, number("ports", item, {1, 65535}));
    if (std::ranges::find(out, port) != out.end()) return bad("ports", fmt::format("{} stands there twice", port));
    out.push_back(static_cast<std::uint16_t>(port));
  }
  return out;
}

Result<RestartPolicy> restart_policy(const json::value& value) {
  TRY_ASSIGN(const std::string name, text("restart", value, 16));
  for (const auto policy : {RestartPolicy::kNever, RestartPolicy::kOnFailure, RestartPolicy::kAlways})
    if (name == restart_name(policy)) return policy;
  return bad("restart", "expected \"never\", \"on-failure\" or \"always\"");
}

Result<Hash32> digest(const json::value& value) {
  TRY_ASSIGN(const std::string name, text("manifest", value, 71));
  constexpr std::string_view kPrefix = "sha256:";
  const auto lower = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (name.size() != 71 || !name.starts_with(kPrefix) || !std::ranges::all_of(name.substr(7), lower))
    return bad("manifest", "expected \"sha256:\" and 64 lower-case hexadecimal digits");
  return fixed_from_hex<Hash32>(std::string_view(name).substr(7));
}

Result<> check_directory(const std::string& path) {
  if (path.empty()) return {};
  if (!path.starts_with('/')) return bad("working_directory", "must be an absolute path");
  if (("/" + path + "/").find("/../") != std::string::npos) return bad("working_directory", "must not contain '..'");
  return {};
}

using Setter = std::function<Result<>(Workload&, const json::value&)>;

template <class T>
Result<> store(T& into, Result<T> value) {
  if (!value) return fail(std::move(value).error());
  into = std::move(*value);
  return {};
}

const std::map<std::string_view, Setter>& setters() {
  using W = Workload&;
  using V = const json::value&;
  static const std::map<std::string_view, Setter> all = {
      {"args", [](W w, V v) { return store(w.args, texts("args", v)); }},
      {"cpu_millis", [](W w, V v) { return store(w.cpu_millis, number("cpu_millis", v, kCpuMillis)); }},
      {"disk_mib", [](W w, V v) { return store(w.disk_mib, number("disk_mib", v, kDiskMib)); }},
      {"entrypoint", [](W w, V v) { return store(w.entrypoint, texts("entrypoint", v)); }},
      {"env", [](W w, V v) { return store(w.env, variables(v)); }},
      {"internet",
       [](W w, V v) -> Result<> {
         if (!v.is_bool()) return bad("internet", "expected true or false");
         w.internet = v.get_bool();
         return {};
       }},
      {"image", [](W w, V v) { return store(w.image, text("image", v, kMaxImageBytes)); }},
      {"manifest", [](W w, V v) { return store(w.manifest_digest, digest(v)); }},
      {"memory_mib", [](W w, V v) { return store(w.memory_mib, number("memory_mib", v, kMemoryMib)); }},
      {"pids", [](W w, V v) { return store(w.pids, number("pids", v, kPids)); }},
      {"ports", [](W w, V v) { return store(w.ports, port_list(v)); }},
      {"read_only_root",
       [](W w, V v) -> Result<> {
         if (!v.is_bool()) return bad("read_only_root", "expected true or false");
         w.read_only_root = v.get_bool();
         return {};
       }},
      {"restart", [](W w, V v) { return store(w.restart, restart_policy(v)); }},
      {"version",
       [](W, V v) -> Result<> {
         if (!v.is_int64() || v.get_int64() != 1) return bad("version", "only version 1 is known");
         return {};
       }},
      {"working_directory",
       [](W w, V v) { return store(w.working_directory, text("working_directory", v, kMaxPathBytes)); }},
  };
  return all;
}

template <class List>
json::array to_array(const List& list) {
  json::array out;
  for (const auto& item : list) out.emplace_back(item);
  return out;
}

// Boost.JSON keeps the last of two equal keys without a word; a document must mean the same to every reader.
class DuplicateFinder {
 public:
  static constexpr std::size_t max_object_size = 4096;
  static constexpr std::size_t max_array_size = 4096;
  static constexpr std::size_t max_key_size = kMaxStringBytes;
  static constexpr std::size_t max_string_size = kMaxDocumentBytes;
  using error_code = boost::system::error_code;

  bool on_object_begin(error_code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    keys_.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    key_.append(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, error_code& ec) {
    key_.append(part);
    if (std::ranges::find(keys_.back(), key_) != keys_.back().end()) {
      duplicate = key_;
      ec = json::error::extra_data;
      return false;
    }
    keys_.back().push_back(std::exchange(key_, {}));
    return keys_.back().size() <= max_object_size;
  }
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, error_code&) { return true; }
  bool on_double(double, json::string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

  std::string duplicate;

 private:
  std::vector<std::vector<std::string>> keys_;
  std::string key_;
};

Result<json::value> parse_document(std::string_view document) {
  if (document.size() > kMaxDocumentBytes)
    return fail(ErrorCode::kInvalid, fmt::format("workload: the document is longer than {} bytes", kMaxDocumentBytes));
  json::parse_options options;
  options.max_depth = 4;
  boost::system::error_code error;
  json::basic_parser<DuplicateFinder> finder(options);
  (void)finder.write_some(false, document.data(), document.size(), error);
  if (!finder.handler().duplicate.empty()) return bad(finder.handler().duplicate, "stands there twice");
  error.clear();
  try {
    auto value = json::parse(document, error, {}, options);
    if (error) return fail(ErrorCode::kInvalid, "workload: not JSON: " + error.message());
    return value;
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInvalid, fmt::format("workload: not JSON: {}", e.what()));
  }
}

}  // namespace

std::string Workload::to_json() const {
  // Keys in alphabetical order, every key always written: one value, one text, one digest. "internet", which came
  // later, only where it is true: documents of before keep their digest.
  json::object out;
  out["args"] = to_array(args);
  out["cpu_millis"] = cpu_millis;
  out["disk_mib"] = disk_mib;
  out["entrypoint"] = to_array(entrypoint);
  json::object variables_out;
  for (const auto& [name, value] : env) variables_out[name] = value;
  out["env"] = std::move(variables_out);
  out["image"] = image;
  if (internet) out["internet"] = true;
  out["manifest"] = "sha256:" + to_hex(manifest_digest);
  out["memory_mib"] = memory_mib;
  out["pids"] = pids;
  out["ports"] = to_array(ports);
  out["read_only_root"] = read_only_root;
  out["restart"] = restart_name(restart);
  out["version"] = 1;
  out["working_directory"] = working_directory;
  return json::serialize(out);
}

Result<Workload> Workload::from_json(std::string_view document) {
  TRY_ASSIGN(const json::value value, parse_document(document));
  const auto* object = value.if_object();
  if (object == nullptr) return fail(ErrorCode::kInvalid, "workload: expected a JSON object");
  Workload out;
  for (const auto& [key, item] : *object) {
    const auto setter = setters().find(std::string_view(key));
    if (setter == setters().end()) return bad(std::string_view(key).substr(0, 64), "unknown key");
    TRY(setter->second(out, item));
  }
  for (const std::string_view key : {"version", "image", "manifest"})
    if (!object->contains(key)) return bad(key, "is missing");
  if (out.image.empty()) return bad("image", "is empty");
  TRY(check_directory(out.working_directory));
  return out;
}

}  // namespace bonus::compute
