// cuBLASLt's values, and the descriptors behind its opaque structures.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "../services.h"

#define API extern "C" __attribute__((visibility("default")))

namespace stub {

// cublasStatus_t: only the values that the stub returns.
enum Status : int { FINE = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

enum DataType : int { R_32F = 0, R_16F = 2, R_16BF = 14 };
enum ComputeType : int { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_32F_FAST_16BF = 75, COMPUTE_32F_FAST_TF32 = 77 };
enum Order : int { COLUMNS = 0, ROWS = 1 };
enum Epilogue : int { EPILOGUE_DEFAULT = 1, EPILOGUE_RELU = 2, EPILOGUE_BIAS = 4, EPILOGUE_GELU = 32 };

// Descriptors lie inside the caller's opaque structures of 64-bit words, so that both ways to make one work: on the
// heap (Create) and in place (Init). The mark tells a descriptor from anything else.
struct Layout {
  static constexpr std::uint64_t MARK = 0x6d696d69634c6179ull;
  std::uint64_t mark;
  std::int32_t type, order;
  std::uint64_t rows, columns;
  std::int64_t leading;
  std::int64_t batch_stride;
  std::int32_t batch, reserved;
};
static_assert(sizeof(Layout) <= 64, "cublasLtMatrixLayoutOpaque_t has 8 words");

struct Operation {
  static constexpr std::uint64_t MARK = 0x6d696d69634f7065ull;
  std::uint64_t mark;
  std::int32_t compute, scale_type, pointer_mode, transpose_a, transpose_b, epilogue, bias_type, sm_count;
  std::uint64_t bias;
  std::int64_t bias_batch_stride;
};
static_assert(sizeof(Operation) <= 256, "cublasLtMatmulDescOpaque_t has 32 words");

struct Preference {
  static constexpr std::uint64_t MARK = 0x6d696d6963507265ull;
  std::uint64_t mark, workspace_bytes;
  // Alignments of A, B, C and D in bytes that the caller promises.
  std::uint32_t alignment[4];
  std::uint32_t search_mode, reduction_mask;
};
static_assert(sizeof(Preference) <= 64, "cublasLtMatmulPreferenceOpaque_t has 8 words");

// cublasLtMatmulAlgo_t: what a later call relies on.
struct Algorithm {
  static constexpr std::uint64_t MARK = 0x6d696d6963416c67ull;
  std::uint64_t mark, workspace_bytes;
  std::uint32_t alignment[4];
  std::uint64_t reserved[4];
};
static_assert(sizeof(Algorithm) == 64, "cublasLtMatmulAlgo_t has 8 words");

struct HeuristicResult {
  Algorithm algorithm;
  std::size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(HeuristicResult) == 96, "cublasLtMatmulHeuristicResult_t");

template <class T>
T* valid(void* descriptor) {
  T* typed = static_cast<T*>(descriptor);
  return typed && typed->mark == T::MARK ? typed : nullptr;
}

inline Status fail(Status status, const std::string& why) {
  stub_note_failure(("cuBLASLt: " + why).c_str());
  return status;
}

}  // namespace stub
