// TOML to Config, and the generated example and reference.
#include "bonus/node/config.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <set>

#include "bonus/node/config_keys.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {

using config_internal::Context;
using config_internal::Key;
using config_internal::Value;

namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;
constexpr std::size_t kMaxProblems = 20;

Result<Value> convert(const toml::node& node, int depth = 0) {
  Value out;
  out.line = node.source().begin.line;
  if (depth > 4) return fail(ErrorCode::kInvalid, "nested too deeply");
  if (const auto* text = node.as_string()) {
    out.v = text->get();
  } else if (const auto* number = node.as_integer()) {
    out.v = number->get();
  } else if (const auto* real = node.as_floating_point()) {
    out.v = real->get();
  } else if (const auto* flag = node.as_boolean()) {
    out.v = flag->get();
  } else if (const auto* array = node.as_array()) {
    Value::List list;
    for (const auto& item : *array) {
      TRY_ASSIGN(list.emplace_back(), convert(item, depth + 1));
    }
    out.v = std::move(list);
  } else if (const auto* table = node.as_table()) {
    Value::Table fields;
    for (const auto& [name, item] : *table) {
      TRY_ASSIGN(auto field, convert(item, depth + 1));
      fields.push_back({std::string(name.str()), std::move(field)});
    }
    out.v = std::move(fields);
  } else {
    return fail(ErrorCode::kInvalid, "dates and times have no meaning here");
  }
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

std::string nearest_key(std::string_view section, std::string_view name) {
  const std::string wanted = fmt::format("{}.{}", section, name);
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  for (const Key& key : config_internal::keys()) {
    const std::string full = fmt::format("{}.{}", key.section, key.name);
    // The same key in another section is a likelier mistake than a similar word.
    const std::size_t distance = key.name == name ? 1 : edit_distance(wanted, full);
    if (distance < best_distance) {
      best_distance = distance;
      best = full;
    }
  }
  return best;
}

std::string nearest_section(std::string_view section) {
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  for (const Key& key : config_internal::keys()) {
    const std::size_t distance = edit_distance(section, key.section);
    if (distance < best_distance) {
      best_distance = distance;
      best = key.section;
    }
  }
  return best;
}

/// Applies a parsed document; problems as "file:line: key: what".
void apply(const toml::table& document, const std::string& file, Context& context, std::vector<std::string>& problems) {
  const auto all = config_internal::keys();
  std::map<std::uint32_t, std::string> found;  // by line: the library iterates by name
  const auto report = [&](std::uint32_t line, const std::string& text) {
    found[line] += fmt::format("{}{}:{}: {}", found.contains(line) ? "\n" : "", file, line, text);
  };
  for (const auto& [section, content] : document) {
    const auto* table = content.as_table();
    const bool known = std::ranges::any_of(all, [&](const Key& key) { return key.section == section.str(); });
    if (table == nullptr || !known) {
      report(section.source().begin.line,
             fmt::format("unknown section [{}]; did you mean [{}]?", section.str(), nearest_section(section.str())));
      continue;
    }
    for (const auto& [name, node] : *table) {
      const auto line = name.source().begin.line;
      const auto key =
          std::ranges::find_if(all, [&](const Key& k) { return k.section == section.str() && k.name == name.str(); });
      if (key == all.end()) {
        report(line, fmt::format("unknown key {}.{}; did you mean {}?", section.str(), name.str(),
                                 nearest_key(section.str(), name.str())));
        continue;
      }
      auto value = convert(node);
      Result<> set = value ? key->set(context, *value) : fail(std::move(value).error());
      if (!set) report(line, fmt::format("{}.{}: {}", section.str(), name.str(), set.error().message));
    }
  }
  for (auto& [_, text] : found)
    if (problems.size() < kMaxProblems) problems.push_back(std::move(text));
}

/// All defaults of the table as one TOML document.
std::string defaults_document() {
  std::string out, section;
  for (const Key& key : config_internal::keys()) {
    if (key.fallback.empty()) continue;
    if (section != key.section) out += fmt::format("[{}]\n", section = key.section);
    out += fmt::format("{} = {}\n", key.name, key.fallback);
  }
  return out;
}

std::string join_lines(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "\n")); }

/// Text in comment lines of at most 100 columns.
std::string as_comment(std::string_view text) {
  std::string out = "#";
  std::size_t column = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (column + 1 + end > 100) {
      out += "\n#";
      column = 1;
    }
    out += ' ';
    out += text.substr(0, end);
    column += 1 + end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + "\n";
}

}  // namespace

std::string ListenAddress::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is not an address such as \"127.0.0.1:8545\" or \"[::1]:8545\"", text));
  };
  ListenAddress out;
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 255) return bad();
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return bad();
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  if (host.find_first_of(" /\t\n") != std::string_view::npos) return bad();
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size()) return bad();
  out.host = host;
  return out;
}

Result<Config> parse_config(std::string_view text, const std::string& file_name, const std::string& base_dir) {
  Config config;
  std::vector<std::string> problems;
  try {
    Context defaults{config, ""};
    apply(toml::parse(defaults_document()), "defaults", defaults, problems);
    if (!problems.empty()) return fail(ErrorCode::kInternal, join_lines(problems));
    Context context{config, base_dir};
    apply(toml::parse(text, file_name), file_name, context, problems);
  } catch (const toml::parse_error& e) {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file_name, e.source().begin.line, e.description()));
  }
  const auto in_data = [&](std::string& path, std::string_view name) {
    if (path.empty()) path = (std::filesystem::path(config.node.data_dir) / name).string();
  };
  in_data(config.node.key_file, "node.key");
  in_data(config.storage.path, "blobs");
  in_data(config.vm.state_dir, "containers");
  std::vector<std::string> together;
  config_internal::check_together(config, together);
  for (auto& problem : together) problems.push_back(fmt::format("{}: {}", file_name, problem));
  if (config.node.account_key_file.empty() && config.node.account_keystore.empty())
    in_data(config.node.account_key_file, "account.key");
  if (!problems.empty()) return fail(ErrorCode::kInvalid, join_lines(problems));
  return config;
}

Result<Config> load_config(const std::string& path) {
  auto content = runtime::system_disk().read_file(path, kMaxConfigBytes);
  if (!content) return fail(std::move(content).error().wrap("reading the configuration"));
  std::error_code error;
  const auto folder = std::filesystem::absolute(path, error).parent_path();
  return parse_config(as_text(*content), path, folder.string());
}

std::string config_example() {
  std::string out =
      "# Configuration of bonusd. Every key is shown with its default or, where it has none, with an example.\n"
      "# Relative paths are taken from the folder of this file. Check it with: bonusd config check FILE\n";
  std::string section;
  for (const Key& key : config_internal::keys()) {
    if (section != key.section) {
      section = key.section;
      out += fmt::format("\n# {}\n[{}]\n", config_internal::section_doc(section), section);
    }
    out += as_comment(key.doc);
    out += fmt::format("#{} = {}\n", key.name, key.sample.empty() ? key.fallback : key.sample);
  }
  return out;
}

std::string config_reference() {
  std::string out = "| key | kind | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const Key& key : config_internal::keys()) {
    const std::string fallback = key.fallback.empty() ? std::string() : fmt::format("`{}`", key.fallback);
    std::string doc(key.doc);
    for (std::size_t at = 0; (at = doc.find_first_of("<|", at)) != std::string::npos; at += 2) doc.insert(at, 1, '\\');
    out += fmt::format("| `{}.{}` | {} | {} | {} |\n", key.section, key.name, key.kind, fallback, doc);
  }
  return out;
}

}  // namespace bonus::node
