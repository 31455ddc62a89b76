// An OpenBLAS that was found at run time, called for blocks of large fp32 products.
//
// Each call runs on the thread that makes it: the cut into blocks is ours and fixed by the shape, so that the bits do not
// depend on the number of threads, and OpenBLAS keeps no threads of its own that would wait by spinning.
#pragma once
#include "tile.h"

bool blas_takes(i64 m, i64 n, i64 k);
// Edge of the blocks that a product of m x n results is cut into.
i64 blas_block(i64 m, i64 n);
// One block: a and b are row-major, stored transposed or not, with `lda`, `ldb` numbers between their rows.
void blas_multiply(bool trans_a, bool trans_b, i64 m, i64 n, i64 k, const float* a, i64 lda, const float* b, i64 ldb, const Target& out);
