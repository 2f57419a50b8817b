// State tests from JSON.
#include "bonus/chain/vectors/state_file.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/vectors/json_input.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::vectors {
namespace {

struct Indexes {
  std::size_t data = 0, gas = 0, value = 0;
};

Result<const json::value*> pick(const Fields& fields, std::string_view name, std::size_t index) {
  TRY_ASSIGN(const auto* list, array_of(*TRY(fields.need(name)), name));
  if (index >= list->size()) return fail(ErrorCode::kInvalid, fmt::format("{}: no item {}", name, index));
  return &(*list)[index];
}

Result<std::vector<Transaction::AccessEntry>> access_list_of(const json::value& value) {
  TRY_ASSIGN(const auto* list, array_of(value, "accessLists"));
  std::vector<Transaction::AccessEntry> out;
  for (const auto& item : *list) {
    TRY_ASSIGN(const auto* object, object_of(item, "accessLists"));
    const Fields fields(*object);
    Transaction::AccessEntry entry;
    TRY_ASSIGN(entry.address, fixed_of<Address>(*TRY(fields.need("address")), "access list address"));
    TRY_ASSIGN(const auto* keys, array_of(*TRY(fields.need("storageKeys")), "storageKeys"));
    for (const auto& key : *keys) {
      TRY_ASSIGN(const Hash32 word, word_of(key, "storageKeys"));
      entry.keys.push_back(word);
    }
    out.push_back(std::move(entry));
  }
  return out;
}

Result<Authorization> authorization_of(const json::value& value) {
  TRY_ASSIGN(const auto* object, object_of(value, "authorizationList"));
  const Fields fields(*object);
  Authorization out;
  TRY_ASSIGN(out.chain_id, fields.number("chainId"));
  TRY_ASSIGN(out.address, fixed_of<Address>(*TRY(fields.need("address")), "authorization address"));
  TRY_ASSIGN(out.nonce, fields.number64("nonce"));
  TRY_ASSIGN(std::uint64_t parity, fields.number64(fields.find("yParity") != nullptr ? "yParity" : "v"));
  // Some writers give `v` in the form of legacy signatures.
  if (fields.find("yParity") == nullptr && (parity == 27 || parity == 28)) parity -= 27;
  if (parity > UINT8_MAX) return fail(ErrorCode::kInvalid, "authorization: y parity of more than 8 bits");
  out.y_parity = static_cast<std::uint8_t>(parity);
  TRY_ASSIGN(out.r, fields.number("r"));
  TRY_ASSIGN(out.s, fields.number("s"));
  return out;
}

/// The type follows from the fields that are there, unless it is named.
Result<std::uint8_t> type_of(const Fields& fields, std::size_t data) {
  if (const auto* type = fields.find("type")) {
    TRY_ASSIGN(const std::uint64_t number, number64_of(*type, "type"));
    if (number > 0x7f) return fail(ErrorCode::kInvalid, "type: above 0x7f");
    return static_cast<std::uint8_t>(number);
  }
  if (fields.find("authorizationList") != nullptr) return std::uint8_t{4};
  if (fields.find("maxFeePerBlobGas") != nullptr || fields.find("blobVersionedHashes") != nullptr)
    return std::uint8_t{3};
  if (fields.find("maxFeePerGas") != nullptr || fields.find("maxPriorityFeePerGas") != nullptr) return std::uint8_t{2};
  const auto* lists = fields.find("accessLists");
  const auto* array = lists == nullptr ? nullptr : lists->if_array();
  if (array != nullptr && data < array->size() && !(*array)[data].is_null()) return std::uint8_t{1};
  return std::uint8_t{0};
}

Result<> read_typed_fields(Transaction& tx, const Fields& fields, std::size_t data) {
  if (const auto* lists = fields.find("accessLists")) {
    TRY_ASSIGN(const auto* array, array_of(*lists, "accessLists"));
    if (data < array->size() && !(*array)[data].is_null()) {
      TRY_ASSIGN(tx.access_list, access_list_of((*array)[data]));
    }
  }
  TRY_ASSIGN(tx.max_fee_per_blob_gas, fields.number_or("maxFeePerBlobGas", {}));
  if (const auto* hashes = fields.find("blobVersionedHashes")) {
    TRY_ASSIGN(const auto* array, array_of(*hashes, "blobVersionedHashes"));
    for (const auto& item : *array) {
      TRY_ASSIGN(const Hash32 hash, fixed_of<Hash32>(item, "blobVersionedHashes"));
      tx.blob_hashes.push_back(hash);
    }
  }
  if (const auto* wishes = fields.find("authorizationList")) {
    TRY_ASSIGN(const auto* array, array_of(*wishes, "authorizationList"));
    for (const auto& item : *array) {
      TRY_ASSIGN(const Authorization wish, authorization_of(item));
      tx.authorizations.push_back(wish);
    }
  }
  return {};
}

Result<Transaction> transaction_of(const Fields& fields, const Indexes& indexes, std::uint64_t chain_id) {
  Transaction tx;
  TRY_ASSIGN(tx.type, type_of(fields, indexes.data));
  TRY_ASSIGN(tx.chain_id, fields.number64_or("chainId", tx.type == 0 ? 0 : chain_id));
  TRY_ASSIGN(tx.nonce, fields.number64_or("nonce", 0));
  TRY_ASSIGN(tx.gas_limit, number64_of(*TRY(pick(fields, "gasLimit", indexes.gas)), "gasLimit"));
  TRY_ASSIGN(tx.value, number_of(*TRY(pick(fields, "value", indexes.value)), "value"));
  TRY_ASSIGN(tx.data, bytes_of(*TRY(pick(fields, "data", indexes.data)), "data"));
  if (tx.type < 2) {
    TRY_ASSIGN(tx.max_fee, fields.number("gasPrice"));
    tx.max_priority_fee = tx.max_fee;
  } else {
    TRY_ASSIGN(tx.max_fee, fields.number("maxFeePerGas"));
    TRY_ASSIGN(tx.max_priority_fee, fields.number_or("maxPriorityFeePerGas", {}));
  }
  if (const auto* to = fields.find("to"); to != nullptr && !to->is_null()) {
    TRY_ASSIGN(const std::string_view text, text_of(*to, "to"));
    if (!text.empty() && text != "0x") {
      TRY_ASSIGN(tx.to, fixed_of<Address>(*to, "to"));
    }
  }
  TRY(read_typed_fields(tx, fields, indexes.data));
  return tx;
}

/// `sender`, else the account of `secretKey`, else whoever signed `txbytes`.
Result<Address> sender_of(const Fields& fields, const Fields& post) {
  if (const auto* sender = fields.find("sender")) return fixed_of<Address>(*sender, "sender");
  if (const auto* secret = fields.find("secretKey")) {
    TRY_ASSIGN(const Hash32 key, word_of(*secret, "secretKey"));
    return crypto::address_of(crypto::SecretKey256{key.bytes});
  }
  TRY_ASSIGN(const Bytes raw, bytes_of(*TRY(post.need("txbytes")), "txbytes"));
  TRY_ASSIGN(const Transaction tx, decode_transaction(raw));
  return tx.sender();
}

Result<SenderTransaction> signed_transaction_of(const Fields& fields, const Fields& post, const Indexes& indexes,
                                                std::uint64_t chain_id) {
  SenderTransaction out;
  TRY_ASSIGN(out.tx, transaction_of(fields, indexes, chain_id));
  TRY_ASSIGN(out.sender, sender_of(fields, post));
  if (const auto* raw = post.find("txbytes")) {
    if (const auto bytes = bytes_of(*raw, "txbytes")) out.hash = crypto::keccak256(*bytes);
  }
  return out;
}

Result<Indexes> indexes_of(const Fields& post) {
  TRY_ASSIGN(const auto* object, object_of(*TRY(post.need("indexes")), "indexes"));
  const Fields fields(*object);
  Indexes out;
  TRY_ASSIGN(out.data, fields.number64("data"));
  TRY_ASSIGN(out.gas, fields.number64("gas"));
  TRY_ASSIGN(out.value, fields.number64("value"));
  return out;
}

Result<StateCase> case_of(const json::value& value, const Fields& transaction, std::uint64_t chain_id) {
  TRY_ASSIGN(const auto* object, object_of(value, "post"));
  const Fields fields(*object);
  TRY_ASSIGN(const Indexes indexes, indexes_of(fields));
  StateCase out;
  out.transaction = signed_transaction_of(transaction, fields, indexes, chain_id);
  TRY_ASSIGN(out.state_root, fixed_of<Hash32>(*TRY(fields.need("hash")), "hash"));
  TRY_ASSIGN(out.logs_hash, fixed_of<Hash32>(*TRY(fields.need("logs")), "logs"));
  if (const auto* exception = fields.find("expectException"); exception != nullptr && exception->is_string())
    out.exception = std::string(exception->as_string());
  if (const auto* state = fields.find("state")) {
    TRY_ASSIGN(out.state, accounts_of(*state));
  }
  return out;
}

/// `config.blobSchedule[fork]`, when it is there.
Result<std::optional<BlobSchedule>> schedule_of(const Fields& config, std::string_view fork) {
  const auto* schedules = config.find("blobSchedule");
  if (schedules == nullptr) return std::nullopt;
  TRY_ASSIGN(const auto* by_fork, object_of(*schedules, "blobSchedule"));
  const auto* found = by_fork->if_contains(fork);
  if (found == nullptr) return std::nullopt;
  TRY_ASSIGN(const auto* object, object_of(*found, "blobSchedule"));
  const Fields fields(*object);
  const auto known = fork_of(fork);
  BlobSchedule out = known ? known->blobs : BlobSchedule{};
  TRY_ASSIGN(const std::uint64_t target, fields.number64("target"));
  TRY_ASSIGN(const std::uint64_t max, fields.number64("max"));
  TRY_ASSIGN(out.update_fraction, fields.number64("baseFeeUpdateFraction"));
  if (target > UINT32_MAX || max > UINT32_MAX) return fail(ErrorCode::kInvalid, "blobSchedule: too many blobs");
  out.target = static_cast<std::uint32_t>(target);
  out.max = static_cast<std::uint32_t>(max);
  return out;
}

/// `_info.labels[indexes.data]`.
std::string label_of(const Fields& test, const json::value& post) {
  const auto* info = test.find("_info");
  const auto* labels = info != nullptr && info->is_object() ? info->as_object().if_contains("labels") : nullptr;
  if (labels == nullptr || !labels->is_object() || !post.is_object()) return {};
  const auto indexes = indexes_of(Fields(post.as_object()));
  if (!indexes) return {};
  const auto* label = labels->as_object().if_contains(std::to_string(indexes->data));
  return label != nullptr && label->is_string() ? std::string(label->as_string()) : std::string();
}

Result<StateTest> test_of(std::string name, const json::object& object) {
  const Fields fields(object);
  StateTest out;
  out.name = std::move(name);
  TRY_ASSIGN(const auto* env, object_of(*TRY(fields.need("env")), "env"));
  TRY_ASSIGN(out.environment, environment_of(*env));
  TRY_ASSIGN(out.pre, accounts_of(*TRY(fields.need("pre"))));
  out.state = std::make_unique<const MemoryState>(out.pre);
  TRY_ASSIGN(const auto* transaction, object_of(*TRY(fields.need("transaction")), "transaction"));
  static const json::object kNoConfig;
  const json::object* config = &kNoConfig;
  if (const auto* given = fields.find("config")) {
    TRY_ASSIGN(config, object_of(*given, "config"));
  }
  TRY_ASSIGN(out.chain_id, Fields(*config).number64_or("chainid", 1));
  TRY_ASSIGN(const auto* posts, object_of(*TRY(fields.need("post")), "post"));
  for (const auto& post : *posts) {
    TRY_ASSIGN(const auto blobs, schedule_of(Fields(*config), post.key()));
    TRY_ASSIGN(const auto* list, array_of(post.value(), "post"));
    std::size_t index = 0;
    for (const auto& item : *list) {
      auto made = case_of(item, Fields(*transaction), out.chain_id);
      if (!made) return fail(std::move(made).error().wrap(fmt::format("post {}/{}", std::string(post.key()), index)));
      made->fork = post.key();
      made->index = index++;
      made->label = label_of(fields, item);
      made->blobs = blobs;
      out.cases.push_back(*std::move(made));
    }
  }
  return out;
}

}  // namespace

Result<std::vector<StateTest>> read_state_tests(std::string_view text) {
  TRY_ASSIGN(const json::value file, parse_json(text));
  TRY_ASSIGN(const auto* tests, object_of(file, "file"));
  std::vector<StateTest> out;
  for (const auto& item : *tests) {
    const std::string name(item.key());
    if (name == "_info") continue;
    TRY_ASSIGN(const auto* object, object_of(item.value(), name));
    auto test = test_of(name, *object);
    if (!test) return fail(std::move(test).error().wrap(name));
    out.push_back(*std::move(test));
  }
  return out;
}

}  // namespace bonus::chain::vectors
