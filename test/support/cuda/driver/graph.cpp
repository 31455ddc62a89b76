// Capturing a stream's work into a graph, and running it again.
#include <set>

#include "stream.h"

namespace stub {
namespace {

struct Graph {
  std::vector<Work> work;
};
std::set<Graph*> graphs, executables;

}  // namespace
}  // namespace stub

using namespace stub;

API Result cuStreamBeginCapture_v2(void* handle, int mode) {
  return context_call([&]() -> Result {
    Stream* stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream == find_stream(nullptr)) return fail(CAPTURE_UNSUPPORTED, "the null stream cannot be captured");
    if (mode < 0 || mode > 2) return fail(INVALID_VALUE, "unknown capture mode");
    if (stream->capture) return fail(INVALID_VALUE, "the stream is capturing already");
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    return SUCCESS;
  });
}

API Result cuStreamEndCapture(void* handle, void** out) {
  return context_call([&]() -> Result {
    Stream* stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return fail(INVALID_VALUE, "the stream is not capturing");
    if (capture->origin != stream) return fail(CAPTURE_UNMATCHED, "the capture began in another stream");
    *out = nullptr;
    stream->capture = nullptr;
    bool joined = true;
    for (const auto& fork : capture->forks) {
      fork.first->capture = nullptr;
      joined = joined && fork.second;
    }
    if (capture->invalidated) return fail(CAPTURE_INVALIDATED, "a call during the capture was not allowed");
    if (!joined) return fail(CAPTURE_UNJOINED, "another stream's work was not joined back");
    Graph* graph = new Graph{std::move(capture->work)};
    graphs.insert(graph);
    *out = graph;
    return SUCCESS;
  });
}

API Result cuStreamIsCapturing(void* handle, int* out) {
  return context_call([&]() -> Result {
    const Stream* stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    *out = !stream->capture ? 0 : stream->capture->invalidated ? 2 : 1;
    return SUCCESS;
  });
}

API Result cuGraphInstantiateWithFlags(void** out, void* handle, unsigned long long) {
  return context_call([&]() -> Result {
    Graph* graph = static_cast<Graph*>(handle);
    if (!graphs.count(graph)) return fail(INVALID_VALUE, "no such graph");
    Graph* executable = new Graph(*graph);
    executables.insert(executable);
    *out = executable;
    return SUCCESS;
  });
}

API Result cuGraphLaunch(void* handle, void* stream_handle) {
  return context_call([&]() -> Result {
    Graph* executable = static_cast<Graph*>(handle);
    Stream* stream = find_stream(stream_handle);
    if (!executables.count(executable)) return fail(INVALID_VALUE, "no such executable graph");
    if (!stream) return INVALID_HANDLE;
    return enqueue(stream, [executable]() -> Result {
      if (!executables.count(executable)) return fail(INVALID_VALUE, "the graph was destroyed before it ran");
      for (const Work& work : executable->work)
        if (const Result code = work()) return code;
      return SUCCESS;
    });
  });
}

API Result cuGraphUpload(void*, void*) {
  return context_call([] { return SUCCESS; });
}

API Result cuGraphGetNodes(void* handle, void**, std::size_t* count) {
  return context_call([&]() -> Result {
    Graph* graph = static_cast<Graph*>(handle);
    if (!graphs.count(graph)) return fail(INVALID_VALUE, "no such graph");
    *count = graph->work.size();
    return SUCCESS;
  });
}

static Result destroy(std::set<Graph*>& all, void* handle) {
  return context_call([&]() -> Result {
    Graph* graph = static_cast<Graph*>(handle);
    if (!all.count(graph)) return fail(INVALID_VALUE, "no such graph (destroyed twice?)");
    // Launches already queued still run, as on a GPU.
    if (const Result code = finish_all()) return code;
    all.erase(graph);
    delete graph;
    return SUCCESS;
  });
}
API Result cuGraphDestroy(void* handle) { return destroy(graphs, handle); }
API Result cuGraphExecDestroy(void* handle) { return destroy(executables, handle); }
