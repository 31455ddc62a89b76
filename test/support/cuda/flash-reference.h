// Attention by its definition in float64, over the layouts of AttentionProblem, and inputs for it.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace reference {

using Numbers = std::vector<double>;

struct Case {
  int batch, queries, keys, capacity, heads, groups, dim, causal, masked;
  double scale;

  int64_t query_at(int b, int t, int h) const { return (((int64_t)b * queries + t) * heads + h) * dim; }
  int64_t key_at(int b, int s, int g) const { return (((int64_t)b * capacity + s) * groups + g) * dim; }
  int64_t statistic_at(int b, int h, int t) const { return ((int64_t)b * heads + h) * queries + t; }
  int64_t query_numbers() const { return query_at(batch, 0, 0); }
  int64_t key_numbers() const { return key_at(batch, 0, 0); }
};

// A number in [-1, 1) of a fixed sequence.
struct Noise {
  uint64_t state;
  double next() {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (double)(int64_t)(z ^ z >> 31) / 9223372036854775808.0;
  }
};

inline std::vector<int> key_mask(const Case& c) {
  std::vector<int> mask((size_t)c.batch * c.capacity);
  Noise noise = {99};
  // The first item hides its first half, so that causal queries exist that see nothing.
  for (size_t i = 0; i < mask.size(); i++) mask[i] = i < (size_t)c.keys / 2 ? 0 : noise.next() > -0.4;
  return mask;
}

struct Results {
  Numbers o, lse, dq, dk, dv;
};

inline Results attention(const Case& c, const Numbers& q, const Numbers& k, const Numbers& v, const Numbers& dy, const std::vector<int>& mask,
                         bool gradients) {
  Results r = {Numbers(c.query_numbers()), Numbers((size_t)c.batch * c.heads * c.queries), Numbers(c.query_numbers()), Numbers(c.key_numbers()),
               Numbers(c.key_numbers())};
  Numbers p(c.keys), dp(c.keys);
  for (int b = 0; b < c.batch; b++)
    for (int h = 0; h < c.heads; h++)
      for (int t = 0; t < c.queries; t++) {
        const int g = h / (c.heads / c.groups);
        const double* qt = q.data() + c.query_at(b, t, h);
        double top = -INFINITY, sum = 0;
        for (int s = 0; s < c.keys; s++) {
          const bool seen = (!c.causal || s <= t + c.keys - c.queries) && (mask.empty() || mask[(size_t)b * c.capacity + s]);
          const double* ks = k.data() + c.key_at(b, s, g);
          double dot = 0;
          for (int d = 0; d < c.dim; d++) dot += qt[d] * ks[d];
          p[s] = seen ? dot * c.scale : -INFINITY;
          top = std::fmax(top, p[s]);
        }
        for (int s = 0; s < c.keys; s++) p[s] = top == -INFINITY ? 0 : std::exp(p[s] - top), sum += p[s];
        r.lse[c.statistic_at(b, h, t)] = sum > 0 ? top + std::log(sum) : -INFINITY;
        if (sum == 0) continue;
        double* ot = r.o.data() + c.query_at(b, t, h);
        for (int s = 0; s < c.keys; s++) {
          p[s] /= sum;
          const double* vs = v.data() + c.key_at(b, s, g);
          for (int d = 0; d < c.dim; d++) ot[d] += p[s] * vs[d];
        }
        if (!gradients) continue;
        const double* dyt = dy.data() + c.query_at(b, t, h);
        double* dqt = r.dq.data() + c.query_at(b, t, h);
        double delta = 0;
        for (int d = 0; d < c.dim; d++) delta += dyt[d] * ot[d];
        for (int s = 0; s < c.keys; s++) {
          const int64_t at = c.key_at(b, s, g);
          double dot = 0;
          for (int d = 0; d < c.dim; d++) dot += dyt[d] * v[at + d];
          const double ds = p[s] * (dot - delta) * c.scale;
          for (int d = 0; d < c.dim; d++) {
            dqt[d] += ds * k[at + d];
            r.dk[at + d] += ds * qt[d];
            r.dv[at + d] += p[s] * dyt[d];
          }
        }
      }
  return r;
}

// The largest difference, relative to the value wanted plus the root mean square of those that are not 0 (1 if all are): a
// value near zero is not asked for more digits than its neighbours. Equal infinities differ by nothing; a NaN counts as infinite.
inline double error(const Numbers& got, const Numbers& want) {
  double most = 0, squares = 0;
  int64_t finite = 0;
  for (double x : want)
    if (std::isfinite(x) && x != 0) squares += x * x, finite++;
  const double typical = squares > 0 ? std::sqrt(squares / (double)finite) : 1;
  for (size_t i = 0; i < want.size(); i++) {
    if (got[i] == want[i]) continue;
    const double difference = std::fabs(got[i] - want[i]) / (std::fabs(want[i]) + typical);
    if (!(difference < INFINITY)) return INFINITY;
    most = std::fmax(most, difference);
  }
  return most;
}

}  // namespace reference
