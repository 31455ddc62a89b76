// y = f(a, b) with broadcasting, for float32 and int32.
//
// `_flat`: each operand is whole (stride 1) or one scalar (stride 0). `_rows`: the general case; the result is
// n0 x .. x n4 rows of `cols`, and each operand has a stride for every dimension, 0 where it is broadcast.
#include "device.h"

// The order is that of BINARY_OPS in register/binary.ts.
enum BinaryOp { ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, POW, SQUARED_DIFFERENCE, FLOOR_DIV, MOD, ATAN2, PRELU, ELU_GRAD };
enum CompareOp { EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, LOGICAL_AND, LOGICAL_OR };

// Where a T is computed with: bf16 with floats.
template <class T>
struct Wide {
  typedef T type;
};
template <>
struct Wide<bf16> {
  typedef float type;
};

template <class T, class R, class F>
DEVICE void flat(const T* a, const T* b, R* y, i64 n, int step_a, int step_b, F f) {
  typedef typename Wide<T>::type W;
  if (step_a && step_b) {
    FOR_EACH(i, n) y[i] = f(W(a[i]), W(b[i]));
  } else if (step_a) {
    const W s = n > 0 ? W(*b) : W(0);
    FOR_EACH(i, n) y[i] = f(W(a[i]), s);
  } else {
    const W s = n > 0 ? W(*a) : W(0);
    if (step_b) {
      FOR_EACH(i, n) y[i] = f(s, W(b[i]));
    } else {
      const W t = n > 0 ? W(*b) : W(0);
      FOR_EACH(i, n) y[i] = f(s, t);
    }
  }
}

struct Layout {
  int n1, n2, n3, n4;
  i64 s0, s1, s2, s3, s4, s5;
};
DEVICE i64 offset_of(const Layout& l, i64 r) { return row_offset(r, l.n1, l.n2, l.n3, l.n4, l.s0, l.s1, l.s2, l.s3, l.s4); }

template <class T, class R, class F>
DEVICE void by_rows(const T* a, const T* b, R* y, i64 rows, i64 cols, Layout la, Layout lb, F f) {
  typedef typename Wide<T>::type W;
  FOR_ROW(r, rows, cols) {
    const T* pa = a + offset_of(la, r);
    const T* pb = b + offset_of(lb, r);
    R* py = y + r * cols;
    if (la.s5 && lb.s5) {
      FOR_LANE(i, cols) py[i] = f(W(pa[i]), W(pb[i]));
    } else if (la.s5) {
      const W s = *pb;
      FOR_LANE(i, cols) py[i] = f(W(pa[i]), s);
    } else {
      const W s = *pa;
      FOR_LANE(i, cols) py[i] = f(s, W(pb[i]));
    }
  }
}

DEVICE float power(float a, float b) { return powf(a, b); }
DEVICE int power(int a, int b) { return (int)pow((double)a, (double)b); }
DEVICE float floor_div(float a, float b) { return floorf(a / b); }
DEVICE int floor_div(int a, int b) { return b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0)); }
DEVICE float modulo(float a, float b) {
  const float rest = fmodf(a, b);
  return (a < 0) != (b < 0) && rest != 0 ? rest + b : rest;
}
DEVICE int modulo(int a, int b) { return b == 0 ? 0 : a - floor_div(a, b) * b; }
DEVICE float arc_tangent(float a, float b) { return atan2f(a, b); }
DEVICE int arc_tangent(int a, int b) { return (int)atan2((double)a, (double)b); }
DEVICE float divide(float a, float b) { return a / b; }
DEVICE int divide(int a, int b) { return b == 0 ? 0 : a / b; }

// `run` is called with the chosen operation: one switch per launch, none per element.
template <class T, class Run>
DEVICE void arithmetic(int op, Run run) {
  switch (op) {
    case ADD: return run([](T p, T q) { return p + q; });
    case SUB: return run([](T p, T q) { return p - q; });
    case MUL: return run([](T p, T q) { return p * q; });
    case DIV: return run([](T p, T q) { return divide(p, q); });
    case MAXIMUM: return run([](T p, T q) { return max_(p, q); });
    case MINIMUM: return run([](T p, T q) { return min_(p, q); });
    case POW: return run([](T p, T q) { return power(p, q); });
    case SQUARED_DIFFERENCE: return run([](T p, T q) { return (p - q) * (p - q); });
    case FLOOR_DIV: return run([](T p, T q) { return floor_div(p, q); });
    case MOD: return run([](T p, T q) { return modulo(p, q); });
    case ATAN2: return run([](T p, T q) { return arc_tangent(p, q); });
    case PRELU: return run([](T x, T alpha) { return x < 0 ? x * alpha : x; });
    case ELU_GRAD: return run([](T dy, T y) { return y >= 0 ? dy : dy * (y + 1); });
  }
}

template <class T, class Run>
DEVICE void comparison(int op, Run run) {
  switch (op) {
    case EQUAL: return run([](T p, T q) -> int { return p == q; });
    case NOT_EQUAL: return run([](T p, T q) -> int { return p != q; });
    case GREATER: return run([](T p, T q) -> int { return p > q; });
    case GREATER_EQUAL: return run([](T p, T q) -> int { return p >= q; });
    case LESS: return run([](T p, T q) -> int { return p < q; });
    case LESS_EQUAL: return run([](T p, T q) -> int { return p <= q; });
    case LOGICAL_AND: return run([](T p, T q) -> int { return p != 0 && q != 0; });
    case LOGICAL_OR: return run([](T p, T q) -> int { return p != 0 || q != 0; });
  }
}

STORED_KERNEL(arithmetic_flat)(int op, const stored* a, const stored* b, stored* y, i64 n, int step_a, int step_b) {
  arithmetic<float>(op, [=](auto f) { flat(a, b, y, n, step_a, step_b, f); });
}
STORED_KERNEL(arithmetic_rows)(int op, const stored* a, const stored* b, stored* y, i64 rows, i64 cols, int n1, int n2, int n3, int n4,
  i64 a0, i64 a1, i64 a2, i64 a3, i64 a4, i64 a5, i64 b0, i64 b1, i64 b2, i64 b3, i64 b4, i64 b5) {
  const Layout la = {n1, n2, n3, n4, a0, a1, a2, a3, a4, a5}, lb = {n1, n2, n3, n4, b0, b1, b2, b3, b4, b5};
  arithmetic<float>(op, [=](auto f) { by_rows(a, b, y, rows, cols, la, lb, f); });
}
KERNEL arithmetic_flat_int(int op, const int* a, const int* b, int* y, i64 n, int step_a, int step_b) {
  arithmetic<int>(op, [=](auto f) { flat(a, b, y, n, step_a, step_b, f); });
}
KERNEL arithmetic_rows_int(int op, const int* a, const int* b, int* y, i64 rows, i64 cols, int n1, int n2, int n3, int n4,
  i64 a0, i64 a1, i64 a2, i64 a3, i64 a4, i64 a5, i64 b0, i64 b1, i64 b2, i64 b3, i64 b4, i64 b5) {
  const Layout la = {n1, n2, n3, n4, a0, a1, a2, a3, a4, a5}, lb = {n1, n2, n3, n4, b0, b1, b2, b3, b4, b5};
  arithmetic<int>(op, [=](auto f) { by_rows(a, b, y, rows, cols, la, lb, f); });
}
KERNEL comparison_flat(int op, const float* a, const float* b, int* y, i64 n, int step_a, int step_b) {
  comparison<float>(op, [=](auto f) { flat(a, b, y, n, step_a, step_b, f); });
}
KERNEL comparison_rows(int op, const float* a, const float* b, int* y, i64 rows, i64 cols, int n1, int n2, int n3, int n4,
  i64 a0, i64 a1, i64 a2, i64 a3, i64 a4, i64 a5, i64 b0, i64 b1, i64 b2, i64 b3, i64 b4, i64 b5) {
  const Layout la = {n1, n2, n3, n4, a0, a1, a2, a3, a4, a5}, lb = {n1, n2, n3, n4, b0, b1, b2, b3, b4, b5};
  comparison<float>(op, [=](auto f) { by_rows(a, b, y, rows, cols, la, lb, f); });
}
KERNEL comparison_flat_int(int op, const int* a, const int* b, int* y, i64 n, int step_a, int step_b) {
  comparison<int>(op, [=](auto f) { flat(a, b, y, n, step_a, step_b, f); });
}
KERNEL comparison_rows_int(int op, const int* a, const int* b, int* y, i64 rows, i64 cols, int n1, int n2, int n3, int n4,
  i64 a0, i64 a1, i64 a2, i64 a3, i64 a4, i64 a5, i64 b0, i64 b1, i64 b2, i64 b3, i64 b4, i64 b5) {
  const Layout la = {n1, n2, n3, n4, a0, a1, a2, a3, a4, a5}, lb = {n1, n2, n3, n4, b0, b1, b2, b3, b4, b5};
  comparison<int>(op, [=](auto f) { by_rows(a, b, y, rows, cols, la, lb, f); });
}
