import type { BadVideo } from './bad-video.js';

/** Lines shown; the rest are counted. */
const MAX_SHOWN = 20;

/** `  id  path: CODE`, a line a video. @param which of a list too long to show */
export function describeBadVideos(videos: readonly BadVideo[], which: 'start' | 'end' = 'start'): string {
  const shown = which === 'start' ? videos.slice(0, MAX_SHOWN) : videos.slice(-MAX_SHOWN);
  const lines = shown.map(({ id, path, code }) => `  ${id}  ${path}: ${code}`);
  const hidden = videos.length - shown.length;
  const rest = hidden === 0 ? [] : [`  ... and ${hidden} ${which === 'start' ? 'more' : 'before them'}`];
  return (which === 'start' ? [...lines, ...rest] : [...rest, ...lines]).join('\n');
}
