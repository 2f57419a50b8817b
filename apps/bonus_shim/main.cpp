// bonus-shim: keeps one container while bonusd comes and goes. Started by bonusd, not by people.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "apps/bonus_shim/commands.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  ::umask(0022);
  ::signal(SIGPIPE, SIG_IGN);
  // Children are waited for by sigtimedwait and signalfd; blocked from the beginning so that none is missed.
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  if (arguments.size() == 2 && arguments[0] == "run") return bonus::shim::run_command(arguments[1]);
  if (arguments.size() == 6 && arguments[0] == "exec")
    return bonus::shim::exec_command({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 2 && arguments[0] == "probe") return bonus::shim::probe_command(arguments[1]);
  std::fputs(
      "usage: bonus-shim run FOLDER | exec RUNTIME ROOT ID FOLDER tty|pipes | probe FOLDER\n"
      "This program is started by bonusd. See docs/formats/shim.md.\n",
      stderr);
  return 2;
}
