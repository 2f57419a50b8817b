// FrameLink's flow control: at most one frame is in flight in each direction, so memory per stream is bounded.
#include "bonus/net/rpc/frame_link.hpp"

#include <algorithm>

namespace bonus::net::rpc {
namespace {
constexpr std::size_t kFrameBytes = 64 << 10;
}

runtime::Task<Result<std::size_t>> FrameLink::read(std::span<std::uint8_t> out) {
  if (out.empty()) co_return std::size_t{0};
  const auto self = shared_from_this();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      const std::string& data = incoming_.data();
      if (!reading_ && offset_ < data.size()) {
        const std::size_t count = std::min(out.size(), data.size() - offset_);
        std::copy_n(reinterpret_cast<const std::uint8_t*>(data.data()) + offset_, count, out.begin());
        offset_ += count;
        co_return count;
      }
      if (remote_end_) co_return std::size_t{0};
      if (closed_) co_return fail(ErrorCode::kCancelled, "the stream was closed here");
      if (broken_) co_return fail(ErrorCode::kUnavailable, "the stream to the other node broke off");
      if (!reading_) {
        reading_ = true;
        begin_read(&incoming_);
      }
    }
    if (!co_await read_gate_->wait()) co_return fail(ErrorCode::kCancelled, "the reading task was stopped");
  }
}

runtime::Task<Result<>> FrameLink::write(BytesView in) {
  while (!in.empty()) {
    const BytesView part = in.first(std::min(in.size(), kFrameBytes));
    in = in.subspan(part.size());
    CO_TRY(co_await send_frame(part));
  }
  co_return Result<>{};
}

runtime::Task<Result<>> FrameLink::close_write() {
  {
    const std::lock_guard lock(mutex_);
    if (local_end_) co_return Result<>{};
    local_end_ = true;
  }
  co_return co_await send_frame({});
}

runtime::Task<Result<>> FrameLink::send_frame(BytesView in) {
  const auto self = shared_from_this();
  bool started = false;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) co_return fail(ErrorCode::kCancelled, "the stream was closed here");
      if (broken_) co_return fail(ErrorCode::kUnavailable, "the stream to the other node broke off");
      if (!writing_) {
        if (started) co_return Result<>{};
        outgoing_.set_data(in.data(), in.size());
        writing_ = started = true;
        begin_write(outgoing_);
      }
    }
    if (!co_await write_gate_->wait()) co_return fail(ErrorCode::kCancelled, "the writing task was stopped");
  }
}

void FrameLink::close() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  end(local_end_ && !writing_ && (remote_end_ || broken_));
  read_gate_->open();
  write_gate_->open();
}

void FrameLink::read_done(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    offset_ = 0;
    if (!ok) {
      incoming_.Clear();
      broken_ = true;
    } else if (incoming_.data().empty()) {
      remote_end_ = true;
    }
  }
  read_gate_->open();
}

void FrameLink::write_done(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
  }
  write_gate_->open();
}

void FrameLink::call_done() {
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  read_gate_->open();
  write_gate_->open();
}

}  // namespace bonus::net::rpc
