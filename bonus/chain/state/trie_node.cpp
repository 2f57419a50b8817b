// RLP form of trie nodes: hex-prefix paths, node references, branch and two-item nodes (Yellow Paper, appendices C and
// D).
#include "bonus/chain/state/trie_node.hpp"

#include "bonus/chain/api/constants.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state {
namespace {

constexpr std::uint8_t kOddFlag = 0x10;
constexpr std::uint8_t kLeafFlag = 0x20;
/// An embedded node is below 32 bytes, so nesting cannot be deep; the bound guards against a damaged record.
constexpr unsigned kMaxEmbeddedDepth = 16;

Bytes hex_prefix(BytesView nibbles, bool leaf) {
  Bytes out;
  out.reserve(nibbles.size() / 2 + 1);
  std::uint8_t first = leaf ? kLeafFlag : 0;
  std::size_t i = 0;
  if (nibbles.size() % 2 == 1) {
    first = static_cast<std::uint8_t>(first | kOddFlag | nibbles[0]);
    i = 1;
  }
  out.push_back(first);
  for (; i < nibbles.size(); i += 2) out.push_back(static_cast<std::uint8_t>(nibbles[i] << 4 | nibbles[i + 1]));
  return out;
}

struct Path {
  Bytes nibbles;
  bool leaf = false;
};

Result<Path> parse_path(BytesView in) {
  if (in.empty() || in[0] >= 0x40) return fail(ErrorCode::kCorrupt, "trie node with a bad path prefix");
  Path out;
  out.leaf = (in[0] & kLeafFlag) != 0;
  out.nibbles.reserve(2 * in.size());
  if ((in[0] & kOddFlag) != 0) {
    out.nibbles.push_back(in[0] & 0x0f);
  } else if ((in[0] & 0x0f) != 0) {
    return fail(ErrorCode::kCorrupt, "trie node with a bad path prefix");
  }
  for (const std::uint8_t b : in.subspan(1)) {
    out.nibbles.push_back(b >> 4);
    out.nibbles.push_back(b & 0x0f);
  }
  return out;
}

}  // namespace

void Trie::Ref::set(std::unique_ptr<Node> fresh) {
  node = std::move(fresh);
  kind = Kind::kNode;
  dirty = true;
}

void Trie::Ref::clear() {
  node.reset();
  kind = Kind::kEmpty;
  dirty = false;
}

Result<> Trie::Coder::decode_reference(BytesView item, Ref& out, unsigned depth) {
  rlp::Decoder d(item);
  if (d.next_is_list()) {
    TRY_ASSIGN(auto node, decode_at(item, depth + 1));
    out.set(std::move(node));
    return {};
  }
  TRY_ASSIGN(auto raw, d.bytes());
  if (raw.empty()) return {};
  TRY_ASSIGN(out.hash, Hash32::from(raw));
  out.kind = Ref::Kind::kHash;
  return {};
}

Result<std::unique_ptr<Trie::Node>> Trie::Coder::decode_at(BytesView rlp, unsigned depth) {
  if (depth > kMaxEmbeddedDepth) return fail(ErrorCode::kCorrupt, "trie node nested too deeply");
  rlp::Decoder outer(rlp);
  TRY_ASSIGN(auto list, outer.list());
  TRY(outer.expect_end());
  std::array<BytesView, 17> items;
  std::size_t count = 0;
  while (!list.at_end()) {
    if (count == items.size()) return fail(ErrorCode::kCorrupt, "trie node with more than 17 items");
    TRY_ASSIGN(items[count], list.raw_item());
    ++count;
  }
  auto node = std::make_unique<Node>();
  if (count == 17) {
    node->kind = Node::Kind::kBranch;
    node->children = std::make_unique<std::array<Ref, 16>>();
    for (unsigned i = 0; i < 16; ++i) TRY(decode_reference(items[i], (*node->children)[i], depth));
    TRY_ASSIGN(auto value, rlp::Decoder(items[16]).bytes());
    node->value.assign(value.begin(), value.end());
    return node;
  }
  if (count != 2) return fail(ErrorCode::kCorrupt, "trie node with a wrong number of items");
  TRY_ASSIGN(auto raw_path, rlp::Decoder(items[0]).bytes());
  TRY_ASSIGN(auto path, parse_path(raw_path));
  node->path = std::move(path.nibbles);
  if (path.leaf) {
    node->kind = Node::Kind::kLeaf;
    TRY_ASSIGN(auto value, rlp::Decoder(items[1]).bytes());
    if (value.empty()) return fail(ErrorCode::kCorrupt, "trie leaf without a value");
    node->value.assign(value.begin(), value.end());
    return node;
  }
  node->kind = Node::Kind::kExtension;
  TRY(decode_reference(items[1], node->next, depth));
  if (node->next.empty() || node->path.empty()) return fail(ErrorCode::kCorrupt, "trie extension that leads nowhere");
  return node;
}

Result<std::unique_ptr<Trie::Node>> Trie::Coder::decode(BytesView rlp) {
  auto node = decode_at(rlp, 0);
  if (!node) return fail(ErrorCode::kCorrupt, "trie node: " + node.error().message);
  return node;
}

void Trie::Committer::store(Ref& ref, Bytes rlp) {
  ref.hash = crypto::keccak256(rlp);
  ref.dirty = false;
  if (out == nullptr) return;
  if (const std::uint32_t from = ref.node->loaded; from != Node::kMade && loaded[from].hash == ref.hash) {
    loaded[from].kept = true;
    return;
  }
  out->made.push_back({node_place(id, path), ref.hash, std::move(rlp)});
}

Bytes Trie::Committer::encode(Node& node) {
  rlp::Encoder e;
  e.begin_list();
  if (node.kind == Node::Kind::kBranch) {
    for (std::uint8_t i = 0; i < 16; ++i) {
      path.push_back(i);
      append_reference(e, (*node.children)[i]);
      path.pop_back();
    }
    e.bytes(node.value);
  } else if (node.kind == Node::Kind::kLeaf) {
    e.bytes(hex_prefix(node.path, true)).bytes(node.value);
  } else {
    e.bytes(hex_prefix(node.path, false));
    append(path, node.path);
    append_reference(e, node.next);
    path.resize(path.size() - node.path.size());
  }
  e.end_list();
  return e.take();
}

void Trie::Committer::append_reference(rlp::Encoder& e, Ref& ref) {
  if (ref.empty()) {
    e.bytes({});
    return;
  }
  if (ref.kind == Ref::Kind::kNode) {
    if (ref.dirty) {
      Bytes rlp = encode(*ref.node);
      // Embedded nodes stay dirty: they have no hash of their own and are written again with their parent.
      if (rlp.size() < 32) {
        e.raw(rlp);
        return;
      }
      store(ref, std::move(rlp));
    } else {
      keep(*ref.node);
    }
  }
  e.bytes(ref.hash);
}

void Trie::Committer::keep(Node& node) {
  if (node.loaded != Node::kMade) loaded[node.loaded].kept = true;
  const auto below = [&](Ref& ref) {
    if (ref.kind == Ref::Kind::kNode && !ref.dirty) keep(*ref.node);
  };
  if (node.kind == Node::Kind::kExtension) below(node.next);
  if (node.kind == Node::Kind::kBranch) std::ranges::for_each(*node.children, below);
}

Hash32 Trie::commit_to(NewNodes* out) {
  Committer committer{id_, loaded_, out};
  if (root_->kind == Ref::Kind::kNode) {
    if (root_->dirty) {
      // The root is stored by hash even when it is short.
      committer.store(*root_, committer.encode(*root_->node));
    } else {
      committer.keep(*root_->node);
    }
  }
  if (out != nullptr) {
    for (Loaded& was : loaded_)
      if (!was.kept) out->replaced.push_back({std::move(was.place), was.version});
  }
  return root_->empty() ? kEmptyTrieRoot : root_->hash;
}

}  // namespace bonus::chain::state
