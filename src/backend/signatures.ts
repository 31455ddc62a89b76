/** Kernel signatures, read from the C++ sources: the one place where they are written. */

/** How a parameter is passed; a pointer is an address. */
export type ParameterType = 'uint64' | 'int64' | 'int32' | 'uint32' | 'float';

export interface Signature {
  readonly name: string;
  readonly result: 'void' | ParameterType;
  readonly parameters: readonly ParameterType[];
  /** The parameters' names; `n` or `rows` is a kernel's amount of work. */
  readonly parameterNames: readonly string[];
}

const DEFINITION = /^(?:KERNEL (\w+)|STORED_KERNEL\((\w+)\)|extern "C" ([\w ]+?\**)\s*\b(\w+))\(([^)]*)\)\s*\{/gm;
const SCALARS: Readonly<Record<string, ParameterType>> = {
  i64: 'int64',
  'unsigned long long': 'uint64',
  int: 'int32',
  u32: 'uint32',
  float: 'float',
};

/** The name of the variant of a STORED_KERNEL that reads and writes bf16. */
export function bf16Name(kernel: string): string {
  return `${kernel}_bf16`;
}

/** Whether a source must be compiled a second time, with STORE_BF16 defined. */
export function hasStoredKernels(source: string): boolean {
  return /^STORED_KERNEL\(/m.test(source);
}

function typeOf(declaration: string, kernel: string): ParameterType {
  if (declaration.includes('*')) return 'uint64';
  const scalar = SCALARS[declaration.replace(/\w+$/, '').trim()];
  if (scalar === undefined) throw new TypeError(`kernel ${kernel}: no rule to pass the parameter "${declaration}"`);
  return scalar;
}

/**
 * Every `KERNEL name(...) {`, `STORED_KERNEL(name)(...) {` (both variants) and `extern "C" type name(...) {` of a source
 * file. Comments between parameters are not allowed.
 */
export function parseSignatures(source: string): Signature[] {
  return [...source.matchAll(DEFINITION)].flatMap(([, plain, stored, result = 'void', exported = '', list = '']) => {
    const name = stored ?? plain ?? exported;
    const declarations = list.trim() === '' ? [] : list.split(',').map((parameter) => parameter.trim());
    const signature: Signature = {
      name,
      result: result === 'void' ? 'void' : typeOf(`${result} result`, name),
      parameters: declarations.map((declaration) => typeOf(declaration, name)),
      parameterNames: declarations.map((declaration) => /\w+$/.exec(declaration)?.[0] ?? ''),
    };
    return stored === undefined ? [signature] : [signature, { ...signature, name: bf16Name(name) }];
  });
}
