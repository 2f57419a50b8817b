// Tests of the workload document: round trips, determinism, and every refusal with the key that caused it.
#include "bonus/compute/api/workload.hpp"

#include <gtest/gtest.h>

namespace bonus::compute {
namespace {

Workload example() {
  Workload w;
  w.image = "hello:latest";
  w.manifest_digest.bytes.fill(0xab);
  w.args = {"-c", "echo \"hi\"\n"};
  w.entrypoint = {"/bin/sh"};
  w.env = {{"B", "2"}, {"A", "1=1"}};
  w.working_directory = "/srv";
  w.ports = {8080, 80};
  w.restart = RestartPolicy::kAlways;
  w.cpu_millis = 1500;
  w.memory_mib = 512;
  w.disk_mib = 2048;
  w.pids = 64;
  w.read_only_root = true;
  return w;
}

TEST(Workload, GoldenText) {
  EXPECT_EQ(example().to_json(),
            R"({"args":["-c","echo \"hi\"\n"],"cpu_millis":1500,"disk_mib":2048,"entrypoint":["/bin/sh"],)"
            R"("env":{"A":"1=1","B":"2"},"image":"hello:latest",)"
            R"("manifest":"sha256:abababababababababababababababababababababababababababababababab",)"
            R"("memory_mib":512,"pids":64,"ports":[8080,80],"read_only_root":true,"restart":"always","version":1,)"
            R"("working_directory":"/srv"})");
}

TEST(Workload, RoundTrip) {
  const std::string text = example().to_json();
  auto back = Workload::from_json(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->to_json(), text);
  EXPECT_EQ(back->args, example().args);
  EXPECT_EQ(back->env, example().env);
  EXPECT_EQ(back->ports, example().ports);
}

TEST(Workload, InternetIsWrittenOnlyWhereItIsAskedFor) {
  Workload w = example();
  EXPECT_EQ(w.to_json().find("internet"), std::string::npos);
  w.internet = true;
  EXPECT_NE(w.to_json().find(R"("image":"hello:latest","internet":true,"manifest")"), std::string::npos);
  const auto back = Workload::from_json(w.to_json());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(back->internet);
}

TEST(Workload, DefaultsWhenLeftOut) {
  auto w = Workload::from_json(R"({"version":1,"image":"a","manifest":"sha256:)" + std::string(64, '0') + R"("})");
  ASSERT_TRUE(w) << w.error().message;
  EXPECT_EQ(w->cpu_millis, 500U);
  EXPECT_EQ(w->restart, RestartPolicy::kOnFailure);
  EXPECT_FALSE(w->read_only_root);
}

// The golden text with `from` replaced by `to`.
std::string with(std::string_view from, std::string_view to) {
  std::string text = example().to_json();
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

struct Refusal {
  const char* name;
  std::string text;
  const char* says;
};

TEST(Workload, RefusesAndNamesTheKey) {
  std::string many_ports = "\"ports\":[1";
  for (int i = 2; i <= 17; ++i) many_ports += "," + std::to_string(i);
  const std::vector<Refusal> table = {
      {"no JSON", "{", "not JSON"},
      {"a list", "[]", "expected a JSON object"},
      {"trailing text", example().to_json() + "x", "not JSON"},
      {"unknown key", with("\"version\":1", "\"version\":1,\"privileged\":true"), "privileged"},
      {"key twice", with("\"version\":1", "\"version\":1,\"pids\":5"), "pids"},
      {"variable twice", with("\"A\":\"1=1\"", "\"B\":\"1\""), "B"},
      {"version 2", with("\"version\":1", "\"version\":2"), "version"},
      {"no image", with("\"image\":\"hello:latest\",", ""), "image"},
      {"image empty", with("hello:latest", ""), "image"},
      {"digest short", with("sha256:ab", "sha256:"), "manifest"},
      {"digest upper case", with("sha256:ab", "sha256:AB"), "manifest"},
      {"negative", with("1500", "-1"), "cpu_millis"},
      {"fraction", with("1500", "1.5"), "cpu_millis"},
      {"huge", with("\"memory_mib\":512", "\"memory_mib\":18446744073709551615"), "memory_mib"},
      {"no pids", with("\"pids\":64", "\"pids\":0"), "pids"},
      {"port 0", with("8080", "0"), "ports"},
      {"port 65536", with("8080", "65536"), "ports"},
      {"port twice", with("8080", "80"), "ports"},
      {"too many ports", with("\"ports\":[8080,80", many_ports), "ports"},
      {"restart", with("always", "sometimes"), "restart"},
      {"zero byte", with("\"-c\"", "\"-\\u0000\""), "args"},
      {"variable name", with("\"A\"", "\"A=\""), "env"},
      {"relative directory", with("\"/srv\"", "\"srv\""), "working_directory"},
      {"directory with ..", with("\"/srv\"", "\"/srv/../etc\""), "working_directory"},
      {"internet as text", with("\"version\":1", "\"internet\":\"yes\",\"version\":1"), "internet"},
      {"flag as text", with("\"read_only_root\":true", "\"read_only_root\":\"yes\""), "read_only_root"},
      {"too deep", with("\"args\":[", "\"args\":[[[[[[1]]]]],"), "not JSON"},
      {"too long", std::string(70'000, ' '), "longer"},
  };
  for (const auto& row : table) {
    auto got = Workload::from_json(row.text);
    ASSERT_FALSE(got) << row.name;
    EXPECT_EQ(got.error().code, ErrorCode::kInvalid) << row.name;
    EXPECT_NE(got.error().message.find(row.says), std::string::npos) << row.name << ": " << got.error().message;
  }
}

}  // namespace
}  // namespace bonus::compute
