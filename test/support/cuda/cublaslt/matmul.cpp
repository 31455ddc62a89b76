// Choosing an algorithm and running it.
#include <vector>

#include "problem.h"

using namespace stub;

namespace {

const std::uint64_t WANTED_WORKSPACE_BYTES = 4 << 20;

// The second answer needs no workspace and holds looser alignments, so that callers that try several have several.
Algorithm algorithm(const Preference& preference, std::uint64_t workspace_bytes) {
  Algorithm made = {Algorithm::MARK, workspace_bytes, {}, {}};
  for (int i = 0; i < 4; i++) made.alignment[i] = preference.alignment[i] < 16 ? preference.alignment[i] : 16;
  return made;
}

Status check_alignment(const Algorithm& chosen, const Problem& p) {
  const std::uint64_t at[] = {p.a_data, p.b_data, p.c_data, p.d_data};
  const int types[] = {p.a.type, p.b.type, p.c.type, p.d.type};
  for (int i = 0; i < 4; i++) {
    if (at[i] % chosen.alignment[i])
      return fail(INVALID_VALUE, std::string("matrix ") + "ABCD"[i] + " is not aligned to the " + std::to_string(chosen.alignment[i]) +
                                   " bytes that the algorithm was chosen for (set the preference's minimum alignment)");
    if (at[i] % element_bytes(types[i])) return fail(INVALID_VALUE, std::string("matrix ") + "ABCD"[i] + " is not aligned to its elements");
  }
  return FINE;
}

int run(void* data) {
  const Problem& problem = *static_cast<const Problem*>(data);
  // A graph may run after its memory was freed.
  if (check_memory(problem)) return 700;  // CUDA_ERROR_ILLEGAL_ADDRESS
  multiply(problem);
  return 0;
}

void release(void* data) { delete static_cast<Problem*>(data); }

}  // namespace

API Status cublasLtMatmulAlgoGetHeuristic(void* handle, void* operation, void* a, void* b, void* c, void* d, void* preference,
                                          int requested, HeuristicResult* results, int* returned) {
  if (!known_handle(handle)) return fail(NOT_INITIALIZED, "no such handle");
  const Operation* o = valid<Operation>(operation);
  const Layout *la = valid<Layout>(a), *lb = valid<Layout>(b), *lc = valid<Layout>(c), *ld = valid<Layout>(d);
  const Preference* wish = valid<Preference>(preference);
  if (!o || !la || !lb || !lc || !ld || !wish) return fail(INVALID_VALUE, "a descriptor is missing or was destroyed");
  if (requested < 1 || !results || !returned) return fail(INVALID_VALUE, "no room for a result");
  *returned = 0;
  if (const Status bad = check_descriptors(*o, *la, *lb, *lc, *ld)) return bad;
  const std::uint64_t spare = wish->workspace_bytes >= WANTED_WORKSPACE_BYTES ? WANTED_WORKSPACE_BYTES : 0;
  for (const std::uint64_t workspace : {spare, std::uint64_t(0)}) {
    if (*returned == requested || (*returned == 1 && spare == 0)) break;
    results[*returned] = {algorithm(*wish, workspace), static_cast<std::size_t>(workspace), FINE, 1.0f, {}};
    ++*returned;
  }
  return FINE;
}

API Status cublasLtMatmul(void* handle, void* operation, const float* alpha, std::uint64_t a, void* a_layout, std::uint64_t b, void* b_layout,
                          const float* beta, std::uint64_t c, void* c_layout, std::uint64_t d, void* d_layout, Algorithm* chosen,
                          std::uint64_t workspace, std::size_t workspace_bytes, void* stream) {
  if (!known_handle(handle)) return fail(NOT_INITIALIZED, "no such handle");
  const Operation* o = valid<Operation>(operation);
  const Layout *la = valid<Layout>(a_layout), *lb = valid<Layout>(b_layout), *lc = valid<Layout>(c_layout), *ld = valid<Layout>(d_layout);
  if (!o || !la || !lb || !lc || !ld || !alpha || !beta) return fail(INVALID_VALUE, "a descriptor or a scale is missing, or was destroyed");
  if (const Status bad = check_descriptors(*o, *la, *lb, *lc, *ld)) return bad;
  Problem problem = {*o, *la, *lb, *lc, *ld, a, b, c, d, 0, 0, reinterpret_cast<std::uint64_t>(alpha), reinterpret_cast<std::uint64_t>(beta)};
  if (o->pointer_mode == 0) problem.alpha = *alpha, problem.beta = *beta;
  if (c == d && (lc->order != ld->order || lc->leading != ld->leading)) return fail(INVALID_VALUE, "C is D, but their layouts differ");
  if (chosen) {
    if (chosen->mark != Algorithm::MARK) return fail(INVALID_VALUE, "not an algorithm of the heuristic");
    if (workspace_bytes < chosen->workspace_bytes) return fail(INVALID_VALUE, "less workspace than the algorithm needs");
    if (const Status bad = check_alignment(*chosen, problem)) return bad;
  }
  if (workspace_bytes > 0 && workspace % 256) return fail(INVALID_VALUE, "the workspace is not aligned to 256 bytes");
  if (workspace_bytes > 0 && stub_check_range("cublasLtMatmul, workspace", workspace, workspace_bytes)) return INVALID_VALUE;
  if (const Status bad = check_memory(problem)) return bad;
  return stub_enqueue(stream, run, release, new Problem(problem)) ? EXECUTION_FAILED : FINE;
}
