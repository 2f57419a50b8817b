// Tests of BonusVM's parts that need no container: cgroup layouts, users of an image, the runtime's configuration,
// records, logs.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>

#include "bonus/compute/vm/cgroups.hpp"
#include "bonus/compute/vm/image_user.hpp"
#include "bonus/compute/vm/log_reader.hpp"
#include "bonus/compute/vm/oci_spec.hpp"
#include "bonus/compute/vm/record.hpp"
#include "bonus/compute/vm/test_support.hpp"

namespace bonus::compute::vm {
namespace {

namespace json = boost::json;

TEST(Cgroups, Version1WithSharedAndHybridMounts) {
  const std::string shared =
      "30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
      "32 25 0:28 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory\n"
      "33 25 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
  auto groups = Cgroups::parse(shared, "");
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ(groups->version(), 1);
  const auto paths = groups->paths_of("/b/c");
  EXPECT_EQ(paths.cpu, "/sys/fs/cgroup/cpu,cpuacct/b/c");
  EXPECT_EQ(paths.cpuacct, paths.cpu);
  EXPECT_EQ(paths.memory, "/sys/fs/cgroup/memory/b/c");
  EXPECT_EQ(Cgroups::parse(shared.substr(0, shared.find("33 ")), "").error().code, ErrorCode::kUnsupported);
}

TEST(Cgroups, Version2) {
  const std::string unified = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
  auto groups = Cgroups::parse(unified, "cpuset cpu io memory hugetlb pids\n");
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ(groups->version(), 2);
  EXPECT_EQ(groups->paths_of("/x").pids, "/sys/fs/cgroup/x");
  const auto lacking = Cgroups::parse(unified, "cpuset cpu io\n");
  ASSERT_FALSE(lacking);
  EXPECT_NE(lacking.error().message.find("'memory'"), std::string::npos);
  EXPECT_FALSE(Cgroups::parse("", ""));
}

TEST(Cgroups, UsageOfBothVersions) {
  const testing::TemporaryFolder folder;
  const auto put = [&](const char* name, const char* text) { std::ofstream(folder.path() + "/" + name) << text; };
  put("cpuacct.usage", "123456\n");
  put("cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 777\nusage_usec 9\nthrottled_usec 3\n");
  put("memory.usage_in_bytes", "4096\n");
  put("memory.max_usage_in_bytes", "8192\n");
  put("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  put("memory.current", "100\n");
  put("memory.events", "low 0\noom 3\noom_kill 1\n");
  put("pids.current", "7\n");
  const auto& p = folder.path();
  const auto one = read_cgroup({1, p, p, p, p});
  EXPECT_EQ(one.cpu_ns, 123456U);
  EXPECT_EQ(one.throttled_ns, 777U);
  EXPECT_EQ(one.memory_peak_bytes, 8192U);
  EXPECT_EQ(one.oom_kills, 2U);
  EXPECT_EQ(one.pids, 7U);
  const auto two = read_cgroup({2, p, p, p, p});
  EXPECT_EQ(two.cpu_ns, 9000U);
  EXPECT_EQ(two.throttled_ns, 3000U);
  EXPECT_EQ(two.memory_peak_bytes, 100U);  // no memory.peak on this kernel
  EXPECT_EQ(two.oom_kills, 1U);
}

TEST(ImageUser, Table) {
  const std::string passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34::/srv:/bin/false\n";
  const std::string group = "root:x:0:\nlogs:x:50:adm,web\nstaff:x:60:webber\n";
  const auto ids = [&](const std::string& user) { return resolve_user(user, passwd, group); };
  EXPECT_EQ(ids("")->uid, 0U);
  EXPECT_EQ(ids("")->home, "/root");
  EXPECT_EQ(ids("web")->uid, 33U);
  EXPECT_EQ(ids("web")->gid, 34U);
  EXPECT_EQ(ids("web")->additional_gids, std::vector<std::uint32_t>{50});
  EXPECT_EQ(ids("33")->gid, 34U);
  EXPECT_EQ(ids("web:logs")->gid, 50U);
  EXPECT_TRUE(ids("web:logs")->additional_gids.empty());
  EXPECT_EQ(ids("1234:5678")->uid, 1234U);
  EXPECT_EQ(ids("1234:5678")->gid, 5678U);
  EXPECT_EQ(ids("nobody").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ids("web:nogroup").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ids("-1").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ids("99999999999").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(resolve_user("", "", "")->uid, 0U);
}

TEST(ImageUser, FilesOfLayersAreNotFollowedOutside) {
  const testing::TemporaryFolder folder;
  const std::string upper = folder.path() + "/upper", lower = folder.path() + "/lower";
  std::filesystem::create_directories(upper + "/etc");
  std::filesystem::create_directories(lower + "/etc");
  std::ofstream(lower + "/etc/passwd") << "lower";
  EXPECT_EQ(read_from_layers({upper, lower}, "etc", "passwd", 100), "lower");
  EXPECT_EQ(read_from_layers({upper, lower}, "etc", "passwd", 3), "");  // larger than wanted
  std::filesystem::create_symlink("/etc/passwd", upper + "/etc/passwd");
  EXPECT_EQ(read_from_layers({upper, lower}, "etc", "passwd", 1 << 20), "");
  std::filesystem::remove_all(upper + "/etc");
  std::filesystem::create_symlink("/etc", upper + "/etc");
  EXPECT_EQ(read_from_layers({upper, lower}, "etc", "passwd", 1 << 20), "");
}

TEST(OciSpec, LimitsAndClamps) {
  Workload w;
  w.args = {"a"};
  w.cpu_millis = 250;
  w.memory_mib = 64;
  w.pids = 9;
  ImageConfig image;
  image.entrypoint = {"/e"};
  image.cmd = {"c"};
  MachineLimits machine{4096, 700, true};
  auto made = make_spec({w, image, {}, machine, "host", "/bundle", "/b/c", ""});
  ASSERT_TRUE(made) << made.error().message;
  const json::value spec = json::parse(*made);
  const auto at = [&](const char* pointer) -> const json::value& { return spec.at_pointer(pointer); };
  EXPECT_EQ(json::serialize(at("/process/args")), R"(["/e","a"])");
  EXPECT_EQ(at("/process/rlimits/0/hard").to_number<int>(), 4096);
  EXPECT_EQ(at("/process/oomScoreAdj").to_number<int>(), 700);
  EXPECT_EQ(at("/linux/resources/cpu/quota").to_number<int>(), 25'000);
  EXPECT_EQ(at("/linux/resources/memory/limit").to_number<int>(), 64 << 20);
  EXPECT_EQ(at("/linux/resources/memory/swap").to_number<int>(), 64 << 20);
  EXPECT_EQ(at("/linux/resources/pids/limit").to_number<int>(), 9);
  EXPECT_TRUE(at("/process/noNewPrivileges").as_bool());
  EXPECT_EQ(at("/linux/seccomp/defaultAction").as_string(), "SCMP_ACT_ERRNO");
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
    EXPECT_NE(json::serialize(at("/linux/namespaces")).find(std::string("\"") + type + "\""), std::string::npos)
        << type;
  for (const char* forbidden : {"CAP_SYS_", "CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_MKNOD"})
    EXPECT_EQ(json::serialize(at("/process/capabilities")).find(forbidden), std::string::npos) << forbidden;

  w.entrypoint = {"/mine"};
  w.args.clear();
  made = make_spec({w, image, {}, machine, "host", "/bundle", "/b/c", ""});
  EXPECT_EQ(json::serialize(json::parse(*made).at_pointer("/process/args")), R"(["/mine"])");  // not the image's Cmd
  made = make_spec({w, image, {}, machine, "host", "/bundle", "/b/c", "/bundle/network"});
  EXPECT_EQ(json::serialize(json::parse(*made).at_pointer("/linux/namespaces/1")),
            R"({"type":"network","path":"/bundle/network"})");
  EXPECT_EQ(make_spec({Workload{}, {}, {}, machine, "h", "/b", "/c", ""}).error().code, ErrorCode::kInvalid);

  ExecRequest exec;
  EXPECT_EQ(make_exec_process(*made, exec).error().code, ErrorCode::kInvalid);
  exec.argv = {"sh"};
  exec.tty = true;
  exec.env = {{"A", "b"}};
  const auto process = make_exec_process(*made, exec);
  ASSERT_TRUE(process);
  EXPECT_NE(process->find(R"("A=b")"), std::string::npos);
  EXPECT_NE(process->find("TERM=xterm"), std::string::npos);
  EXPECT_NE(process->find("noNewPrivileges\":true"), std::string::npos);
  EXPECT_EQ(make_exec_process("{}", exec).error().code, ErrorCode::kCorrupt);
}

TEST(Record, RoundTripAndDamage) {
  Record record;
  record.workload.image = "a:b";
  record.workload.args = {"x"};
  record.image = {{"/e"}, {"c"}, {"A=1"}, "/w", "web"};
  record.layers = {Hash32{}, Hash32{}};
  record.layers[1].bytes.fill(7);
  record.status.id = "lease-1";
  record.status.state = ContainerState::kExited;
  record.status.exit_code = 137;
  record.status.out_of_memory = true;
  record.status.message = "m";
  record.status.restarts = 4;
  record.status.started_at_ms = 5;
  record.status.finished_at_ms = 6;
  record.prepared = true;
  record.cpu_ns_before = 8;
  const Bytes bytes = encode_put(record);
  auto back = decode_change(bytes);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_TRUE(back->record);
  EXPECT_EQ(encode_put(*back->record), bytes);
  EXPECT_EQ(back->record->status.exit_code, 137);
  EXPECT_EQ(back->record->layers, record.layers);
  EXPECT_FALSE(decode_change(encode_remove("lease-1"))->record);
  for (std::size_t cut = 0; cut < bytes.size(); cut += 7)
    EXPECT_EQ(decode_change(BytesView(bytes).first(cut)).error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(decode_change(encode_remove("../../etc")));
  EXPECT_TRUE(is_valid_id("lease-42"));
  for (const char* bad : {"", "-a", "A", "a/b", "a.b", "a b"}) EXPECT_FALSE(is_valid_id(bad)) << bad;
  EXPECT_FALSE(is_valid_id(std::string(65, 'a')));
}

TEST(LogReader, PartialLinesRotationAndGrowth) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01.500000000Z"), 1500);
  EXPECT_EQ(parse_rfc3339("2000-02-29T12:00:00.000Z"), 951825600000);
  EXPECT_EQ(parse_rfc3339("2001-02-29T12:00:00.000Z"), 0);
  EXPECT_EQ(parse_rfc3339("nonsense"), 0);
  const testing::TemporaryFolder folder;
  const std::string time = "1970-01-01T00:00:01.000000000Z ";
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder.path() + "/" + name, std::ios::app) << text;
  };
  LogReader reader(folder.path(), 0);
  EXPECT_TRUE(reader.next(10)->empty());
  write("00000001.log", time + "stdout P one \n" + time + "stderr F err\n" + time + "stdout F two\nrubbish\n" + time);
  auto lines = reader.next(10);
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ((*lines)[0].text, "err");
  EXPECT_TRUE((*lines)[0].is_stderr);
  EXPECT_EQ((*lines)[1].text, "one two");
  EXPECT_EQ((*lines)[1].time_ms, 1000);
  write("00000001.log", "stdout F three\n");  // the rest of a line that was cut
  write("00000002.log", time + "stdout F four\n");
  std::vector<std::string> rest;
  for (int i = 0; i < 3; ++i)
    for (const auto& line : *reader.next(10)) rest.push_back(line.text);
  EXPECT_EQ(rest, (std::vector<std::string>{"three", "four"}));
  LogReader tail(folder.path(), 2);
  const auto last = tail.next(10);
  ASSERT_EQ(last->size(), 2U);
  EXPECT_EQ(last->front().text, "three");
}

}  // namespace
}  // namespace bonus::compute::vm
