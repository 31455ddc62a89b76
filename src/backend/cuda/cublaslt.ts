/**
 * Matrix products by cuBLASLt. It thinks in columns: a row-major C = A B is its C' = B' A', so operands change places and
 * every row-major matrix is its column-major transpose without being touched.
 */
import { BackendError } from '../../base/errors.js';
import type { FloatStorage } from '../device.js';
import {
  ALGORITHM_BYTES,
  COMPUTE,
  CUBLASLT_FUNCTIONS,
  DATA_TYPE,
  EPILOGUE,
  HEURISTIC_RESULT_BYTES,
  HEURISTIC_WORKSPACE_OFFSET,
  LAYOUT,
  OPERATION,
  PREFERENCE,
  REDUCE_IN_COMPUTE_TYPE,
  STATUS_NAMES,
  TRANSPOSE,
} from './cublaslt-functions.js';
import type { LibrarySearch } from './find-libraries.js';
import { type LoadedLibrary, requireLibrary } from './load-libraries.js';
import { alignmentOf, type Product, planHash, productText, samePlan } from './product.js';
import { bindCalls, type Calls, OutValue } from './prototype.js';
import type { Stream } from './stream.js';

interface Plan {
  /** The first product that it was made for. */
  readonly product: Product;
  readonly operation: number;
  /** Of the first, second and result matrix as cuBLASLt sees them. */
  readonly layouts: readonly [number, number, number];
  readonly algorithm: Buffer;
}

type CublasLtCalls = Calls<typeof CUBLASLT_FUNCTIONS>;

/** What NVIDIA recommends for Hopper; older GPUs are content with an eighth. */
export const WORKSPACE_BYTES = 32 * 2 ** 20;
const MAX_PLANS = 4096;

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
}

export class CublasLt {
  /** As 120903 for 12.9.3. */
  readonly version: number;
  private readonly handle: number;
  private readonly preference: number;
  private readonly plans = new Map<number, Plan[]>();
  private planCount = 0;
  private readonly alpha = float32(1);
  private readonly beta = float32(0);

  private constructor(
    readonly library: LoadedLibrary,
    private readonly calls: CublasLtCalls,
    version: number,
    private readonly stream: Stream,
    private readonly workspace: number,
    private readonly compute: number,
  ) {
    this.version = version;
    const out = new OutValue();
    this.check(calls.cublasLtCreate(out.bytes), 'cublasLtCreate', 'starting');
    this.handle = out.uint64;
    this.check(calls.cublasLtMatmulPreferenceCreate(out.bytes), 'cublasLtMatmulPreferenceCreate', 'starting');
    this.preference = out.uint64;
    this.prefer(PREFERENCE.workspaceBytes, int64(WORKSPACE_BYTES));
    this.prefer(PREFERENCE.reductionSchemes, int32(REDUCE_IN_COMPUTE_TYPE));
  }

  /**
   * @param workspace address of WORKSPACE_BYTES of device memory, 256-byte aligned
   * @param tf32 lets fp32 products run on tensor cores with 10-bit mantissas
   * @throws BackendError E_LIBRARY_ABSENT
   */
  static open(search: LibrarySearch, stream: Stream, workspace: number, tf32: boolean): CublasLt {
    const library = requireLibrary('cublasLt', search);
    const calls = bindCalls(library.handle, CUBLASLT_FUNCTIONS);
    const version = library.handle.func('cublasLtGetVersion', 'uint64', []);
    const compute = tf32 ? COMPUTE.tf32 : COMPUTE.f32;
    return new CublasLt(library, calls, version(), stream, workspace, compute);
  }

  /** Queues a product; m, n, k and batch are at least 1. */
  multiply(p: Product): void {
    const plan = this.planOf(p);
    if (p.bias !== 0) this.describe(plan.operation, OPERATION.biasPointer, int64(p.bias));
    this.alpha.writeFloatLE(p.scale);
    this.beta.writeFloatLE(p.accumulate ? 1 : 0);
    const [first, second, result] = plan.layouts;
    const status = this.calls.cublasLtMatmul(
      this.handle,
      plan.operation,
      this.alpha,
      p.b,
      first,
      p.a,
      second,
      this.beta,
      p.c,
      result,
      p.c,
      result,
      plan.algorithm,
      this.workspace,
      WORKSPACE_BYTES,
      this.stream.handle,
    );
    if (status !== 0) this.check(status, 'cublasLtMatmul', productText(p));
  }

  dispose(): void {
    this.dropPlans();
    this.calls.cublasLtMatmulPreferenceDestroy(this.preference);
    this.check(this.calls.cublasLtDestroy(this.handle), 'cublasLtDestroy', 'ending');
  }

  private planOf(p: Product): Plan {
    const hash = planHash(p);
    const known = this.plans.get(hash);
    if (known !== undefined) for (const plan of known) if (samePlan(plan.product, p)) return plan;
    const plan = this.makePlan(p);
    if (this.planCount++ >= MAX_PLANS) this.dropPlans();
    const list = this.plans.get(hash);
    if (list === undefined) this.plans.set(hash, [plan]);
    else list.push(plan);
    return plan;
  }

  /** Sequences of ever new lengths: all are dropped at once, since making one again costs microseconds. */
  private dropPlans(): void {
    for (const plan of [...this.plans.values()].flat()) this.destroy(plan);
    this.plans.clear();
    this.planCount = 1;
  }

  private makePlan(p: Product): Plan {
    const [alignmentA, alignmentB, alignmentC] = [alignmentOf(p.a), alignmentOf(p.b), alignmentOf(p.c)];
    const out = new OutValue();
    const created = this.calls.cublasLtMatmulDescCreate(out.bytes, this.compute, DATA_TYPE.f32);
    this.check(created, 'cublasLtMatmulDescCreate', productText(p));
    const operation = out.uint64;
    this.describe(operation, OPERATION.transposeA, int32(p.transposeB ? TRANSPOSE.yes : TRANSPOSE.no));
    this.describe(operation, OPERATION.transposeB, int32(p.transposeA ? TRANSPOSE.yes : TRANSPOSE.no));
    this.describe(operation, OPERATION.epilogue, int32(p.bias === 0 ? EPILOGUE.none : EPILOGUE.bias));
    if (p.bias !== 0) this.describe(operation, OPERATION.biasPointer, int64(p.bias));
    const { batch, m, n, k } = p;
    const [rowsA, colsA] = p.transposeA ? [k, m] : [m, k];
    const [rowsB, colsB] = p.transposeB ? [n, k] : [k, n];
    const layouts = [
      this.layout({ storage: p.storage, rows: rowsB, cols: colsB, ld: p.ldB, batch, stride: p.strideB }),
      this.layout({ storage: p.storage, rows: rowsA, cols: colsA, ld: p.ldA, batch, stride: p.strideA }),
      this.layout({ storage: p.resultStorage, rows: m, cols: n, ld: p.ldC, batch, stride: p.strideC }),
    ] as const;
    // The operand that cuBLASLt calls A is our B.
    this.prefer(PREFERENCE.alignmentA, int32(alignmentB));
    this.prefer(PREFERENCE.alignmentB, int32(alignmentA));
    this.prefer(PREFERENCE.alignmentC, int32(alignmentC));
    this.prefer(PREFERENCE.alignmentD, int32(alignmentC));
    const algorithm = this.bestAlgorithm(p, operation, layouts);
    return { product: p, operation, layouts, algorithm };
  }

  private bestAlgorithm(p: Product, operation: number, [first, second, result]: Plan['layouts']): Buffer {
    const results = Buffer.alloc(HEURISTIC_RESULT_BYTES);
    const found = new OutValue();
    const status = this.calls.cublasLtMatmulAlgoGetHeuristic(
      this.handle,
      operation,
      first,
      second,
      result,
      result,
      this.preference,
      1,
      results,
      found.bytes,
    );
    this.check(status, 'cublasLtMatmulAlgoGetHeuristic', productText(p));
    if (found.int32 === 0 || results.readBigUInt64LE(HEURISTIC_WORKSPACE_OFFSET) > BigInt(WORKSPACE_BYTES)) {
      throw new BackendError('E_GEMM_UNSUPPORTED', `cuda: cuBLASLt has no algorithm for ${productText(p)}`, {
        hint: 'try the cuBLAS of another CUDA release (MIMIC_CUDA_LIBS)',
      });
    }
    return results.subarray(0, ALGORITHM_BYTES);
  }

  /** A row-major matrix as cuBLASLt's column-major transpose. */
  private layout(matrix: {
    storage: FloatStorage;
    rows: number;
    cols: number;
    ld: number;
    batch: number;
    stride: number;
  }): number {
    const { storage, rows, cols, ld, batch, stride } = matrix;
    const out = new OutValue();
    const status = this.calls.cublasLtMatrixLayoutCreate(out.bytes, DATA_TYPE[storage], cols, rows, ld);
    this.check(status, 'cublasLtMatrixLayoutCreate', `describing a [${rows}, ${cols}] matrix`);
    const layout = out.uint64;
    if (batch > 1) {
      const set = this.calls.cublasLtMatrixLayoutSetAttribute;
      const name = 'cublasLtMatrixLayoutSetAttribute';
      this.check(set(layout, LAYOUT.batchCount, int32(batch), 4), name, `a batch of ${batch}`);
      this.check(set(layout, LAYOUT.batchStride, int64(stride), 8), name, `a batch stride of ${stride}`);
    }
    return layout;
  }

  private describe(operation: number, attribute: number, value: Buffer): void {
    const status = this.calls.cublasLtMatmulDescSetAttribute(operation, attribute, value, value.length);
    if (status !== 0) this.check(status, 'cublasLtMatmulDescSetAttribute', `setting attribute ${attribute}`);
  }

  private prefer(attribute: number, value: Buffer): void {
    const status = this.calls.cublasLtMatmulPreferenceSetAttribute(this.preference, attribute, value, value.length);
    this.check(status, 'cublasLtMatmulPreferenceSetAttribute', `setting preference ${attribute}`);
  }

  private destroy({ operation, layouts }: Plan): void {
    this.check(this.calls.cublasLtMatmulDescDestroy(operation), 'cublasLtMatmulDescDestroy', 'dropping a plan');
    for (const layout of layouts) {
      this.check(this.calls.cublasLtMatrixLayoutDestroy(layout), 'cublasLtMatrixLayoutDestroy', 'dropping a plan');
    }
  }

  private check(status: number, call: string, meaning: string): void {
    if (status === 0) return;
    const name = STATUS_NAMES[status] ?? `cublasStatus ${status}`;
    throw new BackendError('E_CUDA_CALL', `cuda: ${call} failed with ${name}: ${meaning}`, {
      context: { status, name, call },
    });
  }
}
