// Our client, through the command, against other people's servers.
//   our_client.mjs WHERRY_COMMAND everything|everything-http|everything-sse|filesystem|memory|sdk1|sdk1-http|sdk2|sdk2-http
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { check, holds, same, theirs_over_http } from './common.mjs';

const [wherry, which] = process.argv.slice(2);
const here = path.dirname(new URL(import.meta.url).pathname);
const entry = name => path.join(here, 'node_modules/@modelcontextprotocol', name, 'dist/index.js');

async function command(...words) {
  try { return { ...(await promisify(execFile)(wherry, words, { maxBuffer: 1 << 24 })), code: 0 }; }
  catch (e) { return { stdout: e.stdout ?? '', stderr: e.stderr ?? String(e), code: e.code }; }
}
async function inspect(target, ...flags) {
  const r = await command('mcp', 'inspect', '--json', ...flags, '--', ...target);
  same(r.code, 0, `inspect ${target.join(' ')}: ${r.stderr}`);
  return JSON.parse(r.stdout);
}
async function call(target, tool, args, ...flags) {
  const r = await command('mcp', 'call', '--json', ...flags, tool, JSON.stringify(args), '--', ...target);
  if (!r.stdout) throw new Error(`call ${tool}: ${r.stderr}`);
  return JSON.parse(r.stdout);
}

/// What the servers of both SDKs offer (sdk1_server.mjs, sdk2_server.mjs).
async function play_sdk(target, revision) {
  const seen = await inspect(target);
  same(seen.revision, revision, 'the revision');
  same(seen.tools.map(t => t.name).filter(n => n !== 'slow'), ['echo', 'add'], 'tools');
  same(seen.resources[0].uri, 'note://one', 'resources');
  same(seen.prompts[0].name, 'ask', 'prompts');
  const text = 'line\nend \u{1F600} ' + 'x'.repeat(70_000);
  same((await call(target, 'echo', { message: text })).content[0].text, text, 'text comes back');
  same((await call(target, 'add', { a: 40, b: 2 })).structuredContent, { sum: 42 }, 'structured content');
  same((await call(target, 'echo', { message: 7 })).isError, true, 'wrong arguments');
}

const plays = {
  async everything() { await play_everything([process.execPath, entry('server-everything'), 'stdio']); },
  async 'everything-http'() {
    const s = await theirs_over_http(process.execPath, [entry('server-everything'), 'streamableHttp']);
    await play_everything([s.url]);
    s.stop();
  },
  async 'everything-sse'() {  // HTTP+SSE of 2024-11-05, which a client falls back to
    const s = await theirs_over_http(process.execPath, [entry('server-everything'), 'sse']);
    await play_everything([s.url.replace(/mcp$/, 'sse')], /^202[45]-/);
    s.stop();
  },
  async filesystem() {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wherry-interop-'));
    fs.writeFileSync(path.join(dir, 'a.txt'), 'hello \u00e9\n');
    const target = [process.execPath, entry('server-filesystem'), dir];
    holds((await inspect(target)).tools.some(t => t.name === 'read_text_file'), 'tools are listed');
    holds((await call(target, 'read_text_file', { path: path.join(dir, 'a.txt') })).content[0].text.includes('hello \u00e9'), 'a file');
    same((await call(target, 'read_text_file', { path: '/etc/passwd' })).isError, true, 'a file outside');
    fs.rmSync(dir, { recursive: true });
  },
  async memory() {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'wherry-interop-')), 'memory.jsonl');
    const target = ['env', `MEMORY_FILE_PATH=${file}`, process.execPath, entry('server-memory')];
    holds((await inspect(target)).tools.some(t => t.name === 'create_entities'), 'tools are listed');
    await call(target, 'create_entities', { entities: [{ name: 'Ann', entityType: 'person', observations: ['sails'] }] });
    const found = await call(target, 'search_nodes', { query: 'sails' });
    holds(JSON.stringify(found.content).includes('Ann'), 'what was written is found by another process');
    fs.rmSync(path.dirname(file), { recursive: true });
  },
  async sdk1() { await play_sdk([process.execPath, path.join(here, 'sdk1_server.mjs')], '2025-11-25'); },
  async sdk2() { await play_sdk([process.execPath, path.join(here, 'sdk2_server.mjs')], '2026-07-28'); },
  async 'sdk1-http'() {
    const s = await theirs_over_http(process.execPath, [path.join(here, 'sdk1_server.mjs')]);
    await play_sdk([s.url], '2025-11-25');
    s.stop();
  },
  async 'sdk2-http'() {
    const s = await theirs_over_http(process.execPath, [path.join(here, 'sdk2_server.mjs')]);
    await play_sdk([s.url], '2026-07-28');
    s.stop();
  },
};

async function play_everything(target, revision = /^2025-11-25$/) {
  const seen = await inspect(target);
  holds(revision.test(seen.revision), `the revision ${seen.revision}`);
  holds(seen.tools.length >= 8 && seen.prompts.length >= 2 && seen.resources.length >= 1, 'everything is listed');
  const by = name => seen.tools.find(t => t.name === name || t.name === name.replace('-', '_'))?.name ?? name;
  holds((await call(target, by('echo'), { message: 'hi' })).content[0].text.includes('hi'), 'echo');
  const image = await call(target, seen.tools.find(t => /image/i.test(t.name)).name, {});
  holds(image.content.some(b => b.type === 'image' && b.data.length > 100), 'an image');
  const structured = seen.tools.find(t => /structured/i.test(t.name));
  holds((await call(target, structured.name, { location: 'New York' })).structuredContent !== undefined, 'structured content');
}

await check(`our client, ${which}`, plays[which]);
