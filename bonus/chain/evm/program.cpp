// Jump target analysis and the cache of programs.
#include "bonus/chain/evm/program.hpp"

#include "bonus/chain/evm/opcodes.hpp"

namespace bonus::chain::evm {

Program::Program(std::shared_ptr<const Bytes> code, Revision revision) : code_(std::move(code)), revision_(revision) {
  const Bytes& bytes = *code_;
  jumpdests_.resize(bytes.size() / 64 + 1);
  for (std::size_t pc = 0; pc < bytes.size(); pc += 1 + push_size(bytes[pc]))
    if (bytes[pc] == OP_JUMPDEST) jumpdests_[pc >> 6] |= std::uint64_t{1} << (pc & 63);
}

std::shared_ptr<const Program> ProgramCache::find(const Hash32& code_hash, Revision revision) {
  const std::lock_guard lock(mutex_);
  const auto found = programs_.find({code_hash, revision});
  return found == programs_.end() ? nullptr : found->second;
}

std::shared_ptr<const Program> ProgramCache::add(const Hash32& code_hash, std::shared_ptr<const Program> program) {
  const Key key{code_hash, program->revision()};
  const std::lock_guard lock(mutex_);
  const auto [place, added] = programs_.emplace(key, program);
  if (!added) return place->second;
  bytes_ += program->code().size();
  order_.push_back(key);
  while (bytes_ > limit_ && order_.size() > 1) {
    const auto oldest = programs_.find(order_.front());
    bytes_ -= oldest->second->code().size();
    programs_.erase(oldest);
    order_.pop_front();
  }
  return program;
}

}  // namespace bonus::chain::evm
