// TypeScript SDK v1 (revision 2025-11-25) against our server.
//   sdk1_client.mjs stdio|http SERVER_PROGRAM
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { check, form_answer, holds, ours_over_http, play_fixtures, same, sampled } from './common.mjs';

const [how, program] = process.argv.slice(2);
await check(`SDK v1 client, ${how}`, async () => {
  const over = how === 'stdio' ? new StdioClientTransport({ command: program, args: ['--stdio'] })
    : new StreamableHTTPClientTransport(new URL((await ours_over_http(program)).url));
  const client = new Client({ name: 'interop', version: '1' }, { capabilities: { elicitation: {}, sampling: {}, roots: {} } });
  client.setRequestHandler(ElicitRequestSchema, async () => form_answer);
  client.setRequestHandler(CreateMessageRequestSchema, async () => sampled);
  client.setRequestHandler(ListRootsRequestSchema, async () => ({ roots: [{ uri: 'file:///r', name: 'r' }] }));
  const logs = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, n => logs.push(n.params.data));
  await client.connect(over);
  same(client.getServerVersion().name, 'wherry-conformance', 'who serves');
  await client.ping();
  await play_fixtures({
    list: async what => (await ({ tools: () => client.listTools(), resources: () => client.listResources(), prompts: () => client.listPrompts() })[what]())[what],
    call: (name, args, { progress } = {}) => client.callTool({ name, arguments: args }, undefined, progress && { onprogress: progress }),
    read: uri => client.readResource({ uri }),
    prompt: (name, args) => client.getPrompt({ name, arguments: args }),
    complete: (ref, argument) => client.complete({ ref, argument }),
    progress: true,
  });
  await client.setLoggingLevel('info');
  await client.callTool({ name: 'test_tool_with_logging', arguments: {} });
  same(logs.length, 3, 'log messages');
  const stop = new AbortController();
  const slow = client.callTool({ name: 'slow_compute', arguments: { seconds: 30 } }, undefined, { signal: stop.signal });
  setTimeout(() => stop.abort('enough'), 50);
  await slow.then(() => holds(false, 'a cancelled call ends'), () => holds(true, 'a cancelled call ends'));
  await client.subscribeResource({ uri: 'test://watched-resource' });
  if (how === 'http') await over.terminateSession();
  await client.close();
});
