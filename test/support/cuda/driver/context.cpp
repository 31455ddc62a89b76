// The device's primary context, and which thread has it current.
#include <vector>

#include "api.h"
#include "stream.h"

namespace stub {
namespace {

struct Context {
  int users = 0;
  unsigned flags = 0;
  Result error = SUCCESS;
};
Context primary;
thread_local std::vector<void*> stack;

void release() {
  release_streams();
  release_modules();
  release_memory();
  primary.error = SUCCESS;
}

}  // namespace

void* current_context() { return !stack.empty() && primary.users > 0 ? stack.back() : nullptr; }
Result context_error() { return primary.error; }
void set_context_error(Result code) { primary.error = code; }

}  // namespace stub

using namespace stub;

API Result cuDevicePrimaryCtxRetain(void** out, int device) {
  return call([&] {
    if (device != 0) return fail(INVALID_DEVICE, "there is one device, 0");
    primary.users++;
    *out = &primary;
    return SUCCESS;
  });
}
API Result cuDevicePrimaryCtxRelease_v2(int) {
  return call([&] {
    if (primary.users == 0) return fail(INVALID_CONTEXT, "the primary context was released more often than retained");
    if (--primary.users == 0) release();
    return SUCCESS;
  });
}
API Result cuDevicePrimaryCtxReset_v2(int) {
  return call([&] { return release(), SUCCESS; });
}
API Result cuDevicePrimaryCtxSetFlags_v2(int, unsigned flags) {
  return call([&] { return primary.flags = flags, SUCCESS; });
}
API Result cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) {
  return call([&] { return *flags = primary.flags, *active = primary.users > 0, SUCCESS; });
}

static Result make_current(void* context, bool push) {
  return call([&] {
    if (context && (context != &primary || primary.users == 0)) return fail(INVALID_CONTEXT, "no such context");
    if (!push && !stack.empty()) stack.pop_back();
    if (context) stack.push_back(context);
    return SUCCESS;
  });
}
API Result cuCtxSetCurrent(void* context) { return make_current(context, false); }
API Result cuCtxPushCurrent_v2(void* context) { return make_current(context, true); }
API Result cuCtxPopCurrent_v2(void** out) {
  return call([&] {
    if (stack.empty()) return fail(INVALID_CONTEXT, "no context to pop");
    if (out) *out = stack.back();
    stack.pop_back();
    return SUCCESS;
  });
}
API Result cuCtxGetCurrent(void** out) {
  return call([&] { return *out = current_context(), SUCCESS; });
}
API Result cuCtxGetDevice(int* out) {
  return context_call([&] { return *out = 0, SUCCESS; });
}
API Result cuCtxSynchronize() {
  return context_call([&] {
    if (const Result refused = refuse_while_capturing("cuCtxSynchronize")) return refused;
    return finish_all();
  });
}
