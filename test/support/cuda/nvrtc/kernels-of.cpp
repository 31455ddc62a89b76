#include "kernels-of.h"

#include <algorithm>
#include <cctype>

namespace stub {
namespace {

// What __global__ of emulator.h becomes.
const std::string GLOBAL = "__attribute__((visibility(\"hidden\"), noinline))";
const std::string SHARED = "thread_local";

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)); }

// The end of a parenthesis that opens at `at`.
std::size_t closing(const std::string& text, std::size_t at) {
  int depth = 0;
  for (; at < text.size(); at++) {
    if (text[at] == '(') depth++;
    if (text[at] == ')' && --depth == 0) return at;
  }
  return text.size();
}

// Whether `ending` stands before `at`, spaces aside; then `at` moves before it.
bool take_back(const std::string& text, std::size_t& at, const std::string& ending) {
  std::size_t end = at;
  while (end > 0 && is_space(text[end - 1])) end--;
  if (end < ending.size() || text.compare(end - ending.size(), ending.size(), ending) != 0) return false;
  at = end - ending.size();
  return true;
}

// Likewise alignas(...) with anything in its parenthesis.
void take_back_alignment(const std::string& text, std::size_t& at) {
  const std::size_t open = text.rfind("alignas", at);
  if (open == std::string::npos) return;
  std::size_t close = closing(text, text.find('(', open)) + 1;
  while (close < at && is_space(text[close])) close++;
  if (close == at) at = open;
}

}  // namespace

std::vector<KernelDefinition> kernels_of(const std::string& text) {
  const std::string bounds = "emulated_launch_bounds", attribute = "__attribute__", external = "extern \"C\"";
  std::vector<KernelDefinition> found;
  for (std::size_t start = text.find(external); start != std::string::npos; start = text.find(external, start + 1)) {
    KernelDefinition kernel = {"", "0"};
    bool is_kernel = false;
    // Attributes, which have parentheses of their own, and words up to the parameters' parenthesis; the last word is the name.
    std::size_t at = start + external.size();
    while (at < text.size() && (is_space(text[at]) || in_word(text[at]))) {
      if (text.compare(at, attribute.size(), attribute) == 0) {
        const std::size_t open = text.find('(', at), close = closing(text, open), bound = text.find(bounds, open);
        if (text.compare(at, GLOBAL.size(), GLOBAL) == 0) is_kernel = true;
        if (bound < close) {
          const std::size_t from = text.find('(', bound);
          kernel.max_threads = text.substr(from, closing(text, from) + 1 - from);
        }
        at = close + 1;
      } else if (in_word(text[at])) {
        const std::size_t from = at;
        while (in_word(text[at])) at++;
        kernel.name = text.substr(from, at - from);
      } else {
        at++;
      }
    }
    const bool known = std::any_of(found.begin(), found.end(), [&](const KernelDefinition& one) { return one.name == kernel.name; });
    if (is_kernel && !known && text[at] == '(') found.push_back(kernel);
  }
  return found;
}

std::vector<std::string> dynamic_shared_of(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t mark = text.find(SHARED); mark != std::string::npos; mark = text.find(SHARED, mark + 1)) {
    std::size_t before = mark;
    while (before > 0 && is_space(text[before - 1])) before--;
    take_back_alignment(text, before);
    if (!take_back(text, before, "extern")) continue;
    // ... T name[];
    std::size_t end = text.find(';', mark);
    if (end == std::string::npos || !take_back(text, end, "]") || !take_back(text, end, "[")) continue;
    while (end > 0 && is_space(text[end - 1])) end--;
    std::size_t from = end;
    while (from > 0 && in_word(text[from - 1])) from--;
    const std::string name = text.substr(from, end - from);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace stub
