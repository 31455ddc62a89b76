// y = f(x), element by element.
#include "device.h"

KERNEL neg(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = -x[i]; }
KERNEL neg_int(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = -x[i]; }
KERNEL absolute(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = fabsf(x[i]); }
KERNEL absolute_int(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] < 0 ? -x[i] : x[i]; }
KERNEL exponential(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = exp_(x[i]); }
KERNEL logarithm(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = logf(x[i]); }
KERNEL square_root(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = sqrtf(x[i]); }
KERNEL reciprocal_square_root(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = 1.0f / sqrtf(x[i]); }
KERNEL reciprocal(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = 1.0f / x[i]; }
KERNEL square(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] * x[i]; }
KERNEL square_int(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] * x[i]; }
KERNEL sigmoid(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = sigmoid_(x[i]); }
KERNEL hyperbolic_tangent(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = tanh_(x[i]); }
KERNEL relu(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] < 0 ? 0 : x[i]; }
KERNEL relu_int(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] < 0 ? 0 : x[i]; }
KERNEL error_function(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = erf_(x[i]); }
KERNEL floor_of(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = floorf(x[i]); }
KERNEL ceiling(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = ceilf(x[i]); }
KERNEL round_half_even(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = rintf(x[i]); }
KERNEL sign_of(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] > 0 ? 1.0f : x[i] < 0 ? -1.0f : 0.0f; }
KERNEL sign_of_int(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = (x[i] > 0) - (x[i] < 0); }
// x <= 0 gives alpha, NaN stays.
KERNEL step(const float* x, float* y, i64 n, float alpha) { FOR_EACH(i, n) y[i] = x[i] > 0 ? 1.0f : x[i] != x[i] ? x[i] : alpha; }
KERNEL step_int(const int* x, int* y, i64 n, float alpha) { FOR_EACH(i, n) y[i] = x[i] > 0 ? 1 : (int)alpha; }
KERNEL clip(const float* x, float* y, i64 n, float low, float high) { FOR_EACH(i, n) y[i] = x[i] > high ? high : x[i] < low ? low : x[i]; }
KERNEL clip_int(const int* x, int* y, i64 n, float low, float high) { FOR_EACH(i, n) y[i] = x[i] > high ? (int)high : x[i] < low ? (int)low : x[i]; }
KERNEL relu6(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] < 0 ? 0 : x[i] > 6 ? 6 : x[i]; }
KERNEL relu6_int(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] < 0 ? 0 : x[i] > 6 ? 6 : x[i]; }
KERNEL leaky_relu(const float* x, float* y, i64 n, float alpha) { FOR_EACH(i, n) y[i] = x[i] < 0 ? alpha * x[i] : x[i]; }
KERNEL elu(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] >= 0 ? x[i] : expm1f(x[i]); }
// Klambauer et al. 2017: scale 1.0507, and alpha 1.6733 below 0.
KERNEL selu(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] >= 0 ? 1.05070099f * x[i] : 1.75809934f * expm1f(x[i]); }
// log(1 + e^x), by whichever of e^x and e^-x cannot overflow.
KERNEL softplus(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] > 0 ? x[i] + log1pf(exp_(-x[i])) : log1pf(exp_(x[i])); }
KERNEL exponential_minus_one(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = expm1f(x[i]); }
KERNEL logarithm_of_one_plus(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = log1pf(x[i]); }
KERNEL sine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = sinf(x[i]); }
KERNEL cosine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = cosf(x[i]); }
KERNEL tangent(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = (float)tan((double)x[i]); }
KERNEL arc_sine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = asinf(x[i]); }
KERNEL arc_cosine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = acosf(x[i]); }
KERNEL arc_tangent(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = atanf(x[i]); }
KERNEL hyperbolic_sine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = sinhf(x[i]); }
KERNEL hyperbolic_cosine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = coshf(x[i]); }
KERNEL area_sine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = asinhf(x[i]); }
KERNEL area_cosine(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = acoshf(x[i]); }
KERNEL area_tangent(const float* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = atanhf(x[i]); }
KERNEL is_nan(const float* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] != x[i]; }
KERNEL is_finite(const float* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] - x[i] == 0.0f; }
KERNEL is_infinite(const float* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] == x[i] && x[i] - x[i] != 0.0f; }
KERNEL logical_not(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] == 0; }

// Conversions. bf16 rounds to nearest even. Booleans are stored as int32 0 or 1.
KERNEL f32_to_bf16(const float* x, bf16* y, i64 n) { FOR_EACH(i, n) y[i] = x[i]; }
KERNEL bf16_to_f32(const bf16* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = x[i]; }
KERNEL int_to_float(const int* x, float* y, i64 n) { FOR_EACH(i, n) y[i] = (float)x[i]; }
KERNEL float_to_int(const float* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = (int)x[i]; }
KERNEL float_to_bool(const float* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] != 0.0f; }
KERNEL int_to_bool(const int* x, int* y, i64 n) { FOR_EACH(i, n) y[i] = x[i] != 0; }

STORED_KERNEL(fill)(stored* y, i64 n, float value) {
  const stored rounded = value;
  FOR_EACH(i, n) y[i] = rounded;
}
KERNEL fill_int(int* y, i64 n, int value) { FOR_EACH(i, n) y[i] = value; }
