/**
 * From next-token logits to one token id: repetition penalty, temperature, top-k, top-p, then one draw.
 *
 * Pure functions over host arrays; V is the vocabulary size. Ties are broken by the lower id everywhere, so that a
 * seed gives the same text on every device whose logits agree.
 *
 * @source penalty: Keskar et al. 2019 (CTRL), section 4.1; top-p: Holtzman et al. 2020, section 3.1
 */
import { BackendError, ConfigError } from '../base/errors.js';
import type { Rng } from '../base/rng.js';

export interface DecodingOptions {
  /** 0 = greedy (the most likely token, no draw); 1 = the model's own distribution. */
  readonly temperature: number;
  /** Keep the smallest set of most likely tokens with at least this mass; 1 = all. */
  readonly topP: number;
  /** Keep the k most likely tokens; 0 = all. */
  readonly topK: number;
  /** Divides positive (multiplies negative) logits of tokens already generated; 1 = off. */
  readonly repetitionPenalty: number;
}

/** @throws ConfigError E_DECODING_RANGE naming the option, its value and its range. */
export function checkDecodingOptions(options: DecodingOptions): void {
  const refuse = (name: keyof DecodingOptions, range: string): never => {
    throw new ConfigError('E_DECODING_RANGE', `${name}: got ${options[name]}, expected ${range}`);
  };
  if (!(options.temperature >= 0 && options.temperature < Infinity)) refuse('temperature', 'a finite number >= 0');
  if (!(options.topP > 0 && options.topP <= 1)) refuse('topP', 'a number in (0, 1]');
  if (!(Number.isInteger(options.topK) && options.topK >= 0)) refuse('topK', 'an integer >= 0 (0 = all tokens)');
  if (!(options.repetitionPenalty > 0 && options.repetitionPenalty < Infinity))
    refuse('repetitionPenalty', 'a finite number > 0');
}

/**
 * Softmax in float64, shifted by the maximum.
 *
 * @param logits_V finite or -Infinity (a forbidden token, probability 0)
 * @throws BackendError E_LOGITS_NOT_FINITE on NaN or +Infinity; E_LOGITS_EMPTY when no token is allowed
 */
export function softmax(logits_V: ArrayLike<number>): Float64Array {
  const top = logits_V[argmax(logits_V)] ?? 0;
  const probabilities_V = Float64Array.from(logits_V, (logit) => Math.exp(logit - top));
  return normalize(probabilities_V);
}

/** Index of the largest value, the lowest one on ties. @throws as `softmax` */
export function argmax(logits_V: ArrayLike<number>): number {
  let best = -1;
  let bestLogit = -Infinity;
  for (let id = 0; id < logits_V.length; id++) {
    const logit = logits_V[id] ?? Number.NaN;
    if (Number.isNaN(logit) || logit === Infinity) {
      throw new BackendError(
        'E_LOGITS_NOT_FINITE',
        `logit of token ${id} is ${logit}, expected a finite number or -Infinity`,
        {
          hint: 'the weights are damaged or overflowed: try precision fp32, or run `mimic doctor`',
        },
      );
    }
    if (logit > bestLogit) {
      best = id;
      bestLogit = logit;
    }
  }
  if (best < 0) {
    throw new BackendError(
      'E_LOGITS_EMPTY',
      `no token is allowed: all ${logits_V.length} logits are -Infinity, expected at least one finite`,
    );
  }
  return best;
}

/**
 * Probability of each token as the next one, after all filters.
 *
 * @param seenIds tokens already generated, which the repetition penalty makes less likely
 * @returns float64 [V], sums to 1; one-hot when greedy
 * @throws as `softmax`
 */
export function tokenDistribution(
  logits_V: Float32Array,
  seenIds: Iterable<number>,
  options: DecodingOptions,
): Float64Array {
  const scaled_V = Float64Array.from(logits_V);
  if (options.repetitionPenalty !== 1) penalize(scaled_V, seenIds, options.repetitionPenalty);
  if (options.temperature === 0) {
    const oneHot_V = new Float64Array(scaled_V.length);
    oneHot_V[argmax(scaled_V)] = 1;
    return oneHot_V;
  }
  // Shift before dividing: a tiny temperature must not overflow a large logit.
  const top = scaled_V[argmax(scaled_V)] ?? 0;
  let probabilities_V = softmax(scaled_V.map((logit) => (logit - top) / options.temperature));
  if (options.topK > 0) probabilities_V = normalize(keepLargest(probabilities_V, options.topK));
  if (options.topP < 1)
    probabilities_V = normalize(keepLargest(probabilities_V, nucleusSize(probabilities_V, options.topP)));
  return probabilities_V;
}

/** Draws one token id by inversion; greedy consumes no random number. @throws as `softmax` */
export function sampleToken(
  logits_V: Float32Array,
  seenIds: Iterable<number>,
  options: DecodingOptions,
  rng: Rng,
): number {
  const probabilities_V = tokenDistribution(logits_V, seenIds, options);
  if (options.temperature === 0) return probabilities_V.indexOf(1);
  let remaining = rng.uniform();
  let last = 0;
  for (let id = 0; id < probabilities_V.length; id++) {
    const probability = probabilities_V[id] ?? 0;
    if (probability === 0) continue;
    last = id;
    remaining -= probability;
    if (remaining < 0) return id;
  }
  return last; // rounding left a sliver above the last cumulative sum
}

function penalize(logits_V: Float64Array, seenIds: Iterable<number>, penalty: number): void {
  for (const id of new Set(seenIds)) {
    const logit = logits_V[id];
    if (logit !== undefined) logits_V[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

/** Zeroes all but the `count` largest; exactly `count` remain, lower ids first among equals. */
function keepLargest(values: Float64Array, count: number): Float64Array {
  if (count >= values.length) return values;
  const ascending = values.slice().sort();
  const threshold = ascending[values.length - count] ?? 0;
  let ties = count - values.reduce((above, value) => above + (value > threshold ? 1 : 0), 0);
  return values.map((value) => (value > threshold || (value === threshold && ties-- > 0) ? value : 0));
}

/** Size of the smallest set of most likely tokens whose mass reaches `mass`. */
function nucleusSize(probabilities_V: Float64Array, mass: number): number {
  const ascending = probabilities_V.slice().sort();
  let sum = 0;
  for (let count = 1; count < ascending.length; count++) {
    sum += ascending[ascending.length - count] ?? 0;
    if (sum >= mass) return count;
  }
  return ascending.length;
}

function normalize(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
