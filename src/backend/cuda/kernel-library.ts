/** Which source file holds which kernel, and how each file is compiled. */

import { BackendError } from '../../base/errors.js';
import { nearest } from '../../base/nearest.js';
import { type KernelSource, readKernelSources } from '../kernel-sources.js';
import { bf16Name, hasStoredKernels, parseSignatures, type Signature } from '../signatures.js';
import { COMPILE_OPTIONS } from './nvrtc.js';

/** A source compiled with one set of options: what a module is made from. */
export interface CompilationUnit {
  /** The file name, with `(bf16)` for the second compilation of stored kernels. */
  readonly name: string;
  readonly source: string;
  /** Where the source lies. */
  readonly path: string;
  readonly options: readonly string[];
  readonly signatures: readonly Signature[];
}

export class KernelLibrary {
  private readonly units: readonly CompilationUnit[];
  private readonly unitsByKernel: ReadonlyMap<string, CompilationUnit>;

  /** @param headers texts by the names that sources include them under */
  constructor(
    sources: readonly KernelSource[],
    readonly headers: ReadonlyMap<string, string>,
  ) {
    this.units = sources.flatMap(unitsOf);
    const entries = this.units.flatMap((unit) => unit.signatures.map(({ name }) => [name, unit] as const));
    this.unitsByKernel = new Map(entries);
  }

  /** The package's sources: what both devices share, and what only CUDA has. */
  static async read(): Promise<KernelLibrary> {
    const [shared, own] = await Promise.all([readKernelSources('kernels'), readKernelSources('cuda')]);
    const sources = [...shared, ...own].filter(({ name }) => name.endsWith('.cu'));
    const headers = [
      ...shared.flatMap(({ name, text }) => [[name, text] as const, [`../kernels/${name}`, text] as const]),
      ...own.map(({ name, text }) => [name, text] as const),
    ].filter(([name]) => name.endsWith('.h'));
    return new KernelLibrary(sources, new Map(headers));
  }

  get all(): readonly CompilationUnit[] {
    return this.units;
  }

  has(kernel: string): boolean {
    return this.unitsByKernel.has(kernel);
  }

  /** @throws BackendError E_KERNEL_UNKNOWN */
  unitOf(kernel: string): CompilationUnit {
    const unit = this.unitsByKernel.get(kernel);
    if (unit !== undefined) return unit;
    const close = nearest(kernel, this.unitsByKernel.keys());
    throw new BackendError(
      'E_KERNEL_UNKNOWN',
      `cuda: no kernel named ${kernel}${close === undefined ? '' : `; did you mean ${close}?`}`,
    );
  }
}

function unitsOf({ name, text, path }: KernelSource): CompilationUnit[] {
  const signatures = parseSignatures(text);
  if (!hasStoredKernels(text)) return [{ name, source: text, path, options: COMPILE_OPTIONS, signatures }];
  // A stored kernel is listed next to its bf16 variant: what has a partner of that name is the fp32 one.
  const names = new Set(signatures.map((signature) => signature.name));
  const isBf16 = ({ name: kernel }: Signature) => kernel.endsWith('_bf16') && names.has(kernel.replace(/_bf16$/, ''));
  const plain = signatures.filter((signature) => !isBf16(signature));
  const stored = plain.filter(({ name: kernel }) => names.has(bf16Name(kernel)));
  return [
    { name, source: text, path, options: COMPILE_OPTIONS, signatures: plain },
    {
      name: `${name} (bf16)`,
      source: text,
      path,
      options: [...COMPILE_OPTIONS, '-DSTORE_BF16'],
      signatures: stored.map((signature) => ({ ...signature, name: bf16Name(signature.name) })),
    },
  ];
}
