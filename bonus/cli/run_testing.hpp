// For tests of the command line: a console that remembers, a run of the whole program, folders that go away.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bonus/cli/app.hpp"

namespace bonus::cli {

/// Two memory streams in place of standard output and error.
class Captured {
 public:
  Captured() : out_(open_memstream(&out_text_, &out_size_)), err_(open_memstream(&err_text_, &err_size_)) {}
  ~Captured() {
    std::fclose(out_);
    std::fclose(err_);
    free(out_text_);
    free(err_text_);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  [[nodiscard]] Console console(bool tty = false) { return {out_, err_, tty, tty, tty}; }
  [[nodiscard]] std::string out() {
    std::fflush(out_);
    return {out_text_, out_size_};
  }
  [[nodiscard]] std::string err() {
    std::fflush(err_);
    return {err_text_, err_size_};
  }

 private:
  char *out_text_ = nullptr, *err_text_ = nullptr;
  std::size_t out_size_ = 0, err_size_ = 0;
  std::FILE *out_, *err_;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bonus-cli-XXXXXX").string();
    path_ = ::mkdtemp(name.data()) == nullptr ? std::string() : name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Ran {
  int code = 0;
  std::string out, err;
};
/// The whole program with these words and variables.
inline Ran run_bonus(const std::vector<std::string>& words, std::map<std::string, std::string> variables = {}) {
  Captured captured;
  Console console = captured.console();
  Environment environment;
  environment.variables = std::move(variables);
  Session session(console, environment);
  App app(session);
  add_all_commands(app);
  Ran out;
  out.code = app.run(words);
  out.out = captured.out();
  out.err = captured.err();
  return out;
}

}  // namespace bonus::cli
