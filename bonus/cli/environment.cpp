// Environment variables, the settings folder and context.json.
#include "bonus/cli/environment.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <filesystem>

#include "bonus/runtime/disk.hpp"

extern char** environ;  // NOLINT: POSIX

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string text_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Environment Environment::of_process() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) out.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

std::optional<std::string> Environment::get(const std::string& name) const {
  const auto found = variables.find(name);
  if (found == variables.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Result<std::string> Environment::config_dir() const {
  if (auto own = get("BONUS_CONFIG_DIR")) return *own;
  if (auto xdg = get("XDG_CONFIG_HOME")) return (fs::path(*xdg) / "bonus").string();
  if (auto home = get("HOME")) return (fs::path(*home) / ".config" / "bonus").string();
  return fail(ErrorCode::kInvalid, "neither HOME nor XDG_CONFIG_HOME is set; set BONUS_CONFIG_DIR to a folder");
}

Result<std::string> Environment::state_dir() const {
  if (auto xdg = get("XDG_STATE_HOME")) return (fs::path(*xdg) / "bonuscloud").string();
  if (auto home = get("HOME")) return (fs::path(*home) / ".local" / "state" / "bonuscloud").string();
  return fail(ErrorCode::kInvalid, "neither HOME nor XDG_STATE_HOME is set; say where with --dir");
}

const Context* Contexts::selected() const {
  const auto found = all.find(current);
  return found == all.end() ? nullptr : &found->second;
}

Result<Contexts> load_contexts(const std::string& config_dir) {
  const std::string path = (fs::path(config_dir) / "context.json").string();
  Contexts out;
  auto text = read_text(path);
  if (!text && text.error().code == ErrorCode::kNotFound) return out;
  if (!text) return fail(std::move(text).error());
  boost::system::error_code error;
  const json::value root = json::parse(*text, error);
  const auto bad = [&](std::string_view what) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: {}; remove the file or correct it", path, what));
  };
  if (error || !root.is_object()) return bad("not a JSON object");
  out.current = text_member(root.get_object(), "current");
  const json::value* contexts = root.get_object().if_contains("contexts");
  if (contexts == nullptr || !contexts->is_object()) return bad("\"contexts\" must be an object");
  for (const auto& item : contexts->get_object()) {
    if (!item.value().is_object()) return bad("a context must be an object");
    const json::object& fields = item.value().get_object();
    Context context{std::string(item.key()), text_member(fields, "node"), text_member(fields, "wallet"),
                    text_member(fields, "wallets")};
    out.all.emplace(context.name, std::move(context));
  }
  return out;
}

Result<> save_contexts(const std::string& config_dir, const Contexts& contexts) {
  json::object all;
  for (const auto& [name, context] : contexts.all)
    all[name] = json::object{{"node", context.node}, {"wallet", context.wallet}, {"wallets", context.wallets_dir}};
  const json::object root{{"version", 1}, {"current", contexts.current}, {"contexts", std::move(all)}};
  TRY(make_private_folder(config_dir));
  return write_text((fs::path(config_dir) / "context.json").string(), json::serialize(root) + "\n", 0600);
}

Result<> make_private_folder(const std::string& path) {
  const fs::path whole = fs::path(path).lexically_normal();
  fs::path done;
  for (const auto& part : whole) {
    done /= part;
    if (part.empty() || ::mkdir(done.c_str(), 0700) == 0 || errno == EEXIST) continue;
    const int failure = errno;
    if (fs::is_directory(done)) continue;
    return fail(failure == EACCES || failure == EPERM ? ErrorCode::kDenied : ErrorCode::kIo,
                fmt::format("cannot make the folder {}: {}", done.string(), std::generic_category().message(failure)));
  }
  if (!fs::is_directory(whole)) return fail(ErrorCode::kIo, fmt::format("{} is not a folder", path));
  return {};
}

Result<> write_text(const std::string& path, std::string_view text, unsigned mode) {
  return runtime::system_disk().write_file(path, as_bytes(text), mode);
}

Result<std::string> read_text(const std::string& path, std::size_t limit) {
  if (!runtime::system_disk().exists(path)) return fail(ErrorCode::kNotFound, fmt::format("there is no {}", path));
  TRY_ASSIGN(const auto raw, runtime::system_disk().read_file(path, limit));
  return std::string(as_text(raw));
}

}  // namespace bonus::cli
