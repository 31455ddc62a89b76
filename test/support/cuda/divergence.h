// The threads of a block, and what to say when they can never go on.
#pragma once
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "runtime.h"

namespace emulation {

struct Worker;

enum class State : unsigned char { fresh, ready, at_barrier, at_collective, finished };

// `site` is where it waits; mask, mine and resolve belong to a warp operation.
struct Thread {
  Index index;
  State state;
  Worker* worker;
  Site site;
  unsigned mask;
  void* mine;
  Resolve resolve;
};

// Sets of lanes.
struct Warp {
  unsigned existing, live, runnable, gathering;
};

inline bool same_place(const Site& a, const Site& b) { return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0); }

inline std::string describe(const Site& site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(site.name) + " (" + (slash ? slash + 1 : site.file) + ":" + std::to_string(site.line) + ")";
}

inline std::string describe(const Index& at) {
  return "(" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " + std::to_string(at.z) + ")";
}

// Names a thread that waits and one that does not wait for the same.
inline std::string describe_divergence(const std::vector<Thread>& threads) {
  const auto place = [&](const Thread& thread) { return static_cast<unsigned>(&thread - threads.data()); };
  const Thread* one = nullptr;
  for (const Thread& thread : threads)
    if (thread.state != State::finished && (!one || thread.state == State::at_collective)) {
      one = &thread;
      if (thread.state == State::at_collective) break;
    }
  const Thread* other = nullptr;
  for (const Thread& thread : threads) {
    const bool named = one->state == State::at_barrier || (place(thread) / 32 == place(*one) / 32 && one->mask >> place(thread) % 32 & 1);
    const bool apart = thread.state != one->state || !same_place(thread.site, one->site) ||
                       (thread.state == State::at_collective && thread.mask != one->mask);
    if (!other && named && apart) other = &thread;
  }
  const auto state = [](const Thread& thread) {
    if (thread.state == State::finished) return std::string("has finished");
    char mask[32] = "";
    if (thread.state == State::at_collective) std::snprintf(mask, sizeof mask, " with mask 0x%08x", thread.mask);
    return "waits at " + describe(thread.site) + mask;
  };
  std::string text = "divergence: thread " + describe(one->index) + " " + state(*one);
  if (other) text += ", thread " + describe(other->index) + " " + state(*other);
  return text;
}

}  // namespace emulation
