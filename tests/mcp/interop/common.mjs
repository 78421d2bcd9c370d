// What the checks share: our server as a process, and a count of what holds.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import net from 'node:net';
import { isDeepStrictEqual } from 'node:util';

let held = 0;
export function same(seen, wanted, what) {
  if (isDeepStrictEqual(seen, wanted)) { held++; return; }
  throw new Error(`${what}: wanted ${JSON.stringify(wanted)}, saw ${JSON.stringify(seen)}`);
}
export function holds(condition, what) {
  if (condition) { held++; return; }
  throw new Error(`does not hold: ${what}`);
}
export async function fails(promise, what) {
  try { await promise; } catch (e) { held++; return e; }
  throw new Error(`should have failed: ${what}`);
}
/// Runs the check; prints how much held, or what did not.
export async function check(name, body) {
  const late = setTimeout(() => { console.error(`FAIL ${name}: did not end within 60 s`); process.exit(1); }, 60_000);
  try { await body(); } catch (e) { console.error(`FAIL ${name}:`, e); process.exit(1); }
  clearTimeout(late);
  console.log(`ok ${name}: ${held} checks`);
  process.exit(0);
}

/// Starts one of our servers on a port of its own choosing. Returns: its URL and a function that ends it.
export async function ours_over_http(program) {
  const child = spawn(program, ['--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  process.on('exit', () => child.kill());
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /^listening on (\S+)/.exec(line)?.[1];
    if (url) { child.stderr.resume(); return { url, stop: () => child.kill('SIGTERM') }; }
  }
  throw new Error('our server did not start');
}

export async function free_port() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await new Promise(r => s.on('listening', r));
  const { port } = s.address();
  await new Promise(r => s.close(r));
  return port;
}

/// Starts somebody else's server and waits until its port is taken.
export async function theirs_over_http(command, args, env) {
  const port = await free_port();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env, PORT: String(port) } });
  process.on('exit', () => child.kill('SIGKILL'));
  for (let i = 0; ; i++) {
    const reached = await new Promise(r => { const s = net.connect(port, '127.0.0.1', () => { s.destroy(); r(true); }); s.on('error', () => r(false)); });
    if (reached) return { url: `http://127.0.0.1:${port}/mcp`, stop: () => child.kill('SIGKILL') };
    if (i > 400) throw new Error(`nobody listens on ${port}`);
    await new Promise(r => setTimeout(r, 50));
  }
}

/// What any client should see of the fixtures. `c` is an adapter:
///   list(what), call(name, args, {progress}), read(uri), prompt(name, args), complete(ref, argument), logs
export async function play_fixtures(c, { asks = true } = {}) {
  const tools = await c.list('tools');
  holds(tools.some(t => t.name === 'echo' && t.inputSchema.type === 'object'), 'echo is listed');
  const text = 'line\nend "quoted" \u2028 \u{1F600} ' + 'x'.repeat(70_000);
  same((await c.call('echo', { message: text })).content[0].text, text, 'text comes back');
  const sum = await c.call('add', { a: 40, b: 2 });
  same(sum.structuredContent, { sum: 42 }, 'structured content');
  same((await c.call('test_error_handling', {})).isError, true, 'a failed tool');
  same((await c.call('echo', { message: 7 })).isError, true, 'wrong arguments');
  same((await c.call('test_image_content', {})).content[0].mimeType, 'image/png', 'an image');
  await fails(c.call('no_such_tool', {}), 'an unknown tool');
  if (c.progress) {
    const news = [];
    await c.call('test_tool_with_progress', {}, { progress: p => news.push(p.progress) });
    same(news, [0, 50, 100], 'progress');
  }
  const many = await Promise.all(Array.from({ length: 64 }, (_, i) => c.call('echo', { message: `m${i}` })));
  same(many.map(r => r.content[0].text), many.map((_, i) => `m${i}`), '64 calls at once');
  if (c.read) {
    holds((await c.list('resources')).some(r => r.uri === 'test://static-text'), 'resources are listed');
    same((await c.read('test://static-text')).contents[0].text, 'This is the content of the static text resource.', 'a resource');
    holds((await c.read('test://static-binary')).contents[0].blob.length > 10, 'a binary resource');
    same(JSON.parse((await c.read('test://template/7/data')).contents[0].text).id, '7', 'a template');
    await fails(c.read('test://nothing'), 'an unknown resource');
  }
  if (c.prompt) {
    holds((await c.list('prompts')).length >= 4, 'prompts are listed');
    same((await c.prompt('test_prompt_with_arguments', { arg1: 'x', arg2: 'y' })).messages[0].content.text,
      "Prompt with arguments: arg1='x', arg2='y'", 'a prompt');
  }
  if (c.complete) {
    const r = await c.complete({ type: 'ref/prompt', name: 'test_prompt_with_arguments' }, { name: 'arg1', value: 'par' });
    same(r.completion.values, ['paris', 'park', 'party'], 'a completion');
  }
  if (!asks) return;
  holds((await c.call('test_elicitation', { message: 'who?' })).content[0].text.includes('ann'), 'elicitation');
  holds((await c.call('test_sampling', { prompt: 'capital?' })).content[0].text.includes('Paris'), 'sampling');
  holds((await c.call('test_input_required_result_multi_round', {})).content[0].text.includes('likes'), 'two rounds');
}

export const form_answer = { action: 'accept', content: { username: 'ann', email: 'a@b.c', name: 'Ann', color: 'red', ok: true } };
export const sampled = { role: 'assistant', content: { type: 'text', text: 'Paris' }, model: 'none', stopReason: 'endTurn' };
