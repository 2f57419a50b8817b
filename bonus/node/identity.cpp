// Key files of a node.
#include "bonus/node/identity.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "bonus/crypto/keystore.hpp"

namespace bonus::node {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 64 << 10;

Result<std::string> read_secret(runtime::Disk& disk, const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return fail(ErrorCode::kDenied,
                fmt::format("{} can be read by others (mode {:04o}); make it private with: chmod 600 {}", path,
                            info.st_mode & 07777, path));
  TRY_ASSIGN(const auto raw, disk.read_file(path, kMaxKeyFileBytes));
  std::string text(as_text(raw));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

template <class Secret>
Result<Secret> load_or_make(runtime::Disk& disk, const std::string& path, std::string_view what, bool make_missing) {
  if (!disk.exists(path)) {
    if (!make_missing)
      return fail(ErrorCode::kNotFound, fmt::format("there is no {} at {}; `bonusd init` makes one", what, path));
    std::error_code error;
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    const Hash32 fresh = crypto::random_secret();
    const std::string text = to_hex(fresh.view()) + "\n";
    auto written = disk.write_file(path, as_bytes(text), 0600);
    if (!written) return fail(std::move(written).error().wrap(fmt::format("writing the {}", what)));
  }
  auto text = read_secret(disk, path);
  if (!text) return fail(std::move(text).error().wrap(fmt::format("the {}", what)));
  auto secret = fixed_from_hex<Secret>(*text);
  if (!secret) return fail(ErrorCode::kInvalid, fmt::format("the {} in {} is not 64 hexadecimal digits", what, path));
  return *secret;
}

Result<crypto::SecretKey256> load_account(const Config::Node& config, runtime::Disk& disk, bool make_missing) {
  if (config.account_keystore.empty())
    return load_or_make<crypto::SecretKey256>(disk, config.account_key_file, "account key", make_missing);
  TRY_ASSIGN(auto password, read_secret(disk, config.account_password_file));
  password.resize(std::min(password.find('\n'), password.size()));
  TRY_ASSIGN(const auto keystore, disk.read_file(config.account_keystore, kMaxKeyFileBytes));
  auto key = crypto::keystore_decrypt(as_text(keystore), password);
  if (!key) return fail(std::move(key).error().wrap(config.account_keystore));
  return *key;
}

}  // namespace

Result<Identity> load_identity(const Config::Node& config, runtime::Disk& disk, bool make_missing) {
  TRY_ASSIGN(const auto seed, load_or_make<crypto::Ed25519Seed>(disk, config.key_file, "node key", make_missing));
  TRY_ASSIGN(const auto account_key, load_account(config, disk, make_missing));
  auto account = crypto::address_of(account_key);
  if (!account) return fail(std::move(account).error().wrap("the account key"));
  auto pair = crypto::Ed25519KeyPair::from_seed(seed);
  const NodeId id = crypto::node_id(pair.public_key());
  return Identity{std::move(pair), id, account_key, *account};
}

}  // namespace bonus::node
