#include "stream.h"

#include <set>

#include "memory.h"

namespace stub {
namespace {

// A launch queue has an end: then the caller waits.
const std::size_t LONGEST_QUEUE = 1024;

Stream null_stream = {true, {}, nullptr};
std::set<Stream*> streams;

Result give_up(Result code) {
  set_context_error(code);
  null_stream.pending.clear();
  for (Stream* stream : streams) stream->pending.clear();
  return code;
}

}  // namespace

Stream* find_stream(void* handle) {
  if (reinterpret_cast<std::uintptr_t>(handle) <= 2) return &null_stream;
  Stream* stream = static_cast<Stream*>(handle);
  if (streams.count(stream)) return stream;
  fail(INVALID_HANDLE, "no such stream");
  return nullptr;
}

Result advance(Stream* stream) {
  if (stream->pending.empty()) return SUCCESS;
  const Work work = std::move(stream->pending.front());
  stream->pending.pop_front();
  const Result code = work();
  return code == SUCCESS ? SUCCESS : give_up(code);
}

Result finish(Stream* stream) {
  while (!stream->pending.empty())
    if (const Result code = advance(stream)) return code;
  return SUCCESS;
}

Result finish_blocking_streams() {
  if (const Result code = finish(&null_stream)) return code;
  for (Stream* stream : std::set<Stream*>(streams))
    if (stream->blocking)
      if (const Result code = finish(stream)) return code;
  return SUCCESS;
}

Result finish_all() {
  if (const Result code = finish(&null_stream)) return code;
  for (Stream* stream : std::set<Stream*>(streams))
    if (const Result code = finish(stream)) return code;
  if (const Result code = check_all_margins("a kernel")) return give_up(code);
  return SUCCESS;
}

Result enqueue(Stream* stream, Work work) {
  if (Capture* capture = stream->capture.get()) {
    if (capture->invalidated) return fail(CAPTURE_INVALIDATED, "the capture failed earlier");
    capture->work.push_back(std::move(work));
    if (stream != capture->origin) capture->forks[stream] = false;
    return SUCCESS;
  }
  if (stream == &null_stream) {
    for (Stream* other : streams)
      if (other->blocking && other->capture) {
        other->capture->invalidated = true;
        return fail(CAPTURE_IMPLICIT, "work on the null stream while a blocking stream is capturing");
      }
    if (const Result code = finish_blocking_streams()) return code;
  }
  stream->pending.push_back(std::move(work));
  const bool at_once = stream == &null_stream || option("MIMIC_STUB_EAGER", "0") == "1";
  if (at_once) return finish(stream);
  return stream->pending.size() > LONGEST_QUEUE ? advance(stream) : SUCCESS;
}

Result refuse_while_capturing(const char* call) {
  for (Stream* stream : streams) {
    // Relaxed captures (mode 2) forbid nothing; the other modes differ in threads, of which there is one here.
    if (!stream->capture || stream->capture->mode == 2) continue;
    stream->capture->invalidated = true;
    return fail(CAPTURE_UNSUPPORTED, std::string(call) + " while a stream is capturing");
  }
  return SUCCESS;
}

void release_streams() {
  null_stream.pending.clear();
  for (Stream* stream : streams) delete stream;
  streams.clear();
}

}  // namespace stub

using namespace stub;

API Result cuStreamCreate(void** out, unsigned flags) {
  return context_call([&]() -> Result {
    if (flags > 1) return fail(INVALID_VALUE, "unknown stream flags");
    Stream* stream = new Stream{flags == 0, {}, nullptr};
    streams.insert(stream);
    *out = stream;
    return SUCCESS;
  });
}
API Result cuStreamCreateWithPriority(void** out, unsigned flags, int) { return cuStreamCreate(out, flags); }

API Result cuStreamDestroy_v2(void* handle) {
  return context_call([&]() -> Result {
    Stream* stream = find_stream(handle);
    if (!stream || stream == &null_stream) return fail(INVALID_HANDLE, "no such stream");
    const Result code = finish(stream);
    streams.erase(stream);
    delete stream;
    return code;
  });
}

API Result cuStreamSynchronize(void* handle) {
  return context_call([&]() -> Result {
    Stream* stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
      stream->capture->invalidated = true;
      return fail(CAPTURE_UNSUPPORTED, "cuStreamSynchronize of a capturing stream");
    }
    if (stream == &null_stream) return finish_blocking_streams();
    if (const Result code = finish(stream)) return code;
    if (const Result code = check_all_margins("a kernel")) return give_up(code);
    return SUCCESS;
  });
}

API Result cuStreamQuery(void* handle) {
  return context_call([&]() -> Result {
    Stream* stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
      stream->capture->invalidated = true;
      return fail(CAPTURE_UNSUPPORTED, "cuStreamQuery of a capturing stream");
    }
    // Asking makes progress, or a caller that polls would never end.
    if (const Result code = advance(stream)) return code;
    return stream->pending.empty() ? SUCCESS : NOT_READY;
  });
}

API std::size_t stub_pending_work() {
  std::size_t count = null_stream.pending.size();
  for (Stream* stream : streams) count += stream->pending.size();
  return count;
}
