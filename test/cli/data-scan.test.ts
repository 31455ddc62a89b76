import { spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readFileSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/hash.js';
import { packageRoot } from '../../src/base/package-root.js';
import { readRecords } from '../../src/data/read-records.js';
import { readQuarantine } from '../../src/train/bad-videos/list-file.js';
import { makeMedia, makeNumberedClip, mediaFolder, watchFfmpeg } from '../data/video/media.js';
import { runCli } from '../support/run-cli.js';

const media = mediaFolder();
const ffmpeg = watchFfmpeg(media);
const manifest = media('videos.jsonl');

interface Line {
  readonly id: string;
  readonly status: string;
  readonly [key: string]: unknown;
}
const linesOf = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const decodes = () => ffmpeg.starts().filter((words) => !words.includes('-version')).length;

/** Ids and the codes they must have; undefined for those that are well. */
const EXPECTED = new Map<string, string | undefined>([
  ['good', undefined],
  ['again', undefined],
  ['cut', 'E_VIDEO_TRUNCATED'],
  ['absent', 'E_VIDEO_NOT_FOUND'],
  ['empty', 'E_VIDEO_EMPTY'],
  ['text', 'E_VIDEO_FORMAT'],
  ['sound', 'E_VIDEO_NO_STREAM'],
  ['odd', undefined],
  ['varying', undefined],
  ['turned', undefined],
  ['pictures', undefined],
  ['half', 'E_IMAGE_DAMAGED'],
]);

beforeAll(() => {
  makeNumberedClip(media('good.mp4'), { count: 20, fps: 10, size: 32 });
  copyFileSync(media('good.mp4'), media('cut.mp4'));
  truncateSync(media('cut.mp4'), 1500);
  writeFileSync(media('empty.mp4'), '');
  writeFileSync(media('text.mp4'), 'not a video\n'.repeat(50));
  makeMedia(['-f', 'lavfi', '-i', 'sine=d=0.5', media('sound.mp4')]);
  makeMedia(['-i', media('good.mp4'), '-c', 'copy', media('odd.mkv')]);
  makeNumberedClip(media('varying.mp4'), { count: 12, fps: 10, size: 32, filter: "setpts='if(lt(N,6),N,2*N)/10/TB'" });
  makeMedia(['-i', media('good.mp4'), '-c', 'copy', '-metadata:s:v:0', 'rotate=90', media('turned.mp4')]);
  makeMedia(['-i', media('good.mp4'), '-frames:v', '1', media('picture.png')]);
  makeMedia(['-f', 'lavfi', '-i', 'testsrc2=s=64x64', '-frames:v', '1', media('half.jpg')]);
  truncateSync(media('half.jpg'), 900);
  const source = (id: string): object => {
    if (id === 'pictures') return { frames: ['picture.png', 'picture.png'], frame_times_sec: [0, 1] };
    if (id === 'half') return { frames: ['picture.png', 'half.jpg'], frame_times_sec: [0, 1] };
    return { video_path: id === 'again' ? 'good.mp4' : id === 'odd' ? 'odd.mkv' : `${id}.mp4` };
  };
  const records = [...EXPECTED.keys()].map((id) => ({ id, ...source(id) }));
  const text = {
    id: 'text-alone',
    conversations: [
      { from: 'human', value: 'a' },
      { from: 'gpt', value: 'b' },
    ],
  };
  writeFileSync(manifest, [...records, text].map((record) => `${JSON.stringify(record)}\n`).join(''));
});

describe('mimic data scan', () => {
  it('decodes every file once, reports each record and exits with 3', async () => {
    const before = decodes();
    const report = media('report.jsonl');
    const list = media('bad.jsonl');
    const { exitCode, stderr } = await runCli(
      'data',
      'scan',
      manifest,
      '--jobs',
      '2',
      '--json',
      report,
      '--quarantine',
      list,
    );
    expect(exitCode, stderr).toBe(3);
    expect(stderr).toContain(`${manifest}: 6 ok, 0 repaired, 6 quarantined`);
    expect(stderr).toMatch(/\n {2}cut {2}cut\.mp4: E_VIDEO_TRUNCATED\n/);
    // good, sound, odd, varying, turned; the others are refused by their bytes, and `again` is the file of `good`.
    expect(decodes() - before).toBe(5);
    const lines = linesOf(report);
    expect(lines.map(({ id, code }) => [id, code])).toEqual([...EXPECTED]);
    const by = new Map(lines.map((line) => [line.id, line]));
    const bytes = readFileSync(media('good.mp4'));
    expect(by.get('good')).toEqual({
      ...{ id: 'good', path: 'good.mp4', status: 'ok', bytes: bytes.length, sha256: sha256(bytes) },
      ...{ codec: 'h264', width: 32, height: 32, durationSec: 2, fps: 10, vfr: false, rotationDeg: 0, frames: 20 },
    });
    expect(by.get('again')).toEqual({ ...by.get('good'), id: 'again' });
    expect(by.get('odd')).toMatchObject({ codec: 'h264', vfr: false, frames: 20 });
    expect(by.get('varying')).toMatchObject({ vfr: true, frames: 12 });
    expect([90, 270]).toContain(by.get('turned')?.['rotationDeg']);
    expect(by.get('pictures')).toMatchObject({ status: 'ok', width: 32, height: 32, frames: 2 });
    expect(by.get('cut')).toMatchObject({ bytes: 1500, message: expect.stringContaining('cut.mp4') });
    expect(by.get('absent')).not.toHaveProperty('sha256');

    expect(linesOf(list)).toEqual(lines.filter(({ status }) => status === 'quarantined'));
    expect(existsSync(`${report}.partial`)).toBe(false);
    // Both are lists that a run takes.
    const { records } = await readRecords(manifest);
    const taken = await readQuarantine(report, records);
    expect(taken).toEqual(await readQuarantine(list, records));
    expect(taken.map(({ id }) => id)).toEqual(['cut', 'absent', 'empty', 'text', 'sound', 'half']);
    // Another file under the same id is another video.
    const moved = records.map((record) => (record.id === 'cut' ? { ...record, video_path: 'new.mp4' } : record));
    expect((await readQuarantine(list, moved)).map(({ id }) => id)).not.toContain('cut');
  });

  it('gives the same report with one job and with four', async () => {
    const reports = ['1', '4'].map(async (jobs) => {
      const report = media(`jobs-${jobs}.jsonl`);
      await runCli('data', 'scan', manifest, '--jobs', jobs, '--json', report);
      return readFileSync(report, 'utf8');
    });
    const [one, four] = [await reports[0], await reports[1]];
    expect(four).toBe(one);
    expect(four).toBe(readFileSync(media('report.jsonl'), 'utf8'));
  });

  it('goes on where a killed scan stopped, and scans again what changed since', async () => {
    const report = media('killed.jsonl');
    const bin = join(packageRoot(), 'bin/mimic.js');
    const child = spawn(process.execPath, [bin, 'data', 'scan', manifest, '--jobs', '1', '--json', report], {
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    const partial = `${report}.partial`;
    const done = () => (existsSync(partial) ? readFileSync(partial, 'utf8').split('\n').length - 1 : 0);
    while (done() < 4 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect(existsSync(report)).toBe(false);
    const known = done();
    // As a kill within a write would leave it.
    appendFileSync(partial, '{"key":"half a li');
    const before = decodes();
    utimesSync(media('good.mp4'), 1, 1);
    const { exitCode, stderr } = await runCli('data', 'scan', manifest, '--jobs', '1', '--json', report);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`${known - 1} known`);
    expect(decodes() - before).toBe(5);
    expect(readFileSync(report, 'utf8')).toBe(readFileSync(media('report.jsonl'), 'utf8'));
    expect(existsSync(partial)).toBe(false);
  });

  it('exits with 0 when all are well, and with 2 for a manifest that is none', async () => {
    writeFileSync(media('fine.jsonl'), '{"id":"good","video_path":"good.mp4"}\n');
    expect(await runCli('data', 'scan', media('fine.jsonl'))).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('1 ok, 0 repaired, 0 quarantined'),
    });
    writeFileSync(media('broken.jsonl'), '{"id":\n');
    expect((await runCli('data', 'scan', media('broken.jsonl'))).exitCode).toBe(2);
  });
});
