// What a command takes from its surroundings: environment variables and the folder of settings.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "bonus/base/result.hpp"

namespace bonus::cli {

struct Environment {
  std::map<std::string, std::string> variables;

  [[nodiscard]] static Environment of_process();
  /// Nothing when unset or empty.
  [[nodiscard]] std::optional<std::string> get(const std::string& name) const;
  /// BONUS_CONFIG_DIR, else XDG_CONFIG_HOME/bonus, else HOME/.config/bonus. kInvalid when none of them is set.
  [[nodiscard]] Result<std::string> config_dir() const;
  /// XDG_STATE_HOME/bonuscloud, else HOME/.local/state/bonuscloud.
  [[nodiscard]] Result<std::string> state_dir() const;
};

/// Which node and wallet commands use when nothing else is said: <config>/context.json.
struct Context {
  std::string name;
  std::string node;         ///< URL of the node's local API.
  std::string wallet;       ///< May be empty.
  std::string wallets_dir;  ///< Empty: <config>/wallets.
};
struct Contexts {
  std::string current;
  std::map<std::string, Context> all;
  [[nodiscard]] const Context* selected() const;
};
/// An absent file is empty. kInvalid names the file and what is wrong.
[[nodiscard]] Result<Contexts> load_contexts(const std::string& config_dir);
[[nodiscard]] Result<> save_contexts(const std::string& config_dir, const Contexts& contexts);

/// Makes the folder and its parents, mode 0700 for those that are made. kIo.
[[nodiscard]] Result<> make_private_folder(const std::string& path);
/// Writes atomically. kIo.
[[nodiscard]] Result<> write_text(const std::string& path, std::string_view text, unsigned mode);
/// kNotFound, kIo, kExhausted above `limit`.
[[nodiscard]] Result<std::string> read_text(const std::string& path, std::size_t limit = 4 << 20);

}  // namespace bonus::cli
