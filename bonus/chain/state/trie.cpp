// Merkle-Patricia trie: lookup, insertion, deletion with collapse, and commitment.
#include "bonus/chain/state/trie.hpp"

#include <cassert>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/state/trie_node.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state {
namespace {

std::size_t common_prefix(BytesView a, BytesView b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

bool starts_with(BytesView path, BytesView prefix) {
  return path.size() >= prefix.size() && common_prefix(path, prefix) == prefix.size();
}

Bytes joined(BytesView a, BytesView b) {
  Bytes out(a.begin(), a.end());
  append(out, b);
  return out;
}

Bytes copy(BytesView in) { return {in.begin(), in.end()}; }

}  // namespace

Bytes accounts_trie() { return {0}; }
Bytes storage_trie(const Address& contract) {
  Bytes out{1};
  append(out, contract);
  return out;
}
Bytes node_place(BytesView trie, BytesView nibbles) {
  assert(nibbles.size() <= 255);
  Bytes out;
  // Room for the version that the store appends.
  out.reserve(trie.size() + 1 + (nibbles.size() + 1) / 2 + 8);
  append(out, trie);
  out.push_back(static_cast<std::uint8_t>(nibbles.size()));
  for (std::size_t i = 0; i < nibbles.size(); i += 2) {
    const std::uint8_t low = i + 1 < nibbles.size() ? nibbles[i + 1] : 0;
    out.push_back(static_cast<std::uint8_t>(nibbles[i] << 4 | low));
  }
  return out;
}

Trie::Trie(const NodeSource* source, const Hash32& root, Bytes id)
    : source_(source), id_(std::move(id)), root_(std::make_unique<Ref>()) {
  if (root == kEmptyTrieRoot) return;
  root_->kind = Ref::Kind::kHash;
  root_->hash = root;
}
Trie::Trie() : Trie(nullptr, kEmptyTrieRoot) {}
Trie::~Trie() = default;
Trie::Trie(Trie&&) noexcept = default;
Trie& Trie::operator=(Trie&&) noexcept = default;

Result<> Trie::resolve(Ref& ref, BytesView at) {
  if (ref.kind != Ref::Kind::kHash) return {};
  if (source_ == nullptr) return fail(ErrorCode::kCorrupt, "trie node " + to_hex0x(ref.hash) + " is not stored");
  Bytes place = node_place(id_, at);
  TRY_ASSIGN(const StoredNode stored, source_->node(place, ref.hash));
  TRY_ASSIGN(ref.node, Coder::decode(*stored.rlp));
  ref.node->loaded = static_cast<std::uint32_t>(loaded_.size());
  loaded_.push_back({std::move(place), stored.version, ref.hash, false});
  ref.kind = Ref::Kind::kNode;
  ref.dirty = false;
  return {};
}

Result<Bytes> Trie::get(BytesView key) const {
  const Bytes nibbles = to_nibbles(key);
  BytesView path = nibbles;
  // Nodes read on the way are not kept: a reader must not grow the trie.
  std::unique_ptr<Node> loaded;
  const Ref* at = root_.get();
  while (!at->empty()) {
    const Node* node = at->node.get();
    if (at->kind == Ref::Kind::kHash) {
      if (source_ == nullptr) return fail(ErrorCode::kCorrupt, "trie node " + to_hex0x(at->hash) + " is not stored");
      const BytesView above = BytesView(nibbles).first(nibbles.size() - path.size());
      TRY_ASSIGN(const StoredNode stored, source_->node(node_place(id_, above), at->hash));
      TRY_ASSIGN(loaded, Coder::decode(*stored.rlp));
      node = loaded.get();
    }
    switch (node->kind) {
      case Node::Kind::kLeaf:
        return std::ranges::equal(node->path, path) ? node->value : Bytes{};
      case Node::Kind::kExtension:
        if (!starts_with(path, node->path)) return Bytes{};
        path = path.subspan(node->path.size());
        at = &node->next;
        break;
      case Node::Kind::kBranch:
        if (path.empty()) return node->value;
        at = &(*node->children)[path[0]];
        path = path.subspan(1);
        break;
    }
  }
  return Bytes{};
}

Result<> Trie::put(BytesView key, BytesView value) {
  key_ = to_nibbles(key);
  if (!value.empty()) return insert(*root_, key_, value);
  TRY(erase(*root_, key_));
  return {};
}

Result<> Trie::insert(Ref& ref, BytesView path, BytesView value) {
  TRY(resolve(ref, above(path)));
  if (ref.empty()) {
    auto leaf = std::make_unique<Node>();
    leaf->path = copy(path);
    leaf->value = copy(value);
    ref.set(std::move(leaf));
    return {};
  }
  ref.dirty = true;
  Node& node = *ref.node;
  switch (node.kind) {
    case Node::Kind::kLeaf:
      return insert_into_leaf(ref, path, value);
    case Node::Kind::kExtension:
      return insert_into_extension(ref, path, value);
    case Node::Kind::kBranch:
      break;
  }
  if (path.empty()) {
    node.value = copy(value);
    return {};
  }
  return insert((*node.children)[path[0]], path.subspan(1), value);
}

Result<> Trie::insert_into_leaf(Ref& ref, BytesView path, BytesView value) {
  Node& leaf = *ref.node;
  const std::size_t shared = common_prefix(leaf.path, path);
  if (shared == leaf.path.size() && shared == path.size()) {
    leaf.value = copy(value);
    return {};
  }
  auto branch = std::make_unique<Node>();
  branch->kind = Node::Kind::kBranch;
  branch->children = std::make_unique<std::array<Ref, 16>>();
  const Bytes old_path = std::move(leaf.path);
  if (shared == old_path.size()) {
    branch->value = std::move(leaf.value);
  } else {
    auto rest = std::make_unique<Node>();
    rest->path.assign(old_path.begin() + static_cast<std::ptrdiff_t>(shared) + 1, old_path.end());
    rest->value = std::move(leaf.value);
    (*branch->children)[old_path[shared]].set(std::move(rest));
  }
  Ref below;
  below.set(std::move(branch));
  TRY(insert(below, path.subspan(shared), value));
  if (shared == 0) {
    ref = std::move(below);
    return {};
  }
  auto extension = std::make_unique<Node>();
  extension->kind = Node::Kind::kExtension;
  extension->path = copy(path.first(shared));
  extension->next = std::move(below);
  ref.set(std::move(extension));
  return {};
}

Result<> Trie::insert_into_extension(Ref& ref, BytesView path, BytesView value) {
  Node& extension = *ref.node;
  const std::size_t shared = common_prefix(extension.path, path);
  if (shared == extension.path.size()) return insert(extension.next, path.subspan(shared), value);
  auto branch = std::make_unique<Node>();
  branch->kind = Node::Kind::kBranch;
  branch->children = std::make_unique<std::array<Ref, 16>>();
  Ref& old_side = (*branch->children)[extension.path[shared]];
  if (shared + 1 == extension.path.size()) {
    old_side = std::move(extension.next);
  } else {
    auto rest = std::make_unique<Node>();
    rest->kind = Node::Kind::kExtension;
    rest->path.assign(extension.path.begin() + static_cast<std::ptrdiff_t>(shared) + 1, extension.path.end());
    rest->next = std::move(extension.next);
    old_side.set(std::move(rest));
  }
  Ref below;
  below.set(std::move(branch));
  TRY(insert(below, path.subspan(shared), value));
  if (shared == 0) {
    ref = std::move(below);
    return {};
  }
  auto shorter = std::make_unique<Node>();
  shorter->kind = Node::Kind::kExtension;
  shorter->path = copy(path.first(shared));
  shorter->next = std::move(below);
  ref.set(std::move(shorter));
  return {};
}

Result<bool> Trie::erase(Ref& ref, BytesView path) {
  TRY(resolve(ref, above(path)));
  if (ref.empty()) return false;
  Node& node = *ref.node;
  switch (node.kind) {
    case Node::Kind::kLeaf:
      if (!std::ranges::equal(node.path, path)) return false;
      ref.clear();
      return true;
    case Node::Kind::kExtension: {
      if (!starts_with(path, node.path)) return false;
      TRY_ASSIGN(const bool changed, erase(node.next, path.subspan(node.path.size())));
      if (!changed) return false;
      ref.dirty = true;
      TRY(merge_extension(ref, above(path)));
      return true;
    }
    case Node::Kind::kBranch:
      break;
  }
  return erase_in_branch(ref, path);
}

Result<bool> Trie::erase_in_branch(Ref& ref, BytesView path) {
  Node& branch = *ref.node;
  if (path.empty()) {
    if (branch.value.empty()) return false;
    branch.value.clear();
  } else {
    TRY_ASSIGN(const bool changed, erase((*branch.children)[path[0]], path.subspan(1)));
    if (!changed) return false;
  }
  ref.dirty = true;
  TRY(collapse_branch(ref, above(path)));
  return true;
}

/// A branch that is left with one entry becomes a leaf or an extension.
Result<> Trie::collapse_branch(Ref& ref, BytesView at) {
  Node& branch = *ref.node;
  std::size_t entries = branch.value.empty() ? 0 : 1;
  std::uint8_t only = 0;
  for (std::uint8_t i = 0; i < 16; ++i) {
    if ((*branch.children)[i].empty()) continue;
    ++entries;
    only = i;
  }
  assert(entries > 0);
  if (entries > 1) return {};
  auto replacement = std::make_unique<Node>();
  if (!branch.value.empty()) {
    replacement->value = std::move(branch.value);
    ref.set(std::move(replacement));
    return {};
  }
  replacement->kind = Node::Kind::kExtension;
  replacement->path = {only};
  replacement->next = std::move((*branch.children)[only]);
  ref.set(std::move(replacement));
  return merge_extension(ref, at);
}

/// An extension must lead to a branch: joins it with a leaf or an extension below it.
Result<> Trie::merge_extension(Ref& ref, BytesView at) {
  Node& extension = *ref.node;
  TRY(resolve(extension.next, joined(at, extension.path)));
  assert(!extension.next.empty());
  Node& below = *extension.next.node;
  if (below.kind == Node::Kind::kBranch) return {};
  auto merged = std::move(extension.next.node);
  merged->path = joined(extension.path, merged->path);
  merged->loaded = Node::kMade;  // It was stored further down.
  ref.set(std::move(merged));
  return {};
}

Hash32 Trie::commit(NewNodes& out) { return commit_to(&out); }
Hash32 Trie::commit() { return commit_to(nullptr); }

Hash32 ordered_root(std::span<const Bytes> items) {
  Trie trie;
  for (std::size_t i = 0; i < items.size(); ++i) {
    rlp::Encoder key;
    key.number(std::uint64_t{i});
    const auto done = trie.put(key.take(), items[i]);
    assert(done.has_value());  // Nothing is loaded, so nothing can be missing.
  }
  return trie.commit();
}

}  // namespace bonus::chain::state
