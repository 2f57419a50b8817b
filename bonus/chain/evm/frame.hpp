// One running call: stack, memory, return data. Frames are pooled by depth, so that a call allocates nothing. Internal.
#pragma once

#include <cstring>
#include <memory>

#include "bonus/chain/evm/message.hpp"
#include "bonus/chain/evm/program.hpp"

namespace bonus::chain::evm {

inline constexpr std::size_t kStackLimit = 1024;

/// Byte-addressed memory that grows in words of 32 and reads zero at first. The buffer outlives the frame that used it.
class Memory {
 public:
  [[nodiscard]] std::uint8_t* data() { return data_.get(); }
  [[nodiscard]] const std::uint8_t* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] BytesView view(std::size_t offset, std::size_t size) const {
    return size == 0 ? BytesView{} : BytesView{data_.get() + offset, size};
  }
  void clear() {
    size_ = 0;
    if (capacity_ > kKept) {
      data_.reset();
      capacity_ = 0;
    }
  }
  /// `size` is a multiple of 32 and above the present one. Its gas is paid already, which bounds it.
  void grow(std::size_t size) {
    if (size > capacity_) reallocate(size);
    std::memset(data_.get() + size_, 0, size - size_);
    size_ = size;
  }

 private:
  static constexpr std::size_t kKept = 1 << 20;
  void reallocate(std::size_t size);

  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

/// Gas of memory of `words` words (Yellow Paper, appendix H.1).
[[nodiscard]] constexpr std::int64_t memory_gas(std::int64_t words) { return 3 * words + words * words / 512; }
/// No frame can pay for more: 2^32 bytes cost more than 2^45 gas.
inline constexpr std::uint64_t kMemoryLimit = std::uint64_t{1} << 32;

class Machine;

struct Frame {
  Machine* machine = nullptr;
  const Threaded* threaded = nullptr;
  const Message* message = nullptr;
  const Program* program = nullptr;
  std::int64_t gas = 0;
  Memory memory;
  Bytes return_data;
  std::size_t output_offset = 0, output_size = 0;  ///< In memory, after RETURN or REVERT.
  /// The fast interpreter leaves [0] unused, so that an empty stack has a top too.
  [[nodiscard]] uint256* stack() { return reinterpret_cast<uint256*>(stack_); }
  [[nodiscard]] const uint256* stack() const { return reinterpret_cast<const uint256*>(stack_); }

  void reset(const Message& of, const Program& code) {
    message = &of;
    program = &code;
    gas = of.gas;
    memory.clear();
    return_data.clear();
    output_offset = output_size = 0;
  }

 private:
  /// Words whose content is not defined before they are pushed: a new frame need not clear 32 KiB.
  alignas(32) std::byte stack_[(kStackLimit + 2) * sizeof(uint256)];
};

}  // namespace bonus::chain::evm
