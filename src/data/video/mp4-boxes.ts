/** One ISO base media box inside a buffer; `start` and `end` bound its payload. */
export interface Mp4Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** Declared by one video track of a `moov` box. */
export interface Mp4VideoTrack {
  /** Entries of the sample-size table. */
  readonly sampleCount: number;
  /** An edit list shows less than the samples hold, so fewer frames than `sampleCount` are presented. */
  readonly trimmed: boolean;
}

/**
 * The first video track of a `moov` payload, or undefined when there is none, it is fragmented, or it cannot be read:
 * whether the file plays is ffmpeg's verdict, not this reader's.
 *
 * @source ISO/IEC 14496-12, boxes mvhd, mvex, trak, edts/elst, mdia/mdhd, hdlr, minf/stbl/stsz
 */
export function firstVideoTrack(moov: DataView): Mp4VideoTrack | undefined {
  const root = { type: 'moov', start: 0, end: moov.byteLength };
  try {
    if (child(moov, root, 'mvex') !== undefined) return undefined;
    const movieScale = timing(moov, child(moov, root, 'mvhd'))?.scale;
    for (const trak of boxes(moov, root)) {
      const handler = trak.type === 'trak' ? child(moov, trak, 'mdia', 'hdlr') : undefined;
      if (handler === undefined || fourCc(moov, handler.start + 8) !== 'vide') continue;
      const sizes = child(moov, trak, 'mdia', 'minf', 'stbl', 'stsz');
      const media = timing(moov, child(moov, trak, 'mdia', 'mdhd'));
      if (sizes === undefined || media === undefined || movieScale === undefined) return undefined;
      const sampleCount = moov.getUint32(sizes.start + 8);
      const shownSec = editedUnits(moov, child(moov, trak, 'edts', 'elst')) / movieScale;
      const mediaSec = media.duration / media.scale;
      // One frame and one movie tick of slack: writers round the edit's length to the movie's own, coarser clock.
      const trimmed = shownSec + mediaSec / Math.max(1, sampleCount) + 1 / movieScale < mediaSec;
      return { sampleCount, trimmed };
    }
  } catch (error) {
    // A field that lies outside its box: DataView's bounds check.
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

/** Child boxes in order; stops at the first that does not fit its parent. */
export function* boxes(view: DataView, parent: Mp4Box): Generator<Mp4Box> {
  let at = parent.start;
  while (at + 8 <= parent.end) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > parent.end) return;
    yield { type: fourCc(view, at + 4), start: at + 8, end: at + size };
    at += size;
  }
}

function child(view: DataView, parent: Mp4Box, ...path: string[]): Mp4Box | undefined {
  let box: Mp4Box | undefined = parent;
  for (const type of path) box = box && [...boxes(view, box)].find((candidate) => candidate.type === type);
  return box;
}

/** Time scale and duration of an `mvhd` or `mdhd` box (version 1 has 64-bit times). */
function timing(view: DataView, box: Mp4Box | undefined): { scale: number; duration: number } | undefined {
  if (box === undefined) return undefined;
  const wide = view.getUint8(box.start) === 1;
  const scale = view.getUint32(box.start + (wide ? 20 : 12));
  const duration = wide ? Number(view.getBigUint64(box.start + 24)) : view.getUint32(box.start + 16);
  return scale === 0 ? undefined : { scale, duration };
}

/** Movie units that the edit list shows; infinite without a list, or with an entry that runs to the end (length 0). */
function editedUnits(view: DataView, list: Mp4Box | undefined): number {
  if (list === undefined) return Number.POSITIVE_INFINITY;
  const wide = view.getUint8(list.start) === 1;
  const entryBytes = wide ? 20 : 12;
  const count = view.getUint32(list.start + 4);
  let total = 0;
  for (let entry = 0; entry < count; entry++) {
    const at = list.start + 8 + entry * entryBytes;
    const length = wide ? Number(view.getBigUint64(at)) : view.getUint32(at);
    const mediaTime = wide ? Number(view.getBigInt64(at + 8)) : view.getInt32(at + 4);
    if (mediaTime < 0) continue; // an empty edit: a pause before the track starts
    if (length === 0) return Number.POSITIVE_INFINITY;
    total += length;
  }
  return total;
}

export function fourCc(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}
