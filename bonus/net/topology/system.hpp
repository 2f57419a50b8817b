// What making a topology asks of the system: namespaces of /run/netns, `ip`, `nft`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/base/result.hpp"

namespace bonus::net::topology {

/// Runs `action` on a thread of its own inside the namespace; children that it starts are inside too. Joins.
[[nodiscard]] Result<> in_namespace(const std::string& name, const std::function<Result<>()>& action);
/// Of /run/netns, those that begin so.
[[nodiscard]] std::vector<std::string> namespaces_with(const std::string& beginning);
/// Unmounts and removes its name; devices go when the last process in it does.
[[nodiscard]] Result<> remove_namespace(const std::string& name);

/// Lines for `ip -batch`; in the namespace of this thread. Nothing happens for an empty text.
[[nodiscard]] Result<> run_ip(const std::string& lines);
[[nodiscard]] Result<> run_nft(const std::string& script);
/// "net/ipv4/ip_forward", of this thread's namespace. A switch that the kernel does not have is passed over.
[[nodiscard]] Result<> set_switch(const std::string& name, std::string_view value);

/// Whole or not at all.
[[nodiscard]] Result<> replace_file(const std::string& path, std::string_view text);
/// At most `limit` bytes. kNotFound.
[[nodiscard]] Result<std::string> whole_file(const std::string& path, std::size_t limit = 4 << 20);

}  // namespace bonus::net::topology
