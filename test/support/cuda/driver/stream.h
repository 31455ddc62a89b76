// Streams hold their work back until someone waits for it: the laziest order that CUDA allows. Code that forgets to
// synchronise therefore reads old values here every time, where on a GPU it would now and then.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "api.h"

namespace stub {

using Work = std::function<Result()>;
struct Stream;

// Work recorded by a capture, in an order that respects every dependency.
struct Capture {
  Stream* origin;
  int mode;
  bool invalidated = false;
  std::vector<Work> work;
  // Streams that joined through an event, and whether their last work is joined back.
  std::map<Stream*, bool> forks;
};

struct Stream {
  // Waits for the null stream and is waited for by it.
  bool blocking;
  std::deque<Work> pending;
  std::shared_ptr<Capture> capture;
};

// The stream behind a handle (0, 1 and 2 name the null stream), or null with the reason noted.
Stream* find_stream(void* handle);

// Queues work, or records it when the stream is capturing.
Result enqueue(Stream* stream, Work work);
Result finish(Stream* stream);
// Does one piece of the stream's work.
Result advance(Stream* stream);
// Does all work of all streams.
Result finish_all();
// Work done before a copy that waits: the null stream's order.
Result finish_blocking_streams();

// The error of a call that a capture in progress forbids, which also spoils the capture; else SUCCESS.
Result refuse_while_capturing(const char* call);

}  // namespace stub
