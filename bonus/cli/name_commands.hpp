// What the commands of `bonus name` share.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "bonus/chain/api/names.hpp"
#include "bonus/cli/name_client.hpp"
#include "bonus/cli/session.hpp"

namespace bonus::cli {

struct RegisterOptions {
  std::string name;
  std::string term;   ///< Empty: a year, or what the registration was begun with.
  std::string owner;  ///< Empty: the wallet.
};
[[nodiscard]] Result<int> register_name(Session& session, const RegisterOptions& options);

struct ReverseOptions {
  std::string name;
  std::string key_file;   ///< Of the node whose address it is.
  std::string container;  ///< Id of a container of that node; empty: the node itself.
  bool clear = false;
};
[[nodiscard]] Result<int> set_reverse(Session& session, const ReverseOptions& options);

/// {"name":"alice.bonus","state","owner","operator","registered_at","expires","revision","records":[...]}.
[[nodiscard]] boost::json::object to_json(const chain::names::NameInfo& in);
/// {"name":"www.alice.bonus","type","ttl","value"}.
[[nodiscard]] boost::json::object to_json(const chain::names::Record& in, const std::string& name);

}  // namespace bonus::cli
