import { useBackend as start } from '../../src/backend/select.js';
import type { TestBackend } from '../support/backends.js';

export const NATIVE: TestBackend = { label: 'native', name: 'native', hasReferenceKernels: false };

/** Compiles the kernels where they are not cached yet; a compile takes some seconds. */
await start({ backend: 'native', device: 'cpu' });
