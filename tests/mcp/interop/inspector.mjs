// The Inspector's command line against our server, as its users call it.
//   inspector.mjs stdio|http SERVER_PROGRAM
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { check, holds, ours_over_http, same } from './common.mjs';

const [how, program] = process.argv.slice(2);
await check(`Inspector, ${how}`, async () => {
  const target = how === 'stdio' ? [program, '--stdio'] : [(await ours_over_http(program)).url];
  const cli = new URL('node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url).pathname;
  const ask = async (...words) => {
    const { stdout } = await promisify(execFile)(process.execPath, [cli, '--cli', ...target, ...words], { maxBuffer: 1 << 24 });
    return JSON.parse(stdout);
  };
  holds((await ask('--method', 'tools/list')).tools.some(t => t.name === 'echo'), 'tools are listed');
  same((await ask('--method', 'tools/call', '--tool-name', 'add', '--tool-arg', 'a=1', '--tool-arg', 'b=2')).structuredContent, { sum: 3 }, 'a call');
  holds((await ask('--method', 'resources/list')).resources.length >= 3, 'resources are listed');
  holds((await ask('--method', 'prompts/list')).prompts.length >= 4, 'prompts are listed');
});
