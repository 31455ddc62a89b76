/** What of CUDA a machine has, for `mimic doctor`: each library and GPU, or why not and what to do. */
import { BackendError } from '../../base/errors.js';
import { type DeviceProperties, deviceProperties } from './context.js';
import { Driver, versionText } from './driver.js';
import { CUDA_LIBRARIES, type CudaLibrary, type LibrarySearch } from './find-libraries.js';
import { isLoaded, loadLibrary } from './load-libraries.js';
import { Nvrtc } from './nvrtc.js';
import { OutValue } from './prototype.js';

export interface SurveyedLibrary {
  readonly name: CudaLibrary;
  /** Version and path, or the reason for its absence. */
  readonly found: string;
  readonly present: boolean;
  readonly fix?: string;
}

export interface CudaSurvey {
  readonly libraries: readonly SurveyedLibrary[];
  /** Empty when the driver sees none or is absent. */
  readonly devices: readonly DeviceProperties[];
}

/** cublasLtGetVersion and ncclGetVersion count as 12.9.3 -> 120903, 2.27.3 -> 22703. */
function libraryVersion(name: CudaLibrary, search: LibrarySearch): string {
  const library = loadLibrary(name, search);
  if (!isLoaded(library)) return '';
  if (name === 'nvrtc') {
    const { major, minor } = Nvrtc.open(search).version;
    return `${major}.${minor}`;
  }
  if (name === 'cublasLt') return String(library.handle.func('cublasLtGetVersion', 'uint64', [])());
  const out = new OutValue();
  library.handle.func('ncclGetVersion', 'int', ['void *'])(out.bytes);
  return String(out.int32);
}

function surveyOf(name: CudaLibrary, search: LibrarySearch): SurveyedLibrary {
  const library = loadLibrary(name, search);
  if (!isLoaded(library)) return { name, present: false, found: library.reason, fix: library.fix };
  return { name, present: true, found: `${libraryVersion(name, search)}, ${library.path} (${library.place})` };
}

/** Looks at everything and throws nothing. */
export function surveyCuda(search: LibrarySearch = {}): CudaSurvey {
  let driver: Driver;
  try {
    driver = Driver.open(search);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const fix = error.hint === undefined ? {} : { fix: error.hint };
    const cuda = { name: 'cuda', present: false, found: error.message, ...fix } as const;
    const others = CUDA_LIBRARIES.filter((name) => name !== 'cuda').map((name) => surveyOf(name, search));
    return { libraries: [cuda, ...others], devices: [] };
  }
  const newestMajor = Math.floor(driver.version / 1000);
  const found = `driver for CUDA ${versionText(driver.version)}, ${driver.library.path} (${driver.library.place})`;
  const others = CUDA_LIBRARIES.filter((name) => name !== 'cuda').map((name) =>
    surveyOf(name, { ...search, newestMajor }),
  );
  const indices = Array.from({ length: driver.deviceCount() }, (_, index) => index);
  const devices = indices.map((index) => deviceProperties(driver, index));
  return { libraries: [{ name: 'cuda', present: true, found }, ...others], devices };
}
