// Runs the attention kernels in the emulator against their definition in float64. Arguments are module files. A line of
// input is a case
//   path batch queries keys capacity heads groups dim causal masked scale option
// (option 1: the number of keys comes from device memory; 2: threads run in reverse order; 4: scores of hundreds) and a line
// of output is what went wrong or "ok", the errors of o, lse, dq, dk, dv, and a checksum of all results, with tabs between.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

#include "../../../src/backend/kernels/device.h"
#include "flash-launch.h"
#include "flash-reference.h"

using reference::Case;
using reference::Numbers;

// An array between two guard bands; what is never written stays NaN.
template <class T>
struct Guarded {
  static constexpr size_t GUARD = 256;
  std::vector<unsigned char> bytes;
  size_t count;
  explicit Guarded(size_t numbers) : bytes(2 * GUARD + 64 + numbers * sizeof(T), 0xff), count(numbers) {}
  T* data() { return (T*)(((size_t)bytes.data() + GUARD + 15) / 16 * 16); }
  bool intact() {
    for (unsigned char* p = bytes.data(); p < (unsigned char*)data(); p++)
      if (*p != 0xff) return false;
    for (unsigned char* p = (unsigned char*)(data() + count); p < bytes.data() + bytes.size(); p++)
      if (*p != 0xff) return false;
    return true;
  }
  Numbers numbers() {
    Numbers n(count);
    for (size_t i = 0; i < count; i++) n[i] = (double)(float)data()[i];
    return n;
  }
};

// Of all results of a case, bit for bit (FNV-1a).
static uint64_t checksum;
template <class T>
static void add_to_checksum(Guarded<T>& results) {
  const auto* bytes = (const unsigned char*)results.data();
  for (size_t i = 0; i < results.count * sizeof(T); i++) checksum = (checksum ^ bytes[i]) * 1099511628211ull;
}

static unsigned ceil_of(int64_t a, int64_t b) { return (unsigned)((a + b - 1) / b); }
static int padded_dim(int dim) { return (dim + 31) / 32 * 32; }

template <class T>
struct Arrays {
  Guarded<T> q, k, v, dy, o, dq, dk, dv;
  Guarded<float> lse, delta, lse2;
  Numbers q_exact, k_exact, v_exact, dy_exact;
  std::vector<int> mask;
  int count;
  const int *mask_data, *count_data;
  int keys;
  std::string suffix = sizeof(T) == 2 ? "_bf16" : "";

  Arrays(const Case& c, int option)
      : q(c.query_numbers()), k(c.key_numbers()), v(c.key_numbers()), dy(c.query_numbers()), o(c.query_numbers()), dq(c.query_numbers()),
        dk(c.key_numbers()), dv(c.key_numbers()), lse((size_t)c.batch * c.heads * c.queries), delta(lse.count), lse2(lse.count), count(c.keys) {
    reference::Noise noise = {7};
    for (Guarded<T>* x : {&q, &k, &v, &dy})
      for (size_t i = 0; i < x->count; i++) x->data()[i] = T((float)((option & 4 && x == &q ? 100 : 1.7) * noise.next()));
    q_exact = q.numbers(), k_exact = k.numbers(), v_exact = v.numbers(), dy_exact = dy.numbers();
    if (c.masked) mask = reference::key_mask(c);
    mask_data = c.masked ? mask.data() : nullptr;
    count_data = option & 1 ? &count : nullptr;
    // Positions from `keys` on hold what was there before: here NaN, which nothing may read.
    for (int b = 0; b < c.batch; b++)
      for (int64_t i = c.key_at(b, c.keys, 0); i < c.key_at(b + 1, 0, 0); i++) k.data()[i] = v.data()[i] = T(NAN);
    keys = option & 1 ? c.capacity : c.keys;
  }

  std::string forward(const Case& c, int rows) {
    const int D8 = padded_dim(c.dim);
    return launch("flash_forward_" + std::to_string(D8) + "_rows" + std::to_string(rows), c.batch * c.heads * ceil_of(c.queries, rows), 128,
                  2 * D8 * (rows + 128), q.data(), k.data(), v.data(), mask_data, count_data, o.data(), lse.data(), c.batch, c.queries, keys,
                  c.capacity, c.heads, c.groups, c.dim, c.causal, (float)c.scale);
  }

  std::string statistics(const Case& c) {
    const i64 rows = (i64)c.batch * c.queries * c.heads;
    return launch("attention_delta" + suffix, ceil_of(rows, 32), 256, 0, o.data(), dy.data(), lse.data(), delta.data(), lse2.data(), rows, c.queries,
                  c.heads, c.dim);
  }

  std::string backward(const Case& c) {
    const int D8 = padded_dim(c.dim), warps = D8 <= 64 ? 4 : 8, rows = D8 <= 64 ? 128 : 64;
    std::string problem = statistics(c);
    if (problem.empty())
      problem = launch("flash_backward_keys_" + std::to_string(D8), c.batch * c.groups * ceil_of(c.capacity, 128), warps * 32, 768 * D8 + 512, q.data(),
                       k.data(), v.data(), dy.data(), mask_data, count_data, delta.data(), lse2.data(), dk.data(), dv.data(), c.batch, c.queries, keys,
                       c.capacity, c.heads, c.groups, c.dim, c.causal, (float)c.scale);
    if (problem.empty())
      problem = launch("flash_backward_queries_" + std::to_string(D8), c.batch * c.heads * ceil_of(c.queries, rows), 128, 4 * D8 * (rows + 32),
                       q.data(), k.data(), v.data(), dy.data(), mask_data, count_data, delta.data(), lse2.data(), dq.data(), c.batch, c.queries, keys,
                       c.capacity, c.heads, c.groups, c.dim, c.causal, (float)c.scale);
    return problem;
  }

  std::string decode(const Case& c, int splits) {
    const int D8 = padded_dim(c.dim);
    const i64 rows = (i64)c.batch * c.queries * c.heads;
    Guarded<float> partial_o(splits * rows * c.dim), partial_lse2(splits * rows);
    std::string problem =
        launch("flash_decode_" + std::to_string(D8), c.batch * c.groups * ceil_of(c.queries * c.heads / c.groups, 16) * splits, 128, 544 * D8 + 512,
               q.data(), k.data(), v.data(), mask_data, count_data, o.data(), lse.data(), partial_o.data(), partial_lse2.data(), c.batch, c.queries,
               keys, c.capacity, c.heads, c.groups, c.dim, c.causal, (float)c.scale, splits);
    if (problem.empty() && splits > 1)
      problem = launch("attention_combine" + suffix, ceil_of(rows, 4), 128, 0, partial_o.data(), partial_lse2.data(), o.data(), lse.data(), rows,
                       c.queries, c.heads, c.dim, splits);
    if (problem.empty() && !(partial_o.intact() && partial_lse2.intact())) problem = "wrote outside of the partial results";
    return problem;
  }

  // The simple path as a planner would run it, its products in float64: blocks of `chunk` queries, all heads of one item.
  std::string simple(const Case& c, int chunk) {
    Numbers dq_sum(dq.count), dk_sum(dk.count), dv_sum(dv.count), o_sum(o.count);
    for (int b = 0; b < c.batch; b++)
      for (int t0 = 0; t0 < c.queries; t0 += chunk) {
        const int height = std::min(chunk, c.queries - t0);
        const i64 rows = (i64)c.heads * height, first = c.statistic_at(b, 0, 0);
        const size_t numbers = rows * keys;
        Guarded<float> scores(numbers), dp(numbers);
        Guarded<T> p(numbers), p_again(numbers), ds(numbers);
        const auto each = [&](auto body) {
          for (int h = 0; h < c.heads; h++)
            for (int i = 0; i < height; i++)
              for (int s = 0; s < keys; s++)
                body(((size_t)h * height + i) * keys + s, c.query_at(b, t0 + i, h), c.key_at(b, s, h / (c.heads / c.groups)));
        };
        each([&](size_t at, int64_t qt, int64_t ks) {
          double dot = 0;
          for (int d = 0; d < c.dim; d++) dot += q_exact[qt + d] * k_exact[ks + d];
          scores.data()[at] = (float)dot;
        });
        const int* keep = mask_data ? mask_data + b * c.capacity : nullptr;
        std::string problem = launch("attention_softmax" + suffix, (unsigned)rows, 256, 0, scores.data(), p.data(), lse.data() + first, keep, count_data,
                                     rows, c.heads, height, t0, c.queries, keys, c.capacity, c.causal, (float)c.scale);
        if (!problem.empty()) return problem;
        each([&](size_t at, int64_t qt, int64_t ks) {
          const double x = (float)p.data()[at];
          for (int d = 0; d < c.dim && x != 0; d++) o_sum[qt + d] += x * v_exact[ks + d];
        });
        for (int64_t i = c.query_at(b, t0, 0); i < c.query_at(b, t0 + height, 0); i++) o.data()[i] = T((float)o_sum[i]);
        problem = statistics(c);
        each([&](size_t at, int64_t qt, int64_t ks) {
          double dot = 0;
          for (int d = 0; d < c.dim; d++) dot += dy_exact[qt + d] * v_exact[ks + d];
          dp.data()[at] = (float)dot;
        });
        if (problem.empty())
          problem = launch("attention_softmax_grad" + suffix, (unsigned)rows, 256, 0, scores.data(), dp.data(), p_again.data(), ds.data(),
                           lse.data() + first, delta.data() + first, keep, count_data, rows, c.heads, height, t0, c.queries, keys, c.capacity, c.causal,
                           (float)c.scale);
        if (!problem.empty()) return problem;
        if (!(p.intact() && p_again.intact() && ds.intact())) return "wrote outside of the probabilities";
        each([&](size_t at, int64_t qt, int64_t ks) {
          const double x = (float)p_again.data()[at], g = (float)ds.data()[at];
          for (int d = 0; d < c.dim && (x != 0 || g != 0); d++) {
            dq_sum[qt + d] += g * k_exact[ks + d];
            dk_sum[ks + d] += g * q_exact[qt + d];
            dv_sum[ks + d] += x * dy_exact[qt + d];
          }
        });
      }
    for (size_t i = 0; i < dq.count; i++) dq.data()[i] = T((float)dq_sum[i]);
    for (size_t i = 0; i < dk.count; i++) dk.data()[i] = T((float)dk_sum[i]), dv.data()[i] = T((float)dv_sum[i]);
    return "";
  }

  std::string run(const std::string& path, const Case& c, int option, std::vector<double>& errors) {
    const bool gradients = path.rfind("backward", 0) == 0 || path.rfind("simple", 0) == 0;
    std::string problem;
    const int number = std::atoi(path.c_str() + path.find_first_of("0123456789"));
    if (path.rfind("forward", 0) == 0) {
      problem = forward(c, number);
    } else if (path.rfind("backward", 0) == 0) {
      problem = forward(c, number);
      if (problem.empty()) problem = backward(c);
    } else if (path.rfind("decode", 0) == 0) {
      problem = decode(c, number);
    } else {
      problem = simple(c, number);
    }
    if (!problem.empty()) return problem;
    const auto want = reference::attention(c, q_exact, k_exact, v_exact, dy_exact, mask, gradients);
    errors = {reference::error(o.numbers(), want.o), reference::error(lse.numbers(), want.lse)};
    if (gradients) {
      errors.push_back(reference::error(dq.numbers(), want.dq));
      errors.push_back(reference::error(dk.numbers(), want.dk));
      errors.push_back(reference::error(dv.numbers(), want.dv));
    }
    for (Guarded<T>* results : {&o, &dq, &dk, &dv}) add_to_checksum(*results);
    add_to_checksum(lse);
    const bool intact = o.intact() && lse.intact() && dq.intact() && dk.intact() && dv.intact() && delta.intact() && lse2.intact();
    return intact ? "" : "wrote outside of the results";
  }
};

// arg_extreme and top_k against a sort of the row; many equal numbers, so that the order among equals counts. Here `queries`
// are rows, `keys` their length, `groups` the distance of neighbours (arg_extreme) and `heads` how many to find (top_k).
template <class T>
static std::string select(const std::string& path, const Case& c) {
  const bool largest = path.find("least") == std::string::npos, top = path.find("top") != std::string::npos;
  const i64 rows = c.queries, length = c.keys, stride = c.groups, k = c.heads;
  const std::string suffix = std::is_same<T, int>::value ? "_int" : "";
  Guarded<T> x(rows * length), values(rows * k);
  Guarded<int> at(top ? rows * k : rows);
  reference::Noise noise = {3};
  for (size_t i = 0; i < x.count; i++) x.data()[i] = (T)(int)(noise.next() * 20);
  if (suffix.empty() && path.find("nan") != std::string::npos)
    for (size_t i = 0; i < x.count; i += 7) x.data()[i] = (T)NAN;
  if (!suffix.empty()) x.data()[x.count / 2] = (T)(-2147483647 - 1);
  const unsigned block = 32 * (1 + length % 8);
  const std::string problem = top ? launch("top_k" + suffix, (unsigned)rows, block, 0, x.data(), values.data(), at.data(), rows, length, k)
                                  : launch("arg_extreme" + suffix, (unsigned)(rows + 1) / 2, block, 0, x.data(), at.data(), rows, length, stride,
                                           largest ? 1 : -1);
  if (!problem.empty()) return problem;
  if (!x.intact() || !values.intact() || !at.intact()) return "wrote outside of the results";
  for (i64 r = 0; r < rows; r++) {
    const T* row = x.data() + (top ? r * length : r / stride * length * stride + r % stride);
    const i64 step = top ? 1 : stride;
    if (!top) {
      i64 best = 0;
      for (i64 i = 1; i < length; i++)
        if (largest ? row[i * step] > row[best * step] : row[i * step] < row[best * step]) best = i;
      if (at.data()[r] != best) return "row " + std::to_string(r) + ": " + std::to_string(at.data()[r]) + ", not " + std::to_string(best);
      continue;
    }
    std::vector<int> order(length);
    for (i64 i = 0; i < length; i++) order[i] = (int)i;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
    for (i64 j = 0; j < k; j++)
      if (at.data()[r * k + j] != order[j] || values.data()[r * k + j] != row[order[j]]) return "row " + std::to_string(r) + ", result " + std::to_string(j);
  }
  return "";
}

int main(int count, char** arguments) {
  for (int i = 1; i < count; i++) {
    void* module = dlopen(arguments[i], RTLD_NOW | RTLD_LOCAL);
    if (!module) return std::printf("%s\n", dlerror()), 1;
    kernel_modules.push_back(module);
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string path;
    Case c;
    int option = 0;
    words >> path >> c.batch >> c.queries >> c.keys >> c.capacity >> c.heads >> c.groups >> c.dim >> c.causal >> c.masked >> c.scale >> option;
    emulation::reverse_order(option & 2);
    std::vector<double> errors;
    checksum = 14695981039346656037ull;
    const bool f32 = path.find("f32") != std::string::npos;
    const bool selects = path.find("top") == 0 || path.find("arg") == 0;
    const std::string problem = selects ? path.find("int") != std::string::npos ? select<int>(path, c) : select<float>(path, c) : f32 ? Arrays<float>(c, option).run(path, c, option, errors) : Arrays<bf16>(c, option).run(path, c, option, errors);
    std::printf("%s\t", problem.empty() ? "ok" : problem.c_str());
    for (size_t i = 0; i < errors.size(); i++) std::printf("%s%.3g", i ? " " : "", errors[i]);
    std::printf("\t%016llx\n", (unsigned long long)checksum);
    std::fflush(stdout);
  }
}
