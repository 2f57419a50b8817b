// Tests of ContainerService against the real OCI runtime, in a state directory of their own. They need root, cgroups
// and overlayfs.
#include "bonus/compute/vm/container_service.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <thread>

#include "bonus/compute/vm/test_support.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::compute::vm {
namespace {

namespace net = boost::asio;
using namespace std::chrono_literals;
using testing::Tar;

// The image of all tests: the guest program and a few users.
std::string base_layer() {
  const std::string guest = std::filesystem::read_symlink("/proc/self/exe").parent_path().string() + "/bonus-vm-guest";
  auto program = runtime::system_disk().read_file(guest, 64 << 20);
  if (!program) return {};
  return Tar()
      .folder("bin/")
      .file("bin/guest", std::string(as_text(*program)), 0755)
      .folder("tmp/", 01777)
      .folder("old/")
      .file("old/hidden", "")
      .file("below", "")
      .folder("etc/")
      .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/false\n")
      .file("etc/group", "root:x:0:\nweb:x:34:\nlogs:x:50:web\n")
      .finish();
}
std::string upper_layer() {
  return Tar().file(".wh.below", "").folder("old/").file("old/.wh..wh..opq", "").file("old/new", "").finish();
}

class Service : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    base_ = new std::string(base_layer());
    upper_ = new std::string(upper_layer());
  }
  void SetUp() override {
    options_.state_directory = folder_.path() + "/vm";
    options_.backoff_least = 20ms;
    options_.backoff_most = 200ms;
    threads_.emplace_back([this] { io_.run(); });
    threads_.emplace_back([this] { io_.run(); });
    auto opened = ContainerService::open(io_.get_executor(), pool_, runtime::system_clock(), images_, options_);
    if (!opened && opened.error().code == ErrorCode::kUnsupported) GTEST_SKIP() << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_FALSE(base_->empty()) << "bonus-vm-guest is not beside this test";
    service_ = std::move(*opened);
    Image image;
    image.entrypoint = {"/bin/guest"};
    image.env = {"FROM_IMAGE=1", "BOTH=image"};
    image.os = "linux";
    plain_ = images_.add(image, {*base_, *upper_});
    image.user = "web";
    image.working_directory = "/srv/work";
    image.cmd = {"who", "/below", "/old/hidden", "/old/new"};
    web_ = images_.add(image, {*base_, *upper_});
  }
  void TearDown() override {
    if (service_) {
      for (const auto& status : service_->list()) EXPECT_TRUE(run(service_->stop(status.id, 0ms))) << status.id;
      EXPECT_TRUE(std::filesystem::is_empty(options_.state_directory + "/containers"));
      close();
    }
    guard_.reset();
    io_.stop();
    threads_.clear();
  }
  void close() {
    if (service_) run(service_->shutdown());
    service_.reset();
  }

  template <class T>
  T run(runtime::Task<T> task) {
    auto future = net::co_spawn(io_, std::move(task), net::use_future);
    if (future.wait_for(60s) != std::future_status::ready) {
      ADD_FAILURE() << "a task hangs";
      std::abort();
    }
    return future.get();
  }

  Workload workload(std::vector<std::string> args) const {
    Workload w;
    w.image = "test:latest";
    w.manifest_digest = plain_;
    w.args = std::move(args);
    w.restart = RestartPolicy::kNever;
    w.memory_mib = 64;
    w.disk_mib = 32;
    w.pids = 32;
    w.cpu_millis = 1000;
    return w;
  }
  ContainerStatus start(const std::string& id, const Workload& w) {
    auto status = run(service_->start(id, w));
    EXPECT_TRUE(status) << status.error().message;
    return status ? *status : ContainerStatus{};
  }
  template <class Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 1500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(20ms);
    }
    return false;
  }
  ContainerStatus ended(const std::string& id) {
    EXPECT_TRUE(eventually([&] { return service_->status(id).value().state >= ContainerState::kExited; })) << id;
    return service_->status(id).value();
  }
  runtime::Task<Result<std::vector<LogLine>>> collect(std::string id, LogQuery query, std::size_t limit) {
    auto lines = std::make_shared<std::vector<LogLine>>();
    std::function<runtime::Task<bool>(LogLine)> sink = [lines, limit](LogLine line) {
      return keep(lines, line, limit);
    };
    auto reading = service_->logs(id, query, sink);
    CO_TRY(co_await std::move(reading));
    co_return *lines;
  }
  static runtime::Task<bool> keep(std::shared_ptr<std::vector<LogLine>> lines, LogLine line, std::size_t limit) {
    lines->push_back(std::move(line));
    co_return lines->size() < limit;
  }
  std::string log_text(const std::string& id) {
    auto lines = run(collect(id, {}, SIZE_MAX));
    std::string out;
    if (lines)
      for (const auto& line : *lines) out += (line.is_stderr ? "E:" : "O:") + line.text + "\n";
    return out;
  }
  bool log_has(const std::string& id, const std::string& text) { return log_text(id).find(text) != std::string::npos; }

  void listen() {
    service_->on_change([this](const ContainerStatus& status) {
      const std::scoped_lock lock(mutex_);
      seen_.push_back(status);
    });
  }

  struct Output {
    std::string out, err;
    int exit_code = -1;
  };
  // Until the end, or until stdout contains `until`.
  static runtime::Task<Result<Output>> read_exec(ExecSession* session, std::string until) {
    Output out;
    while (true) {
      auto reading = session->read();
      CO_TRY_ASSIGN(auto frame, co_await std::move(reading));
      const std::string text(as_text(frame.data));
      if (frame.kind == ExecSession::Frame::Kind::kStdout) out.out += text;
      if (frame.kind == ExecSession::Frame::Kind::kStderr) out.err += text;
      if (frame.kind == ExecSession::Frame::Kind::kExit) {
        out.exit_code = frame.exit_code;
        co_return out;
      }
      if (!until.empty() && out.out.find(until) != std::string::npos) co_return out;
    }
  }

  std::mutex mutex_;
  std::vector<ContainerStatus> seen_;  // guarded by mutex_
  static inline std::string* base_ = nullptr;
  static inline std::string* upper_ = nullptr;
  testing::TemporaryFolder folder_;
  VmOptions options_;
  testing::MemoryImages images_;
  Hash32 plain_, web_;
  net::io_context io_;
  std::optional<net::executor_work_guard<net::io_context::executor_type>> guard_{io_.get_executor()};
  std::vector<std::jthread> threads_;
  runtime::BlockingPool pool_{4, 256};
  std::unique_ptr<ContainerService> service_;
};

TEST_F(Service, OutputExitCodeAndLogs) {
  const auto status = start("one", workload({"exit", "3"}));
  EXPECT_GT(status.started_at_ms, 0);
  const auto end = ended("one");
  EXPECT_EQ(end.exit_code, 3);
  EXPECT_EQ(end.state, ContainerState::kExited);
  EXPECT_FALSE(end.out_of_memory);
  EXPECT_EQ(end.message, "exited with 3");
  EXPECT_GE(end.finished_at_ms, end.started_at_ms);
  const std::string text = log_text("one");
  EXPECT_NE(text.find("O:out line\n"), std::string::npos) << text;
  EXPECT_NE(text.find("E:err line\n"), std::string::npos) << text;
  EXPECT_GT(service_->usage("one").value().cpu_ns, 0U);
  EXPECT_EQ(run(service_->start("one", workload({"exit", "0"}))).error().code, ErrorCode::kExists);
  EXPECT_TRUE(run(service_->stop("one", 0ms)));
  EXPECT_EQ(service_->status("one").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(log_has("one", "out line"));  // logs are kept for a while
}

TEST_F(Service, ImageConfigLayersUserAndEnvironment) {
  Workload w = workload({});
  w.manifest_digest = web_;
  w.env = {{"BOTH", "workload"}, {"MINE", "a b"}};
  start("who", w);
  EXPECT_EQ(ended("who").exit_code, 0);
  const std::string text = log_text("who");
  for (const char* expected :
       {"uid=33 gid=34 cwd=/srv/work", "env FROM_IMAGE=1", "env BOTH=workload", "env MINE=a b", "env HOME=/srv",
        "env HOSTNAME=who", "/below absent", "/old/hidden absent", "/old/new exists"})
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " is not in\n" << text;
}

TEST_F(Service, WhatCannotStartLeavesNothing) {
  Workload w = workload({});
  w.entrypoint = {"/bin/absent"};
  const auto missing = run(service_->start("bad", w));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/bin/absent"), std::string::npos) << missing.error().message;
  w.manifest_digest.bytes.fill(1);
  EXPECT_EQ(run(service_->start("bad", w)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(service_->start("../evil", w)).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(run(service_->start("", w)).error().code, ErrorCode::kInvalid);
  w.pids = 0;
  EXPECT_EQ(run(service_->start("bad", w)).error().code, ErrorCode::kInvalid);
  Image image;
  image.entrypoint = {"/bin/guest"};
  image.user = "nobody-here";
  w = workload({"exit", "0"});
  w.manifest_digest = images_.add(image, {*base_});
  EXPECT_NE(run(service_->start("bad", w)).error().message.find("nobody-here"), std::string::npos);
  w.manifest_digest = images_.add({}, {Tar().file("../evil", "").finish()});
  EXPECT_NE(run(service_->start("bad", w)).error().message.find("'..'"), std::string::npos);
  EXPECT_TRUE(service_->list().empty());
  EXPECT_TRUE(std::filesystem::is_empty(options_.state_directory + "/containers"));
}

TEST_F(Service, StopsWithGrace) {
  start("polite", workload({"polite"}));
  EXPECT_TRUE(eventually([&] { return log_has("polite", "waiting"); }));
  EXPECT_TRUE(run(service_->stop("polite", 30s)));
  EXPECT_TRUE(log_has("polite", "goodbye"));
  // The first process of a pid namespace ignores SIGTERM unless it handles it: only SIGKILL ends this one.
  start("deaf", workload({"wait"}));
  EXPECT_TRUE(run(service_->stop("deaf", 50ms)));
  EXPECT_FALSE(service_->status("deaf"));
  EXPECT_EQ(run(service_->stop("deaf", 0ms)).error().code, ErrorCode::kNotFound);
}

TEST_F(Service, MemoryHogIsKilled) {
  Workload w = workload({"hog"});
  w.memory_mib = 32;
  start("hog", w);
  const auto end = ended("hog");
  EXPECT_TRUE(end.out_of_memory);
  EXPECT_EQ(end.exit_code, 137);
  EXPECT_EQ(end.message, "out of memory: it needed more than 32 MiB");
  EXPECT_TRUE(log_has("hog", "holding 16"));
  EXPECT_FALSE(log_has("hog", "holding 40"));
}

TEST_F(Service, ForkBombIsContained) {
  start("bomb", workload({"forkbomb"}));
  EXPECT_TRUE(eventually([&] { return log_has("bomb", "then Resource temporarily unavailable"); })) << log_text("bomb");
  const auto usage = service_->usage("bomb");
  ASSERT_TRUE(usage);
  EXPECT_LE(usage->pids, 32U);
  EXPECT_GT(usage->pids, 16U);
}

TEST_F(Service, CpuQuotaThrottles) {
  Workload w = workload({"spin"});
  w.cpu_millis = 100;
  start("spin", w);
  EXPECT_TRUE(eventually([&] { return service_->usage("spin").value().throttled_ns > 0; }));
  EXPECT_GT(service_->usage("spin").value().cpu_ns, 0U);
}

TEST_F(Service, DiskIsLimited) {
  Workload w = workload({"write", "/data", "64"});
  w.restart = RestartPolicy::kAlways;
  if (!std::filesystem::exists("/dev/loop-control")) GTEST_SKIP() << "no loop devices here: see DiskLimitByPolling";
  w.restart = RestartPolicy::kNever;
  start("disk", w);
  EXPECT_EQ(ended("disk").exit_code, 8);
  EXPECT_TRUE(log_has("disk", "No space left on device")) << log_text("disk");
}

TEST_F(Service, DiskLimitByPolling) {
  close();
  options_.use_loop_disks = false;
  options_.disk_poll = 50ms;
  auto opened = ContainerService::open(io_.get_executor(), pool_, runtime::system_clock(), images_, options_);
  ASSERT_TRUE(opened) << opened.error().message;
  service_ = std::move(*opened);
  Workload w = workload({"polite"});
  start("waits", w);
  w = workload({"write", "/data", "40"});
  w.restart = RestartPolicy::kAlways;  // writes 40 MiB again and again until it is ended
  w.memory_mib = 256;
  start("disk", w);
  const auto end = ended("disk");
  EXPECT_EQ(end.state, ContainerState::kFailed);
  EXPECT_EQ(end.message, "disk full: it wrote more than 32 MiB");
  EXPECT_EQ(service_->status("waits").value().state, ContainerState::kRunning);
}

TEST_F(Service, ReadOnlyRoot) {
  Workload w = workload({"write", "/data", "1"});
  w.read_only_root = true;
  start("ro", w);
  EXPECT_EQ(ended("ro").exit_code, 1);
  EXPECT_TRUE(log_has("ro", "open: Read-only file system")) << log_text("ro");
}

TEST_F(Service, NothingDangerousIsAllowed) {
  start("attack", workload({"attack"}));
  EXPECT_EQ(ended("attack").exit_code, 0);
  const std::string text = log_text("attack");
  EXPECT_EQ(text.find("ALLOWED"), std::string::npos) << text;
  for (const char* expected : {"mount=", "unshare_user=", "unshare_net=", "mknod=", "raw_socket=", "packet_socket=",
                               "ptrace=", "open_sysctl=", "connect_outside=Network is unreachable", "interfaces=lo\n",
                               "NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t00000000000005fb", "pid=1\n"})
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " is not in\n" << text;
}

TEST_F(Service, DialReachesAServerInside) {
  start("server", workload({"serve", "80"}));
  EXPECT_TRUE(eventually([&] { return log_has("server", "serving"); }));
  for (int i = 0; i < 3; ++i) {
    auto stream = run(service_->dial("server", 80));
    ASSERT_TRUE(stream) << stream.error().message;
    const std::string hello = "hello";
    EXPECT_TRUE(run((*stream)->write(as_bytes(hello))));
    Bytes answer(64);
    const auto n = run((*stream)->read(answer));
    ASSERT_TRUE(n) << n.error().message;
    EXPECT_EQ(as_text(BytesView(answer).first(*n)), "echo:hello");
  }
  EXPECT_EQ(run(service_->dial("server", 81)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(run(service_->dial("nobody", 80)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(service_->dial("server", 0)).error().code, ErrorCode::kInvalid);
}

TEST_F(Service, ExecWithPipes) {
  start("host", workload({"wait"}));
  ExecRequest request;
  request.argv = {"/bin/guest", "cat"};
  auto session = run(service_->exec("host", request));
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ((*session)->resize(10, 10).error().code, ErrorCode::kUnsupported);
  const std::string big(200'000, 'x');  // more than a pipe holds: both directions must move
  auto writing = net::co_spawn(io_, (*session)->write_stdin(as_bytes(big)), net::use_future);
  auto closing = [](ExecSession* s, std::future<Result<>> written) {
    (void)written.get();
    return s;
  };
  std::jthread closer([&, written = std::move(writing)]() mutable {
    ExecSession* s = closing(session->get(), std::move(written));
    (void)net::co_spawn(io_, s->close_stdin(), net::use_future).get();
  });
  const auto output = run(read_exec(session->get(), ""));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, big);
  EXPECT_EQ(output->err, "end of input\n");
  EXPECT_EQ(output->exit_code, 4);

  request.argv = {"/bin/guest", "who"};
  request.env = {{"EXTRA", "yes"}};
  session = run(service_->exec("host", request));
  ASSERT_TRUE(session) << session.error().message;
  const auto who = run(read_exec(session->get(), ""));
  EXPECT_NE(who->out.find("env EXTRA=yes"), std::string::npos);
  EXPECT_EQ(who->exit_code, 0);

  request.argv = {"/no/such/program"};
  const auto missing = run(service_->exec("host", request));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/no/such/program"), std::string::npos) << missing.error().message;

  request.argv = {"/bin/guest", "wait"};
  session = run(service_->exec("host", request));
  ASSERT_TRUE(session) << session.error().message;
  (*session)->kill();
  EXPECT_EQ(run(read_exec(session->get(), ""))->exit_code, 137);

  // Closing a session ends its process.
  session = run(service_->exec("host", request));
  ASSERT_TRUE(session);
  EXPECT_TRUE(eventually([&] { return service_->usage("host")->pids == 2; }));
  session->reset();
  EXPECT_TRUE(eventually([&] { return service_->usage("host")->pids == 1; }));
}

TEST_F(Service, ExecWithTerminal) {
  start("host", workload({"wait"}));
  ExecRequest request;
  request.argv = {"/bin/guest", "terminal"};
  request.tty = true;
  request.columns = 100;
  request.rows = 30;
  auto session = run(service_->exec("host", request));
  ASSERT_TRUE(session) << session.error().message;
  // The size is set right after the start: the program may have looked before it, but is told of the change then.
  auto output = run(read_exec(session->get(), "size=100x30"));
  ASSERT_TRUE(output);
  EXPECT_NE(output->out.find("tty=1"), std::string::npos) << output->out;
  EXPECT_TRUE((*session)->resize(120, 40));
  output = run(read_exec(session->get(), "size=120x40"));
  EXPECT_NE(output->out.find("size=120x40"), std::string::npos) << output->out;
  const std::string line = "abc\n", quit = "quit\n";
  EXPECT_TRUE(run((*session)->write_stdin(as_bytes(line))));
  output = run(read_exec(session->get(), "read abc"));
  EXPECT_NE(output->out.find("read abc"), std::string::npos) << output->out;
  EXPECT_TRUE(run((*session)->write_stdin(as_bytes(quit))));
  EXPECT_EQ(run(read_exec(session->get(), ""))->exit_code, 5);

  session = run(service_->exec("host", request));
  ASSERT_TRUE(session);
  EXPECT_TRUE(run((*session)->close_stdin()));
  EXPECT_EQ(run(read_exec(session->get(), ""))->exit_code, 3);
}

TEST_F(Service, RestartPolicyKeepsTheDisk) {
  listen();
  Workload w = workload({"count", "1"});
  w.restart = RestartPolicy::kOnFailure;
  start("again", w);
  EXPECT_TRUE(eventually([&] { return log_has("again", "run 3"); })) << log_text("again");
  EXPECT_GE(service_->status("again")->restarts, 2U);
  EXPECT_TRUE(run(service_->stop("again", 0ms)));
  const std::scoped_lock lock(mutex_);
  ASSERT_GE(seen_.size(), 2U);
  EXPECT_EQ(seen_[0].state, ContainerState::kPreparing);
  EXPECT_NE(seen_[0].message.find("exited with 1; starting again"), std::string::npos) << seen_[0].message;
  EXPECT_EQ(seen_[1].state, ContainerState::kRunning);

  w = workload({"count", "0"});
  w.restart = RestartPolicy::kOnFailure;
  start("once", w);
  EXPECT_EQ(ended("once").restarts, 0U);
}

TEST_F(Service, LogsTailFollowAndRotate) {
  close();
  options_.log_file_bytes = 64 << 10;
  options_.log_files = 3;
  auto opened = ContainerService::open(io_.get_executor(), pool_, runtime::system_clock(), images_, options_);
  ASSERT_TRUE(opened) << opened.error().message;
  service_ = std::move(*opened);
  start("flood", workload({"flood", "5000"}));
  ended("flood");
  LogQuery tail;
  tail.tail = 3;
  const auto last = run(collect("flood", tail, SIZE_MAX));
  ASSERT_TRUE(last);
  ASSERT_EQ(last->size(), 3U);
  EXPECT_TRUE(last->front().text.starts_with("line 4997 "));
  EXPECT_TRUE(last->back().text.starts_with("line 4999 "));
  EXPECT_GT(last->back().time_ms, 1'600'000'000'000);
  tail.tail = 900;  // more than one file holds
  EXPECT_EQ(run(collect("flood", tail, SIZE_MAX))->size(), 900U);
  const auto kept = run(collect("flood", {}, SIZE_MAX));
  EXPECT_LT(kept->size(), 5000U);  // the oldest were rotated away
  EXPECT_TRUE(kept->back().text.starts_with("line 4999 "));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.state_directory + "/logs/flood"))
    files += entry.path().extension() == ".log" ? 1 : 0;
  EXPECT_LE(files, 3U);

  LogQuery follow;
  follow.follow = true;
  start("polite", workload({"polite"}));
  auto following = net::co_spawn(io_, collect("polite", follow, SIZE_MAX), net::use_future);
  EXPECT_TRUE(eventually([&] { return log_has("polite", "waiting"); }));
  EXPECT_TRUE(run(service_->stop("polite", 30s)));
  const auto lines = following.get();  // ends with the container
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ(lines->back().text, "goodbye");
  EXPECT_EQ(run(collect("../x", {}, 1)).error().code, ErrorCode::kNotFound);
}

TEST_F(Service, AnotherProcessAdoptsWhatRuns) {
  start("lives", workload({"serve", "80"}));
  start("dies", workload({"polite"}));
  Workload w = workload({"polite"});
  w.restart = RestartPolicy::kAlways;
  start("returns", w);
  EXPECT_TRUE(eventually(
      [&] { return log_has("lives", "serving") && log_has("dies", "waiting") && log_has("returns", "waiting"); }));
  EXPECT_EQ(ContainerService::open(io_.get_executor(), pool_, runtime::system_clock(), images_, options_).error().code,
            ErrorCode::kConflict);
  const auto before = service_->status("lives").value();
  const std::string state = options_.state_directory;
  const auto pid_of = [&](const std::string& id) {
    auto text = runtime::system_disk().read_file(state + "/containers/" + id + "/init.pid", 32);
    return text ? std::atoi(std::string(as_text(*text)).c_str()) : -1;
  };
  const int lives = pid_of("lives");
  close();
  // While nobody watches: two processes end, one lives.
  for (const char* id : {"dies", "returns"}) ASSERT_EQ(::kill(pid_of(id), SIGTERM), 0);
  for (const char* id : {"dies", "returns"})
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(state + "/containers/" + id + "/exit"); }));

  auto opened = ContainerService::open(io_.get_executor(), pool_, runtime::system_clock(), images_, options_);
  ASSERT_TRUE(opened) << opened.error().message;
  service_ = std::move(*opened);
  listen();
  EXPECT_EQ(pid_of("lives"), lives);
  EXPECT_EQ(service_->status("lives")->state, ContainerState::kRunning);
  EXPECT_EQ(service_->status("lives")->started_at_ms, before.started_at_ms);
  EXPECT_TRUE(run(service_->dial("lives", 80)));
  EXPECT_GT(service_->usage("lives")->memory_bytes, 0U);
  EXPECT_EQ(ended("dies").exit_code, 7);
  EXPECT_TRUE(eventually([&] {
    const auto status = service_->status("returns");
    return status->state == ContainerState::kRunning && status->restarts == 1;
  }));
  const std::scoped_lock lock(mutex_);
  EXPECT_TRUE(std::ranges::any_of(seen_, [](const auto& s) { return s.id == "dies" && s.exit_code == 7; }));
}

TEST_F(Service, AKilledShimIsReported) {
  start("orphan", workload({"wait"}));
  auto text = runtime::system_disk().read_file(options_.state_directory + "/containers/orphan/shim.pid", 64);
  ASSERT_TRUE(text);
  ASSERT_EQ(::kill(std::atoi(std::string(as_text(*text)).c_str()), SIGKILL), 0);
  const auto end = ended("orphan");
  EXPECT_EQ(end.exit_code, 255);
  EXPECT_NE(end.message.find("supervisor"), std::string::npos) << end.message;
  EXPECT_EQ(service_->usage("orphan")->pids, 0U);  // its processes were ended too
}

}  // namespace
}  // namespace bonus::compute::vm
