import type { Writable } from 'node:stream';
import ffmpeg, { type FfmpegCommand } from 'fluent-ffmpeg';
import type { VideoLimits } from './limits.js';
import type { LocalFile } from './local-file.js';
import type { SamplingConfig } from './sampling.js';

/** Demuxers that may open the file; without the list a playlist named .mp4 is followed to the files it names. */
const FORMATS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi';
const LARGE_FILE_BYTES = 2 ** 20;
/** Metadata key put on each frame: the print filter writes only frames that carry one. */
export const FRAME_KEY = 'frame_read';

/** `square`: rgb24 squares, scaled. `native`: PPM pictures at their own size, so that each says how large it is. */
export type PictureOutput = 'square' | 'native';

export interface CommandRequest {
  readonly binary: string;
  readonly file: LocalFile;
  readonly sampling: SamplingConfig;
  readonly limits: VideoLimits;
  readonly output: PictureOutput;
  /** Frame numbers to scale and emit; undefined for all. The others are decoded, as prediction needs them, and counted. */
  readonly keep?: Int32Array | undefined;
}

const ENCODINGS: Readonly<Record<PictureOutput, readonly string[]>> = {
  square: ['-pix_fmt', 'rgb24', '-f', 'rawvideo'],
  native: ['-pix_fmt', 'rgb24', '-c:v', 'ppm', '-f', 'image2pipe'],
};

/**
 * The one ffmpeg command of a pass: strict, local, bounded, one video stream, RGB pictures to `sink`.
 *
 * For `square` the picture is cropped to its centre square (in display shape, so anamorphic pixels are undone) and then scaled. The
 * result is that of scaling the short side first, but a 16 x 16384 picture cannot unfold into gigabytes on the way, and a
 * 1080p clip costs 12 % less. The scaler's flags trade about 12 % of that for the same bytes on every CPU.
 *
 * For `native` ffmpeg converts colours only, in its default way: that gives the bytes of decord and PyAV, which the
 * reference implementations read videos with (0 differences on three clips). That way is not the same on every CPU:
 * without SIMD up to 3 levels differ.
 */
export function ffmpegCommand(request: CommandRequest, sink: Writable): FfmpegCommand {
  const { binary, file, limits } = request;
  const command = ffmpeg()
    .setFfmpegPath(binary)
    .input(`file:${file.path}`)
    .inputOptions(
      ...['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'level+info'],
      ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', FORMATS],
      ...['-max_pixels', String(limits.maxPixels), '-max_alloc', String(512 * 2 ** 20), '-max_streams', '32'],
      ...['-probesize', '20M', '-analyzeduration', '5M'],
      ...['-xerror', '-err_detect', 'explode'],
      // A second thread costs a small clip 5 % and saves a large one a third of its wait.
      ...['-threads', file.bytes > LARGE_FILE_BYTES ? '2' : '1', '-filter_threads', '1'],
    )
    .outputOptions(
      ...['-map', '0:V:0', '-an', '-sn', '-dn', '-vf', filters(request)],
      ...['-fps_mode', 'passthrough', '-threads', '1', ...ENCODINGS[request.output]],
    )
    .output(sink, { end: true });
  // fluent-ffmpeg spawns `ffmpeg -formats` and `ffmpeg -encoders` before the first command of a process, twice the cost of
  // a small clip; the binary's version has been checked, and every build writes raw video and PPM.
  const formats = { rawvideo: { canMux: true }, image2pipe: { canMux: true } };
  return Object.assign(command, {
    availableFormats: (done: (error: null, found: object) => void) => done(null, formats),
    availableEncoders: (done: (error: null, found: object) => void) => done(null, { ppm: { type: 'video' } }),
  });
}

/** What fluent-ffmpeg would start ffmpeg with. */
export function argumentsOf(command: FfmpegCommand): string[] {
  const getter: unknown = Reflect.get(command, '_getArguments');
  if (typeof getter !== 'function') throw new TypeError('fluent-ffmpeg has no _getArguments: another version?');
  const args: unknown = getter.call(command);
  return Array.isArray(args) ? args.map(String) : [];
}

/** Timestamps of every decoded frame to the log, in microseconds; then selection, and crop and scale or colours alone. */
function filters({ sampling: { size, resize }, keep, output }: CommandRequest): string {
  const kernel = { bicubic: 'bicubic:param0=0:param1=0.5', area: 'area', bilinear: 'bilinear' }[resize];
  return [
    'settb=1/1000000',
    // `metadata=print` writes a frame's number and timestamp and nothing of the file's own; showinfo would dump its side data.
    `metadata=mode=add:key=${FRAME_KEY}:value=1`,
    `metadata=mode=print:key=${FRAME_KEY}:file=pipe\\\\:2:direct=1`,
    ...(keep === undefined ? [] : [`select='${frameExpression(keep)}'`]),
    ...(output === 'native'
      ? ['scale=flags=bicubic', 'format=rgb24']
      : [
          "crop=w='max(1,min(iw,ih/sar))':h='max(1,min(ih,iw*sar))':exact=1",
          `scale=${size}:${size}:flags=accurate_rnd+full_chroma_int+bitexact+${kernel}`,
        ]),
  ].join(',');
}

/** Runs of consecutive numbers as one term each; '0' keeps nothing. */
function frameExpression(keep: Int32Array): string {
  const terms: string[] = [];
  for (let i = 0; i < keep.length; ) {
    const first = keep[i] ?? 0;
    let last = first;
    while (keep[++i] === last + 1) last++;
    terms.push(`between(n,${first},${last})`);
  }
  return terms.join('+') || '0';
}
