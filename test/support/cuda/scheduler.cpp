// A thread runs until it waits or ends. Threads that never wait run one after another on one stack without a switch; one
// that waits keeps its stack and the next thread takes another. When nothing can run, either every thread is at the same
// barrier, which opens, or the launch has failed: a hang on a GPU is a message here.
#include "scheduler.h"

#include <cstring>
#include <vector>

#include "divergence.h"
#include "faults.h"
#include "fiber.h"

namespace emulation {

struct Worker {
  Stack stack;
  Context context;
};

namespace {

const unsigned MARGIN_BYTES = 1024;
const unsigned char UNWRITTEN = 0xff;  // makes NaN of every float type

class Scheduler {
 public:
  bool run(const Launch& launch, std::string& failure);
  bool in_thread() const { return current != nullptr; }
  [[noreturn]] void fail(const std::string& message);
  bool reversed = false;

 private:
  Runtime runtime;
  const Launch* launch;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<Worker*> workers, idle;
  Thread* current = nullptr;
  Context home;
  std::string problem;
  unsigned waiting, finished;

  void prepare_threads();
  void prepare_shared_memory();
  bool run_block();
  void run_warp(Warp& warp, Thread* lanes);
  bool open_barrier();
  void resume(Thread& thread);
  void enter(Thread& thread);
  void suspend();
  void work();
  Warp& warp_of(const Thread& thread) { return warps[static_cast<size_t>(&thread - threads.data()) / 32]; }
  unsigned lane_of(const Thread& thread) const { return static_cast<unsigned>(&thread - threads.data()) % 32; }
  unsigned pick(unsigned set) const { return reversed ? 31u - __builtin_clz(set) : __builtin_ctz(set); }
  bool gathered(Warp& warp, Thread* lanes, unsigned lane);

  static void barrier(Site site);
  static void collective(Site site, unsigned mask, void* mine, Resolve resolve);
  static unsigned live_lanes();
  static void fail_from_module(const char* message) { fail_thread(message); }
  static void worker_main();
};

Scheduler& scheduler() {
  // One per OS thread, never destroyed: fibers' stacks may not vanish while a process exits.
  static thread_local Scheduler* own = new Scheduler();
  return *own;
}

void Scheduler::worker_main() {
  for (;;) scheduler().work();
}

void Scheduler::work() {
  Worker* worker = current->worker;
  for (;;) {
    launch->invoke(launch->parameters);
    Warp& warp = warp_of(*current);
    current->state = State::finished;
    warp.live &= ~(1u << lane_of(*current));
    finished++;
    Thread* lanes = threads.data() + (&warp - warps.data()) * 32;
    // Straight on with a neighbour that has not started, on the same stack.
    if (!warp.runnable) break;
    Thread& next = lanes[pick(warp.runnable)];
    if (next.state != State::fresh) break;
    next.worker = worker;
    enter(next);
  }
  idle.push_back(worker);
  emulation_switch(&worker->context, home);
}

void Scheduler::enter(Thread& thread) {
  Warp& warp = warp_of(thread);
  warp.runnable &= ~(1u << lane_of(thread));
  current = &thread;
  runtime.thread = thread.index;
  runtime.lane = lane_of(thread);
}

void Scheduler::resume(Thread& thread) {
  if (thread.state == State::fresh) {
    if (idle.empty()) {
      Worker* worker = new Worker{make_stack(static_cast<int>(workers.size())), nullptr};
      worker->context = make_context(worker->stack, worker_main);
      workers.push_back(worker);
      idle.push_back(worker);
    }
    thread.worker = idle.back();
    idle.pop_back();
  }
  enter(thread);
  emulation_switch(&home, thread.worker->context);
  current = nullptr;
}

void Scheduler::suspend() { emulation_switch(&current->worker->context, home); }

void Scheduler::fail(const std::string& message) {
  problem = "block " + describe(runtime.block) + ", thread " + describe(runtime.thread) + ": " + message;
  suspend();
  __builtin_unreachable();
}

void Scheduler::barrier(Site site) {
  Scheduler& self = scheduler();
  self.current->state = State::at_barrier;
  self.current->site = site;
  self.waiting++;
  self.suspend();
}

void Scheduler::collective(Site site, unsigned mask, void* mine, Resolve resolve) {
  Scheduler& self = scheduler();
  Thread& thread = *self.current;
  const unsigned lane = self.lane_of(thread);
  if (!(mask >> lane & 1)) self.fail(describe(site) + ": the calling lane is not in its own mask");
  thread.site = site, thread.mask = mask, thread.mine = mine, thread.resolve = resolve;
  Warp& warp = self.warp_of(thread);
  thread.state = State::at_collective;
  warp.gathering |= 1u << lane;
  if (self.gathered(warp, &thread - lane, lane)) {
    // The last lane to arrive goes on at once.
    warp.runnable &= ~(1u << lane);
  } else {
    self.suspend();
  }
}

// Resolves the collective that this lane waits at, when all lanes that it names are there. Naming lanes that a partly
// filled warp lacks is allowed; reading from them is not.
bool Scheduler::gathered(Warp& warp, Thread* lanes, unsigned lane) {
  const Thread& first = lanes[lane];
  const unsigned needed = first.mask & warp.existing;
  if (needed & ~warp.gathering) return false;
  void* all[32] = {};
  for (unsigned rest = needed; rest; rest &= rest - 1) {
    const unsigned i = __builtin_ctz(rest);
    const Thread& other = lanes[i];
    if (other.mask != first.mask || other.resolve != first.resolve || !same_place(other.site, first.site)) return false;
    all[i] = other.mine;
  }
  first.resolve(all, first.mask);
  warp.gathering &= ~needed;
  warp.runnable |= needed;
  for (unsigned rest = needed; rest; rest &= rest - 1) lanes[__builtin_ctz(rest)].state = State::ready;
  return true;
}

unsigned Scheduler::live_lanes() {
  Scheduler& self = scheduler();
  return self.warp_of(*self.current).live;
}

void Scheduler::run_warp(Warp& warp, Thread* lanes) {
  while (warp.runnable && problem.empty()) resume(lanes[pick(warp.runnable)]);
}

bool Scheduler::open_barrier() {
  if (waiting != threads.size()) return false;
  for (const Thread& thread : threads)
    if (!same_place(thread.site, threads[0].site)) return false;
  waiting = 0;
  for (size_t i = 0; i < threads.size(); i++) {
    threads[i].state = State::ready;
    warps[i / 32].runnable |= 1u << i % 32;
  }
  return true;
}

bool Scheduler::run_block() {
  prepare_threads();
  prepare_shared_memory();
  const size_t count = warps.size();
  for (;;) {
    for (size_t i = 0; i < count; i++) {
      const size_t w = reversed ? count - 1 - i : i;
      run_warp(warps[w], threads.data() + w * 32);
      if (!problem.empty()) return false;
    }
    if (finished == threads.size()) break;
    if (finished == 0 && open_barrier()) continue;
    problem = "block " + describe(runtime.block) + ": " + describe_divergence(threads);
    return false;
  }
  for (unsigned i = 0; launch->dynamic_shared && i < MARGIN_BYTES; i++)
    if (launch->dynamic_shared[launch->shared_bytes + i] != UNWRITTEN) {
      problem = "block " + describe(runtime.block) + ": wrote " + std::to_string(i) + " bytes past the end of " +
                std::to_string(launch->shared_bytes) + " bytes of dynamic shared memory";
      return false;
    }
  return true;
}

void Scheduler::prepare_threads() {
  waiting = finished = 0;
  for (size_t w = 0; w < warps.size(); w++) {
    const size_t lanes = threads.size() - w * 32 < 32 ? threads.size() - w * 32 : 32;
    warps[w].existing = warps[w].live = warps[w].runnable = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warps[w].gathering = 0;
  }
  for (Thread& thread : threads) thread.state = State::fresh;
}

// Nothing may rely on what an earlier block left.
void Scheduler::prepare_shared_memory() {
  unsigned char* dynamic = launch->dynamic_shared;
  if (dynamic) std::memset(dynamic, UNWRITTEN, launch->shared_bytes + MARGIN_BYTES);
  unsigned char* start = launch->module_shared;
  unsigned char* end = start + launch->module_shared_bytes;
  if (!start) return;
  const std::size_t reserved = 233472;  // EMULATED_SHARED_BYTES + EMULATED_SHARED_MARGIN
  std::memset(start, UNWRITTEN, static_cast<std::size_t>(dynamic - start));
  std::memset(dynamic + reserved, UNWRITTEN, static_cast<std::size_t>(end - (dynamic + reserved)));
}

bool Scheduler::run(const Launch& wanted, std::string& failure) {
  launch = &wanted;
  problem.clear();
  runtime.block_size = wanted.block;
  runtime.grid_size = wanted.grid;
  runtime.shared_bytes = wanted.shared_bytes;
  runtime.block_barrier = barrier;
  runtime.warp_collective = collective;
  runtime.live_lanes = live_lanes;
  runtime.fail = fail_from_module;
  *wanted.module_runtime = &runtime;
  const unsigned count = wanted.block.x * wanted.block.y * wanted.block.z;
  threads.resize(count);
  warps.resize((count + 31) / 32);
  for (unsigned i = 0; i < count; i++)
    threads[i].index = {i % wanted.block.x, i / wanted.block.x % wanted.block.y, i / wanted.block.x / wanted.block.y};
  const unsigned long long blocks = 1ull * wanted.grid.x * wanted.grid.y * wanted.grid.z;
  const FaultGuard guard;
  for (unsigned long long i = 0; i < blocks; i++) {
    const unsigned long long b = reversed ? blocks - 1 - i : i;
    runtime.block = {static_cast<unsigned>(b % wanted.grid.x), static_cast<unsigned>(b / wanted.grid.x % wanted.grid.y),
                     static_cast<unsigned>(b / wanted.grid.x / wanted.grid.y)};
    if (run_block()) continue;
    failure = std::string("kernel ") + wanted.name + ", " + problem;
    current = nullptr;
    // Whatever still waits is dropped where it stands.
    for (Worker* worker : workers) worker->context = make_context(worker->stack, worker_main);
    idle = workers;
    return false;
  }
  return true;
}

}  // namespace

bool run_launch(const Launch& launch, std::string& failure) { return scheduler().run(launch, failure); }
void reverse_order(bool reversed) { scheduler().reversed = reversed; }
bool in_emulated_thread() { return scheduler().in_thread(); }
void fail_thread(const char* message) { scheduler().fail(message); }

}  // namespace emulation
