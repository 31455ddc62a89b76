/** Kernel signatures, read from the C++ sources: the one place where they are written. */

/** How a parameter is passed; a pointer is an address. */
export type ParameterType = 'uint64' | 'int64' | 'int32' | 'uint32' | 'float';

export interface Signature {
  readonly name: string;
  readonly result: 'void' | ParameterType;
  readonly parameters: readonly ParameterType[];
}

const DEFINITION = /^(?:KERNEL|extern "C" ([\w ]+?\**))\s*\b(\w+)\(([^)]*)\)\s*\{/gm;
const SCALARS: Readonly<Record<string, ParameterType>> = {
  i64: 'int64',
  'unsigned long long': 'uint64',
  int: 'int32',
  u32: 'uint32',
  float: 'float',
};

function typeOf(declaration: string, kernel: string): ParameterType {
  if (declaration.includes('*')) return 'uint64';
  const scalar = SCALARS[declaration.replace(/\w+$/, '').trim()];
  if (scalar === undefined) throw new TypeError(`kernel ${kernel}: no rule to pass the parameter "${declaration}"`);
  return scalar;
}

/** Every `KERNEL name(...) {` and `extern "C" type name(...) {` of a source file. Comments between parameters are not allowed. */
export function parseSignatures(source: string): Signature[] {
  return [...source.matchAll(DEFINITION)].map(([, result = 'void', name = '', list = '']) => ({
    name,
    result: result === 'void' ? 'void' : typeOf(`${result} result`, name),
    parameters: list.trim() === '' ? [] : list.split(',').map((parameter) => typeOf(parameter.trim(), name)),
  }));
}
