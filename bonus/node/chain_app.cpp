// Building and judging blocks.
#include "bonus/node/chain_app.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/consensus/order.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::node {

using chain::Block;
using chain::ExtraData;
using chain::Header;

namespace {

Hash32 seed_from(const Hash32& randao, std::uint64_t height) {
  std::array<std::uint8_t, 8> number{};
  for (std::size_t i = 0; i < 8; ++i) number[i] = static_cast<std::uint8_t>(height >> (56 - 8 * i));
  return crypto::keccak256(randao.view(), number);
}

Hash32 randao_of(const crypto::VrfOutput& output) {
  Hash32 out;
  std::copy_n(output.bytes.begin(), 32, out.bytes.begin());
  return out;
}

std::unexpected<Error> bad_block(std::string message) { return fail(ErrorCode::kInvalid, std::move(message)); }

}  // namespace

Result<Hash32> vrf_seed(const chain::LedgerReader& ledger, std::uint64_t height) {
  if (height == 0) return fail(ErrorCode::kInvalid, "block 0 has no VRF");
  const Header head = ledger.head();
  if (head.number + 1 == height) return seed_from(head.prev_randao, height);
  TRY_ASSIGN(const auto parent, ledger.block(height - 1));
  return seed_from(parent->block.header.prev_randao, height);
}

Result<Hash32> order_seed(const chain::LedgerReader& ledger, std::uint64_t height) {
  const std::uint64_t n = std::max<std::uint64_t>(1, ledger.genesis().bookkeepers.size());
  return vrf_seed(ledger, std::max<std::uint64_t>(1, height / n * n));
}

chain::consensus::Config consensus_config(const chain::Genesis& genesis, const crypto::Ed25519KeyPair* key,
                                          const chain::consensus::Timing& timing) {
  chain::consensus::Config config;
  config.chain_id = genesis.chain_id;
  config.timing = timing;
  for (const auto& bookkeeper : genesis.bookkeepers) {
    if (key != nullptr && bookkeeper.key == key->public_key()) {
      config.self = config.validators.size();
      config.key = *key;
    }
    config.validators.push_back(bookkeeper.key);
  }
  return config;
}

ChainApp::ChainApp(chain::Ledger& ledger, const chain::Mempool& mempool, const runtime::Clock& clock,
                   const chain::consensus::Config& config, chain::ForEach for_each)
    : ledger_(ledger), mempool_(mempool), clock_(clock), config_(config), for_each_(std::move(for_each)) {}

Result<chain::consensus::Application::Built> ChainApp::build(std::uint64_t height, std::uint32_t round) {
  const Header head = ledger_.head();
  if (!config_.self || !config_.key) return fail(ErrorCode::kDenied, "this node is no bookkeeper");
  if (head.number + 1 != height)
    return fail(ErrorCode::kConflict, fmt::format("asked for block {} on top of block {}", height, head.number));
  TRY_ASSIGN(const auto parent, ledger_.block(head.number));
  TRY_ASSIGN(const auto seed, vrf_seed(ledger_, height));

  chain::BuildInput input;
  input.timestamp = std::max(head.timestamp + 1, clock_.unix_s());
  input.round = round;
  input.proposer = static_cast<std::uint16_t>(*config_.self);
  input.beneficiary = ledger_.genesis().bookkeepers[*config_.self].account;
  input.vrf_proof = config_.key->vrf_prove(seed.view());
  const auto output = crypto::vrf_verify(config_.key->public_key(), seed.view(), input.vrf_proof);
  if (!output) return fail(ErrorCode::kInternal, "our own VRF proof is not valid");
  input.randao = randao_of(*output);
  input.last_commit = parent->commit;
  input.candidates = mempool_.best(chain::next_base_fee(head, ledger_.genesis()), head.gas_limit);
  TRY_ASSIGN(auto block, ledger_.build(input));
  Built built{block.header.hash(), block.encode()};
  if (built.body.size() > chain::kMaxBlockBytes)
    return fail(ErrorCode::kInternal, fmt::format("the block built has {} bytes", built.body.size()));
  remember(built.hash, std::move(block));
  return built;
}

Result<Block> ChainApp::decode(BytesView body) const {
  const auto known = [this](const Hash32& hash) { return mempool_.find(hash); };
  return chain::decode_block_at_once(body, [&](std::vector<chain::HashedTransaction> transactions) {
    return chain::recover_all(std::move(transactions), known, for_each_);
  });
}

Result<> ChainApp::check_seals(std::uint64_t height, const Block& block) const {
  const Header& header = block.header;
  const Header head = ledger_.head();
  if (header.number != height || head.number + 1 != height)
    return bad_block(fmt::format("it is block {}, but {} is wanted", header.number, height));
  const Hash32 parent = ledger_.head_hash();
  if (header.parent_hash != parent) return bad_block("its parent is not the head of the chain");

  TRY_ASSIGN(const auto extra, ExtraData::decode(header.extra_data));
  const auto& genesis = ledger_.genesis();
  if (extra.proposer >= config_.validators.size())
    return bad_block(fmt::format("there is no bookkeeper {}", extra.proposer));
  if (header.beneficiary != genesis.bookkeepers[extra.proposer].account)
    return bad_block("its fees do not go to its proposer's account");
  const Hash32 validators = genesis.validators_hash();
  if (extra.validators_hash != validators || extra.next_validators_hash != validators)
    return bad_block("it names other bookkeepers than the genesis file");

  if (header.nonce > UINT32_MAX) return bad_block("its round is out of range");
  TRY_ASSIGN(const auto order_from, order_seed(ledger_, height));
  const chain::consensus::Order order(config_.validators.size(), height, order_from);
  const auto proposers = chain::consensus::Quorum::of(config_.validators.size()).proposers;
  if (order.rank(static_cast<std::uint32_t>(header.nonce), extra.proposer) >= proposers)
    return bad_block(fmt::format("bookkeeper {} may not propose in round {}", extra.proposer, header.nonce));

  TRY_ASSIGN(const auto seed, vrf_seed(ledger_, height));
  const auto output = crypto::vrf_verify(config_.validators[extra.proposer], seed.view(), extra.vrf_proof);
  if (!output) return bad_block("its VRF proof is not valid");
  if (randao_of(*output) != header.prev_randao) return bad_block("its prevRandao is not what the VRF proof gives");

  if (height == 1) {
    if (!block.last_commit.empty() || !extra.last_commit.is_zero())
      return bad_block("block 1 has no certificate of a parent");
    return {};
  }
  if (crypto::keccak256(block.last_commit) != extra.last_commit)
    return bad_block("its header names another certificate of the parent");
  auto cert = chain::consensus::CommitCert::decode(block.last_commit);
  if (!cert) return fail(std::move(cert).error().wrap("the certificate of the parent"));
  if (cert->height + 1 != height || cert->hash != parent) return bad_block("its certificate is not one of the parent");
  auto verified = chain::consensus::verify_commit_cert(config_, *cert);
  if (!verified) return fail(std::move(verified).error().wrap("the certificate of the parent"));
  return {};
}

Result<Hash32> ChainApp::validate(std::uint64_t height, BytesView body, bool fresh) {
  if (body.size() > chain::kMaxBlockBytes) return bad_block("the block is too large");
  TRY_ASSIGN(auto block, decode(body));
  if (block.header.timestamp <= ledger_.head().timestamp) return bad_block("its time is not after its parent's");
  if (fresh) {
    const UnixSeconds now = clock_.unix_s();
    if (block.header.timestamp > now + kMaxClockAheadSeconds)
      return bad_block(fmt::format("its time is {} s ahead of our clock", block.header.timestamp - now));
    if (block.header.timestamp + kMaxClockBehindSeconds < now)
      return bad_block(fmt::format("its time is {} s behind our clock", now - block.header.timestamp));
  }
  if (auto seals = check_seals(height, block); !seals) return fail(std::move(seals).error());
  TRY_ASSIGN(const auto hash, ledger_.validate(block));
  remember(hash, std::move(block));
  return hash;
}

std::optional<Block> ChainApp::recent(const Hash32& hash) const {
  for (const auto& entry : recent_)
    if (entry && entry->hash == hash) return entry->block;
  return std::nullopt;
}

void ChainApp::remember(const Hash32& hash, Block block) {
  recent_[next_recent_] = Recent{hash, std::move(block)};
  next_recent_ = (next_recent_ + 1) % recent_.size();
}

}  // namespace bonus::node
