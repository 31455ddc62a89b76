/**
 * C++ that turns an ffmpeg process into a server which forks a ready-made ffmpeg for each command.
 *
 * Preloaded, it takes `main` over once every library is loaded and relocated, which is nearly all of a start's cost: 70 ms
 * with the 200 libraries of a distribution's build, against 1 to 2 for a fork. Each command still runs in a process of its
 * own that ends with it, is killed alone, and touches no other's memory. All have the same layout of addresses.
 *
 * Commands on standard input: `R <id> <bytes>\n` followed by that many bytes of arguments, each ended by NUL; `K <id>\n`
 * kills. Each process connects twice to the socket and begins with `<id, 10 digits> <1 or 2>\n`: its standard output and
 * error. On standard output: `READY\n`, then `E <id> <exit code> <signal>\n` as each ends. At the end of standard input all
 * is killed.
 */
export const PRELOAD_SOURCE = String.raw`
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <map>
#include <string>
#include <vector>

typedef int (*Main)(int, char**, char**);

static Main ffmpeg_main;
static sigset_t outer_mask;
static bool is_fork = false;

static void nothing(int) {}

/** A fork keeps one thread only: a library that has started others cannot be forked. */
static bool has_one_thread() {
  int threads = 0;
  DIR* folder = opendir("/proc/self/task");
  if (folder == nullptr) return false;
  while (dirent* entry = readdir(folder)) threads += entry->d_name[0] != '.';
  closedir(folder);
  return threads == 1;
}

/** A wrapper script's shell must not be taken over. */
static bool is_ffmpeg() {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = 0;
  const char* slash = strrchr(path, '/');
  return strncmp(slash == nullptr ? path : slash + 1, "ffmpeg", 6) == 0;
}

static void write_all(int file, const char* data, size_t size) {
  while (size > 0) {
    ssize_t done = write(file, data, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;
    data += done;
    size -= done;
  }
}

static void connect_as(const char* id, int channel) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, getenv("MIMIC_FFMPEG_SOCKET"), sizeof address.sun_path - 1);
  int file = socket(AF_UNIX, SOCK_STREAM, 0);
  if (file < 0 || connect(file, (sockaddr*)&address, sizeof address) != 0) _exit(250);
  char head[32];
  int size = snprintf(head, sizeof head, "%010u %d\n", (unsigned)atoi(id), channel);
  write_all(file, head, size);
  dup2(file, channel);
  close(file);
}

static int be_ffmpeg(pid_t server, const std::string& id, std::string arguments, char* name, char** environment) {
  is_fork = true;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != server) _exit(250);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_SETMASK, &outer_mask, nullptr);
  int empty = open("/dev/null", O_RDONLY);
  dup2(empty, 0);
  close(empty);
  connect_as(id.c_str(), 1);
  connect_as(id.c_str(), 2);
  unsetenv("MIMIC_FFMPEG_SOCKET");
  std::vector<char*> argv = {name};
  for (size_t at = 0; at < arguments.size(); at += strlen(&arguments[at]) + 1) argv.push_back(&arguments[at]);
  argv.push_back(nullptr);
  exit(ffmpeg_main((int)argv.size() - 1, argv.data(), environment));
}

static int serve(int, char** argv, char** environment) {
  if (!is_ffmpeg() || !has_one_thread()) {
    write_all(1, "NO\n", 3);
    return 0;
  }
  unsetenv("LD_PRELOAD");
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {};
  action.sa_handler = nothing;
  sigaction(SIGCHLD, &action, nullptr);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_BLOCK, &blocked, &outer_mask);
  write_all(1, "READY\n", 6);

  const pid_t self = getpid();
  std::map<std::string, pid_t> running;
  std::string input;
  for (bool open = true; open;) {
    pollfd wait = {0, POLLIN, 0};
    if (ppoll(&wait, 1, nullptr, &outer_mask) > 0) {
      char chunk[65536];
      ssize_t size = read(0, chunk, sizeof chunk);
      if (size > 0) input.append(chunk, size);
      else if (size == 0 || errno != EINTR) open = false;
    }
    for (;;) {
      size_t line = input.find('\n');
      if (line == std::string::npos) break;
      char kind = 0, id[16] = {};
      size_t bytes = 0;
      sscanf(input.c_str(), "%c %15s %zu", &kind, id, &bytes);
      if (input.size() < line + 1 + bytes) break;
      std::string arguments = input.substr(line + 1, bytes);
      input.erase(0, line + 1 + bytes);
      if (kind == 'K') {
        auto found = running.find(id);
        if (found != running.end()) kill(found->second, SIGKILL);
        continue;
      }
      pid_t child = fork();
      if (child == 0) be_ffmpeg(self, id, arguments, argv[0], environment);
      if (child > 0) {
        running[id] = child;
        continue;
      }
      std::string failed = std::string("E ") + id + " 251 0\n";
      write_all(1, failed.data(), failed.size());
    }
    int status;
    for (pid_t child; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
      for (auto entry = running.begin(); entry != running.end(); ++entry) {
        if (entry->second != child) continue;
        char ended[64];
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0, by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        write_all(1, ended, snprintf(ended, sizeof ended, "E %s %d %d\n", entry->first.c_str(), code, by));
        running.erase(entry);
        break;
      }
    }
  }
  for (auto& entry : running) kill(entry.second, SIGKILL);
  // Whoever made the folder may be gone.
  std::string path = getenv("MIMIC_FFMPEG_SOCKET");
  unlink(path.c_str());
  rmdir(path.substr(0, path.rfind('/')).c_str());
  return 0;
}

/** The libraries' own ends of 5 ms free what the kernel frees anyway; ffmpeg has closed its files by then. */
extern "C" void exit(int code) noexcept {
  if (!is_fork) ((void (*)(int))dlsym(RTLD_NEXT, "exit"))(code);
  fflush(nullptr);
  _exit(code);
}

typedef int (*Start)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

extern "C" int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*rtld_fini)(),
                                 void* stack_end) {
  ffmpeg_main = main;
  Start start = (Start)dlsym(RTLD_NEXT, "__libc_start_main");
  return start(serve, argc, argv, init, fini, rtld_fini, stack_end);
}
`;
