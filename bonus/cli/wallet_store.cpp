// Keystore files on disk and the forms in which a key can be imported.
#include "bonus/cli/wallet_store.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "bonus/cli/environment.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kMaxWalletBytes = 64 << 10;
constexpr std::uint32_t kOpenCost = 10;  // an empty password is not worth a second of work

Result<json::object> read_wallet(const std::string& path) {
  TRY_ASSIGN(const auto text, read_text(path, kMaxWalletBytes));
  boost::system::error_code bad;
  json::value root = json::parse(text, bad);
  if (bad || !root.is_object()) return fail(ErrorCode::kInvalid, fmt::format("{} is not a keystore file", path));
  return std::move(root.get_object());
}

Result<WalletInfo> info_of(const std::string& name, const std::string& path) {
  TRY_ASSIGN(const auto root, read_wallet(path));
  auto address = fixed_from_hex<Address>(json_text(root, "address"));
  if (!address) return fail(ErrorCode::kInvalid, fmt::format("{} names no address", path));
  return WalletInfo{name, *address, json_flag(root, "x-bonus-open")};
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

bool valid_name(std::string_view name) {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 32 && word(name.front()) && word(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return word(c) || c == '-'; });
}

std::string WalletStore::path_of(const std::string& name) const {
  return (fs::path(folder_) / (name + ".json")).string();
}

Result<std::vector<WalletInfo>> WalletStore::list() const {
  std::vector<WalletInfo> out;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".json" || !valid_name(it->path().stem().string())) continue;
    if (auto info = info_of(it->path().stem().string(), it->path().string())) out.push_back(*info);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(error == std::errc::permission_denied ? ErrorCode::kDenied : ErrorCode::kIo,
                fmt::format("{}: {}", folder_, error.message()));
  std::ranges::sort(out, {}, &WalletInfo::name);
  return out;
}

Result<WalletInfo> WalletStore::info(const std::string& name) const {
  if (!valid_name(name))
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not the name of a wallet (a-z, 0-9, -)", name));
  auto found = info_of(name, path_of(name));
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  TRY_ASSIGN(const auto all, list());
  std::vector<std::string> names;
  for (const auto& wallet : all) names.push_back(wallet.name);
  return fail(ErrorCode::kNotFound,
              names.empty() ? fmt::format("there is no wallet \"{}\" in {}; make one: bonus wallet new", name, folder_)
                            : fmt::format("there is no wallet \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

Result<WalletInfo> WalletStore::add(const std::string& name, const crypto::SecretKey256& key,
                                    std::string_view password) const {
  if (!valid_name(name))
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" cannot name a wallet: use at most 32 of a-z, 0-9 and inner hyphens", name));
  const std::string path = path_of(name);
  if (fs::exists(path))
    return fail(ErrorCode::kExists, fmt::format("the wallet \"{}\" exists already: {}", name, path));
  TRY(make_private_folder(folder_));
  crypto::ScryptCost cost;
  if (password.empty()) cost.log2_n = kOpenCost;
  TRY_ASSIGN(auto text, crypto::keystore_encrypt(key, password, cost));
  boost::system::error_code bad;
  json::value root = json::parse(text, bad);
  if (!bad && root.is_object() && password.empty()) {
    root.get_object()["x-bonus-open"] = true;
    text = json::serialize(root);
  }
  TRY(write_text(path, text + "\n", 0600));
  return info_of(name, path);
}

Result<crypto::SecretKey256> WalletStore::unlock(const std::string& name, std::string_view password) const {
  const std::string path = path_of(name);
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    return fail(ErrorCode::kDenied,
                fmt::format("{} can be read by others; make it private with: chmod 600 {}", path, path));
  TRY_ASSIGN(const auto text, read_text(path, kMaxWalletBytes));
  auto key = crypto::keystore_decrypt(text, password);
  if (!key) return fail(std::move(key).error().wrap(fmt::format("opening the wallet \"{}\"", name)));
  return *key;
}

Result<crypto::SecretKey256> parse_secret(std::string_view text, std::uint32_t index, std::string_view password) {
  text = trimmed(text);
  if (text.empty())
    return fail(ErrorCode::kInvalid, "nothing to import: give a phrase, a private key or a keystore file");
  if (text.front() == '{') return crypto::keystore_decrypt(text, password);
  if (text.find(' ') != std::string_view::npos || text.find('\n') != std::string_view::npos)
    return crypto::account_key(text, index);
  auto key = fixed_from_hex<crypto::SecretKey256>(text);
  if (!key) return fail(ErrorCode::kInvalid, "a private key is 64 hexadecimal digits; a phrase has 12 to 24 words");
  auto address = crypto::address_of(*key);
  if (!address) return fail(std::move(address).error());
  return *key;
}

}  // namespace bonus::cli
