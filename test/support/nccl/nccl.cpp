// libnccl.so.2 without GPUs: ranks are processes of this machine, and what they exchange lies in shared memory.
//
// As NCCL does, a collective is queued on a CUDA stream and the call returns; it is done once every rank has queued its
// own. Memory is checked against the stub driver's allocations. One message is at most SLOT_FLOATS long.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../cuda/services.h"

#define API extern "C" __attribute__((visibility("default")))

namespace {

enum Status { SUCCESS = 0, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, REMOTE_ERROR = 6, IN_PROGRESS = 7 };
enum Kind { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST };
const int FLOAT32 = 7, SUM = 0;
const size_t SLOT_FLOATS = 1 << 18;
const int MAX_RANKS = 8;

struct UniqueId {
  char name[128];
};

// Counts only grow: `arrived` of the ranks that have brought their values, `left` of those that have taken the result.
struct Shared {
  std::atomic<long> arrived, left;
  std::atomic<int> aborted;
  // What each rank has queued, to find ranks that disagree.
  struct Ticket {
    int kind, root;
    size_t count;
  } tickets[MAX_RANKS];
  float slots[MAX_RANKS][SLOT_FLOATS];
};

struct Communicator {
  Shared* shared;
  int rank, size;
  long done = 0;
  int error = SUCCESS;
};

struct Collective {
  Communicator* communicator;
  Kind kind;
  const float* send;
  float* receive;
  size_t count;
  int root;
  void* stream;
  bool has_brought = false;
};

size_t sent_floats(const Collective& c) { return c.kind == REDUCE_SCATTER ? c.count * c.communicator->size : c.count; }
size_t received_floats(const Collective& c) { return c.kind == ALL_GATHER ? c.count * c.communicator->size : c.count; }

void finish(const Collective& c) {
  const Communicator& own = *c.communicator;
  const Shared& shared = *own.shared;
  for (int rank = 0; rank < own.size; rank++) {
    const float* slot = shared.slots[rank];
    if (c.kind == ALL_GATHER) std::memcpy(c.receive + rank * c.count, slot, c.count * sizeof(float));
    if (c.kind == BROADCAST && rank == c.root) std::memcpy(c.receive, slot, c.count * sizeof(float));
    if (c.kind != ALL_REDUCE && c.kind != REDUCE_SCATTER) continue;
    const float* part = c.kind == REDUCE_SCATTER ? slot + own.rank * c.count : slot;
    for (size_t i = 0; i < c.count; i++) c.receive[i] = rank == 0 ? part[i] : c.receive[i] + part[i];
  }
}

int queue_again(Collective* c);

// Does what can be done without waiting; comes again when that is not all.
int run(void* data) {
  Collective* c = *static_cast<Collective**>(data);
  Communicator& own = *c->communicator;
  Shared& shared = *own.shared;
  if (shared.aborted.load()) {
    own.error = REMOTE_ERROR;
    delete c;
    return 0;
  }
  if (!c->has_brought && shared.left.load() >= own.done * own.size) {
    std::memcpy(shared.slots[own.rank], c->send, sent_floats(*c) * sizeof(float));
    shared.tickets[own.rank] = {c->kind, c->root, c->count};
    shared.arrived++;
    c->has_brought = true;
  }
  if (!c->has_brought || shared.arrived.load() < (own.done + 1) * own.size) return queue_again(c);
  for (int rank = 0; rank < own.size; rank++) {
    const Shared::Ticket& ticket = shared.tickets[rank];
    if (ticket.kind != c->kind || ticket.root != c->root || ticket.count != c->count) own.error = INVALID_USAGE;
  }
  if (own.error == SUCCESS) finish(*c);
  own.done++;
  shared.left++;
  delete c;
  return 0;
}

int queue_again(Collective* c) {
  Collective** cell = new Collective*(c);
  usleep(50);
  return stub_enqueue(c->stream, run, [](void* data) { delete static_cast<Collective**>(data); }, cell);
}

Status start(Kind kind, const void* send, void* receive, size_t count, int type, int operation, int root, void* handle, void* stream) {
  Communicator* communicator = static_cast<Communicator*>(handle);
  if (!communicator || type != FLOAT32 || operation != SUM) return INVALID_ARGUMENT;
  if (communicator->error) return static_cast<Status>(communicator->error);
  Collective c = {communicator, kind, static_cast<const float*>(send), static_cast<float*>(receive), count, root, stream};
  if (sent_floats(c) > SLOT_FLOATS) return INVALID_ARGUMENT;
  const auto address = [](const void* p) { return reinterpret_cast<unsigned long long>(p); };
  if (stub_check_range("NCCL's send buffer", address(send), sent_floats(c) * sizeof(float))) return INVALID_ARGUMENT;
  if (stub_check_range("NCCL's receive buffer", address(receive), received_floats(c) * sizeof(float))) return INVALID_ARGUMENT;
  return queue_again(new Collective(c)) == 0 ? SUCCESS : SYSTEM_ERROR;
}

}  // namespace

API int ncclGetVersion(int* version) {
  *version = 22703;
  return SUCCESS;
}

API const char* ncclGetErrorString(int status) {
  switch (status) {
    case SUCCESS: return "no error";
    case SYSTEM_ERROR: return "unhandled system error";
    case INVALID_ARGUMENT: return "invalid argument";
    case INVALID_USAGE: return "invalid usage";
    case REMOTE_ERROR: return "remote process exited or there was a network error";
    default: return "unknown result code";
  }
}

API int ncclGetUniqueId(UniqueId* id) {
  std::memset(id, 0, sizeof *id);
  // Bytes after a zero and above 127 must arrive, too.
  std::snprintf(id->name, sizeof id->name, "/mimic-stub-nccl-%d", getpid());
  id->name[126] = '\xfe';
  return SUCCESS;
}

API int ncclCommInitRank(void** out, int size, UniqueId id, int rank) {
  if (size < 1 || size > MAX_RANKS || rank < 0 || rank >= size || id.name[126] != '\xfe') return INVALID_ARGUMENT;
  if (!stub_has_context()) return INVALID_USAGE;
  const int file = shm_open(id.name, O_CREAT | O_RDWR, 0600);
  if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) return SYSTEM_ERROR;
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return SYSTEM_ERROR;
  Communicator* communicator = new Communicator{static_cast<Shared*>(memory), rank, size};
  // As NCCL does: returns when all are there. Then nobody needs the name any more.
  communicator->shared->arrived++;
  while (communicator->shared->arrived.load() < size) usleep(100);
  communicator->done = 1;
  communicator->shared->left++;
  while (communicator->shared->left.load() < size) usleep(100);
  shm_unlink(id.name);
  *out = communicator;
  return SUCCESS;
}

API int ncclAllReduce(const void* send, void* receive, size_t count, int type, int operation, void* communicator, void* stream) {
  return start(ALL_REDUCE, send, receive, count, type, operation, 0, communicator, stream);
}
API int ncclReduceScatter(const void* send, void* receive, size_t count, int type, int operation, void* communicator, void* stream) {
  return start(REDUCE_SCATTER, send, receive, count, type, operation, 0, communicator, stream);
}
API int ncclAllGather(const void* send, void* receive, size_t count, int type, void* communicator, void* stream) {
  return start(ALL_GATHER, send, receive, count, type, SUM, 0, communicator, stream);
}
API int ncclBroadcast(const void* send, void* receive, size_t count, int type, int root, void* communicator, void* stream) {
  return start(BROADCAST, send, receive, count, type, SUM, root, communicator, stream);
}

API int ncclCommGetAsyncError(void* handle, int* error) {
  Communicator* communicator = static_cast<Communicator*>(handle);
  if (communicator->shared->aborted.load()) communicator->error = REMOTE_ERROR;
  *error = communicator->error;
  return SUCCESS;
}

API int ncclCommAbort(void* handle) {
  static_cast<Communicator*>(handle)->shared->aborted.store(1);
  return SUCCESS;
}

API int ncclCommDestroy(void* handle) {
  Communicator* communicator = static_cast<Communicator*>(handle);
  munmap(communicator->shared, sizeof(Shared));
  delete communicator;
  return SUCCESS;
}
