// Reactors of the server side. Each reactor deletes itself in OnDone, as gRPC's callback interface wants.
#include "bonus/net/rpc/service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "bonus/base/log.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/rpc/frame_link.hpp"
#include "bonus/net/rpc/grpc_transport.hpp"

namespace bonus::net::rpc {
namespace {

/// Who calls: the tunnel lets no packet in whose source address is not the sender's own.
Result<NodeId> caller_of(const Handlers& handlers, const grpc::CallbackServerContext& context) {
  TRY_ASSIGN(const auto address, address_of_peer(context.peer()));
  return handlers.identify(address);
}

Bytes to_bytes(const std::string& text) { return {text.begin(), text.end()}; }

/// Some of a load for as long as it lives.
class Slot {
 public:
  /// Nothing when there is no room.
  static std::shared_ptr<Slot> take(const std::shared_ptr<Handlers>& handlers, Load Handlers::* load,
                                    const NodeId& caller, std::size_t amount = 1) {
    if (!(handlers.get()->*load).take(caller, amount)) return nullptr;
    return std::make_shared<Slot>(handlers, load, caller, amount);
  }
  Slot(std::shared_ptr<Handlers> handlers, Load Handlers::* load, const NodeId& caller, std::size_t amount)
      : handlers_(std::move(handlers)), load_(load), caller_(caller), amount_(amount) {}
  ~Slot() { (handlers_.get()->*load_).give_back(caller_, amount_); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

 private:
  std::shared_ptr<Handlers> handlers_;
  Load Handlers::* load_;
  NodeId caller_;
  std::size_t amount_;
};

class NotifyReactor final : public grpc::ServerBidiReactor<v1::Notice, v1::Empty> {
 public:
  NotifyReactor(std::shared_ptr<Handlers> handlers, NodeId from, std::shared_ptr<Slot> slot)
      : handlers_(std::move(handlers)), from_(from), slot_(std::move(slot)) {
    // The client takes the initial metadata as the sign that it is connected.
    StartSendInitialMetadata();
    StartRead(&notice_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    const auto handler = handlers_->messages.find(notice_.service());
    if (handler == handlers_->messages.end()) {
      StartRead(&notice_);
      return;
    }
    // The next message is read when this one has been handled: a flood waits in the peer's own queue.
    boost::asio::post(handlers_->executor,
                      [this, &deliver = handler->second, data = to_bytes(notice_.data())]() mutable {
                        deliver(from_, std::move(data));
                        StartRead(&notice_);
                      });
  }
  void OnCancel() override {}
  void OnDone() override { delete this; }

 private:
  std::shared_ptr<Handlers> handlers_;
  NodeId from_;
  std::shared_ptr<Slot> slot_;
  v1::Notice notice_;
};

class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryReactor(v1::CallReply* reply) : reply_(reply) {}
  void answer(const Result<Bytes>& result) {
    if (result) {
      reply_->set_data(result->data(), result->size());
    } else {
      reply_->set_error_code(1u + static_cast<unsigned>(result.error().code));
      reply_->set_error_message(result.error().message);
    }
    Finish(grpc::Status::OK);
  }
  /// Until the reply has been sent.
  void hold(std::shared_ptr<Slot> call, std::shared_ptr<Slot> bytes) {
    call_ = std::move(call);
    bytes_ = std::move(bytes);
  }
  void OnDone() override { delete this; }

 private:
  v1::CallReply* reply_;
  std::shared_ptr<Slot> call_, bytes_;
};

runtime::Task<> serve_call(std::shared_ptr<Handlers> handlers, const Transport::CallHandler* handler, NodeId from,
                           Bytes request, UnaryReactor* reactor, std::shared_ptr<Slot> slot) {
  Result<Bytes> result = fail(ErrorCode::kInternal, "the handler failed");
  try {
    result = co_await (*handler)(from, std::move(request));
  } catch (const std::exception& error) {
    log::error("net", "call_handler_threw", {{"what", error.what()}});
  }
  std::shared_ptr<Slot> bytes;
  if (result) {
    bytes = Slot::take(handlers, &Handlers::reply_bytes, from, result->size());
    if (!bytes) result = fail(ErrorCode::kExhausted, "the answers before this one have not been read");
  }
  reactor->hold(std::move(slot), std::move(bytes));
  reactor->answer(result);
}

class OpenReactor final : public FrameLink, public grpc::ServerBidiReactor<v1::Frame, v1::Frame> {
 public:
  OpenReactor(std::shared_ptr<Handlers> handlers, NodeId from, std::shared_ptr<Slot> slot)
      : handlers_(std::move(handlers)), from_(from), slot_(std::move(slot)) {}
  void accept() {
    self_ = std::static_pointer_cast<OpenReactor>(shared_from_this());
    StartRead(&first_);
  }
  void OnReadDone(bool ok) override {
    if (accepted_) {
      read_done(ok);
      return;
    }
    accepted_ = true;
    const auto handler = handlers_->streams.find(first_.service());
    if (!ok || handler == handlers_->streams.end()) {
      close_with(!ok ? grpc::Status::CANCELLED
                     : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no such service: " + first_.service()));
      return;
    }
    boost::asio::co_spawn(
        handlers_->executor,
        run(&handler->second, from_, to_bytes(first_.data()), std::make_unique<LinkStream>(self_), std::move(slot_)),
        boost::asio::detached);
  }
  void OnWriteDone(bool ok) override { write_done(ok); }
  void OnCancel() override { call_done(); }
  void OnDone() override {
    call_done();
    self_.reset();
  }

 protected:
  void begin_read(v1::Frame* into) override { StartRead(into); }
  void begin_write(const v1::Frame& frame) override { StartWrite(&frame); }
  // Finish sends what was written before it, so an ungraceful end loses nothing that the peer could still read.
  void end(bool /*graceful*/) override { close_with(grpc::Status::OK); }

 private:
  static runtime::Task<> run(const Transport::StreamHandler* handler, NodeId from, Bytes header,
                             std::unique_ptr<runtime::ByteStream> stream, std::shared_ptr<Slot> slot) {
    try {
      co_await (*handler)(from, std::move(header), std::move(stream));
    } catch (const std::exception& error) {
      log::error("net", "stream_handler_threw", {{"what", error.what()}});
    }
    slot.reset();
  }
  void close_with(const grpc::Status& status) {
    if (!finished_.exchange(true)) Finish(status);
  }

  std::shared_ptr<Handlers> handlers_;
  NodeId from_;
  std::shared_ptr<Slot> slot_;  // from before the first frame, so that silent streams count
  v1::Frame first_;
  bool accepted_ = false;
  std::atomic<bool> finished_ = false;
  std::shared_ptr<OpenReactor> self_;  // gRPC's share of the ownership, until OnDone
};

/// Ends a call at once.
template <class Reactor>
class Refusal final : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

grpc::Status crowded() { return {grpc::StatusCode::RESOURCE_EXHAUSTED, "this node serves too much already"}; }
grpc::Status denied(const Error& error) { return {grpc::StatusCode::UNAUTHENTICATED, error.message}; }

}  // namespace

bool Load::take(const NodeId& caller, std::size_t amount) {
  const std::scoped_lock lock(mutex_);
  std::size_t& share = share_[caller];
  const bool room = amount <= most_ - active_ && amount <= most_per_caller_ - share;
  if (room) {
    share += amount;
    active_ += amount;
  }
  if (share == 0) share_.erase(caller);
  return room;
}

void Load::give_back(const NodeId& caller, std::size_t amount) {
  const std::scoped_lock lock(mutex_);
  const auto found = share_.find(caller);
  if (found == share_.end()) return;  // nothing was held
  active_ -= amount;
  found->second -= amount;
  if (found->second == 0) share_.erase(found);
}

grpc::ServerBidiReactor<v1::Notice, v1::Empty>* NodeService::Notify(grpc::CallbackServerContext* context) {
  const auto from = caller_of(*handlers_, *context);
  if (!from) return new Refusal<grpc::ServerBidiReactor<v1::Notice, v1::Empty>>(denied(from.error()));
  auto slot = Slot::take(handlers_, &Handlers::notifies, *from);
  if (!slot) return new Refusal<grpc::ServerBidiReactor<v1::Notice, v1::Empty>>(crowded());
  return new NotifyReactor(handlers_, *from, std::move(slot));
}

grpc::ServerUnaryReactor* NodeService::Call(grpc::CallbackServerContext* context, const v1::CallRequest* request,
                                            v1::CallReply* reply) {
  auto* reactor = new UnaryReactor(reply);
  const auto from = caller_of(*handlers_, *context);
  if (!from) {
    reactor->Finish(denied(from.error()));
    return reactor;
  }
  const auto handler = handlers_->calls.find(request->service());
  if (handler == handlers_->calls.end()) {
    reactor->answer(fail(ErrorCode::kUnsupported, "this node has no service \"" + request->service() + "\""));
    return reactor;
  }
  auto slot = Slot::take(handlers_, &Handlers::calls_and_streams, *from);
  if (!slot) {
    reactor->answer(fail(ErrorCode::kExhausted, "this node serves too many calls already"));
    return reactor;
  }
  boost::asio::co_spawn(
      handlers_->executor,
      serve_call(handlers_, &handler->second, *from, to_bytes(request->data()), reactor, std::move(slot)),
      boost::asio::detached);
  return reactor;
}

grpc::ServerBidiReactor<v1::Frame, v1::Frame>* NodeService::Open(grpc::CallbackServerContext* context) {
  const auto from = caller_of(*handlers_, *context);
  if (!from) return new Refusal<grpc::ServerBidiReactor<v1::Frame, v1::Frame>>(denied(from.error()));
  auto slot = Slot::take(handlers_, &Handlers::calls_and_streams, *from);
  if (!slot) return new Refusal<grpc::ServerBidiReactor<v1::Frame, v1::Frame>>(crowded());
  auto reactor = std::make_shared<OpenReactor>(handlers_, *from, std::move(slot));
  reactor->accept();
  return reactor.get();
}

}  // namespace bonus::net::rpc
