// TypeScript SDK v2 against our server, in either era.
//   sdk2_client.mjs stdio|http SERVER_PROGRAM legacy|auto|2026-07-28
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { check, form_answer, ours_over_http, play_fixtures, same, sampled } from './common.mjs';

const [how, program, mode] = process.argv.slice(2);
await check(`SDK v2 client, ${how}, ${mode}`, async () => {
  const over = how === 'stdio' ? new StdioClientTransport({ command: program, args: ['--stdio'] })
    : new StreamableHTTPClientTransport(new URL((await ours_over_http(program)).url));
  const client = new Client({ name: 'interop', version: '1' }, {
    capabilities: { elicitation: {}, sampling: {}, roots: {} },
    versionNegotiation: { mode: mode.startsWith('20') ? { pin: mode } : mode } });
  client.setRequestHandler('elicitation/create', async () => form_answer);
  client.setRequestHandler('sampling/createMessage', async () => sampled);
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///r', name: 'r' }] }));
  await client.connect(over);
  same(client.getServerVersion()?.name, 'wherry-conformance', 'who serves');
  same(client.getProtocolEra(), mode === 'legacy' ? 'legacy' : 'modern', 'the era that was agreed on');
  await play_fixtures({
    list: async what => (await ({ tools: () => client.listTools(), resources: () => client.listResources(), prompts: () => client.listPrompts() })[what]())[what],
    call: (name, args, { progress } = {}) => client.callTool({ name, arguments: args }, progress && { onprogress: progress }),
    read: uri => client.readResource({ uri }),
    prompt: (name, args) => client.getPrompt({ name, arguments: args }),
    complete: (ref, argument) => client.complete({ ref, argument }),
    progress: true,
  });
  await client.close();
});
