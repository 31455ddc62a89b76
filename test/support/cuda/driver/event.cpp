// Events: marks in a stream's order, with the time when the stream reached them.
#include <chrono>
#include <set>

#include "stream.h"

namespace stub {
namespace {

using Clock = std::chrono::steady_clock;

// One recording of an event; the event may be recorded again while others still wait for this one.
struct Mark {
  Stream* stream;
  bool reached = false;
  Clock::time_point time;
  // Set when it was recorded by a capture: then it orders only that capture's work.
  std::weak_ptr<Capture> capture;
  bool captured = false;
};

struct Event {
  bool timed;
  std::shared_ptr<Mark> mark;
};
std::set<Event*> events;

Event* find_event(void* handle) {
  Event* event = static_cast<Event*>(handle);
  if (events.count(event)) return event;
  fail(INVALID_HANDLE, "no such event");
  return nullptr;
}

Result reach(const std::shared_ptr<Mark>& mark) {
  while (!mark->reached) {
    if (mark->stream->pending.empty()) return fail(CONTEXT_IS_DESTROYED, "the event's stream has lost its work");
    if (const Result code = advance(mark->stream)) return code;
  }
  return SUCCESS;
}

Result refuse_captured(const Event& event) {
  if (!event.mark || !event.mark->captured) return SUCCESS;
  return fail(CAPTURED_EVENT, "the event was last recorded in a capture");
}

}  // namespace
}  // namespace stub

using namespace stub;

API Result cuEventCreate(void** out, unsigned flags) {
  return context_call([&]() -> Result {
    if (flags & ~7u) return fail(INVALID_VALUE, "unknown event flags");
    Event* event = new Event{(flags & 2) == 0, nullptr};
    events.insert(event);
    *out = event;
    return SUCCESS;
  });
}

API Result cuEventDestroy_v2(void* handle) {
  return context_call([&]() -> Result {
    Event* event = find_event(handle);
    if (!event) return INVALID_HANDLE;
    events.erase(event);
    delete event;
    return SUCCESS;
  });
}

API Result cuEventRecord(void* handle, void* stream_handle) {
  return context_call([&]() -> Result {
    Event* event = find_event(handle);
    Stream* stream = find_stream(stream_handle);
    if (!event || !stream) return INVALID_HANDLE;
    const auto mark = std::make_shared<Mark>();
    mark->stream = stream;
    event->mark = mark;
    if (stream->capture) {
      mark->captured = true;
      mark->capture = stream->capture;
      return SUCCESS;
    }
    return enqueue(stream, [mark] {
      mark->reached = true;
      mark->time = Clock::now();
      return SUCCESS;
    });
  });
}

API Result cuStreamWaitEvent(void* stream_handle, void* handle, unsigned) {
  return context_call([&]() -> Result {
    Event* event = find_event(handle);
    Stream* stream = find_stream(stream_handle);
    if (!event || !stream) return INVALID_HANDLE;
    const auto mark = event->mark;
    // An event that was never recorded is not waited for.
    if (!mark) return SUCCESS;
    const std::shared_ptr<Capture> capture = mark->capture.lock();
    if (mark->captured && capture) {
      if (stream->capture && stream->capture != capture) return fail(CAPTURE_MERGE, "two captures would become one");
      if (!stream->capture) {
        stream->capture = capture;
        capture->forks[stream] = false;
      }
      if (mark->stream != stream && mark->stream != capture->origin) capture->forks[mark->stream] = true;
      return SUCCESS;
    }
    if (mark->captured) return fail(CAPTURED_EVENT, "the event was recorded in a capture that has ended");
    if (stream->capture) {
      stream->capture->invalidated = true;
      return fail(CAPTURE_ISOLATION, "a capture waits for an event from outside");
    }
    return enqueue(stream, [mark] { return reach(mark); });
  });
}

API Result cuEventSynchronize(void* handle) {
  return context_call([&]() -> Result {
    Event* event = find_event(handle);
    if (!event) return INVALID_HANDLE;
    if (const Result refused = refuse_captured(*event)) return refused;
    return event->mark ? reach(event->mark) : SUCCESS;
  });
}

API Result cuEventQuery(void* handle) {
  return context_call([&]() -> Result {
    Event* event = find_event(handle);
    if (!event) return INVALID_HANDLE;
    if (const Result refused = refuse_captured(*event)) return refused;
    if (const Result refused = refuse_while_capturing("cuEventQuery")) return refused;
    if (!event->mark || event->mark->reached) return SUCCESS;
    // Asking makes progress, or a caller that polls would never end.
    if (const Result code = advance(event->mark->stream)) return code;
    return event->mark->reached ? SUCCESS : NOT_READY;
  });
}

API Result cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  return context_call([&]() -> Result {
    const Event* first = find_event(from);
    const Event* second = find_event(to);
    if (!first || !second) return INVALID_HANDLE;
    if (!first->timed || !second->timed || !first->mark || !second->mark)
      return fail(INVALID_HANDLE, "an event without timing, or never recorded");
    if (!first->mark->reached || !second->mark->reached) return NOT_READY;
    *milliseconds = std::chrono::duration<float, std::milli>(second->mark->time - first->mark->time).count();
    return SUCCESS;
  });
}
API Result cuEventElapsedTime_v2(float* milliseconds, void* from, void* to) { return cuEventElapsedTime(milliseconds, from, to); }
