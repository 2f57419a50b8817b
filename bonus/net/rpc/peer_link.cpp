// Client reactors of PeerLink.
#include "bonus/net/rpc/peer_link.hpp"

#include <boost/asio/steady_timer.hpp>

#include "bonus/net/rpc/frame_link.hpp"
#include "bonus/net/rpc/gate.hpp"

namespace bonus::net::rpc {
namespace {

constexpr auto kReconnectDelay = std::chrono::milliseconds(250);

Error from_status(const grpc::Status& status, const Peer& peer) {
  const std::string where = "node " + to_hex(peer.id).substr(0, 12) + " at " + peer.endpoint;
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {ErrorCode::kTimeout, where + " did not answer in time"};
    case grpc::StatusCode::CANCELLED:
      return {ErrorCode::kCancelled, "the call to " + where + " was stopped"};
    case grpc::StatusCode::UNAUTHENTICATED:
      return {ErrorCode::kDenied, where + " refused this node: " + status.error_message()};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return {ErrorCode::kExhausted, where + ": " + status.error_message()};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {ErrorCode::kUnsupported, where + ": " + status.error_message()};
    default:
      return {ErrorCode::kUnavailable, where + " cannot be reached: " + status.error_message()};
  }
}

class OpenReactor final : public FrameLink, public grpc::ClientBidiReactor<v1::Frame, v1::Frame> {
 public:
  explicit OpenReactor(PeerLink& link) : token_(link) {}
  void start(v1::Node::Stub& stub, std::string service, BytesView header) {
    self_ = std::static_pointer_cast<OpenReactor>(shared_from_this());
    first_.set_service(std::move(service));
    first_.set_data(header.data(), header.size());
    stub.async()->Open(&context_, this);
    // Operations are started from outside reactions until close(); the hold keeps the call from completing in between.
    AddHold();
    StartWrite(&first_);
    StartCall();
  }
  void OnReadDone(bool ok) override { read_done(ok); }
  void OnWriteDone(bool ok) override {
    if (!header_sent_.exchange(true)) {
      header_gate_->open();
      if (ok) return;
    }
    write_done(ok);
  }
  void OnDone(const grpc::Status& /*status*/) override {
    call_done();
    self_.reset();
  }
  [[nodiscard]] std::shared_ptr<Gate> header_gate() const { return header_gate_; }

 protected:
  void begin_read(v1::Frame* into) override { StartRead(into); }
  void begin_write(const v1::Frame& frame) override { StartWrite(&frame); }
  void end(bool graceful) override {
    if (graceful) {
      StartWritesDone();
    } else {
      context_.TryCancel();
    }
    RemoveHold();
  }

 private:
  PeerLink::Token token_;  // first: outlives the context, which refers to the channel
  grpc::ClientContext context_;
  v1::Frame first_;
  std::atomic<bool> header_sent_ = false;
  std::shared_ptr<Gate> header_gate_ = std::make_shared<Gate>();
  std::shared_ptr<OpenReactor> self_;  // gRPC's share of the ownership, until OnDone
};

struct PendingCall {
  explicit PendingCall(PeerLink& link) : token(link) {}
  PeerLink::Token token;  // first: outlives the context, which refers to the channel
  grpc::ClientContext context;
  v1::CallRequest request;
  v1::CallReply reply;
  grpc::Status status;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
};

}  // namespace

class PeerLink::NotifyReactor final : public grpc::ClientBidiReactor<v1::Notice, v1::Empty> {
 public:
  explicit NotifyReactor(PeerLink& link) : token_(link), link_(&link) {
    link.stub_->async()->Notify(&context_, this);
    AddHold();
    StartRead(&reply_);
    StartCall();
  }
  [[nodiscard]] bool ending() const { return released_; }
  void send(v1::Notice notice) {
    current_ = std::move(notice);
    StartWrite(&current_);
  }
  void cancel() { context_.TryCancel(); }
  void OnReadInitialMetadataDone(bool ok) override {
    const std::lock_guard lock(link_->mutex_);
    link_->connected_ = ok;
  }
  void OnReadDone(bool /*ok*/) override {
    // Nothing is ever sent back: this is the end of the connection.
    const std::lock_guard lock(link_->mutex_);
    link_->connected_ = false;
    release();
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(link_->mutex_);
    link_->writing_ = false;
    if (ok && !released_) link_->pump();
  }
  void OnDone(const grpc::Status& /*status*/) override {
    link_->stream_ended();
    delete this;
  }

 private:
  void release() {
    if (!std::exchange(released_, true)) RemoveHold();
  }
  Token token_;  // first: outlives the context, which refers to the channel
  PeerLink* link_;
  grpc::ClientContext context_;
  v1::Empty reply_;
  v1::Notice current_;
  bool released_ = false;
};

PeerLink::PeerLink(Peer peer, std::shared_ptr<grpc::Channel> channel, runtime::Executor executor, QueueLimits limits)
    : peer_(std::move(peer)),
      channel_(std::move(channel)),
      stub_(v1::Node::NewStub(channel_)),
      executor_(std::move(executor)),
      limits_(limits) {}

bool PeerLink::connected() const {
  const std::lock_guard lock(mutex_);
  return connected_;
}

void PeerLink::notify(std::string_view service, Bytes message) {
  v1::Notice notice;
  notice.set_service(service.data(), service.size());
  notice.set_data(message.data(), message.size());
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  used_ = true;
  queued_bytes_ += message.size();
  queue_.push_back(std::move(notice));
  while (queue_.size() > 1 && (queue_.size() > limits_.messages || queued_bytes_ > limits_.bytes)) {
    queued_bytes_ -= queue_.front().data().size();
    queue_.pop_front();
  }
  pump();
}

void PeerLink::pump() {
  if (stopped_ || queue_.empty() || writing_ || waiting_) return;
  if (stream_ != nullptr && stream_->ending()) return;  // stream_ended() comes next
  if (stream_ == nullptr) stream_ = new NotifyReactor(*this);
  writing_ = true;
  v1::Notice next = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= next.data().size();
  stream_->send(std::move(next));
}

void PeerLink::stream_ended() {
  const std::lock_guard lock(mutex_);
  stream_ = nullptr;
  writing_ = connected_ = false;
  if (!stopped_) retry_later();
}

void PeerLink::retry_later() {
  waiting_ = true;
  auto timer = std::make_shared<boost::asio::steady_timer>(executor_, kReconnectDelay);
  timer->async_wait([weak = weak_from_this(), timer](const boost::system::error_code&) {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    self->waiting_ = false;
    self->pump();
  });
}

runtime::Task<Result<Bytes>> PeerLink::call(std::string service, Bytes request, Duration timeout) {
  const auto self = shared_from_this();
  auto pending = std::make_shared<PendingCall>(*this);
  pending->context.set_deadline(std::chrono::system_clock::now() + timeout);  // gRPC takes deadlines on its own clock
  pending->request.set_service(std::move(service));
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) co_return fail(ErrorCode::kCancelled, "the transport was stopped");
    used_ = true;
    calls_.insert(&pending->context);
  }
  pending->request.set_data(request.data(), request.size());
  stub_->async()->Call(&pending->context, &pending->request, &pending->reply, [this, pending](grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      calls_.erase(&pending->context);
    }
    pending->status = std::move(status);
    pending->gate->open();
  });
  if (!co_await pending->gate->wait()) {
    pending->context.TryCancel();
    co_return fail(ErrorCode::kCancelled, "the calling task was stopped");
  }
  if (!pending->status.ok()) co_return fail(from_status(pending->status, peer_));
  const unsigned code = pending->reply.error_code();
  if (code != 0) {
    const bool known = code - 1 <= static_cast<unsigned>(ErrorCode::kInternal);
    co_return fail(known ? static_cast<ErrorCode>(code - 1) : ErrorCode::kInternal, pending->reply.error_message());
  }
  const std::string& data = pending->reply.data();
  co_return Bytes(data.begin(), data.end());
}

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> PeerLink::open(std::string service, Bytes header) {
  const auto self = shared_from_this();
  auto reactor = std::make_shared<OpenReactor>(*this);
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) co_return fail(ErrorCode::kCancelled, "the transport was stopped");
    used_ = true;
    if (streams_.size() >= 2 * active_) std::erase_if(streams_, [](const auto& stream) { return stream.expired(); });
    streams_.push_back(reactor);
    // With the lock held: stop() closes what it finds here, and gRPC knows nothing yet of a call that was not started.
    reactor->start(*stub_, std::move(service), header);
  }
  auto stream = std::make_unique<LinkStream>(reactor);
  if (!co_await reactor->header_gate()->wait()) co_return fail(ErrorCode::kCancelled, "the calling task was stopped");
  co_return std::unique_ptr<runtime::ByteStream>(std::move(stream));
}

void PeerLink::stop() {
  std::vector<std::weak_ptr<FrameLink>> streams;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
    queued_bytes_ = 0;
    if (stream_ != nullptr) stream_->cancel();
    for (auto* context : calls_) context->TryCancel();
    streams.swap(streams_);
  }
  for (const auto& weak : streams)
    if (const auto stream = weak.lock()) stream->close();
}

bool PeerLink::idle() const {
  const std::lock_guard lock(mutex_);
  return active_ == 0;
}

Duration PeerLink::unused_for(Instant now) {
  const std::lock_guard lock(mutex_);
  // The notify stream does not count: it stays open for the next message.
  const std::size_t own = stream_ == nullptr ? 0 : 1;
  if (std::exchange(used_, false) || active_ > own || !used_until_) used_until_ = now;
  return now - *used_until_;
}

void PeerLink::wait_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return active_ == 0; });
}

PeerLink::Token::Token(PeerLink& link) : link_(link) {
  // Atomic, because the notify stream is made with the link's lock held and the others without it.
  ++link_.active_;
}

PeerLink::Token::~Token() {
  const std::lock_guard lock(link_.mutex_);
  if (--link_.active_ == 0) link_.idle_.notify_all();
}

}  // namespace bonus::net::rpc
